//! The dropout layer.

use super::names::name_setter;
use super::written::written;
use super::{Describe, MaskRule, Spec};
use crate::program::{Builder, Operand, WeightId};
use crate::shape::Shape;
use serde::Deserialize;

/// Sets a random part of its input to zero while training, and scales the rest up by `1 / (1 - rate)`; outside
/// training it does nothing. As [Keras' `Dropout`](https://keras.io/api/layers/regularization_layers/dropout/), from
/// [Srivastava et al., 2014](https://jmlr.org/papers/v15/srivastava14a.html).
///
/// - Input shape: any. Output shape: the same.
///
/// At `compile`, a rate that is not in `0.0..1.0` is an error.
///
/// ```
/// use inkstone::prelude::*;
/// let error = Sequential::new([784])
///     .add(Dropout::new(1.5))
///     .add(Dense::new(10).activation(Softmax))
///     .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy])
///     .unwrap_err();
/// assert_eq!(error.to_string(), "layer 0 (Dropout) expects a rate of at least 0 and less than 1, got 1.5");
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Dropout {
    /// The part that is dropped, at least 0 and less than 1.
    pub rate: f32,
    /// Its name; `None` for one after its type.
    pub name: Option<String>,
}

impl Dropout {
    /// A layer that drops this part of its input.
    #[must_use]
    pub fn new(rate: f32) -> Self {
        Self { rate, name: None }
    }

    name_setter!();
}

written! {
    Dropout {
        rate;
        name = None,
    }
}

/// Whether this part of values can be dropped.
pub(super) fn check_rate(rate: f32) -> Result<(), String> {
    match (0.0..1.0).contains(&rate) {
        true => Ok(()),
        false => Err(format!("expects a rate of at least 0 and less than 1, got {rate}")),
    }
}

impl Describe for Dropout {
    fn spec(&self, inputs: &[Shape]) -> Result<Spec, String> {
        check_rate(self.rate).map(|()| Spec::of_shape(inputs[0]))
    }

    fn mask_rule(&self) -> MaskRule {
        MaskRule::Passes
    }

    fn lower(&self, builder: &mut Builder, inputs: &[Operand], _weights: &[WeightId]) -> Result<Operand, String> {
        Ok(builder.dropout(inputs[0], self.rate))
    }
}
