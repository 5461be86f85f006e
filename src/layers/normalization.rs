//! The layer that normalises features by numbers that are known before training.

use super::axes::{any_number, places_of, the_last};
use super::names::name_setter;
use super::written::written;
use super::{Describe, MaskRule, Spec};
use crate::data::{Inputs, channel_moments};
use crate::error::Result as InkstoneResult;
use crate::program::plain::{Direction, Normalize, Numbers, PerAxis};
use crate::program::{Builder, Operand, WeightId, WeightSpec};
use crate::shape::Shape;
use serde::{Deserialize, Deserializer};

/// Reads numbers, or Keras' short form of one for all channels.
fn numbers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<f32>>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Numbers {
        One(f32),
        Several(Vec<f32>),
    }
    if !deserializer.is_human_readable() {
        return Option::deserialize(deserializer);
    }
    let numbers = Option::<Numbers>::deserialize(deserializer)?;
    Ok(numbers.map(|numbers| match numbers {
        Numbers::One(number) => vec![number],
        Numbers::Several(numbers) => numbers,
    }))
}

/// Each value as `(x - mean) / sqrt(variance)`, with a mean and a variance for each channel or feature, as [Keras'
/// `Normalization`](https://keras.io/api/layers/preprocessing_layers/numerical/normalization/) along its last axis, or
/// along others: preprocessing that is saved and exported with the model. As in Keras, the deviation is at least 1e-7.
///
/// - Input shape: any, of as many channels or features. Output shape: the same.
/// - Weights: none where means and variances are given. A layer [without](Self::unadapted) has mean, zeros, and
///   variance, ones, of the shape of the axes that have numbers of their own. Training leaves them as they are.
///
/// At `compile`, another number of channels, a number that is not finite, a negative variance, or a mean without a
/// variance is an error that names the layer.
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
    /// Whether it goes the other way: `x * sqrt(variance) + mean`.
    #[serde(default)]
    pub invert: bool,
    /// The mean of each channel, or one for all; `None` if it is a weight.
    #[serde(default, deserialize_with = "numbers")]
    pub mean: Option<Vec<f32>>,
    /// The variance of each channel, or one for all; `None` if it is a weight.
    #[serde(default, deserialize_with = "numbers")]
    pub variance: Option<Vec<f32>>,
    /// The axes along which there are numbers of their own, counted with the batch as axis 0, or from the end. With
    /// none one mean and one variance are those of all values.
    #[serde(default = "the_last", deserialize_with = "any_number")]
    pub axis: Vec<i64>,
    /// Its name; `None` for one after its type.
    pub name: Option<String>,
}

impl Normalization {
    /// A layer with these means and variances, one each for every channel of its input.
    #[must_use]
    pub fn new(mean: impl Into<Vec<f32>>, variance: impl Into<Vec<f32>>) -> Self {
        Self { mean: Some(mean.into()), variance: Some(variance.into()), ..Self::unadapted() }
    }

    /// A layer whose mean and variance are weights, 0 and 1 until [`Model::set_weights`](crate::Model::set_weights) or
    /// a file of weights brings others: what Keras' layer is that `adapt` gives its numbers.
    ///
    /// ```
    /// use inkstone::layers::Normalization;
    /// use inkstone::ndarray::array;
    /// use inkstone::prelude::*;
    /// let normalization = Normalization::unadapted();
    /// let mut model = Sequential::new([2]).add(normalization).compile(Adam::default(), MeanSquaredError, [])?;
    /// let mut weights = model.get_weights();
    /// assert_eq!([&*weights[0].name, &*weights[1].name], ["normalization/mean", "normalization/variance"]);
    /// weights[0].values = array![2.0, 200.0].into_dyn();
    /// weights[1].values = array![1.0, 10_000.0].into_dyn();
    /// model.set_weights(&weights)?;
    /// assert_eq!(model.predict_rows(&array![[1.0, 300.0]])?, array![[-1.0, 1.0]]);
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    #[must_use]
    pub fn unadapted() -> Self {
        Self { invert: false, mean: None, variance: None, axis: the_last(), name: None }
    }

    /// A layer with the means and variances of these examples, each taken over all examples and all axes but the last:
    /// they are no numbers for another [`axis`](Self::axis), which needs those that [`new`](Self::new) is given. Use
    /// the training set only, so that no information about the test set leaks into training.
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

    /// Sets the axes along which there are numbers of their own, counted with the batch as axis 0, or from the end;
    /// none for one mean and one variance of all values. Of several axes the numbers come in the order of the values.
    /// What [`adapted`](Self::adapted) has found are numbers of the last axis.
    #[must_use]
    pub fn axis(self, axis: impl Into<Vec<i64>>) -> Self {
        Self { axis: axis.into(), ..self }
    }

    /// The shape of the means and of the variances: the axes that have numbers of their own.
    fn shape_of_numbers(&self, input: Shape) -> Result<Vec<usize>, String> {
        let places = places_of(&self.axis, input)?;
        Ok(places.into_iter().map(|place| input.axes()[place]).collect())
    }

