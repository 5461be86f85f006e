//! The Keras example's CNN on MNIST with Inkstone, printed as the other peers print. Arguments: folder epochs batch.

use inkstone::prelude::*;
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, folder, epochs, batch] = &arguments[..] else { return Err("arguments: folder epochs batch".into()) };
    let (train, test) = mnist::load_from(folder)?;
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
    for epoch in 1..=epochs.parse()? {
        let history = model.fit(&train, FitConfig::new().batch_size(batch.parse()?).verbose(0))?;
        println!("epoch {epoch} {:.3}", history.epochs[0].seconds);
        let start = Instant::now();
        let scores = model.evaluate(&test)?;
        println!("test {:.3} accuracy {:.4}", start.elapsed().as_secs_f64(), scores.accuracy()?);
    }
    Ok(())
}
