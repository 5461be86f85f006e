//! The rectified linear unit with a slope below 0.

use super::names::name_setter;
use super::written::written;
use super::{Describe, MaskRule, Spec, not_negative};
use crate::kernels::activation::Elementwise;
use crate::program::{Builder, Operand, WeightId};
use crate::shape::Shape;
use serde::Deserialize;

/// `x`, but `negative_slope * x` below 0, as [Keras'
/// `LeakyReLU`](https://keras.io/api/layers/activation_layers/leaky_relu/). Its gradient at 0 is the slope.
///
/// - Input shape: any. Output shape: the same.
///
/// At `compile`, a slope that is negative, infinite or NaN is an error.
///
/// ```
/// use inkstone::prelude::*;
/// let model = Sequential::new([3])
///     .add(LeakyReLU::new().negative_slope(0.5))
///     .compile(Adam::default(), MeanSquaredError, [])?;
/// assert_eq!(model.predict_rows(&[[-1.0, 0.0, 2.0]])?.as_slice(), Some(&[-0.5, 0.0, 2.0][..]));
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct LeakyReLU {
    /// The slope below 0, by default 0.3.
    pub negative_slope: f32,
    /// Its name; `None` for one after its type.
    pub name: Option<String>,
}

impl Default for LeakyReLU {
    fn default() -> Self {
        Self { negative_slope: 0.3, name: None }
    }
}

impl LeakyReLU {
    /// A layer with a slope of 0.3 below 0.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    setters! {
        /// Sets the slope below 0, at least 0.
        negative_slope: f32,
    }

    name_setter!();
}

written! {
    LeakyReLU {
        negative_slope;
        name = None,
    }
}

impl Describe for LeakyReLU {
    fn spec(&self, inputs: &[Shape]) -> Result<Spec, String> {
        not_negative("negative_slope", self.negative_slope)?;
        Ok(Spec::of_shape(inputs[0]))
    }

    fn mask_rule(&self) -> MaskRule {
        MaskRule::Passes
    }

    fn lower(&self, builder: &mut Builder, inputs: &[Operand], _weights: &[WeightId]) -> Result<Operand, String> {
        let function = match self.negative_slope {
            0.0 => Elementwise::Relu,
            slope => Elementwise::LeakyRelu { slope },
        };
        Ok(builder.activate(inputs[0], function))
    }
}
