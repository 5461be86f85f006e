//! Labels as one-hot vectors.

use crate::error::{Error, Result};
use crate::shape::MAX_ELEMENTS;
use ndarray::Array2;

/// A row for each label, 1 in the column of its class and 0 elsewhere: (N, classes), as Keras'
/// [`to_categorical`](https://keras.io/api/utils/python_utils/#to_categorical-function).
///
/// # Errors
/// [`Error::Data`] if a label is not below `classes`, or the array would have more than 2^28 values.
///
/// ```
/// use inkstone::data::to_categorical;
/// use inkstone::ndarray::array;
/// assert_eq!(to_categorical(&[2, 0], 3)?, array![[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]);
/// # Ok::<(), inkstone::Error>(())
/// ```
pub fn to_categorical(labels: &[usize], classes: usize) -> Result<Array2<f32>> {
    if let Some(index) = labels.iter().position(|label| *label >= classes) {
        return Err(Error::Data(format!(
            "labels must be below the number of classes, {classes}, got {} at index {index}",
            labels[index]
        )));
    }
    if labels.len().checked_mul(classes).is_none_or(|len| len > MAX_ELEMENTS) {
        return Err(Error::Data(format!(
            "one-hot labels may have at most {MAX_ELEMENTS} values, got {} labels of {classes} classes",
            labels.len()
        )));
    }
    let mut rows = Array2::zeros((labels.len(), classes));
    rows.rows_mut().into_iter().zip(labels).for_each(|(mut row, label)| row[*label] = 1.0);
    Ok(rows)
}
