//! Up in a line, then by another schedule.

use super::{LearningRate, check_steps, line};
use crate::error::Result;
use crate::optimizer::require;
use serde::{Deserialize, Serialize};

/// A rise in a line, in front of any schedule or constant rate: the first steps of a training, when weights and moments
/// are far from where they will be, go less far.
///
/// It is [PyTorch's `LinearLR`](https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.LinearLR.html), with
/// its default, and the other schedule after it in a `SequentialLR`.
///
/// ```
/// use inkstone::{CosineDecay, WarmUp};
/// let schedule = WarmUp::new(10, CosineDecay::new(0.5, 100)).start_factor(0.25);
/// // From a quarter of the schedule's first rate up to it, then along the schedule.
/// assert_eq!([0, 10, 60, 110].map(|step| schedule.at(step)), [0.125, 0.5, 0.25, 0.0]);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WarmUp {
    /// How many steps the rise takes.
    pub steps: u64,
    /// The first rate as a part of the one it rises to; 1/3.
    pub start_factor: f32,
    /// What comes after it, from its own first step on.
    pub then: Box<LearningRate>,
}

impl WarmUp {
    /// A rise to the first rate of `then` in so many steps, and then that.
    #[must_use]
    pub fn new(steps: u64, then: impl Into<LearningRate>) -> Self {
        Self { steps, start_factor: 1.0 / 3.0, then: Box::new(then.into()) }
    }

    /// Sets the first rate as a part of the one it rises to.
    #[must_use]
    pub fn start_factor(self, start_factor: f32) -> Self {
        Self { start_factor, ..self }
    }

    /// The rate of a step; `step` counts those before it.
    #[must_use]
    pub fn at(&self, step: u64) -> f32 {
        if step >= self.steps {
            return self.then.at(step - self.steps);
        }
        let top = f64::from(self.then.at(0));
        line(top * f64::from(self.start_factor), top, step as f64 / self.steps as f64) as f32
    }

    pub(super) fn check(&self) -> Result<()> {
        check_steps("steps", self.steps)?;
        require((0.0..=1.0).contains(&self.start_factor), "start_factor", "from 0 to 1", self.start_factor)?;
        self.then.check()
    }
}
