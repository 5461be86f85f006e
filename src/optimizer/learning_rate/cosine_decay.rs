//! Down along half a cosine.

use super::{check_rate, check_steps, half_cosine, line};
use crate::error::{Error, Result};
use crate::optimizer::require;
use serde::{Deserialize, Serialize};

/// A schedule that falls along half a cosine, after a rise in a line if wanted, as
/// [Keras' `CosineDecay`](https://keras.io/api/optimizers/learning_rate_schedules/cosine_decay/), from
/// [Loshchilov and Hutter, 2016](https://arxiv.org/abs/1608.03983).
///
/// ```
/// use inkstone::CosineDecay;
/// let schedule = CosineDecay::new(0.5, 100).alpha(0.25);
/// assert_eq!([0, 100, 500].map(|step| schedule.at(step)), [0.5, 0.125, 0.125]);
/// let warmed_up = CosineDecay::new(0.0, 100).warmup_target(0.5).warmup_steps(10);
/// assert_eq!([0, 5, 10, 110].map(|step| warmed_up.at(step)), [0.0, 0.25, 0.5, 0.0]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CosineDecay {
    /// The first rate.
    pub initial_learning_rate: f32,
    /// In how many steps it falls, those of the rise not counted.
    pub decay_steps: u64,
    /// The last rate as a part of the highest; 0.
    pub alpha: f32,
    /// The rate to which it rises before it falls; without it there is no rise.
    pub warmup_target: Option<f32>,
    /// In how many steps it rises; 0.
    pub warmup_steps: u64,
}

impl CosineDecay {
    /// From this rate down to 0 in so many steps. Steps after them go as far as the last.
    #[must_use]
    pub fn new(initial_learning_rate: f32, decay_steps: u64) -> Self {
        Self { initial_learning_rate, decay_steps, alpha: 0.0, warmup_target: None, warmup_steps: 0 }
    }

    /// Sets the last rate as a part of the highest.
    #[must_use]
    pub fn alpha(self, alpha: f32) -> Self {
        Self { alpha, ..self }
    }

    /// Sets the rate to which it rises before it falls.
    #[must_use]
    pub fn warmup_target(self, warmup_target: f32) -> Self {
        Self { warmup_target: Some(warmup_target), ..self }
    }

    /// Sets in how many steps it rises to `warmup_target`.
    #[must_use]
    pub fn warmup_steps(self, warmup_steps: u64) -> Self {
        Self { warmup_steps, ..self }
    }

    /// The rate of a step; `step` counts those before it.
    #[must_use]
    pub fn at(&self, step: u64) -> f32 {
        let initial = f64::from(self.initial_learning_rate);
        let (highest, risen) = match self.warmup_target {
            Some(target) => (f64::from(target), self.warmup_steps),
            None => (initial, 0),
        };
        let rate = if step < risen {
            line(initial, highest, step as f64 / risen as f64)
        } else {
            let part = (step - risen) as f64 / self.decay_steps as f64;
            half_cosine(highest, highest * f64::from(self.alpha), part.min(1.0))
        };
        rate as f32
    }

    pub(super) fn check(&self) -> Result<()> {
        check_rate("initial_learning_rate", self.initial_learning_rate)?;
        check_steps("decay_steps", self.decay_steps)?;
        require(self.alpha.is_finite() && self.alpha >= 0.0, "alpha", "finite and at least 0", self.alpha)?;
        match self.warmup_target {
            Some(target) => check_rate("warmup_target", target),
            // Keras ignores the steps then.
            None if self.warmup_steps > 0 => Err(Error::Setting {
                name: "warmup_target",
                expected: "set if warmup_steps is",
                received: format!("{} warmup_steps without it", self.warmup_steps),
            }),
            None => Ok(()),
        }
    }
}
