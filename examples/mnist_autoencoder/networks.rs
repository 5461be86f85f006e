//! What the networks are made of: strides halve the images, transposed convolutions double them.

use inkstone::prelude::*;
use inkstone::{Functional, Optimizer};

fn halved(filters: usize) -> Conv2D {
    Conv2D::new(filters, (3, 3)).strides((2, 2)).padding(Same).activation(Relu)
}

fn doubled(filters: usize) -> Conv2DTranspose {
    Conv2DTranspose::new(filters, (3, 3)).strides((2, 2)).padding(Same)
}

/// (28, 28, 1) to so many numbers and back.
pub(crate) fn plain(latent: usize) -> Sequential {
    Sequential::new([28, 28, 1])
        .add(halved(16))
        .add(halved(32))
        .add(Flatten::new())
        .add(Dense::new(latent))
        .add(Dense::new(7 * 7 * 32).activation(Relu))
        .add(Reshape::new([7, 7, 32]))
        .add(doubled(16).activation(Relu))
        .add(doubled(1).activation(Sigmoid))
}

/// (28, 28, 1) to (7, 7, 32) and back: it need not forget the digit, but the noise.
pub(crate) fn denoising() -> Sequential {
    Sequential::new([28, 28, 1])
        .add(Conv2D::new(32, (3, 3)).padding(Same).activation(Relu))
        .add(MaxPooling2D::new((2, 2)))
        .add(Conv2D::new(32, (3, 3)).padding(Same).activation(Relu))
        .add(MaxPooling2D::new((2, 2)))
        .add(doubled(32).activation(Relu))
        .add(doubled(32).activation(Relu))
        .add(Conv2D::new(1, (3, 3)).padding(Same).activation(Sigmoid))
}

/// (28, 28, 1) to the mean and the logarithm of the variance of each latent number.
pub(crate) fn encoder(latent: usize, seed: u64, optimizer: impl Into<Optimizer>) -> inkstone::Result<Model> {
    let image = Input::new([28, 28, 1]);
    let features =
        image.apply(halved(16)).apply(halved(32)).apply(Flatten::new()).apply(Dense::new(64).activation(Relu));
    let outputs = ["mean", "log_variance"].map(|name| features.apply(Dense::new(latent).name(name)));
    // Its gradients come from the decoder: the loss is never asked for.
    Functional::new([&image], &outputs).seed(seed).compile(optimizer, MeanSquaredError, [])
}

/// Latent numbers to (28, 28, 1).
pub(crate) fn decoder(latent: usize, seed: u64, optimizer: impl Into<Optimizer>) -> inkstone::Result<Model> {
    Sequential::new([latent])
        .add(Dense::new(64).activation(Relu))
        .add(Dense::new(7 * 7 * 32).activation(Relu))
        .add(Reshape::new([7, 7, 32]))
        .add(doubled(16).activation(Relu))
        .add(doubled(1).activation(Sigmoid))
        .seed(seed)
        .compile(optimizer, BinaryCrossentropy::default(), [])
}
