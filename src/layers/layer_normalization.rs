//! Layer normalization.

use super::names::name_setter;
use super::weight_settings::gamma_and_beta;
use super::written::written;
use super::{Constraint, Describe, Initializer, Regularizer, Spec};
use crate::kernels::local_norm::Groups;
use crate::program::plain::{Learned, LocalNorm};
use crate::program::{Builder, Operand, WeightId, WeightSpec};
use crate::shape::Shape;
use serde::{Deserialize, Deserializer};

/// A list of axes, or Keras' short form of one.
fn one_or_more<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<i64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Axes {
        One(i64),
        Several(Vec<i64>),
    }
    if !deserializer.is_human_readable() {
        return Vec::deserialize(deserializer);
    }
    Axes::deserialize(deserializer).map(|axes| match axes {
        Axes::One(axis) => vec![axis],
        Axes::Several(axes) => axes,
    })
}

/// Normalizes the last axis of each example, or several last axes together, then scales and shifts each of their
/// positions, as [Keras'
/// `LayerNormalization`](https://keras.io/api/layers/normalization_layers/layer_normalization/), from [Ba, Kiros and
/// Hinton, 2016](https://arxiv.org/abs/1607.06450).
///
/// - Input shape: any. Output shape: the same.
/// - Weights: gamma, ones, and beta, zeros, of the shape of the normalized axes.
///
/// At `compile`, axes that are not the last ones, or an epsilon that is not positive, is an error that names the layer.
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
    /// The axes that are normalized together, counted with the batch as axis 0, or from the end: the last ones.
    #[serde(deserialize_with = "one_or_more")]
    pub axis: Vec<i64>,
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
            axis: vec![-1],
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
        /// Sets whether training changes it.
        trainable: bool,
    }

    gamma_and_beta!();

    name_setter!();

    /// Sets the axes that are normalized together, counted with the batch as axis 0, or from the end.
    #[must_use]
    pub fn axis(self, axis: impl Into<Vec<i64>>) -> Self {
        Self { axis: axis.into(), ..self }
    }

    /// The normalized axes of this input: the last ones.
    pub(crate) fn normalized_axes(&self, input: Shape) -> Result<Vec<usize>, String> {
        let rank = input.axes().len() as i64;
        let mut axes: Vec<i64> = self.axis.iter().map(|axis| if *axis < 0 { axis + rank + 1 } else { *axis }).collect();
        axes.sort_unstable();
        let count = axes.len() as i64;
        if count == 0 || count > rank || axes != (rank - count + 1..=rank).collect::<Vec<i64>>() {
            return Err(format!(
                "expects an axis that is the last of {input} or several last ones, got {:?}",
                self.axis
            ));
        }
        Ok(input.axes()[(rank - count) as usize..].to_vec())
    }

    fn groups_of(&self, input: Shape) -> Result<Groups, String> {
        let channels: usize = self.normalized_axes(input)?.iter().product();
        let blocks = input.axes().iter().product::<usize>() / channels;
        Ok(Groups { blocks, pixels: 1, groups: 1, channels })
    }
}

written! {
    LayerNormalization {
        epsilon, center, scale, trainable;
        axis = vec![-1],
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
        let axes = self.normalized_axes(inputs[0])?;
        let weights = self.gamma_and_beta(&axes)?;
        let spec = Spec { output: inputs[0], weights };
        Ok(if self.trainable { spec } else { spec.frozen() })
    }

    fn trainable_mut(&mut self) -> Option<&mut bool> {
        Some(&mut self.trainable)
    }

    fn lower(&self, builder: &mut Builder, inputs: &[Operand], weights: &[WeightId]) -> Result<Operand, String> {
        let of = self.groups_of(inputs[0].shape)?;
        let learned = self.learned();
        let norm = LocalNorm { of, epsilon: self.epsilon, learned };
        Ok(builder.weighted(norm, inputs, weights, inputs[0].shape))
    }
}
