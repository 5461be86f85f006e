//! The [MNIST database](http://yann.lecun.com/exdb/mnist/) of handwritten digits (LeCun, Cortes, Burges): 60,000
//! training and 10,000 test images of 28 x 28 pixels.

use super::Dataset;
use super::family::{Family, Sum};
use crate::error::Result;
use std::path::Path;

const MNIST: Family = Family {
    name: "MNIST",
    folder: "mnist",
    torchvision: "MNIST/raw",
    mirrors: &[
        "http://ossci-datasets.s3.amazonaws.com/mnist/",
        "http://storage.googleapis.com/cvdf-datasets/mnist/",
        "http://yann.lecun.com/exdb/mnist/",
    ],
    sums: [
        Sum::Content { bytes: 47_040_016, sha256: "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db" },
        Sum::Content { bytes: 60_008, sha256: "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5" },
        Sum::Content { bytes: 7_840_016, sha256: "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7" },
        Sum::Content { bytes: 10_008, sha256: "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2" },
    ],
};

/// Loads MNIST from the first of these folders that holds all four files: `$INKSTONE_DATA`, `./data`, and
/// `inkstone/mnist` in the user's cache folder. Returns the training set and the test set, like Keras'
/// `mnist.load_data()`.
///
/// If none does, missing files are [downloaded](crate::data#downloads) into `$INKSTONE_DATA` if that is set, otherwise
/// into the cache folder.
///
/// # Errors
/// [`Error::MissingData`](crate::Error::MissingData) if no folder has them and nothing may be downloaded,
/// [`Error::Download`](crate::Error::Download) if no mirror gave a file; [`Error::Io`](crate::Error::Io) and
/// [`Error::Idx`](crate::Error::Idx) as [`load_from`].
///
/// ```no_run
/// use inkstone::prelude::*;
/// let (train, test) = mnist::load_data()?;
/// assert_eq!((train.len(), test.len()), (60_000, 10_000));
/// # Ok::<(), inkstone::Error>(())
/// ```
pub fn load_data() -> Result<(Dataset, Dataset)> {
    MNIST.load_data()
}

/// Loads MNIST, or another data set of its format, from this folder: the four files, each plain or with `.gz` added.
/// They may have the names that Kaggle gives them (`train-images.idx3-ubyte`, or a folder for each file), or lie where
/// torchvision puts them (`MNIST/raw`).
///
/// # Errors
/// [`Error::MissingData`](crate::Error::MissingData) if a file is not there, [`Error::Io`](crate::Error::Io) if one
/// cannot be read, [`Error::Idx`](crate::Error::Idx) if one is no IDX file of images of equal size or of labels from 0
/// to 9, [`Error::Data`](crate::Error::Data) if images and labels differ in number.
pub fn load_from(folder: impl AsRef<Path>) -> Result<(Dataset, Dataset)> {
    MNIST.load_from(folder.as_ref())
}
