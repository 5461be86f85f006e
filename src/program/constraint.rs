//! What weights are brought to after each step, as users choose it.

use super::named_alone::{self, NamedAlone};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What a weight is brought to after each step of the optimizer, as [Keras'
/// constraints](https://keras.io/api/layers/constraints/).
///
/// Norms are those over some axes, by default over the first alone, as in Keras. That is right for a kernel of
/// [`Dense`](crate::layers::Dense), whose columns then have the norm; for the filters of a
/// [`Conv2D`](crate::layers::Conv2D) it takes the axes `[0, 1, 2]`.
///
/// ```
/// use inkstone::prelude::*;
/// let mut model = Sequential::new([8, 8, 1])
///     .add(Conv2D::new(4, (3, 3)).activation(Relu).kernel_constraint(Constraint::max_norm(0.5).axis([0, 1, 2])))
///     .add(Flatten::new())
///     .add(Dense::new(1).bias_constraint(Constraint::NonNeg))
///     .compile(Sgd::new(1.0), MeanSquaredError, [])?;
/// model.train_on_batch(&inkstone::ndarray::Array4::<f32>::ones((1, 8, 8, 1)), &[-10.0])?;
/// let kernel = model.get_weight("conv2d/kernel")?.values;
/// let norm = kernel.index_axis(inkstone::ndarray::Axis(3), 0).iter().map(|w| w * w).sum::<f32>().sqrt();
/// assert!(norm < 0.5001);
/// assert_eq!(model.get_weight("dense/bias")?.values[[0]], 0.0);
/// # Ok::<(), inkstone::Error>(())
/// ```
///
/// In JSON they have Keras' names: `"non_neg"`, or `{"max_norm": {"max_value": 3, "axis": [0]}}`, whose fields have
/// Keras' defaults where they are left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields, remote = "Self")]
#[non_exhaustive]
pub enum Constraint {
    /// What has a greater norm is scaled down to this one.
    MaxNorm {
        /// The greatest norm; 2 in files that leave it out.
        #[serde(default = "two")]
        max_value: f32,
        /// The axes that norms are over.
        #[serde(default = "first_axis")]
        axis: Vec<usize>,
    },
    /// Negative values become 0.
    NonNeg,
    /// All is scaled to the norm 1.
    UnitNorm {
        /// The axes that norms are over.
        #[serde(default = "first_axis")]
        axis: Vec<usize>,
    },
    /// Norms that are too small or too great are scaled towards the nearest that is allowed.
    MinMaxNorm {
        /// The least norm; 0 in files that leave it out.
        #[serde(default)]
        min_value: f32,
        /// The greatest norm; 1 in files that leave it out.
        #[serde(default = "one")]
        max_value: f32,
        /// How much of the way a step takes, from 0 to 1; 1 in files that leave it out.
        #[serde(default = "one")]
        rate: f32,
        /// The axes that norms are over.
        #[serde(default = "first_axis")]
        axis: Vec<usize>,
    },
}

fn one() -> f32 {
    1.0
}

fn two() -> f32 {
    2.0
}

fn first_axis() -> Vec<usize> {
    vec![0]
}

impl Constraint {
    /// A norm over the first axis of at most this. Keras' default is 2.
    #[must_use]
    pub fn max_norm(max_value: f32) -> Self {
        Self::MaxNorm { max_value, axis: first_axis() }
    }

    /// The norm 1 over the first axis.
    #[must_use]
    pub fn unit_norm() -> Self {
        Self::UnitNorm { axis: first_axis() }
    }

    /// A norm over the first axis that is in this range, all of the way in each step.
    #[must_use]
    pub fn min_max_norm(min_value: f32, max_value: f32) -> Self {
        Self::MinMaxNorm { min_value, max_value, rate: 1.0, axis: first_axis() }
    }

    /// Sets the axes that norms are over, as in Keras' shape of the weight; without norms nothing is set.
    #[must_use]
    pub fn axis(mut self, axes: impl Into<Vec<usize>>) -> Self {
        match &mut self {
            Self::MaxNorm { axis, .. } | Self::UnitNorm { axis } | Self::MinMaxNorm { axis, .. } => *axis = axes.into(),
            Self::NonNeg => {}
        }
        self
    }

    /// The axes that norms are over.
    pub(crate) fn axes(&self) -> &[usize] {
        match self {
            Self::MaxNorm { axis, .. } | Self::UnitNorm { axis } | Self::MinMaxNorm { axis, .. } => axis,
            Self::NonNeg => &[],
        }
    }

    /// # Errors
    /// What it is, in a sentence's end, if it has a number that is out of range or is not for a weight of this shape.
    pub(crate) fn check(&self, shape: &[usize]) -> Result<(), String> {
        let is_norm = |norm: f32| norm.is_finite() && norm >= 0.0;
        match *self {
            Self::MaxNorm { max_value, .. } if !is_norm(max_value) => {
                return Err(format!("with a finite `max_value` of at least 0, got {self:?}"));
            }
            Self::MinMaxNorm { min_value, max_value, .. }
                if !(is_norm(min_value) && is_norm(max_value) && min_value <= max_value) =>
            {
                return Err(format!(
                    "whose `min_value` is at least 0 and at most its finite `max_value`, got {self:?}"
                ));
            }
            Self::MinMaxNorm { rate, .. } if !(0.0..=1.0).contains(&rate) => {
                return Err(format!("with a `rate` from 0 to 1, got {self:?}"));
            }
            Self::NonNeg => return Ok(()),
            Self::MaxNorm { .. } | Self::UnitNorm { .. } | Self::MinMaxNorm { .. } => {}
        }
        let (axes, rank) = (self.axes(), shape.len());
        let is_sound = |(index, axis): (usize, &usize)| *axis < rank && !axes[..index].contains(axis);
        if axes.is_empty() || axes.len() > rank || !axes.iter().enumerate().all(is_sound) {
            let last = rank.saturating_sub(1);
            return Err(format!("with one or more different axes from 0 to {last}, got {self:?}"));
        }
        Ok(())
    }
}

impl NamedAlone for Constraint {
    const WHAT: &'static str = "a constraint, as \"non_neg\" or {\"max_norm\": {\"max_value\": 3}}";
    const WITH_FIELDS: &'static [&'static str] = &["max_norm", "unit_norm", "min_max_norm"];

    fn derived<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::deserialize(deserializer)
    }
}

impl<'de> Deserialize<'de> for Constraint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        named_alone::deserialize(deserializer)
    }
}

impl Serialize for Constraint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}
