//! A training of moments: a model, data, and a setting for those who look at the loop alone.

use inkstone::Model;
use inkstone::prelude::*;
use ndarray::Array4;

/// A layer of three classes on images of 4 x 4.
pub(crate) fn model() -> Model {
    Sequential::new([4, 4, 1])
        .add(Flatten::new())
        .add(Dense::new(3).activation(Softmax))
        .seed(1)
        .compile(Sgd::new(0.1), SparseCategoricalCrossentropy::default(), [Accuracy])
        .unwrap()
}

/// Images whose patterns are their classes, 0 to 2 in turn.
pub(crate) fn dataset(count: usize) -> Dataset {
    let images = Array4::from_shape_fn((count, 4, 4, 1), |(n, y, x, _)| ((n * 31 + y * 7 + x * (n % 3)) % 256) as u8);
    Dataset::from_bytes(images, (0..count).map(|n| n % 3).collect()).unwrap()
}

/// Batches of four in their order, and nothing printed.
pub(crate) fn quiet<'a>() -> FitConfig<'a> {
    FitConfig::new().batch_size(4).shuffle(false).verbose(0)
}
