//! The Keras MNIST example's network with augmentation and the one-cycle schedule: 99.5 % after 15 epochs.
//!
//! `cargo run --release --example mnist_augmented`; `-- --help` tells what else it can do. The recipe is the first that
//! was tried.

mod arguments;

use arguments::{Common, Result, interrupt_on_ctrl_c};
use clap::Parser;
use inkstone::data::Augment;
use inkstone::prelude::*;

/// Trains the Keras MNIST example's network on images that are shifted, turned, scaled and bent anew in each epoch.
#[derive(Parser)]
struct Arguments {
    /// Epochs of training
    #[arg(long, default_value_t = 15)]
    epochs: usize,
    /// Images in a step
    #[arg(long, default_value_t = 64)]
    batch_size: usize,
    #[command(flatten)]
    common: Common,
}

fn main() -> Result<()> {
    let Arguments { epochs, batch_size, common } = Arguments::parse();
    let data = common.start()?;
    let steps = epochs as u64 * data.train.len().div_ceil(batch_size.max(1)) as u64;
    let model = Sequential::new([28, 28, 1])
        .add(Conv2D::new(32, (3, 3)).activation(Relu))
        .add(MaxPooling2D::new((2, 2)))
        .add(Conv2D::new(64, (3, 3)).activation(Relu))
        .add(MaxPooling2D::new((2, 2)))
        .add(Conv2D::new(64, (3, 3)).activation(Relu))
        .add(Flatten::new())
        .add(Dense::new(64).activation(Relu))
        .add(Dense::new(10).activation(Softmax));
    let optimizer = Adam::new(OneCycle::new(0.004, steps));
    let mut model = common.seeded(model).compile(optimizer, SparseCategoricalCrossentropy::default(), [Accuracy])?;

    let augment = Augment::new().shift(2).rotate(10.0).zoom(0.1).shear(5.0).elastic(1.0, 6.0);
    let config = FitConfig::new().epochs(epochs).batch_size(batch_size).augment(augment).validation_data(&data.test);
    let history = model.fit(&data.train, config.interrupt(&interrupt_on_ctrl_c()?))?;
    common.finish(&mut model, &history, &data)
}
