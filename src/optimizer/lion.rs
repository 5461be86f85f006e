//! Lion.

use super::algorithm::Update;
use super::{LearningRate, require};
use crate::error::Result;
use crate::kernels::lion::LionStep;
use serde::{Deserialize, Serialize};

/// Lion, as [Keras' `Lion`](https://keras.io/api/optimizers/lion/), from
/// [Chen and others, 2023](https://arxiv.org/abs/2302.06675): every weight goes equally far, only the direction is
/// found. Its authors take a learning rate three to ten times smaller than for Adam, and a larger batch.
///
/// ```
/// use inkstone::{LearningRate, Lion};
/// let lion = Lion::default();
/// assert_eq!((lion.learning_rate, lion.beta_1, lion.beta_2), (LearningRate::Constant(0.001), 0.9, 0.99));
/// assert_eq!(Lion::new(1e-4).beta_2(0.95).beta_2, 0.95);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lion {
    /// How far steps go.
    pub learning_rate: LearningRate,
    /// How much the moment counts against the gradient in a step's direction.
    pub beta_1: f32,
    /// How much of the moment stays from step to step.
    pub beta_2: f32,
}

impl Default for Lion {
    fn default() -> Self {
        Self { learning_rate: LearningRate::Constant(0.001), beta_1: 0.9, beta_2: 0.99 }
    }
}

impl Lion {
    /// Lion with this learning rate or schedule, and Keras' defaults for the rest.
    #[must_use]
    pub fn new(learning_rate: impl Into<LearningRate>) -> Self {
        Self { learning_rate: learning_rate.into(), ..Self::default() }
    }

    setters! {
        /// Sets how much the moment counts against the gradient in a step's direction.
        beta_1: f32,

        /// Sets how much of the moment stays from step to step.
        beta_2: f32,
    }

    pub(super) fn check(&self) -> Result<()> {
        let beta_1 = self.beta_1;
        // Keras' rule: with 0 it would be the gradient's sign alone.
        require(beta_1 > 0.0 && beta_1 <= 1.0, "beta_1", "more than 0 and at most 1", beta_1)?;
        require((0.0..=1.0).contains(&self.beta_2), "beta_2", "from 0 to 1", self.beta_2)
    }

    pub(super) fn update(&self, rate: f32) -> Update {
        Update::Lion(LionStep { rate, beta_1: self.beta_1, beta_2: self.beta_2 })
    }
}
