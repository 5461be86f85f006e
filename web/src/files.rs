//! Makes a data set of two IDX files that somebody dropped on the page.

use inkstone::data::{Dataset, idx};
use inkstone::ndarray::{Axis, Ix1, Ix3};
use inkstone::{Error, Result};

/// A data set of grey pictures and their classes, 0 to 9.
///
/// # Errors
/// The crate's, with the name of the file; `Error::Data` if there are not as many labels as pictures, or other classes.
pub(crate) fn dataset(name: &str, images: &[u8], labels: &[u8]) -> Result<Dataset> {
    let images = idx::read(images, &format!("the pictures of {name}"))?;
    let shape = images.shape().to_vec();
    let images = images.into_dimensionality::<Ix3>().map_err(|_| {
        Error::Data(format!("the pictures of {name}: expected three axes (pictures, rows, columns), got {shape:?}"))
    })?;
    let labels = idx::read(labels, &format!("the labels of {name}"))?;
    let shape = labels.shape().to_vec();
    let labels = labels
        .into_dimensionality::<Ix1>()
        .map_err(|_| Error::Data(format!("the labels of {name}: expected one axis (labels), got {shape:?}")))?;
    if let Some(label) = labels.iter().find(|label| **label > 9) {
        return Err(Error::Data(format!("the labels of {name}: expected classes 0 to 9, got {label}")));
    }
    Dataset::from_bytes(images.insert_axis(Axis(3)), labels.iter().map(|label| usize::from(*label)).collect())
}
