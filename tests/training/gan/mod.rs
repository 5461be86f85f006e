//! Two models against each other.

mod checkpoints;
mod of_pytorch;
mod training;

use inkstone::ndarray::Array4;
use inkstone::prelude::*;
use inkstone::{Gan, GanLoss};

/// Images of 6x6 of three kinds: stripes and a ramp.
fn data(count: usize) -> Dataset {
    let pixel = |(n, y, x, _): (usize, usize, usize, usize)| {
        let shade = ((n * 7 + y + x) % 5) as f32 / 20.0;
        match n % 3 {
            0 => (y % 2) as f32 * 0.8 + shade,
            1 => (x % 2) as f32 * 0.8 + shade,
            _ => (y + x) as f32 / 12.5 + shade / 2.0,
        }
    };
    Dataset::from_floats(Array4::from_shape_fn((count, 6, 6, 1), pixel), (0..count).map(|n| n % 3).collect()).unwrap()
}

/// With normalization over the batch and dropout.
fn conditional(optimizer: impl Into<Optimizer>, loss: GanLoss) -> Gan {
    let optimizer = optimizer.into();
    let (latent, label, image) = (Input::new([4]), Input::new([3]), Input::new([6, 6, 1]));
    let x = Concatenate::of([&latent, &label]).apply(Dense::new(36).use_bias(false));
    let x =
        x.apply(BatchNormalization::new().momentum(0.8)).apply(Activation::new(Relu)).apply(Reshape::new([3, 3, 4]));
    let made = x.apply(Conv2DTranspose::new(1, (4, 4)).strides((2, 2)).padding(Same).activation(Sigmoid));
    let generator = Functional::new([&latent, &label], [&made]).seed(1);
    let x = image.apply(Conv2D::new(4, (4, 4)).strides((2, 2)).padding(Same).activation(LeakyRelu));
    let x = x.apply(BatchNormalization::new().momentum(0.8)).apply(Dropout::new(0.2)).apply(Flatten::new());
    let of_label = Multiply::of([&x, &label.apply(Dense::new(36).use_bias(false))]);
    let score = Concatenate::of([&x, &of_label]).apply(Dense::new(1));
    let discriminator = Functional::new([&image, &label], [&score]).seed(2);
    let generator = generator.compile(optimizer.clone(), MeanSquaredError, []).unwrap();
    let discriminator = discriminator.compile(optimizer, MeanSquaredError, []).unwrap();
    Gan::new(generator, discriminator, loss).unwrap().seed(3)
}

fn bits(gan: &Gan) -> Vec<u32> {
    let weights = [gan.generator(), gan.discriminator()].into_iter().flat_map(Model::get_weights);
    weights.flat_map(|weight| weight.values.iter().map(|value| value.to_bits()).collect::<Vec<_>>()).collect()
}
