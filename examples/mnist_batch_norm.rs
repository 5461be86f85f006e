//! A network with batch normalization, augmentation and the one-cycle schedule, alone or as an ensemble.
//!
//! `cargo run --release --example mnist_batch_norm`; `-- --help` tells what else it can do. The recipe was chosen among
//! four on the last 10,000 training images, by the loss after training on the other 50,000; the test images gave the
//! final scores alone.

mod arguments;

use arguments::{Common, Data, Result, interrupt_on_ctrl_c};
use clap::Parser;
use inkstone::data::Augment;
use inkstone::prelude::*;
use inkstone::{History, Interrupt};
use ndarray::Array2;
use std::num::NonZeroU16;

/// Trains a network of seven convolutions on images that are shifted, turned, scaled and bent anew in each epoch.
#[derive(Parser)]
struct Arguments {
    /// Epochs of training
    #[arg(long, default_value_t = 36)]
    epochs: usize,
    /// Images in a step
    #[arg(long, default_value_t = 128)]
    batch_size: usize,
    /// How many networks are trained, from one seed and those behind it; their mean prediction is scored as well
    #[arg(long, default_value = "1", conflicts_with_all = ["save", "report"])]
    runs: NonZeroU16,
    #[command(flatten)]
    common: Common,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let data = arguments.common.start()?;
    let interrupt = interrupt_on_ctrl_c()?;
    if arguments.runs.get() == 1 {
        let (mut model, history) = train(&arguments, 0, &data, &interrupt)?;
        return arguments.common.finish(&mut model, &history, &data);
    }
    let images = data.test.images();
    let (mut sum, mut accuracies) = (Array2::<f32>::zeros((images.dim().0, 10)), Vec::new());
    for run in 0..arguments.runs.get() {
        let (model, _) = train(&arguments, run.into(), &data, &interrupt)?;
        accuracies.push(model.evaluate(&data.test)?.accuracy()?);
        println!("Test accuracy of network {run}: {:.4}{}", accuracies[accuracies.len() - 1], data.remark);
        sum += &model.predict_rows(&images)?;
        if interrupt.is_interrupted() {
            break;
        }
    }
    let right = sum.rows().into_iter().zip(data.test.labels()).filter(|(row, label)| {
        let largest = (0..10).max_by(|a, b| row[*a].total_cmp(&row[*b]));
        largest == Some(**label)
    });
    let count = accuracies.len() as f64;
    println!("Their mean: {:.4}", accuracies.iter().sum::<f64>() / count);
    println!("Test accuracy of all together: {:.4}{}", right.count() as f64 / sum.nrows() as f64, data.remark);
    Ok(())
}

/// The network number `run`, trained.
fn train(arguments: &Arguments, run: u64, data: &Data, interrupt: &Interrupt) -> Result<(Model, History)> {
    let Arguments { epochs, batch_size, ref common, .. } = *arguments;
    let steps = epochs as u64 * data.train.len().div_ceil(batch_size.max(1)) as u64;
    let optimizer = Adam::new(OneCycle::new(0.006, steps));
    let mut model = common.seeded(network());
    if let Some(seed) = common.origin.seed {
        model = model.seed(seed.wrapping_add(run));
    }
    let mut model = model.compile(optimizer, SparseCategoricalCrossentropy::default(), [Accuracy])?;
    let augment = Augment::new().shift(2).rotate(15.0).zoom(0.15).shear(10.0).elastic(1.0, 6.0);
    let config = FitConfig::new().epochs(epochs).batch_size(batch_size).augment(augment).validation_data(&data.test);
    let history = model.fit(&data.train, config.interrupt(interrupt))?;
    Ok((model, history))
}

fn network() -> Sequential {
    let block = |model: Sequential, filters: usize, size: (usize, usize), stride: usize| {
        let padding = if stride > 1 { Same } else { Valid };
        let conv = Conv2D::new(filters, size).strides((stride, stride)).padding(padding).use_bias(false);
        model.add(conv).add(BatchNormalization::new().momentum(0.9)).add(Activation::new(Relu))
    };
    let mut model = Sequential::new([28, 28, 1]);
    for filters in [32, 64] {
        model = block(model, filters, (3, 3), 1);
        model = block(model, filters, (3, 3), 1);
        model = block(model, filters, (5, 5), 2).add(Dropout::new(0.25));
    }
    block(model, 128, (4, 4), 1).add(Flatten::new()).add(Dropout::new(0.4)).add(Dense::new(10).activation(Softmax))
}
