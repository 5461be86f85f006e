//! The layers that change each value at random.

use super::dropout::check_rate;
use super::names::name_setter;
use super::written::written;
use super::{Describe, MaskRule, Spec};
use crate::program::plain::{Chance, Noise};
use crate::program::{Builder, Operand, WeightId};
use crate::shape::Shape;
use serde::Deserialize;

/// Adds random numbers of a normal distribution around 0 while training; outside training it does nothing. As [Keras'
/// `GaussianNoise`](https://keras.io/api/layers/regularization_layers/gaussian_noise/).
///
/// - Input shape: any. Output shape: the same.
///
/// At `compile`, a deviation that is negative or not finite is an error that names the layer.
///
/// ```
/// use inkstone::ndarray::array;
/// use inkstone::prelude::*;
/// let noisy = |stddev| {
///     Sequential::new([2]).add(GaussianNoise::new(stddev)).compile(Adam::default(), MeanSquaredError, [])
/// };
/// // Predictions have no noise.
/// assert_eq!(noisy(0.1)?.predict_rows(&array![[1.0, 2.0]])?, array![[1.0, 2.0]]);
/// let error = noisy(-1.0).unwrap_err();
/// assert_eq!(error.to_string(), "layer 0 (GaussianNoise) expects a finite stddev of at least 0, got -1");
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct GaussianNoise {
    /// The standard deviation of what is added.
    pub stddev: f32,
    /// Its name; `None` for one after its type.
    pub name: Option<String>,
}

/// Multiplies by random numbers of a normal distribution around 1, of the standard deviation
/// `sqrt(rate / (1 - rate))`, while training; outside training it does nothing. As [Keras'
/// `GaussianDropout`](https://keras.io/api/layers/regularization_layers/gaussian_dropout/), from [Srivastava et al.,
/// 2014](https://jmlr.org/papers/v15/srivastava14a.html).
///
/// - Input shape: any. Output shape: the same.
///
/// At `compile`, a rate that is not in `0.0..1.0` is an error that names the layer.
///
/// ```
/// use inkstone::prelude::*;
/// let described = Sequential::new([2]).add(GaussianDropout::new(1.0));
/// let error = described.compile(Adam::default(), MeanSquaredError, []).unwrap_err();
/// assert_eq!(error.to_string(), "layer 0 (GaussianDropout) expects a rate of at least 0 and less than 1, got 1");
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct GaussianDropout {
    /// The rate of the dropout whose noise has the same deviation, at least 0 and less than 1.
    pub rate: f32,
    /// Its name; `None` for one after its type.
    pub name: Option<String>,
}

/// Sets a random part of its input to what SELU gives for far negative values while training, and scales and shifts
/// all, so that mean 0 and variance 1 stay; outside training it does nothing. As [Keras'
/// `AlphaDropout`](https://keras.io/api/layers/regularization_layers/alpha_dropout/), from [Klambauer et al.,
/// 2017](https://arxiv.org/abs/1706.02515).
///
/// - Input shape: any. Output shape: the same.
///
/// At `compile`, a rate that is not in `0.0..1.0` is an error that names the layer.
///
/// ```
/// use inkstone::ndarray::array;
/// use inkstone::prelude::*;
/// let model =
///     Sequential::new([2]).add(AlphaDropout::new(0.5)).compile(Adam::default(), MeanSquaredError, [])?;
/// assert_eq!(model.predict_rows(&array![[1.0, 2.0]])?, array![[1.0, 2.0]]);
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct AlphaDropout {
    /// The part that is dropped, at least 0 and less than 1.
    pub rate: f32,
    /// Its name; `None` for one after its type.
    pub name: Option<String>,
}

impl GaussianNoise {
    /// A layer that adds noise of this standard deviation.
    #[must_use]
    pub fn new(stddev: f32) -> Self {
        Self { stddev, name: None }
    }

    name_setter!();
}

written! {
    GaussianNoise {
        stddev;
        name = None,
    }
}

impl GaussianDropout {
    /// A layer whose noise has the deviation of a dropout of this rate.
    #[must_use]
    pub fn new(rate: f32) -> Self {
        Self { rate, name: None }
    }

    name_setter!();
}

written! {
    GaussianDropout {
        rate;
        name = None,
    }
}

impl AlphaDropout {
    /// A layer that drops this part of its input.
    #[must_use]
    pub fn new(rate: f32) -> Self {
        Self { rate, name: None }
    }

    name_setter!();
}

written! {
    AlphaDropout {
        rate;
        name = None,
    }
}

/// Adds the operation for any input.
fn lower(builder: &mut Builder, x: Operand, chance: Chance) -> Operand {
    let (call, channels) = (builder.call, x.shape.channels());
    builder.plain(Noise { chance, call, channels }, &[x], x.shape)
}

impl Describe for GaussianNoise {
    fn spec(&self, inputs: &[Shape]) -> Result<Spec, String> {
        if !(self.stddev.is_finite() && self.stddev >= 0.0) {
            return Err(format!("expects a finite stddev of at least 0, got {}", self.stddev));
        }
        Ok(Spec::of_shape(inputs[0]))
    }

    fn mask_rule(&self) -> MaskRule {
        MaskRule::Passes
    }

    fn lower(&self, builder: &mut Builder, inputs: &[Operand], _weights: &[WeightId]) -> Result<Operand, String> {
        Ok(lower(builder, inputs[0], Chance::Add { deviation: self.stddev }))
    }
}

impl Describe for GaussianDropout {
    fn spec(&self, inputs: &[Shape]) -> Result<Spec, String> {
        check_rate(self.rate).map(|()| Spec::of_shape(inputs[0]))
    }

    fn mask_rule(&self) -> MaskRule {
        MaskRule::Passes
    }

    fn lower(&self, builder: &mut Builder, inputs: &[Operand], _weights: &[WeightId]) -> Result<Operand, String> {
        let deviation = (self.rate / (1.0 - self.rate)).sqrt();
        Ok(lower(builder, inputs[0], Chance::Multiply { deviation }))
    }
}

impl Describe for AlphaDropout {
    fn spec(&self, inputs: &[Shape]) -> Result<Spec, String> {
        check_rate(self.rate).map(|()| Spec::of_shape(inputs[0]))
    }

    fn mask_rule(&self) -> MaskRule {
        MaskRule::Passes
    }

    fn lower(&self, builder: &mut Builder, inputs: &[Operand], _weights: &[WeightId]) -> Result<Operand, String> {
        Ok(lower(builder, inputs[0], Chance::Saturate { rate: self.rate }))
    }
}
