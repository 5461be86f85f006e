//! Nadam.

use super::algorithm::Update;
use super::{LearningRate, check_beta, check_epsilon};
use crate::error::Result;
use crate::kernels::nadam::NadamStep;
use serde::{Deserialize, Serialize};

/// Adam with Nesterov's look ahead, as [Keras' `Nadam`](https://keras.io/api/optimizers/nadam/), from
/// [Dozat, 2015](https://cs229.stanford.edu/proj2015/054_report.pdf), with its schedule of the momentum.
///
/// ```
/// use inkstone::{LearningRate, Nadam};
/// let nadam = Nadam::default();
/// assert_eq!((nadam.learning_rate, nadam.beta_1, nadam.beta_2), (LearningRate::Constant(0.001), 0.9, 0.999));
/// assert_eq!(Nadam::new(0.01).beta_1(0.7).beta_1, 0.7);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nadam {
    /// How far steps go.
    pub learning_rate: LearningRate,
    /// How much of the first moment stays from step to step.
    pub beta_1: f32,
    /// How much of the second moment stays from step to step.
    pub beta_2: f32,
    /// What keeps the division finite.
    pub epsilon: f32,
}

impl Default for Nadam {
    fn default() -> Self {
        Self { learning_rate: LearningRate::Constant(0.001), beta_1: 0.9, beta_2: 0.999, epsilon: 1e-7 }
    }
}

impl Nadam {
    /// Nadam with this learning rate or schedule, and Keras' defaults for the rest.
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
    }

    pub(super) fn check(&self) -> Result<()> {
        check_beta("beta_1", self.beta_1)?;
        check_beta("beta_2", self.beta_2)?;
        check_epsilon(self.epsilon)
    }

    /// The momentum of a step, which grows from about half of `beta_1` to it.
    fn momentum(&self, step: u64) -> f64 {
        f64::from(self.beta_1) * (1.0 - 0.5 * 0.96_f64.powf(step as f64))
    }

    /// `step` counts from 1; `product` is that of the momenta so far, and takes this step's in.
    pub(super) fn update(&self, step: u64, rate: f32, product: &mut f64) -> Update {
        let (now, next) = (self.momentum(step), self.momentum(step + 1));
        *product *= now;
        Update::Nadam(NadamStep {
            rate,
            beta_1: self.beta_1,
            beta_2: self.beta_2,
            epsilon: self.epsilon,
            moment_part: (next / (1.0 - *product * next)) as f32,
            gradient_part: ((1.0 - now) / (1.0 - *product)) as f32,
            correction: (1.0 / (1.0 - f64::from(self.beta_2).powf(step as f64))) as f32,
        })
    }
}
