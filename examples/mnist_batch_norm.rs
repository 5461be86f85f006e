//! A network with batch normalization, augmentation and the one-cycle schedule.
//!
//! `cargo run --release --example mnist_batch_norm`; `-- --help` tells what else it can do. The recipe is the first that
//! was tried.

mod arguments;

use arguments::{Common, Result, interrupt_on_ctrl_c};
use clap::Parser;
use inkstone::data::Augment;
use inkstone::prelude::*;

/// Trains a network of seven convolutions on images that are shifted, turned, scaled and bent anew in each epoch.
#[derive(Parser)]
struct Arguments {
    /// Epochs of training
    #[arg(long, default_value_t = 24)]
    epochs: usize,
    /// Images in a step
    #[arg(long, default_value_t = 128)]
    batch_size: usize,
    #[command(flatten)]
    common: Common,
}

fn main() -> Result<()> {
    let Arguments { epochs, batch_size, common } = Arguments::parse();
    let data = common.start()?;
    let steps = epochs as u64 * data.train.len().div_ceil(batch_size.max(1)) as u64;
    let block = |model: Sequential, filters: usize, size: (usize, usize), stride: usize| {
        let padding = if stride > 1 { Same } else { Valid };
        let conv = Conv2D::new(filters, size).strides((stride, stride)).padding(padding).use_bias(false);
        model.add(conv).add(BatchNormalization::new().momentum(0.9)).add(Activation::new(Relu))
    };
    let mut model = Sequential::new([28, 28, 1]);
    for filters in [32, 64] {
        model = block(model, filters, (3, 3), 1);
        model = block(model, filters, (3, 3), 1);
        model = block(model, filters, (5, 5), 2).add(Dropout::new(0.4));
    }
    let model =
        block(model, 128, (4, 4), 1).add(Flatten::new()).add(Dropout::new(0.4)).add(Dense::new(10).activation(Softmax));
    let optimizer = Adam::new(OneCycle::new(0.006, steps));
    let mut model = common.seeded(model).compile(optimizer, SparseCategoricalCrossentropy::default(), [Accuracy])?;

    let augment = Augment::new().shift(2).rotate(10.0).zoom(0.1).shear(5.0).elastic(1.0, 6.0);
    let config = FitConfig::new().epochs(epochs).batch_size(batch_size).augment(augment).validation_data(&data.test);
    let history = model.fit(&data.train, config.interrupt(&interrupt_on_ctrl_c()?))?;
    common.finish(&mut model, &history, &data)
}
