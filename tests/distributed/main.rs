//! Training by several ranks, here threads: the bits of one process, and what becomes of all when one fails.

mod at_once;
mod faults;
mod fitting;
#[path = "../common/keras_example.rs"]
mod keras_example;
mod own_parts;
mod same_bits;
mod threads;

use inkstone::prelude::*;
use ndarray::{Array2, Array4};

/// Images of three classes, that can be told from each other.
fn images(count: usize, side: usize) -> Dataset {
    let pixel = |(n, y, x, _): (usize, usize, usize, usize)| (n * 37 + y * (n % 3) * 11 + x * 29 + n * x * y) as u8;
    Dataset::from_bytes(Array4::from_shape_fn((count, side, side, 1), pixel), (0..count).map(|n| n % 3).collect())
        .unwrap()
}

/// Texts of eight words as numbers, with their classes; behind some there is padding.
fn texts(count: usize) -> (Array2<f32>, Vec<usize>) {
    let word = |(n, step): (usize, usize)| if step > 3 + n % 6 { 0.0 } else { ((n * 7 + step * 13) % 49 + 1) as f32 };
    (Array2::from_shape_fn((count, 8), word), (0..count).map(|n| n % 3).collect())
}

fn compiled(network: Sequential, optimizer: impl Into<inkstone::Optimizer>) -> Model {
    network.seed(11).compile(optimizer, SparseCategoricalCrossentropy::default(), [Accuracy]).unwrap()
}

/// The smallest network there is.
fn small() -> Model {
    let network =
        Sequential::new([6, 6, 1]).add(Flatten::new()).add(Dense::new(12).activation(Relu)).add(Dropout::new(0.2));
    compiled(network.add(Dense::new(3).activation(Softmax)), Adam::new(0.01))
}
