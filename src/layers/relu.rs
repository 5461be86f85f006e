//! The rectified linear unit, with a ceiling, a slope and a threshold.

use super::names::name_setter;
use super::written::written;
use super::{Describe, MaskRule, Spec, not_negative};
use crate::kernels::activation::Elementwise;
use crate::program::{Builder, Operand, WeightId};
use crate::shape::Shape;
use serde::Deserialize;

/// `x` above the threshold, but at most `max_value`; `negative_slope * (x - threshold)` up to the threshold. As
/// [Keras' `ReLU`](https://keras.io/api/layers/activation_layers/relu/). Its gradient at the threshold is the slope, at
/// and above `max_value` 0.
///
/// - Input shape: any. Output shape: the same.
///
/// At `compile`, an argument that is negative, infinite or NaN is an error.
///
/// ```
/// use inkstone::prelude::*;
/// let model = Sequential::new([4])
///     .add(ReLU::new().max_value(6.0).negative_slope(0.5).threshold(1.0))
///     .compile(Adam::default(), MeanSquaredError, [])?;
/// assert_eq!(model.predict_rows(&[[-1.0, 0.0, 2.0, 7.0]])?.as_slice(), Some(&[-1.0, -0.5, 2.0, 6.0][..]));
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ReLU {
    /// The largest output, if there is a bound; by default there is none.
    pub max_value: Option<f32>,
    /// The slope up to the threshold, by default 0.
    pub negative_slope: f32,
    /// The input up to which the slope counts, by default 0.
    pub threshold: f32,
    /// Its name; `None` for one after its type.
    pub name: Option<String>,
}

impl ReLU {
    /// A layer that computes `max(x, 0)`, as [`ActivationFunction::Relu`](super::ActivationFunction::Relu) does.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the largest output, at least 0.
    #[must_use]
    pub fn max_value(self, max_value: f32) -> Self {
        Self { max_value: Some(max_value), ..self }
    }

    setters! {
        /// Sets the slope up to the threshold, at least 0.
        negative_slope: f32,

        /// Sets the input up to which the slope counts, at least 0.
        threshold: f32,
    }

    name_setter!();
}

written! {
    ReLU {
        max_value, negative_slope, threshold;
        name = None,
    }
}

impl Describe for ReLU {
    fn spec(&self, inputs: &[Shape]) -> Result<Spec, String> {
        not_negative("negative_slope", self.negative_slope)?;
        not_negative("threshold", self.threshold)?;
        self.max_value.map_or(Ok(()), |max_value| not_negative("max_value", max_value))?;
        Ok(Spec::of_shape(inputs[0]))
    }

    fn mask_rule(&self) -> MaskRule {
        MaskRule::Passes
    }

    fn lower(&self, builder: &mut Builder, inputs: &[Operand], _weights: &[WeightId]) -> Result<Operand, String> {
        let function = match (self.negative_slope, self.threshold, self.max_value) {
            (0.0, 0.0, None) => Elementwise::Relu,
            (slope, 0.0, None) => Elementwise::LeakyRelu { slope },
            (0.0, 0.0, Some(ceiling)) => Elementwise::CappedRelu { ceiling },
            (slope, threshold, max_value) => {
                Elementwise::Rectifier { slope, threshold, ceiling: max_value.unwrap_or(f32::INFINITY) }
            }
        };
        Ok(builder.activate(inputs[0], function))
    }
}
