//! The Keras MNIST example: a small convolutional network on handwritten digits.
//!
//! `cargo run --release --example mnist_cnn` trains 5 epochs on the 60,000 images and scores the 10,000 others. MNIST
//! is downloaded if need be; where there is no network, digits are drawn in its place. `cargo run --release --example
//! mnist_cnn -- --help` tells what else it can do.

mod arguments;

use arguments::{Common, Result, interrupt_on_ctrl_c};
use clap::Parser;
use inkstone::prelude::*;
use std::num::NonZeroUsize;
use std::time::Instant;

/// Trains the Keras MNIST example's network.
#[derive(Parser)]
struct Arguments {
    /// Epochs of training
    #[arg(long, default_value_t = 5)]
    epochs: usize,
    /// Images in a step
    #[arg(long, default_value_t = 32)]
    batch_size: usize,
    /// Train on so many images only [default: all]
    #[arg(long, value_name = "COUNT")]
    images: Option<NonZeroUsize>,
    #[command(flatten)]
    common: Common,
}

fn main() -> Result<()> {
    let Arguments { epochs, batch_size, images, common } = Arguments::parse();
    let start = Instant::now();
    let data = common.start()?;
    let train = data.train.take(images.map_or(usize::MAX, NonZeroUsize::get))?;

    let model = Sequential::new([28, 28, 1])
        .add(Conv2D::new(32, (3, 3)).activation(Relu))
        .add(MaxPooling2D::new((2, 2)))
        .add(Conv2D::new(64, (3, 3)).activation(Relu))
        .add(MaxPooling2D::new((2, 2)))
        .add(Conv2D::new(64, (3, 3)).activation(Relu))
        .add(Flatten::new())
        .add(Dense::new(64).activation(Relu))
        .add(Dense::new(10).activation(Softmax));
    let mut model =
        common.seeded(model).compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy])?;

    println!("{}", model.summary());
    let config = FitConfig::new().epochs(epochs).batch_size(batch_size).validation_data(&data.test);
    let history = model.fit(&train, config.interrupt(&interrupt_on_ctrl_c()?))?;
    common.finish(&mut model, &history, &data)?;
    println!("Total time: {:.1} s", start.elapsed().as_secs_f64());
    Ok(())
}
