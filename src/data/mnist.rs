//! The [MNIST database](http://yann.lecun.com/exdb/mnist/) of handwritten digits (LeCun, Cortes, Burges): 60,000 images
//! to train on, 10,000 to test with.

use super::{Dataset, idx};
use crate::error::{Error, IdxFault, Result};
use etcetera::base_strategy::{BaseStrategy, choose_native_strategy};
use std::path::{Path, PathBuf};

/// The files of the database, as their makers named them.
const FILES: [&str; 4] =
    ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"];
/// The largest label.
const LARGEST_LABEL: u8 = 9;

/// Loads MNIST from the first of these folders that holds all four files: `$INKSTONE_DATA`, `./data`, and `inkstone/mnist`
/// in the user's cache folder. Returns the training and the test set, as Keras' `mnist.load_data()`.
///
/// # Errors
/// [`Error::MissingData`] if no folder has them; [`Error::Io`] and [`Error::Idx`] as [`load_from`].
///
/// ```no_run
/// use inkstone::prelude::*;
/// let (train, test) = mnist::load_data()?;
/// assert_eq!((train.len(), test.len()), (60_000, 10_000));
/// # Ok::<(), inkstone::Error>(())
/// ```
pub fn load_data() -> Result<(Dataset, Dataset)> {
    let searched = folders();
    match searched.iter().find(|folder| FILES.iter().all(|file| find(folder, file).is_some())) {
        Some(folder) => load_from(folder),
        None => Err(missing(searched)),
    }
}

/// Loads MNIST, or another data set of its format, from this folder: the four files, each plain or with `.gz` added.
///
/// # Errors
/// [`Error::MissingData`] if a file is not there, [`Error::Io`] if one cannot be read, [`Error::Idx`] if one is no IDX
/// file of images of equal size or of labels from 0 to 9, [`Error::Data`] if images and labels differ in number.
pub fn load_from(folder: impl AsRef<Path>) -> Result<(Dataset, Dataset)> {
    let folder = folder.as_ref();
    let [train_images, train_labels, test_images, test_labels] = FILES;
    Ok((load_part(folder, train_images, train_labels)?, load_part(folder, test_images, test_labels)?))
}

fn load_part(folder: &Path, images: &str, labels: &str) -> Result<Dataset> {
    let file = |name| find(folder, name).ok_or_else(|| missing(vec![folder.to_owned()]));
    let (images_file, labels_file) = (file(images)?, file(labels)?);
    let images = idx::read_file(&images_file)?;
    let labels = idx::read_file(&labels_file)?;
    let fault = |file: &Path, fault| Error::Idx { place: file.display().to_string(), fault };
    let &[count, height, width] = images.shape() else {
        let expected = "images (3 dimensions: number, rows, columns)".to_owned();
        return Err(fault(&images_file, IdxFault::Shape { expected, shape: images.shape().to_vec() }));
    };
    if labels.shape() != [count] {
        let expected = format!("{count} labels (1 dimension), one for each image of {}", images_file.display());
        return Err(fault(&labels_file, IdxFault::Shape { expected, shape: labels.shape().to_vec() }));
    }
    if let Some((index, &found)) = labels.iter().enumerate().find(|(_, label)| **label > LARGEST_LABEL) {
        return Err(fault(&labels_file, IdxFault::Label { largest: LARGEST_LABEL, found, index }));
    }
    let images = images
        .into_shape_with_order((count, height, width, 1))
        .map_err(|error| Error::Data(format!("{}: {error}", images_file.display())))?;
    Dataset::from_bytes(images, labels.iter().map(|label| usize::from(*label)).collect())
}

/// Where the data may be, in the order of search.
fn folders() -> Vec<PathBuf> {
    let chosen = std::env::var_os("INKSTONE_DATA").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let cache = choose_native_strategy().ok().map(|user| user.cache_dir().join("inkstone").join("mnist"));
    chosen.into_iter().chain([PathBuf::from("data")]).chain(cache).collect()
}

/// The file in this folder, plain or compressed.
fn find(folder: &Path, file: &str) -> Option<PathBuf> {
    [folder.join(file), folder.join(format!("{file}.gz"))].into_iter().find(|path| path.is_file())
}

fn missing(searched: Vec<PathBuf>) -> Error {
    Error::MissingData { name: "MNIST", searched, files: FILES.to_vec() }
}
