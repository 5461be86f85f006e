//! Up, and down to almost nothing.

use super::{check_rate, check_steps, half_cosine};
use crate::error::Result;
use crate::optimizer::require;
use serde::{Deserialize, Serialize};

/// A schedule for a training of known length: the rate rises to its maximum, then falls to almost nothing, both along
/// half a cosine. Large steps in the middle and small ones at the end reach in few epochs what takes many at one rate.
///
/// It is [PyTorch's `OneCycleLR`](https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.OneCycleLR.html),
/// with its defaults and without its cycle of the momentum, from [Smith and Topin,
/// 2017](https://arxiv.org/abs/1708.07120).
///
/// ```
/// use inkstone::OneCycle;
/// let schedule = OneCycle::new(0.01, 1000);
/// assert_eq!(schedule.at(0), 0.01 / 25.0);
/// assert_eq!(schedule.at(299), 0.01);
/// assert!(schedule.at(999) < 1e-7);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OneCycle {
    /// The highest rate.
    pub max_learning_rate: f32,
    /// Steps of the whole training: epochs times batches in an epoch. Steps after it go as far as the last.
    pub total_steps: u64,
    /// The part of the steps in which the rate rises, PyTorch's `pct_start`; 0.3. If that is one step, it has the
    /// highest rate.
    pub rising: f64,
    /// How many times smaller than the maximum the first rate is; 25.
    pub div_factor: f32,
    /// How many times smaller than the first rate the last one is; 10,000.
    pub final_div_factor: f32,
}

impl OneCycle {
    /// A schedule up to this rate and down again, over this many steps.
    #[must_use]
    pub fn new(max_learning_rate: f32, total_steps: u64) -> Self {
        Self { max_learning_rate, total_steps, rising: 0.3, div_factor: 25.0, final_div_factor: 1e4 }
    }

    setters! {
        /// Sets the part of the steps in which the rate rises.
        rising: f64,

        /// Sets how many times smaller than the maximum the first rate is.
        div_factor: f32,

        /// Sets how many times smaller than the first rate the last one is.
        final_div_factor: f32,
    }

    /// The rate of a step; `step` counts those before it.
    #[must_use]
    pub fn at(&self, step: u64) -> f32 {
        let max = f64::from(self.max_learning_rate);
        let first = max / f64::from(self.div_factor);
        let last = first / f64::from(self.final_div_factor);
        let end = self.total_steps.saturating_sub(1) as f64;
        let peak = self.rising * self.total_steps as f64 - 1.0;
        let step = (step as f64).min(end);
        let rate = if step <= peak {
            half_cosine(first, max, if peak > 0.0 { step / peak } else { 1.0 })
        } else {
            half_cosine(max, last, (step - peak) / (end - peak))
        };
        rate as f32
    }

    pub(super) fn check(&self) -> Result<()> {
        check_rate("max_learning_rate", self.max_learning_rate)?;
        check_steps("total_steps", self.total_steps)?;
        require((0.0..=1.0).contains(&self.rising), "rising", "from 0 to 1", self.rising)?;
        for (name, factor) in [("div_factor", self.div_factor), ("final_div_factor", self.final_div_factor)] {
            require(factor.is_finite() && factor > 0.0, name, "finite and more than 0", factor)?;
        }
        Ok(())
    }
}
