//! The activation function whose slope is learned.

use super::names::name_setter;
use super::weight_settings::{weight, weight_setters, zeros};
use super::written::written;
use super::{Constraint, Describe, Initializer, MaskRule, Regularizer, Spec, trained};
use crate::program::plain::{LeakBySlope, PerAxis};
use crate::program::{Builder, Operand, WeightId, WeightSpec};
use crate::shape::Shape;
use serde::Deserialize;

/// `x` where it is positive, and `alpha * x` elsewhere, with weights `alpha`, as [Keras'
/// `PReLU`](https://keras.io/api/layers/activation_layers/prelu/), from [He et al.,
/// 2015](https://arxiv.org/abs/1502.01852).
///
/// - Input shape: any. Output shape: the same.
/// - Alpha: the input's shape, with 1 for each shared axis; zeros.
///
/// At `compile`, a shared axis that the input does not have is an error that names the layer.
///
/// ```
/// use inkstone::prelude::*;
/// let compiled = |layer| Sequential::new([8, 8, 3]).add(layer).compile(Adam::default(), MeanSquaredError, []);
/// assert_eq!(compiled(PReLU::new())?.parameter_count(), 8 * 8 * 3);
/// // One slope for each channel.
/// assert_eq!(compiled(PReLU::new().shared_axes([1, 2]))?.parameter_count(), 3);
/// let error = compiled(PReLU::new().shared_axes([0])).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "layer 0 (PReLU) expects shared_axes from 1 to 3 for (8, 8, 3), got [0]: axes count from 1, as the batch is axis 0"
/// );
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct PReLU {
    /// The axes, from 1, along which all values have one slope.
    pub shared_axes: Vec<usize>,
    /// Whether training changes its weights.
    #[serde(default = "trained")]
    pub trainable: bool,
    /// How the first values of alpha are drawn.
    #[serde(default = "zeros")]
    pub alpha_initializer: Initializer,
    /// What alpha adds to the loss, if anything.
    pub alpha_regularizer: Option<Regularizer>,
    /// What alpha is brought to after each step, if anything.
    pub alpha_constraint: Option<Constraint>,
    /// Its name; `None` for one after its type.
    pub name: Option<String>,
}

impl Default for PReLU {
    fn default() -> Self {
        Self {
            shared_axes: Vec::new(),
            trainable: true,
            alpha_initializer: Initializer::Zeros,
            alpha_regularizer: None,
            alpha_constraint: None,
            name: None,
        }
    }
}

impl PReLU {
    /// A layer with a slope for each value of an example.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the axes, from 1, along which all values have one slope.
    #[must_use]
    pub fn shared_axes(self, axes: impl Into<Vec<usize>>) -> Self {
        Self { shared_axes: axes.into(), ..self }
    }

    setters! {
        /// Sets whether training changes its weights, as Keras' `layer.trainable`.
        trainable: bool,
    }

    weight_setters!("alpha": alpha_initializer, alpha_regularizer, alpha_constraint);

    /// The shape of alpha.
    fn slopes(&self, input: Shape) -> Vec<usize> {
        let is_shared = |axis: usize| self.shared_axes.contains(&axis);
        (1..).zip(input.axes()).map(|(axis, len)| if is_shared(axis) { 1 } else { *len }).collect()
    }

    name_setter!();
}

written! {
    PReLU {
        shared_axes, trainable;
        alpha_initializer = Initializer::Zeros,
        alpha_regularizer = None,
        alpha_constraint = None,
        name = None,
    }
}

impl Describe for PReLU {
    fn spec(&self, inputs: &[Shape]) -> Result<Spec, String> {
        let rank = inputs[0].axes().len();
        if self.shared_axes.iter().any(|axis| !(1..=rank).contains(axis)) {
            return Err(format!(
                "expects shared_axes from 1 to {rank} for {}, got {:?}: axes count from 1, as the batch is axis 0",
                inputs[0], self.shared_axes
            ));
        }
        let alpha = weight!(self, WeightSpec::zeros("alpha", self.slopes(inputs[0])), alpha);
        let spec = Spec { output: inputs[0], weights: vec![alpha] };
        Ok(if self.trainable { spec } else { spec.frozen() })
    }

    fn trainable_mut(&mut self) -> Option<&mut bool> {
        Some(&mut self.trainable)
    }

    fn mask_rule(&self) -> MaskRule {
        MaskRule::Passes
    }

    fn lower(&self, builder: &mut Builder, inputs: &[Operand], weights: &[WeightId]) -> Result<Operand, String> {
        let input = inputs[0].shape;
        let leak = LeakBySlope(PerAxis::new(input.axes(), &self.slopes(input)));
        Ok(builder.weighted(leak, inputs, weights, input))
    }
}
