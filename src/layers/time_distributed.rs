//! A layer applied to each step of a sequence.

use super::names::name_setter;
use super::written::written;
use super::{Describe, Layer, MaskRule, Spec};
use crate::program::{Builder, Operand, Regularizer, WeightId};
use crate::shape::Shape;
use serde::Deserialize;

/// A layer applied to each step of a sequence with the same weights, as [Keras'
/// `TimeDistributed`](https://keras.io/api/layers/recurrent_layers/time_distributed/).
///
/// - Input shape: (steps, features). Output shape: (steps, what the layer makes of a step).
///
/// It takes layers that work along the last axis, or value by value: [`Dense`](super::Dense),
/// [`Activation`](super::Activation), [`ReLU`](super::ReLU), [`LeakyReLU`](super::LeakyReLU), [`ELU`](super::ELU),
/// [`Dropout`](super::Dropout), [`GaussianNoise`](super::GaussianNoise), [`GaussianDropout`](super::GaussianDropout)
/// and [`Rescaling`](super::Rescaling). They do the same to a sequence without it. At `compile`, any other layer is an
/// error that names it.
///
/// ```
/// use inkstone::prelude::*;
/// let model = Sequential::new([10, 3])
///     .add(LSTM::new(8).return_sequences(true))
///     .add(TimeDistributed::new(Dense::new(4).activation(Tanh)))
///     .compile(Adam::default(), MeanSquaredError, [])?;
/// assert_eq!(model.output_shape().axes(), [10, 4]);
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct TimeDistributed {
    /// The layer.
    pub layer: Box<Layer>,
    /// Its name; `None` for one after its type.
    pub name: Option<String>,
}

impl TimeDistributed {
    /// This layer at each step.
    #[must_use]
    pub fn new(layer: impl Into<Layer>) -> Self {
        Self { layer: Box::new(layer.into()), name: None }
    }

    name_setter!();
}

written! {
    TimeDistributed {
        layer;
        name = None,
    }
}

/// Whether a layer does to each step of a sequence what it does to one alone.
fn works_step_by_step(layer: &Layer) -> bool {
    matches!(
        layer,
        Layer::Dense(_)
            | Layer::Activation(_)
            | Layer::ReLU(_)
            | Layer::LeakyReLU(_)
            | Layer::ELU(_)
            | Layer::Dropout(_)
            | Layer::GaussianNoise(_)
            | Layer::GaussianDropout(_)
            | Layer::Rescaling(_)
    )
}

impl Describe for TimeDistributed {
    fn spec(&self, inputs: &[Shape]) -> Result<Spec, String> {
        if !works_step_by_step(&self.layer) {
            return Err(format!(
                "expects a layer that works along the last axis, such as Dense, Activation or Dropout, got a {}: use \
                 `Reshape` or `Conv1D`",
                self.layer.kind()
            ));
        }
        if inputs[0].axes().len() < 2 {
            return Err(format!("expects a sequence (steps, features), got {}: use `Reshape` before it", inputs[0]));
        }
        self.layer.describe().spec(inputs)
    }

    fn window_lists(&self) -> usize {
        self.layer.describe().window_lists()
    }

    fn copied_bytes(&self) -> u64 {
        self.layer.describe().copied_bytes()
    }

    fn activity_regularizer(&self) -> Option<Regularizer> {
        self.layer.describe().activity_regularizer()
    }

    fn mask_rule(&self) -> MaskRule {
        self.layer.describe().mask_rule()
    }

    fn trainable_mut(&mut self) -> Option<&mut bool> {
        self.layer.trainable_mut()
    }

    fn lower(&self, builder: &mut Builder, inputs: &[Operand], weights: &[WeightId]) -> Result<Operand, String> {
        self.layer.describe().lower(builder, inputs, weights)
    }
}
