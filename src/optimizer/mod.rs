//! Decides how gradients change parameters. An optimizer is data: an algorithm, and options that all have; its state is
//! a step count and a few buffers laid out as the parameters are, so that one step is one pass over flat memory, cut
//! into pieces for the threads.

mod adagrad;
mod adam;
mod adam_w;
mod algorithm;
mod built;
mod gradients;
mod learning_rate;
mod lion;
mod nadam;
mod norms;
mod options;
mod penalties;
mod pieces;
mod rms_prop;
mod sgd;
mod state;
mod step;
#[cfg(test)]
mod tests;

pub use adagrad::Adagrad;
pub use adam::Adam;
pub use adam_w::AdamW;
pub use algorithm::Algorithm;
pub use built::BuiltOptimizer;
pub use learning_rate::{CosineDecay, ExponentialDecay, LearningRate, OneCycle, PiecewiseConstantDecay, WarmUp};
pub use lion::Lion;
pub use nadam::Nadam;
pub use options::{Optimizer, OptimizerOptions};
pub use rms_prop::RmsProp;
pub use sgd::Sgd;

pub(crate) use gradients::{
    Block, GradientSource, PIECE, Reach, Whole, collect, collect_piece, for_each_run, halve, pieces,
};
pub(crate) use penalties::Penalties;
pub(crate) use pieces::PieceState;
pub(crate) use state::OptimizerState;
pub(crate) use step::take_step;

use crate::error::{Error, Result};

/// The check of one number of an optimizer or a schedule.
fn require(holds: bool, name: &'static str, expected: &'static str, received: impl ToString) -> Result<()> {
    if holds { Ok(()) } else { Err(Error::Setting { name, expected, received: received.to_string() }) }
}

/// # Errors
/// [`Error::Setting`] for one that is not at least 0 and less than 1.
fn check_beta(name: &'static str, beta: f32) -> Result<()> {
    require((0.0..1.0).contains(&beta), name, "at least 0 and less than 1", beta)
}

/// # Errors
/// [`Error::Setting`] for one that is not finite or not more than 0.
fn check_epsilon(epsilon: f32) -> Result<()> {
    require(epsilon.is_finite() && epsilon > 0.0, "epsilon", "finite and more than 0", epsilon)
}
