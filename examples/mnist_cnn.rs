//! The Keras MNIST example: a small convolutional network on handwritten digits.
//!
//! `cargo run --release --example mnist_cnn` trains 5 epochs on the 60,000 images and scores the 10,000 others.

use inkstone::prelude::*;
use std::time::Instant;

fn main() -> inkstone::Result<()> {
    let start = Instant::now();
    let (train, test) = mnist::load_data()?;

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
    model.fit(&train, FitConfig::new().epochs(5).validation_data(&test))?;
    let scores = model.evaluate(&test)?;
    println!("Test accuracy: {:.4}", scores.accuracy());
    println!("Total time: {:.1} s", start.elapsed().as_secs_f64());
    Ok(())
}
