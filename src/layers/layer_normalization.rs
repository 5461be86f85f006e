//! Layer normalization.

use super::axes::{any_number, places_of, the_last, with_last};
use super::names::name_setter;
use super::weight_settings::gamma_and_beta;
use super::written::written;
use super::{Constraint, Describe, Initializer, MaskRule, Regularizer, Spec};
use crate::kernels::local_norm::Groups;
use crate::program::plain::{Learned, LocalNorm};
use crate::program::{Builder, Operand, WeightId, WeightSpec};
use crate::shape::Shape;
use serde::Deserialize;

/// Normalizes the last axis of each example, or other axes together, then scales and shifts each of their positions, as
/// [Keras'
/// `LayerNormalization`](https://keras.io/api/layers/normalization_layers/layer_normalization/), from [Ba, Kiros and
/// Hinton, 2016](https://arxiv.org/abs/1607.06450).
///
/// - Input shape: any. Output shape: the same.
/// - Weights: gamma, ones, and beta, zeros, of the shape of the normalized axes.
///
/// At `compile`, no axes, axes that there are not, or an epsilon that is not positive, is an error that names the
/// layer.
///
/// ```
/// use inkstone::ndarray::array;
/// use inkstone::prelude::*;
/// let mut model = Sequential::new([2])
///     .add(LayerNormalization::new().epsilon(1e-6))
///     .compile(Adam::default(), MeanSquaredError, [])?;
/// let normalized = model.predict_rows(&array![[3.0, 5.0]])?;
/// assert!((normalized[[0, 0]] + 1.0).abs() < 1e-5 && (normalized[[0, 1]] - 1.0).abs() < 1e-5);
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct LayerNormalization {
    /// What is added to variances.
    pub epsilon: f32,
    /// Whether there is a beta.
    pub center: bool,
    /// Whether there is a gamma.
    pub scale: bool,
    /// Whether training changes it.
    pub trainable: bool,
    /// The axes that are normalized together, counted with the batch as axis 0, or from the end.
    #[serde(deserialize_with = "any_number")]
    pub axis: Vec<i64>,
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

impl Default for LayerNormalization {
    fn default() -> Self {
        Self::new()
    }
}

impl LayerNormalization {
    /// A normalization with Keras' defaults.
    #[must_use]
    pub fn new() -> Self {
        Self {
            epsilon: 1e-3,
            center: true,
            scale: true,
            trainable: true,
            axis: the_last(),
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
        /// Sets whether training changes it.
        trainable: bool,
    }

    gamma_and_beta!();

    name_setter!();

    /// Sets the axes that are normalized together, counted with the batch as axis 0, or from the end. Any but the last
    /// ones cost two changes of the order of axes.
    #[must_use]
    pub fn axis(self, axis: impl Into<Vec<i64>>) -> Self {
        Self { axis: axis.into(), ..self }
    }

    /// Where the normalized axes of this input lie, from 0.
    pub(crate) fn normalized_axes(&self, input: Shape) -> Result<Vec<usize>, String> {
        if self.axis.is_empty() {
            return Err(format!("expects at least one axis of {input}, got none"));
        }
        places_of(&self.axis, input)
    }
}

written! {
    LayerNormalization {
        epsilon, center, scale, trainable;
        axis = the_last(),
        beta_initializer = Initializer::Zeros,
        gamma_initializer = Initializer::Ones,
        beta_regularizer = None,
        gamma_regularizer = None,
        beta_constraint = None,
        gamma_constraint = None,
        name = None,
    }
}

impl Describe for LayerNormalization {
    fn spec(&self, inputs: &[Shape]) -> Result<Spec, String> {
        let axes = self.normalized_axes(inputs[0])?.into_iter().map(|place| inputs[0].axes()[place]);
        let weights = self.gamma_and_beta(&axes.collect::<Vec<usize>>())?;
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
        let (x, places) = (inputs[0], self.normalized_axes(inputs[0].shape)?);
        let channels: usize = places.iter().map(|place| x.shape.axes()[*place]).product();
        let blocks = x.shape.axes().iter().product::<usize>() / channels;
        let of = Groups { blocks, pixels: 1, groups: 1, channels };
        let norm = LocalNorm { of, epsilon: self.epsilon, learned: self.learned() };
        Ok(with_last(builder, x, &places, |builder, x| builder.weighted(norm, &[x], weights, x.shape)))
    }
}
