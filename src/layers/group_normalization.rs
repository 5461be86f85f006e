//! Group normalization.

use super::names::name_setter;
use super::weight_settings::gamma_and_beta;
use super::written::written;
use super::{Constraint, Describe, Initializer, MaskRule, Regularizer, Spec};
use crate::kernels::local_norm::Groups;
use crate::program::plain::{Learned, LocalNorm};
use crate::program::{Builder, Operand, WeightId, WeightSpec};
use crate::shape::Shape;
use serde::Deserialize;

/// Normalizes groups of channels within each example, then scales and shifts each channel, as [Keras'
/// `GroupNormalization`](https://keras.io/api/layers/normalization_layers/group_normalization/), from [Wu and He,
/// 2018](https://arxiv.org/abs/1803.08494).
///
/// - Input shape: any; the last axis is the channels. Output shape: the same.
/// - Weights: gamma (channels), ones; beta (channels), zeros.
///
/// At `compile`, groups that do not divide the channels, or an epsilon that is not positive, is an error that names the
/// layer.
///
/// ```
/// use inkstone::prelude::*;
/// let model = Sequential::new([28, 28, 1])
///     .add(Conv2D::new(8, (3, 3)))
///     .add(GroupNormalization::new().groups(4))
///     .add(Flatten::new())
///     .add(Dense::new(10).activation(Softmax))
///     .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy])?;
/// assert_eq!(model.get_weight("group_normalization/gamma")?.values.shape(), [8]);
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct GroupNormalization {
    /// Into how many groups the channels are cut; -1 makes a group of each.
    pub groups: i64,
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
    /// Its name; `None` for one after its type.
    pub name: Option<String>,
}

impl Default for GroupNormalization {
    fn default() -> Self {
        Self::new()
    }
}

impl GroupNormalization {
    /// A normalization with Keras' defaults.
    #[must_use]
    pub fn new() -> Self {
        Self {
            groups: 32,
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
            name: None,
        }
    }

    setters! {
        /// Sets into how many groups the channels are cut: a divisor of them, or -1 for a group of each.
        groups: i64,

        /// Sets whether training changes it.
        trainable: bool,
    }

    gamma_and_beta!();

    name_setter!();

    fn groups_of(&self, input: Shape) -> Result<Groups, String> {
        let channels = input.channels();
        let groups = if self.groups == -1 { channels } else { usize::try_from(self.groups).unwrap_or(0) };
        if groups == 0 || !channels.is_multiple_of(groups) {
            return Err(format!("expects groups that divide its {channels} channels, or -1, got {}", self.groups));
        }
        let pixels = input.axes().iter().product::<usize>() / channels;
        Ok(Groups { blocks: 1, pixels, groups, channels: channels / groups })
    }
}

written! {
    GroupNormalization {
        groups, epsilon, center, scale, trainable;
        beta_initializer = Initializer::Zeros,
        gamma_initializer = Initializer::Ones,
        beta_regularizer = None,
        gamma_regularizer = None,
        beta_constraint = None,
        gamma_constraint = None,
        name = None,
    }
}

impl Describe for GroupNormalization {
    fn spec(&self, inputs: &[Shape]) -> Result<Spec, String> {
        self.groups_of(inputs[0])?;
        let weights = self.gamma_and_beta(&[inputs[0].channels()])?;
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
        let of = self.groups_of(inputs[0].shape)?;
        let learned = self.learned();
        let norm = LocalNorm { of, epsilon: self.epsilon, learned };
        Ok(builder.weighted(norm, inputs, weights, inputs[0].shape))
    }
}
