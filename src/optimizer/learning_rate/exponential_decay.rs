//! By a factor every so many steps.

use super::{check_rate, check_steps};
use crate::error::Result;
use crate::optimizer::require;
use serde::{Deserialize, Serialize};

/// A schedule that multiplies the rate by a factor every so many steps, little by little or at once, as
/// [Keras' `ExponentialDecay`](https://keras.io/api/optimizers/learning_rate_schedules/exponential_decay/):
/// `initial_learning_rate * decay_rate ^ (step / decay_steps)`.
///
/// ```
/// use inkstone::ExponentialDecay;
/// let schedule = ExponentialDecay::new(0.5, 100, 0.25);
/// assert_eq!([0, 50, 100].map(|step| schedule.at(step)), [0.5, 0.25, 0.125]);
/// assert_eq!([0, 50, 100].map(|step| schedule.staircase(true).at(step)), [0.5, 0.5, 0.125]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExponentialDecay {
    /// The first rate.
    pub initial_learning_rate: f32,
    /// After how many steps the rate has been multiplied once.
    pub decay_steps: u64,
    /// The factor.
    pub decay_rate: f32,
    /// Whether the rate stays until all these steps are done; false.
    pub staircase: bool,
}

impl ExponentialDecay {
    /// From this rate on, multiplied by `decay_rate` in every `decay_steps` steps.
    #[must_use]
    pub fn new(initial_learning_rate: f32, decay_steps: u64, decay_rate: f32) -> Self {
        Self { initial_learning_rate, decay_steps, decay_rate, staircase: false }
    }

    /// Sets whether the rate stays until all `decay_steps` are done, and falls at once.
    #[must_use]
    pub fn staircase(self, staircase: bool) -> Self {
        Self { staircase, ..self }
    }

    /// The rate of a step; `step` counts those before it.
    #[must_use]
    pub fn at(&self, step: u64) -> f32 {
        let times = step as f64 / self.decay_steps as f64;
        let times = if self.staircase { times.floor() } else { times };
        (f64::from(self.initial_learning_rate) * f64::from(self.decay_rate).powf(times)) as f32
    }

    pub(super) fn check(&self) -> Result<()> {
        check_rate("initial_learning_rate", self.initial_learning_rate)?;
        check_steps("decay_steps", self.decay_steps)?;
        let rate = self.decay_rate;
        require(rate.is_finite() && rate > 0.0, "decay_rate", "finite and more than 0", rate)
    }
}
