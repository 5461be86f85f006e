//! Decides how gradients change parameters. An optimizer is data; its state is a step count and up to two buffers laid out
//! as the parameters are, so that one step is one pass over flat memory, cut into pieces for the threads.

mod adam;
mod learning_rate;
mod sgd;

pub use adam::Adam;
pub use learning_rate::{LearningRate, OneCycle};
pub use sgd::Sgd;

use crate::aligned::AlignedBuffer;
use crate::error::{Error, Result};
use crate::simd::Simd;
use serde::{Deserialize, Serialize};

/// Any optimizer.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Optimizer {
    /// Adaptive moments.
    Adam(Adam),
    /// Gradient descent.
    Sgd(Sgd),
}

impl Optimizer {
    /// # Errors
    /// [`Error::Setting`] for a number that makes no sense.
    pub(crate) fn check(&self) -> Result<()> {
        match self {
            Self::Adam(adam) => adam.check(),
            Self::Sgd(sgd) => sgd.check(),
        }
    }

    /// How far steps go.
    #[must_use]
    pub fn learning_rate(&self) -> &LearningRate {
        match self {
            Self::Adam(adam) => &adam.learning_rate,
            Self::Sgd(sgd) => &sgd.learning_rate,
        }
    }

    pub(crate) fn set_learning_rate(&mut self, rate: f32) -> Result<()> {
        let learning_rate = LearningRate::Constant(rate);
        learning_rate.check()?;
        match self {
            Self::Adam(adam) => adam.learning_rate = learning_rate,
            Self::Sgd(sgd) => sgd.learning_rate = learning_rate,
        }
        Ok(())
    }

    /// How many buffers of its own it keeps.
    fn moments(&self) -> usize {
        match self {
            Self::Adam(_) => 2,
            Self::Sgd(sgd) => usize::from(sgd.momentum != 0.0),
        }
    }

    /// Updates one piece; `step` counts from 1.
    pub(crate) fn update<S: Simd>(&self, simd: S, step: u64, piece: Piece<'_>) {
        match self {
            Self::Adam(adam) => adam.update(simd, step, piece),
            Self::Sgd(sgd) => sgd.update(simd, step, piece),
        }
    }
}

/// What an optimizer remembers from step to step.
#[derive(Clone, Debug)]
pub(crate) struct OptimizerState {
    /// Steps taken.
    pub(crate) step: u64,
    /// The buffers it keeps; those it does not need are empty.
    pub(crate) moments: [AlignedBuffer; 2],
}

impl OptimizerState {
    /// The state before the first step.
    pub(crate) fn new(optimizer: &Optimizer, parameter_len: usize) -> Self {
        let buffer = |index| AlignedBuffer::zeroed(if index < optimizer.moments() { parameter_len } else { 0 });
        Self { step: 0, moments: [buffer(0), buffer(1)] }
    }
}

/// A stretch of the parameters with what belongs to it.
pub(crate) struct Piece<'a> {
    /// Where it starts in the parameters.
    pub(crate) start: usize,
    pub(crate) gradients: &'a mut [f32],
    pub(crate) parameters: &'a mut [f32],
    pub(crate) moments: [&'a mut [f32]; 2],
}

impl Piece<'_> {
    /// Cuts it in two.
    pub(crate) fn split_at(self, middle: usize) -> (Self, Self) {
        let [first, second] = self.moments;
        let (gradients, gradients_after) = self.gradients.split_at_mut(middle);
        let (parameters, parameters_after) = self.parameters.split_at_mut(middle);
        let (first, first_after) = first.split_at_mut(middle.min(first.len()));
        let (second, second_after) = second.split_at_mut(middle.min(second.len()));
        (
            Self { start: self.start, gradients, parameters, moments: [first, second] },
            Self {
                start: self.start + middle,
                gradients: gradients_after,
                parameters: parameters_after,
                moments: [first_after, second_after],
            },
        )
    }
}

/// The check of one number of an optimizer.
fn require(holds: bool, name: &'static str, expected: &'static str, received: f32) -> Result<()> {
    if holds { Ok(()) } else { Err(Error::Setting { name, expected, received: received.to_string() }) }
}
