//! Batch normalization.

use super::axes::{place_of, with_last};
use super::names::name_setter;
use super::weight_settings::gamma_and_beta;
use super::written::written;
use super::{Constraint, Describe, Initializer, MaskRule, Regularizer, Spec};
use crate::kernels::normalize::Then;
use crate::program::plain::{BatchNorm, Learned, Statistics};
use crate::program::{Builder, Operand, WeightId, WeightSpec};
use crate::shape::Shape;
use serde::Deserialize;

/// Normalizes each channel over the batch, then scales and shifts it, as [Keras'
/// `BatchNormalization`](https://keras.io/api/layers/normalization_layers/batch_normalization/), from [Ioffe and
/// Szegedy, 2015](https://arxiv.org/abs/1502.03167).
///
/// In training the mean and the variance are those of the batch, and moving averages take them up: `moving * momentum +
/// batch * (1 - momentum)`. Outside training, and in training with `trainable(false)`, the moving averages take their
/// place; behind a convolution or dense layer the normalization then becomes part of the kernel and costs nothing.
///
/// - Input shape: any; the channels are the last axis, or the one that `axis` says. Output shape: the same.
/// - Weights: gamma (channels), ones; beta (channels), zeros; moving_mean (channels), zeros; moving_variance
///   (channels), ones.
///
/// In training the values of the whole batch are kept from step to step, so memory grows with the batch size.
///
/// At `compile`, a momentum outside `0.0..=1.0`, an epsilon that is not positive, or an axis that there is not is an
/// error that names the layer.
///
/// ```
/// use inkstone::prelude::*;
/// let model = Sequential::new([28, 28, 1])
///     .add(Conv2D::new(8, (3, 3)).use_bias(false))
///     .add(BatchNormalization::new())
///     .add(Activation::new(Relu))
///     .add(Flatten::new())
///     .add(Dense::new(10).activation(Softmax))
///     .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy])?;
/// assert!(model.summary().to_string().contains("Non-trainable params: 16 "));
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct BatchNormalization {
    /// How much of the moving averages stays in each step.
    pub momentum: f32,
    /// What is added to variances.
    pub epsilon: f32,
    /// Whether there is a beta.
    pub center: bool,
    /// Whether there is a gamma.
    pub scale: bool,
    /// Whether training changes it.
    pub trainable: bool,
    /// How the first values of beta are drawn.
    pub beta_initializer: Initializer,
    /// How the first values of gamma are drawn.
    pub gamma_initializer: Initializer,
    /// What beta adds to the loss, if anything.
    pub beta_regularizer: Option<Regularizer>,
    /// What gamma adds to the loss, if anything.
    pub gamma_regularizer: Option<Regularizer>,
    /// What beta is brought to after each step, if anything.
    pub beta_constraint: Option<Constraint>,
    /// What gamma is brought to after each step, if anything.
    pub gamma_constraint: Option<Constraint>,
    /// The axis of the channels, counted with the batch as axis 0, or from the end.
    pub axis: i64,
    /// Its name; `None` for one after its type.
    pub name: Option<String>,
}

impl Default for BatchNormalization {
    fn default() -> Self {
        Self::new()
    }
}

impl BatchNormalization {
    /// A normalization with Keras' defaults: momentum 0.99, epsilon 0.001, gamma and beta.
    #[must_use]
    pub fn new() -> Self {
        Self {
            momentum: 0.99,
            epsilon: 1e-3,
            center: true,
            scale: true,
            trainable: true,
            beta_initializer: Initializer::Zeros,
            gamma_initializer: Initializer::Ones,
            beta_regularizer: None,
            gamma_regularizer: None,
            beta_constraint: None,
            gamma_constraint: None,
            axis: -1,
            name: None,
        }
    }

    setters! {
        /// Sets how much of the moving averages stays in each step.
        momentum: f32,

        /// Sets whether training changes it. If not, it normalizes with the moving averages in training too, as in
        /// Keras.
        trainable: bool,

        /// Sets the axis of the channels, counted with the batch as axis 0, or from the end. Any but the last costs two
        /// changes of the order of axes, and is never part of a kernel.
        axis: i64,
    }

    gamma_and_beta!();

    name_setter!();

    /// Where the axis of the channels lies among those of this input, from 0.
    pub(crate) fn channel_axis(&self, input: Shape) -> Result<usize, String> {
        place_of(self.axis, input)
    }
}

written! {
    BatchNormalization {
        momentum, epsilon, center, scale, trainable;
        beta_initializer = Initializer::Zeros,
        gamma_initializer = Initializer::Ones,
        beta_regularizer = None,
        gamma_regularizer = None,
        beta_constraint = None,
        gamma_constraint = None,
        axis = -1,
        name = None,
    }
}

impl Describe for BatchNormalization {
    fn spec(&self, inputs: &[Shape]) -> Result<Spec, String> {
        if !(0.0..=1.0).contains(&self.momentum) {
            return Err(format!("expects a momentum from 0 to 1, got {}", self.momentum));
        }
        let channels = vec![inputs[0].axes()[self.channel_axis(inputs[0])?]];
        let mut weights = self.gamma_and_beta(&channels)?;
        weights.push(WeightSpec::zeros("moving_mean", channels.clone()).into_state());
        weights.push(WeightSpec::constant("moving_variance", channels, 1.0).into_state());
        let spec = Spec { output: inputs[0], weights };
        Ok(if self.trainable { spec } else { spec.frozen() })
    }

    fn trainable_mut(&mut self) -> Option<&mut bool> {
        Some(&mut self.trainable)
    }

    fn mask_rule(&self) -> MaskRule {
        MaskRule::Passes
    }

    fn lower(&self, builder: &mut Builder, inputs: &[Operand], weights: &[WeightId]) -> Result<Operand, String> {
        if self.trainable && builder.mask_of(inputs[0].value).is_some() {
            let problem = "is given a sequence with a mask, whose moments are not supported: use `LayerNormalization`, or put \
                           it before the layer that makes the mask";
            return Err(problem.into());
        }
        let statistics =
            if self.trainable { Statistics::Batch { momentum: self.momentum } } else { Statistics::Moving };
        let (x, place) = (inputs[0], self.channel_axis(inputs[0].shape)?);
        let norm = BatchNorm {
            channels: x.shape.axes()[place],
            epsilon: self.epsilon,
            statistics,
            learned: self.learned(),
            then: Then::Nothing,
        };
        Ok(with_last(builder, x, &[place], |builder, x| builder.weighted(norm, &[x], weights, x.shape)))
    }
}
