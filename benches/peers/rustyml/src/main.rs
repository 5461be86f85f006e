//! The Keras example's CNN on MNIST with RustyML, printed as the other peers print. Arguments: folder epochs batch.

use ndarray::{ArrayD, Axis, Slice};
use rustyml::neural_network::Shape;
use rustyml::neural_network::layers::{Activation, Conv2D, Dense, Flatten, MaxPooling2D};
use rustyml::neural_network::losses::SparseCategoricalCrossEntropy;
use rustyml::neural_network::optimizers::Adam;
use rustyml::neural_network::sequential::{Sequential, SequentialBuilder};
use std::{error::Error, fs::File, io::Read, path::Path, time::Instant};

/// The bytes behind the header of a gzipped IDX file.
fn idx(folder: &str, name: &str, header: usize) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(File::open(Path::new(folder).join(name))?).read_to_end(&mut bytes)?;
    Ok(bytes.split_off(header))
}

/// Images (N, 28, 28, 1) of 0 to 1, and labels (N, 1).
fn load(folder: &str, part: &str) -> Result<(ArrayD<f32>, ArrayD<f32>), Box<dyn Error>> {
    let pixels = idx(folder, &format!("{part}-images-idx3-ubyte.gz"), 16)?;
    let labels = idx(folder, &format!("{part}-labels-idx1-ubyte.gz"), 8)?;
    let images = pixels.iter().map(|byte| f32::from(*byte) / 255.0).collect();
    let count = labels.len();
    Ok((
        ArrayD::from_shape_vec(vec![count, 28, 28, 1], images)?,
        ArrayD::from_shape_vec(vec![count, 1], labels.into_iter().map(f32::from).collect())?,
    ))
}

/// From images (N, 28, 28, 1) to logits (N, 10): softmax is part of the loss, as for PyTorch.
fn network(batch: usize) -> Result<Sequential, Box<dyn Error>> {
    let conv = |filters| Conv2D::new(filters, (3, 3), (1, 1), Activation::ReLU);
    let mut model = SequentialBuilder::new_with_seed(0)
        .add(conv(32)?)
        .add(MaxPooling2D::new((2, 2)))
        .add(conv(64)?)
        .add(MaxPooling2D::new((2, 2)))
        .add(conv(64)?)
        .add(Flatten::new())
        .add(Dense::new(64, Activation::ReLU)?)
        .add(Dense::new(10, Activation::Linear)?)
        .build(&Shape::known(&[batch, 28, 28, 1]))?;
    model.compile(Adam::new(1e-3, 0.9, 0.999, 1e-7, 0.0)?, SparseCategoricalCrossEntropy::new(true));
    Ok(model)
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, folder, epochs, batch] = &arguments[..] else { return Err("arguments: folder epochs batch".into()) };
    let batch: usize = batch.parse()?;
    let ((x, y), (xt, yt)) = (load(folder, "train")?, load(folder, "t10k")?);
    let mut model = network(batch)?;
    for epoch in 1..=epochs.parse()? {
        let start = Instant::now();
        model.fit_with_batches(&x, &y, 1, batch)?;
        println!("epoch {epoch} {:.3}", start.elapsed().as_secs_f64());
        let (start, mut right) = (Instant::now(), 0);
        for first in (0..yt.len()).step_by(1000) {
            let chosen = Slice::from(first..first + 1000);
            let logits = model.predict(&xt.slice_axis(Axis(0), chosen).to_owned())?;
            let labels = yt.slice_axis(Axis(0), chosen);
            right += logits
                .outer_iter()
                .zip(&labels)
                .filter(|(scores, label)| {
                    let best = (0..10).max_by(|a, b| scores[[*a]].total_cmp(&scores[[*b]]));
                    best == Some(**label as usize)
                })
                .count();
        }
        println!("test {:.3} accuracy {:.4}", start.elapsed().as_secs_f64(), right as f64 / yt.len() as f64);
    }
    Ok(())
}
