//! An optimizer at work on parameters that are no model's of this crate.

use super::{Optimizer, OptimizerState, Whole, take_step};
use crate::error::{Error, Result};
use crate::shape::MAX_ELEMENTS;
use crate::simd::Level;
use std::fmt;
use std::ops::Range;

/// An optimizer with what it remembers of parameters of one's own, as Keras' optimizers after `build`.
/// [`OptimizerOptions::build`](crate::OptimizerOptions::build) makes it.
///
/// It takes the steps that a model's training takes, in rayon's current thread pool; any number of threads gives the
/// same bits. A step allocates nothing.
#[derive(Clone)]
pub struct BuiltOptimizer {
    optimizer: Optimizer,
    state: OptimizerState,
    level: Level,
    /// How many elements the parameters have.
    len: usize,
}

impl BuiltOptimizer {
    pub(super) fn new(optimizer: Optimizer, lengths: impl IntoIterator<Item = usize>) -> Result<Self> {
        optimizer.check()?;
        let mut variables: Vec<Range<usize>> = Vec::new();
        let mut len = 0;
        for more in lengths {
            let end = Some(more).filter(|more| *more <= MAX_ELEMENTS - len).map(|more| len + more);
            let end = end.ok_or_else(|| {
                Error::Data(format!(
                    "an optimizer works on at most {MAX_ELEMENTS} parameters, got {more} more than {len}"
                ))
            })?;
            variables.push(len..end);
            len = end;
        }
        let state = OptimizerState::new(&optimizer, len, variables);
        Ok(Self { optimizer, state, level: Level::new(), len })
    }

    /// Takes a step. The gradients are left as they are; they are clipped on their way.
    ///
    /// - gradients, parameters: (all elements of all variables), in the same order
    ///
    /// # Errors
    /// [`Error::Data`] unless both have as many elements as it was built for; then no step is taken.
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// let mut optimizer = Sgd::new(0.5).build([2, 1])?;
    /// let mut parameters = [1.0, 2.0, 3.0];
    /// optimizer.apply(&[1.0, 0.0, -1.0], &mut parameters)?;
    /// assert_eq!(parameters, [0.5, 2.0, 3.5]);
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn apply(&mut self, gradients: &[f32], parameters: &mut [f32]) -> Result<()> {
        self.check_len("gradients", gradients.len())?;
        self.check_len("parameters", parameters.len())?;
        take_step(self.level, &self.optimizer, &mut self.state, &Whole(gradients), parameters);
        Ok(())
    }

    /// Replaces the parameters by their moving average, if the optimizer keeps one and has taken a step; as Keras does
    /// when training ends.
    ///
    /// # Errors
    /// [`Error::Data`] unless there are as many parameters as it was built for.
    pub fn finalize_variable_values(&self, parameters: &mut [f32]) -> Result<()> {
        self.check_len("parameters", parameters.len())?;
        self.state.average_to(parameters);
        Ok(())
    }

    /// How many steps it has taken.
    #[must_use]
    pub fn iterations(&self) -> u64 {
        self.state.step
    }

    /// The rate of the next step.
    #[must_use]
    pub fn learning_rate(&self) -> f32 {
        self.optimizer.learning_rate().at(self.state.step)
    }

    /// Sets the rate of the steps from now on.
    ///
    /// # Errors
    /// As [`Optimizer::set_learning_rate`].
    pub fn set_learning_rate(&mut self, rate: f32) -> Result<()> {
        self.optimizer.set_learning_rate(rate)
    }

    /// What was built.
    #[must_use]
    pub fn optimizer(&self) -> &Optimizer {
        &self.optimizer
    }

    fn check_len(&self, what: &str, len: usize) -> Result<()> {
        if len == self.len {
            return Ok(());
        }
        Err(Error::Data(format!("the optimizer was built for {} parameters, got {len} {what}", self.len)))
    }
}

impl fmt::Debug for BuiltOptimizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { optimizer, state, level: _, len } = self;
        let mut built = f.debug_struct("BuiltOptimizer");
        built.field("optimizer", optimizer).field("parameters", len).field("iterations", &state.step);
        built.finish_non_exhaustive()
    }
}
