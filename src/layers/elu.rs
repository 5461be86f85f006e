//! The exponential linear unit.

use super::names::name_setter;
use super::written::written;
use super::{Describe, MaskRule, Spec, not_negative};
use crate::kernels::activation::Elementwise;
use crate::program::{Builder, Operand, WeightId};
use crate::shape::Shape;
use serde::Deserialize;

/// `x`, but `alpha * (exp(x) - 1)` below 0, as [Keras' `ELU`](https://keras.io/api/layers/activation_layers/elu/), from
/// [Clevert et al., 2016](https://arxiv.org/abs/1511.07289).
///
/// - Input shape: any. Output shape: the same.
///
/// At `compile`, an `alpha` that is negative, infinite or NaN is an error.
///
/// ```
/// use inkstone::prelude::*;
/// let model = Sequential::new([3])
///     .add(ELU::new().alpha(2.0))
///     .compile(Adam::default(), MeanSquaredError, [])?;
/// assert_eq!(model.predict_rows(&[[-100.0, 0.0, 2.0]])?.as_slice(), Some(&[-2.0, 0.0, 2.0][..]));
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ELU {
    /// What very small inputs give, with a minus, by default 1.
    pub alpha: f32,
    /// Its name; `None` for one after its type.
    pub name: Option<String>,
}

impl Default for ELU {
    fn default() -> Self {
        Self { alpha: 1.0, name: None }
    }
}

impl ELU {
    /// A layer with an `alpha` of 1.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    setters! {
        /// Sets what very small inputs give, with a minus: at least 0.
        alpha: f32,
    }

    name_setter!();
}

written! {
    ELU {
        alpha;
        name = None,
    }
}

impl Describe for ELU {
    fn spec(&self, inputs: &[Shape]) -> Result<Spec, String> {
        not_negative("alpha", self.alpha)?;
        Ok(Spec::of_shape(inputs[0]))
    }

    fn mask_rule(&self) -> MaskRule {
        MaskRule::Passes
    }

    fn lower(&self, builder: &mut Builder, inputs: &[Operand], _weights: &[WeightId]) -> Result<Operand, String> {
        Ok(builder.activate(inputs[0], Elementwise::Elu { alpha: self.alpha, scale: 1.0 }))
    }
}
