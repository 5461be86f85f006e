//! Sources of batches: what `fit` makes of them, files that are read in pieces, and what is wrong with some. A program of its
//! own, which starts itself with little memory.

mod faults;
mod files;
mod memory;
mod training;

use inkstone::data::{Augment, idx};
use inkstone::prelude::*;
use ndarray::{Array1, Array3};
use std::path::PathBuf;
use tempfile::TempDir;

/// Files of images and labels of three classes.
struct Files {
    folder: TempDir,
    images: PathBuf,
    labels: PathBuf,
}

impl Files {
    fn new(count: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (images, labels) = (folder.path().join("images"), folder.path().join("labels"));
        let pixel = |(n, y, x): (usize, usize, usize)| (n * 37 + y * (n % 3) * 11 + x * 29 + n * x * y) as u8;
        idx::write_file(&images, Array3::from_shape_fn((count, 6, 6), pixel).view().into_dyn()).unwrap();
        idx::write_file(&labels, Array1::from_shape_fn(count, |n| (n % 3) as u8).view().into_dyn()).unwrap();
        Self { folder, images, labels }
    }

    fn open(&self) -> inkstone::data::FileBatches {
        inkstone::data::FileBatches::open(&self.images, &self.labels).unwrap()
    }

    fn dataset(&self) -> Dataset {
        self.open().dataset().unwrap()
    }
}

fn model() -> Model {
    Sequential::new([6, 6, 1])
        .add(Conv2D::new(4, (3, 3)).activation(Relu))
        .add(Dropout::new(0.3))
        .add(Flatten::new())
        .add(Dense::new(3).activation(Softmax))
        .seed(5)
        .compile(Adam::new(0.01), SparseCategoricalCrossentropy::default(), [Accuracy])
        .unwrap()
}

fn config<'a>() -> FitConfig<'a> {
    FitConfig::new().epochs(3).batch_size(8).augment(Augment::new().shift(1)).verbose(0)
}

/// All weights, as bits.
fn bits(model: &Model) -> Vec<u32> {
    model.get_weights().iter().flat_map(|weight| weight.values.iter().map(|value| value.to_bits())).collect()
}
