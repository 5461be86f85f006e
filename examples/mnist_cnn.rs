//! The Keras MNIST example: a small convolutional network on handwritten digits.
//!
//! `cargo run --release --example mnist_cnn` trains 5 epochs on the 60,000 images and scores the 10,000 others. MNIST is
//! downloaded if need be; where there is no network, digits are drawn in its place.
//! `cargo run --release --example mnist_cnn -- 1 6000` trains 1 epoch on the first 6,000.

use inkstone::Error;
use inkstone::data::synthetic;
use inkstone::prelude::*;
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let start = Instant::now();
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<usize>());
    let epochs = arguments.next().transpose()?.unwrap_or(5);
    let images = arguments.next().transpose()?.unwrap_or(usize::MAX);
    let (data, real) = match mnist::load_data() {
        Err(error @ (Error::MissingData { .. } | Error::Download { .. })) => {
            println!("{error}\n\nThis is NOT MNIST: the program goes on with digits that it draws itself.\n");
            (synthetic::load_data(0)?, false)
        }
        loaded => (loaded?, true),
    };
    let (train, test) = data;
    let train = train.take(images);

    let mut model = Sequential::new([28, 28, 1])
        .add(Conv2D::new(32, (3, 3)).activation(Relu))
        .add(MaxPooling2D::new((2, 2)))
        .add(Conv2D::new(64, (3, 3)).activation(Relu))
        .add(MaxPooling2D::new((2, 2)))
        .add(Conv2D::new(64, (3, 3)).activation(Relu))
        .add(Flatten::new())
        .add(Dense::new(64).activation(Relu))
        .add(Dense::new(10).activation(Softmax))
        .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy])?;

    println!("{}", model.summary());
    model.fit(&train, FitConfig::new().epochs(epochs).validation_data(&test))?;
    let scores = model.evaluate(&test)?;
    let on = if real { "" } else { " on drawn digits, NOT on MNIST" };
    println!("Test accuracy: {:.4}{on}", scores.accuracy());
    println!("Total time: {:.1} s", start.elapsed().as_secs_f64());
    Ok(())
}
