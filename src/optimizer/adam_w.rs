//! Adam with weight decay.

use super::{Adam, Algorithm, LearningRate, Optimizer, OptimizerOptions};
use serde::{Deserialize, Serialize};

/// Adam with decoupled weight decay, as [Keras' `AdamW`](https://keras.io/api/optimizers/adamw/), from
/// [Loshchilov and Hutter, 2017](https://arxiv.org/abs/1711.05101): [`Adam`] with another default for
/// [`weight_decay`](OptimizerOptions::weight_decay), which is what it becomes.
///
/// ```
/// use inkstone::prelude::*;
/// use inkstone::Optimizer;
/// assert_eq!(AdamW::default().weight_decay, 0.004);
/// assert_eq!(Optimizer::from(AdamW::new(0.01)), Adam::new(0.01).weight_decay(0.004));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdamW {
    /// How far steps go.
    pub learning_rate: LearningRate,
    /// What each step takes from the weights, times the learning rate.
    pub weight_decay: f32,
    /// How much of the first moment stays from step to step.
    pub beta_1: f32,
    /// How much of the second moment stays from step to step.
    pub beta_2: f32,
    /// What keeps the division finite.
    pub epsilon: f32,
    /// Whether steps are divided by the largest second moment so far instead of the present one.
    pub amsgrad: bool,
}

impl Default for AdamW {
    fn default() -> Self {
        let Adam { learning_rate, beta_1, beta_2, epsilon, amsgrad } = Adam::default();
        Self { learning_rate, weight_decay: 0.004, beta_1, beta_2, epsilon, amsgrad }
    }
}

impl AdamW {
    /// AdamW with this learning rate or schedule, and Keras' defaults for the rest.
    #[must_use]
    pub fn new(learning_rate: impl Into<LearningRate>) -> Self {
        Self { learning_rate: learning_rate.into(), ..Self::default() }
    }

    setters! {
        /// Sets what each step takes from the weights, times the learning rate.
        weight_decay: f32,

        /// Sets how much of the first moment stays from step to step.
        beta_1: f32,

        /// Sets how much of the second moment stays from step to step.
        beta_2: f32,

        /// Sets what keeps the division finite.
        epsilon: f32,

        /// Sets whether steps are divided by the largest second moment so far.
        amsgrad: bool,
    }
}

impl From<AdamW> for Optimizer {
    fn from(adam_w: AdamW) -> Self {
        let AdamW { learning_rate, weight_decay, beta_1, beta_2, epsilon, amsgrad } = adam_w;
        let adam = Adam { learning_rate, beta_1, beta_2, epsilon, amsgrad };
        Optimizer::from(Algorithm::Adam(adam)).weight_decay(weight_decay)
    }
}
