//! Decides how far a step goes, as training goes on: at one rate, or by a schedule.

mod cosine_decay;
mod exponential_decay;
mod one_cycle;
mod piecewise_constant_decay;
mod warm_up;

pub use cosine_decay::CosineDecay;
pub use exponential_decay::ExponentialDecay;
pub use one_cycle::OneCycle;
pub use piecewise_constant_decay::PiecewiseConstantDecay;
pub use warm_up::WarmUp;

use super::require;
use crate::error::Result;
use serde::{Deserialize, Serialize};
use std::f64::consts::PI;

/// How far steps go: all alike, or by a schedule. Optimizers take either.
///
/// ```
/// use inkstone::{Adam, LearningRate, OneCycle};
/// assert_eq!(Adam::new(0.01).learning_rate, LearningRate::Constant(0.01));
/// assert_eq!(Adam::new(OneCycle::new(0.01, 235)).learning_rate.at(234), 4e-8);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum LearningRate {
    /// The same for all steps.
    Constant(f32),
    /// One rate after the other.
    PiecewiseConstantDecay(PiecewiseConstantDecay),
    /// By a factor every so many steps.
    ExponentialDecay(ExponentialDecay),
    /// Down along half a cosine.
    CosineDecay(CosineDecay),
    /// Up, and down to almost nothing.
    OneCycle(OneCycle),
    /// Up in a line, then by another.
    WarmUp(WarmUp),
}

impl LearningRate {
    /// The rate of a step; `step` counts those before it, as in Keras' schedules, so the first is 0.
    #[must_use]
    pub fn at(&self, step: u64) -> f32 {
        match self {
            Self::Constant(rate) => *rate,
            Self::PiecewiseConstantDecay(schedule) => schedule.at(step),
            Self::ExponentialDecay(schedule) => schedule.at(step),
            Self::CosineDecay(schedule) => schedule.at(step),
            Self::OneCycle(schedule) => schedule.at(step),
            Self::WarmUp(schedule) => schedule.at(step),
        }
    }

    /// What it is called.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Constant(_) => "a constant",
            Self::PiecewiseConstantDecay(_) => "PiecewiseConstantDecay",
            Self::ExponentialDecay(_) => "ExponentialDecay",
            Self::CosineDecay(_) => "CosineDecay",
            Self::OneCycle(_) => "OneCycle",
            Self::WarmUp(_) => "WarmUp",
        }
    }

    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for a number that makes no sense.
    pub(super) fn check(&self) -> Result<()> {
        match self {
            Self::Constant(rate) => check_rate("learning_rate", *rate),
            Self::PiecewiseConstantDecay(schedule) => schedule.check(),
            Self::ExponentialDecay(schedule) => schedule.check(),
            Self::CosineDecay(schedule) => schedule.check(),
            Self::OneCycle(schedule) => schedule.check(),
            Self::WarmUp(schedule) => schedule.check(),
        }
    }
}

impl From<f32> for LearningRate {
    fn from(rate: f32) -> Self {
        Self::Constant(rate)
    }
}

impl From<PiecewiseConstantDecay> for LearningRate {
    fn from(schedule: PiecewiseConstantDecay) -> Self {
        Self::PiecewiseConstantDecay(schedule)
    }
}

impl From<ExponentialDecay> for LearningRate {
    fn from(schedule: ExponentialDecay) -> Self {
        Self::ExponentialDecay(schedule)
    }
}

impl From<CosineDecay> for LearningRate {
    fn from(schedule: CosineDecay) -> Self {
        Self::CosineDecay(schedule)
    }
}

impl From<OneCycle> for LearningRate {
    fn from(schedule: OneCycle) -> Self {
        Self::OneCycle(schedule)
    }
}

impl From<WarmUp> for LearningRate {
    fn from(schedule: WarmUp) -> Self {
        Self::WarmUp(schedule)
    }
}

/// From one value to another as `part` goes from 0 to 1, slowly at both ends.
fn half_cosine(from: f64, to: f64, part: f64) -> f64 {
    to + (from - to) / 2.0 * ((PI * part).cos() + 1.0)
}

/// From one value to another as `part` goes from 0 to 1, in a line.
fn line(from: f64, to: f64, part: f64) -> f64 {
    from + (to - from) * part
}

fn check_rate(name: &'static str, rate: f32) -> Result<()> {
    require(rate.is_finite() && rate >= 0.0, name, "finite and at least 0", rate)
}

fn check_steps(name: &'static str, steps: u64) -> Result<()> {
    require(steps > 0, name, "at least 1", steps)
}
