//! Concatenates data sets.

use super::dataset::StoredInputs;
use super::inputs::nouns;
use super::{Dataset, Values};
use crate::error::{Error, Result};
use crate::shape::MAX_ELEMENTS;
use ndarray::{Array4, Axis, concatenate};

impl Dataset {
    /// The examples of this data set and after them those of another one. Their pixels are copied; bytes stay bytes
    /// where both are stored as bytes and neither is scaled. They have names if both have.
    ///
    /// # Errors
    /// [`Error::Data`] if the examples differ in shape, or only one of the data sets has classes, or values, the values
    /// differ in number, or there would be more than 2^28 examples.
    ///
    /// ```
    /// use inkstone::Dataset;
    /// use inkstone::ndarray::array;
    /// let first = Dataset::from_table(array![[1.0, 2.0]], vec![0])?;
    /// let second = Dataset::from_table(array![[3.0, 4.0]], vec![1])?;
    /// let both = first.concatenate(&second)?;
    /// assert_eq!((both.labels(), both.table()), (&[0, 1][..], array![[1.0, 2.0], [3.0, 4.0]]));
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn concatenate(&self, other: &Self) -> Result<Self> {
        if self.shape() != other.shape() {
            return Err(Error::Data(format!(
                "data sets are put together if their examples have one shape, got {} and {}",
                self.shape(),
                other.shape()
            )));
        }
        if self.targets_shape() != other.targets_shape() {
            return Err(Error::Data(format!(
                "data sets are put together if their targets are alike, got {} and {}",
                self.targets_shape(),
                other.targets_shape()
            )));
        }
        let count = self.len() + other.len();
        let stored = self.shape().len().and_then(|len| len.checked_mul(count));
        if count > MAX_ELEMENTS || stored.is_none() {
            let [_, plural] = nouns(self.shape());
            return Err(Error::Data(format!("there may be at most {MAX_ELEMENTS} {plural}, got {count}")));
        }
        let labels: Vec<usize> = self.labels().iter().chain(other.labels()).copied().collect();
        let values = match (self.values(), other.values()) {
            (Some(first), Some(second)) => Some(Values::from(joined(concatenate(Axis(0), &[first, second]))?)),
            (Some(_), None) | (None, Some(_)) | (None, None) => None,
        };
        let values = match (self.target_images(), other.target_images()) {
            (Some(first), Some(second)) => Some(Values::from(&first.concatenate(&second)?)),
            (Some(_), None) | (None, Some(_)) | (None, None) => values,
        };
        let images = match (self.unscaled_bytes(), other.unscaled_bytes()) {
            (Some(first), Some(second)) => {
                StoredInputs::bytes(joined(concatenate(Axis(0), &[first.view(), second.view()]))?)
            }
            (Some(_), None) | (None, Some(_)) | (None, None) => {
                let (first, second) = (self.images(), other.images());
                StoredInputs::floats(joined(concatenate(Axis(0), &[first.view(), second.view()]))?)
            }
        };
        let both = Self::of_parts(images, self.shape(), labels, values)?;
        if self.ids.is_empty() || other.ids.is_empty() {
            return Ok(both);
        }
        both.with_ids(self.ids().chain(other.ids()).collect::<Vec<_>>())
    }

    /// A copy of the bytes that it has, if it has some as they are.
    fn unscaled_bytes(&self) -> Option<Array4<u8>> {
        match self.stored_images() {
            StoredInputs::Bytes(bytes) if self.scaling.is_none() => {
                let places: Vec<usize> = (0..self.len()).map(|example| self.stored(example)).collect();
                Some(bytes.select(Axis(0), &places))
            }
            StoredInputs::Bytes(_) | StoredInputs::Floats(_) => None,
        }
    }

    /// What its targets are, in words.
    fn targets_shape(&self) -> String {
        let rows = self.values().map(|values| format!("rows of {} values", values.ncols()));
        let values = rows.or_else(|| self.target_images().map(|images| format!("images of {}", images.shape())));
        match (self.labels().is_empty(), values) {
            (false, None) => "classes".into(),
            (true, Some(values)) => values,
            (false, Some(values)) => format!("classes with {values}"),
            (true, None) => "nothing".into(),
        }
    }
}

fn joined<T>(array: std::result::Result<T, ndarray::ShapeError>) -> Result<T> {
    array.map_err(|error| Error::Data(error.to_string()))
}
