//! Adam.

use super::algorithm::Update;
use super::{LearningRate, check_beta, check_epsilon};
use crate::error::Result;
use crate::kernels::adam::AdamStep;
use serde::{Deserialize, Serialize};

/// Adam, as [Keras' `Adam`](https://keras.io/api/optimizers/adam/), from
/// [Kingma and Ba, 2014](https://arxiv.org/abs/1412.6980), with AMSGrad of
/// [Reddi and others, 2018](https://arxiv.org/abs/1904.09237) if wanted. Its epsilon is the paper's "epsilon hat": it
/// is added to the root of the second moment before that is corrected for its bias, as Keras does and PyTorch does not.
///
/// ```
/// use inkstone::{Adam, LearningRate};
/// let adam = Adam::default();
/// assert_eq!(adam.learning_rate, LearningRate::Constant(0.001));
/// assert_eq!((adam.beta_1, adam.beta_2, adam.epsilon), (0.9, 0.999, 1e-7));
/// assert_eq!(Adam::new(0.01).beta_1(0.7).beta_1, 0.7);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Adam {
    /// How far steps go.
    pub learning_rate: LearningRate,
    /// How much of the first moment stays from step to step.
    pub beta_1: f32,
    /// How much of the second moment stays from step to step.
    pub beta_2: f32,
    /// What keeps the division finite.
    pub epsilon: f32,
    /// Whether steps are divided by the largest second moment so far instead of the present one.
    pub amsgrad: bool,
}

impl Default for Adam {
    fn default() -> Self {
        let learning_rate = LearningRate::Constant(0.001);
        Self { learning_rate, beta_1: 0.9, beta_2: 0.999, epsilon: 1e-7, amsgrad: false }
    }
}

impl Adam {
    /// Adam with this learning rate or schedule, and Keras' defaults for the rest.
    #[must_use]
    pub fn new(learning_rate: impl Into<LearningRate>) -> Self {
        Self { learning_rate: learning_rate.into(), ..Self::default() }
    }

    setters! {
        /// Sets how much of the first moment stays from step to step.
        beta_1: f32,

        /// Sets how much of the second moment stays from step to step.
        beta_2: f32,

        /// Sets what keeps the division finite.
        epsilon: f32,

        /// Sets whether steps are divided by the largest second moment so far.
        amsgrad: bool,
    }

    pub(super) fn check(&self) -> Result<()> {
        check_beta("beta_1", self.beta_1)?;
        check_beta("beta_2", self.beta_2)?;
        check_epsilon(self.epsilon)
    }

    /// `step` counts from 1.
    pub(super) fn update(&self, step: u64, rate: f32) -> Update {
        let power = |beta: f32| f64::from(beta).powf(step as f64);
        let rate = f64::from(rate) * (1.0 - power(self.beta_2)).sqrt() / (1.0 - power(self.beta_1));
        let step = AdamStep { rate: rate as f32, beta_1: self.beta_1, beta_2: self.beta_2, epsilon: self.epsilon };
        if self.amsgrad { Update::AmsGrad(step) } else { Update::Adam(step) }
    }
}
