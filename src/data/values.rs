//! The target values of a data set.

use ndarray::{Array1, Array2, Axis};

/// Owned target values: for each output, (N, outputs), from an `Array2<f32>`; of a model of one output for each
/// example, (N), from an `Array1<f32>` or a `Vec<f32>`.
///
/// ```
/// use inkstone::data::Values;
/// use inkstone::ndarray::array;
/// assert_eq!(Values::from(vec![1.0, 2.0]), Values::from(array![[1.0], [2.0]]));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Values(pub(super) Array2<f32>);

impl From<Array2<f32>> for Values {
    fn from(values: Array2<f32>) -> Self {
        Self(values)
    }
}

impl From<Array1<f32>> for Values {
    fn from(values: Array1<f32>) -> Self {
        Self(values.insert_axis(Axis(1)))
    }
}

impl From<Vec<f32>> for Values {
    fn from(values: Vec<f32>) -> Self {
        Array1::from(values).into()
    }
}
