//! Data sets of sequences.

use super::Dataset;
use super::dataset::StoredInputs;
use super::values::Values;
use crate::error::Result;
use crate::shape::Shape;
use ndarray::{Array3, Axis};

impl Dataset {
    /// A data set of sequences, (N, steps, features), with a class for each.
    ///
    /// # Errors
    /// As [`from_floats`](Self::from_floats).
    ///
    /// ```
    /// use inkstone::Dataset;
    /// use inkstone::ndarray::Array3;
    /// let gestures = Dataset::from_sequences(Array3::zeros((4, 100, 6)), vec![0, 1, 1, 0])?;
    /// assert_eq!(gestures.shape().to_string(), "(100, 6)");
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn from_sequences(sequences: Array3<f32>, labels: Vec<usize>) -> Result<Self> {
        let shape = shape_of(&sequences);
        Self::new(stored(sequences), shape, Some(labels), None)
    }

    /// A data set of sequences, (N, steps, features), with target values for each.
    ///
    /// - values: for each output, (N, outputs), or of a model of one output for each sequence, (N); of a model whose
    ///   output is a sequence, one step after the other
    ///
    /// # Errors
    /// As [`from_floats_and_values`](Self::from_floats_and_values).
    pub fn from_sequences_and_values(sequences: Array3<f32>, values: impl Into<Values>) -> Result<Self> {
        let shape = shape_of(&sequences);
        Self::new(stored(sequences), shape, None, Some(values.into()))
    }
}

pub(super) fn shape_of(sequences: &Array3<f32>) -> Shape {
    let (_, steps, features) = sequences.dim();
    Shape::from([steps, features])
}

/// A sequence is stored as an image of one row.
pub(super) fn stored(sequences: Array3<f32>) -> StoredInputs {
    StoredInputs::floats(sequences.insert_axis(Axis(1)))
}