    /// What has numbers of its own, in words.
    fn places_with_numbers(&self, input: Shape) -> String {
        if self.axis == the_last() {
            format!("channels of {input}")
        } else {
            format!("places along the axes {:?} of {input}", self.axis)
        }
    }

    /// The input's axes, with 1 for those without numbers of their own.
    pub(crate) fn axes_of_numbers(&self, input: Shape) -> Result<Vec<usize>, String> {
        let places = places_of(&self.axis, input)?;
        let axes = input.axes().iter().enumerate();
        Ok(axes.map(|(place, len)| if places.contains(&place) { *len } else { 1 }).collect())
    }

    /// The means and variances that are given, as many of both: one for each channel or one for all.
    pub(crate) fn given(&self) -> Option<[Vec<f32>; 2]> {
        let [mean, variance] = [self.mean.as_deref()?, self.variance.as_deref()?];
        let len = mean.len().max(variance.len());
        Some([mean, variance].map(|numbers| if numbers.len() == 1 { vec![numbers[0]; len] } else { numbers.to_vec() }))
    }

    name_setter!();
}

written! {
    Normalization {
        invert;
        mean = None,
        variance = None,
        axis = the_last(),
        name = None,
    }
}

impl Describe for Normalization {
    fn spec(&self, inputs: &[Shape]) -> Result<Spec, String> {
        let shape = self.shape_of_numbers(inputs[0])?;
        let (Some(mean), Some(variance)) = (&self.mean, &self.variance) else {
            if self.mean.is_some() || self.variance.is_some() {
                return Err("expects a mean and a variance, or neither, got one of them".into());
            }
            let mean = WeightSpec::zeros("mean", shape.clone()).into_state();
            let variance = WeightSpec::constant("variance", shape, 1.0).into_state();
            return Ok(Spec { output: inputs[0], weights: vec![mean, variance] });
        };
        let channels: usize = shape.iter().product();
        for (name, values) in [("mean", mean), ("variance", variance)] {
            if values.len() != channels && values.len() != 1 {
                let received = values.len();
                return Err(format!(
                    "expects a {name} for each of the {channels} {}, or one for all, got {received}",
                    self.places_with_numbers(inputs[0])
                ));
            }
            if let Some(value) = values.iter().find(|value| !value.is_finite()) {
                return Err(format!("expects a finite {name}, got {value}"));
            }
        }
        if let Some(value) = variance.iter().find(|variance| **variance < 0.0) {
            return Err(format!("expects a variance of at least 0, got {value}"));
        }
        Ok(Spec::of_shape(inputs[0]))
    }

    fn copied_bytes(&self) -> u64 {
        let numbers = [&self.mean, &self.variance].into_iter().flatten().map(Vec::len).max().unwrap_or_default();
        (2 * size_of::<f32>() as u64).saturating_mul(numbers as u64)
    }

    fn mask_rule(&self) -> MaskRule {
        MaskRule::Passes
    }

    fn lower(&self, builder: &mut Builder, inputs: &[Operand], weights: &[WeightId]) -> Result<Operand, String> {
        let input = inputs[0].shape;
        let given = self.given();
        let of_axes = match &given {
            Some([mean, _]) if mean.len() == 1 => vec![1; input.axes().len()],
            _ => self.axes_of_numbers(input)?,
        };
        let normalize = Normalize {
            of: PerAxis::new(input.axes(), &of_axes).with_few_rows(),
            numbers: match given {
                Some([means, variances]) => {
                    Numbers::Given { means, deviations: variances.into_iter().map(Normalize::deviation).collect() }
                }
                None => Numbers::Weights,
            },
            direction: if self.invert { Direction::Back } else { Direction::Forth },
        };
        Ok(builder.weighted(normalize, inputs, weights, input))
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
        let message = "for each of the 2 channels of (3, 2), or one for all, got";
        assert_eq!(refused(vec![0.0; 3], vec![1.0]), format!("expects a mean {message} 3"));
        assert_eq!(refused(vec![0.0; 2], vec![]), format!("expects a variance {message} 0"));
        assert_eq!(refused(vec![f32::NAN, 0.0], vec![1.0; 2]), "expects a finite mean, got NaN");
        assert_eq!(refused(vec![0.0; 2], vec![1.0, -1.0]), "expects a variance of at least 0, got -1");
        let error = Normalization::new([0.0; 2], [1.0; 2]).axis([1]).spec(&[Shape::from([3, 2])]).unwrap_err();
        assert_eq!(
            error,
            "expects a mean for each of the 3 places along the axes [1] of (3, 2), or one for all, got 2"
        );
        let half = Normalization { mean: Some(vec![0.0; 2]), ..Normalization::unadapted() };
        let error = half.spec(&[Shape::from([3, 2])]).unwrap_err();
        assert_eq!(error, "expects a mean and a variance, or neither, got one of them");
        let error = Normalization::unadapted().axis([3]).spec(&[Shape::from([3, 2])]).unwrap_err();
        assert!(error.starts_with("expects an axis from 1 to 2"), "{error}");
    }
}
