//! The layer that normalises features by numbers that are known before training.

use super::names::name_setter;
use super::written::written;
use super::{Describe, Spec};
use crate::data::{Inputs, channel_moments};
use crate::error::Result as InkstoneResult;
use crate::program::plain::{Direction, Normalize};
use crate::program::{Builder, Operand, WeightId};
use crate::shape::Shape;
use serde::Deserialize;

/// The least deviation that is divided by, as in Keras.
const LEAST_DEVIATION: f32 = 1e-7;

/// Each value as `(x - mean) / sqrt(variance)`, with a mean and a variance for each channel or feature, as [Keras'
/// `Normalization`](https://keras.io/api/layers/preprocessing_layers/numerical/normalization/) along its last axis:
/// preprocessing that is saved and exported with the model. As in Keras, the deviation is at least 1e-7.
///
/// - Input shape: any, of as many channels or features. Output shape: the same.
///
/// At `compile`, another number of channels, a number that is not finite, or a negative variance is an error that names
/// the layer.
///
/// ```
/// use inkstone::layers::Normalization;
/// use inkstone::ndarray::array;
/// use inkstone::prelude::*;
/// let table = array![[1.0, 100.0], [3.0, 300.0]];
/// let normalization = Normalization::adapted(&table)?;
/// assert_eq!(normalization, Normalization::new([2.0, 200.0], [1.0, 10_000.0]));
/// let model = Sequential::new([2]).add(normalization).compile(Adam::default(), MeanSquaredError, [])?;
/// assert_eq!(model.predict_rows(&table)?, array![[-1.0, -1.0], [1.0, 1.0]]);
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Normalization {
    /// The mean of each channel.
    pub mean: Vec<f32>,
    /// The variance of each channel.
    pub variance: Vec<f32>,
    /// Whether it goes the other way: `x * sqrt(variance) + mean`.
    #[serde(default)]
    pub invert: bool,
    /// Its name; `None` for one after its type.
    pub name: Option<String>,
}

impl Normalization {
    /// A layer with these means and variances, one each for every channel of its input.
    #[must_use]
    pub fn new(mean: impl Into<Vec<f32>>, variance: impl Into<Vec<f32>>) -> Self {
        Self { mean: mean.into(), variance: variance.into(), invert: false, name: None }
    }

    /// A layer with the means and variances of these examples, each taken over all examples and all axes but the last.
    /// Use the training set only, so that no information about the test set leaks into training.
    ///
    /// # Errors
    /// [`Error::Data`](crate::Error::Data) if there are no examples, a value is NaN or infinite, or a variance is more
    /// than an `f32` can hold.
    ///
    /// ```
    /// use inkstone::layers::Normalization;
    /// use inkstone::ndarray::array;
    /// let error = Normalization::adapted(&array![[1.0, f32::NAN]]).unwrap_err();
    /// assert!(error.to_string().contains("NaN"), "{error}");
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn adapted<'a>(examples: impl Into<Inputs<'a>>) -> InkstoneResult<Self> {
        let (mean, variance) = channel_moments(examples.into())?;
        Ok(Self::new(mean, variance))
    }

    setters! {
        /// Sets whether it goes the other way: `x * sqrt(variance) + mean`.
        invert: bool,
    }

    /// What values are divided by.
    pub(crate) fn deviations(&self) -> Vec<f32> {
        self.variance.iter().map(|variance| variance.sqrt().max(LEAST_DEVIATION)).collect()
    }

    name_setter!();
}

written! {
    Normalization {
        mean, variance, invert;
        name = None,
    }
}

impl Describe for Normalization {
    fn spec(&self, inputs: &[Shape]) -> Result<Spec, String> {
        let channels = inputs[0].channels();
        for (name, values) in [("mean", &self.mean), ("variance", &self.variance)] {
            if values.len() != channels {
                let received = values.len();
                return Err(format!(
                    "expects a {name} for each of the {channels} channels of {}, got {received}",
                    inputs[0]
                ));
            }
            if let Some(value) = values.iter().find(|value| !value.is_finite()) {
                return Err(format!("expects a finite {name}, got {value}"));
            }
        }
        if let Some(value) = self.variance.iter().find(|variance| **variance < 0.0) {
            return Err(format!("expects a variance of at least 0, got {value}"));
        }
        Ok(Spec::of_shape(inputs[0]))
    }

    fn lower(&self, builder: &mut Builder, inputs: &[Operand], _weights: &[WeightId]) -> Result<Operand, String> {
        let direction = if self.invert { Direction::Back } else { Direction::Forth };
        let normalize = Normalize { means: self.mean.clone(), deviations: self.deviations(), direction };
        Ok(builder.plain(normalize, inputs, inputs[0].shape))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_numbers_are_refused_with_a_reason() {
        let refused = |mean: Vec<f32>, variance: Vec<f32>| {
            Normalization::new(mean, variance).spec(&[Shape::from([3, 2])]).unwrap_err()
        };
        assert_eq!(refused(vec![0.0], vec![1.0]), "expects a mean for each of the 2 channels of (3, 2), got 1");
        assert_eq!(
            refused(vec![0.0; 2], vec![1.0; 3]),
            "expects a variance for each of the 2 channels of (3, 2), got 3"
        );
        assert_eq!(refused(vec![f32::NAN, 0.0], vec![1.0; 2]), "expects a finite mean, got NaN");
        assert_eq!(refused(vec![0.0; 2], vec![1.0, -1.0]), "expects a variance of at least 0, got -1");
    }
}
