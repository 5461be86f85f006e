//! The Keras example's CNN on MNIST with Burn, printed as the other peers print. Arguments: folder epochs batch.

use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{Linear, LinearConfig, loss::CrossEntropyLossConfig};
use burn::optim::{AdamConfig, GradientsParams};
use burn::prelude::*;
use burn::tensor::{Distribution, activation::relu};
use std::{fs::File, io::Read, path::Path, time::Instant};

/// The bytes behind the header of a gzipped IDX file.
fn idx(folder: &str, name: &str, header: usize) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(File::open(Path::new(folder).join(name))?).read_to_end(&mut bytes)?;
    Ok(bytes.split_off(header))
}

/// Images (N, 1, 28, 28) of 0 to 1, and labels (N).
fn load(folder: &str, part: &str, device: &Device) -> std::io::Result<(Tensor<4>, Tensor<1, Int>)> {
    let pixels = idx(folder, &format!("{part}-images-idx3-ubyte.gz"), 16)?;
    let pixels: Vec<f32> = pixels.into_iter().map(|pixel| f32::from(pixel) / 255.0).collect();
    let labels = idx(folder, &format!("{part}-labels-idx1-ubyte.gz"), 8)?;
    let labels: Vec<i32> = labels.into_iter().map(i32::from).collect();
    let count = labels.len();
    let images = Tensor::from_data(TensorData::new(pixels, [count, 1, 28, 28]), device);
    Ok((images, Tensor::from_data(TensorData::new(labels, [count]), device)))
}

#[derive(Module, Debug)]
struct Network {
    conv1: Conv2d,
    conv2: Conv2d,
    conv3: Conv2d,
    pool: MaxPool2d,
    dense1: Linear,
    dense2: Linear,
}

impl Network {
    fn new(device: &Device) -> Self {
        Self {
            conv1: Conv2dConfig::new([1, 32], [3, 3]).init(device),
            conv2: Conv2dConfig::new([32, 64], [3, 3]).init(device),
            conv3: Conv2dConfig::new([64, 64], [3, 3]).init(device),
            pool: MaxPool2dConfig::new([2, 2]).init(),
            dense1: LinearConfig::new(576, 64).init(device),
            dense2: LinearConfig::new(64, 10).init(device),
        }
    }

    /// From images (N, 1, 28, 28) to logits (N, 10).
    fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let x = self.pool.forward(relu(self.conv1.forward(x)));
        let x = self.pool.forward(relu(self.conv2.forward(x)));
        let x = relu(self.conv3.forward(x)).flatten(1, 3);
        self.dense2.forward(relu(self.dense1.forward(x)))
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, folder, epochs, batch] = &arguments[..] else { return Err("arguments: folder epochs batch".into()) };
    let batch: usize = batch.parse()?;
    let plain = Device::flex();
    let device = plain.clone().autodiff();
    let ((x, y), (xt, yt)) = (load(folder, "train", &device)?, load(folder, "t10k", &plain)?);
    let ([count], [test_count]) = (y.dims(), yt.dims());
    let mut model = Network::new(&device);
    let cross_entropy = CrossEntropyLossConfig::new().init(&device);
    // The epsilon is Keras'.
    let mut adam = AdamConfig::new().with_epsilon(1e-7).init();
    for epoch in 1..=epochs.parse()? {
        let start = Instant::now();
        let order = Tensor::<1>::random([count], Distribution::Default, &device).argsort(0);
        for i in (0..count).step_by(batch) {
            let chosen = order.clone().narrow(0, i, batch.min(count - i));
            let logits = model.forward(x.clone().select(0, chosen.clone()));
            let loss = cross_entropy.forward(logits, y.clone().select(0, chosen));
            let gradients = GradientsParams::from_grads(loss.backward(), &model);
            model = adam.step(1e-3, model, gradients);
        }
        println!("epoch {epoch} {:.3}", start.elapsed().as_secs_f64());
        let (tested, start, mut right) = (model.valid(), Instant::now(), 0);
        for i in (0..test_count).step_by(1000) {
            let length = 1000.min(test_count - i);
            let guesses = tested.forward(xt.clone().narrow(0, i, length)).argmax(1).flatten(0, 1);
            right += guesses.equal(yt.clone().narrow(0, i, length)).int().sum().into_scalar::<i32>();
        }
        println!("test {:.3} accuracy {:.4}", start.elapsed().as_secs_f64(), f64::from(right) / test_count as f64);
    }
    Ok(())
}
