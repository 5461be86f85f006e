//! A model's record of the `fit` that is training it, or from which it was resumed: what a checkpoint needs in addition
//! to weights and optimizer to resume within an epoch. Seed, epoch and step determine every random number, so there is
//! no generator state.

use super::CallbackState;
use crate::error::{Error, Result};
use crate::history::History;
use crate::train::Tally;
use serde::{Deserialize, Serialize};
use std::sync::{Arc, Weak};

/// A training in progress, now or when the model was saved.
#[derive(Clone, Debug)]
pub(crate) struct Ongoing {
    /// `None` outside of `fit`, unless the model was resumed.
    pub(crate) position: Option<Position>,
    /// The scores of the epoch's batches so far.
    pub(crate) total: Tally,
    /// The state of the callbacks; only in a model that was resumed and has not been trained since.
    pub(crate) callbacks: Vec<CallbackState>,
    /// The epochs of the last `fit`.
    pub(crate) history: History,
    /// The `fit` that is training the model. It dangles if that `fit` ended after a callback had moved the model
    /// elsewhere.
    claim: Option<Weak<()>>,
}

/// The position of a training between two steps.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Position {
    /// The current or next epoch of this `fit`, from 0.
    pub(crate) epoch: usize,
    /// How many of its batches are already processed.
    pub(crate) batches: usize,
    /// The examples of an epoch.
    pub(crate) examples: usize,
    pub(crate) batch_size: usize,
    pub(crate) shuffle: bool,
    /// The rate of the epoch's first step.
    pub(crate) learning_rate: f32,
    /// Whether a callback has ended the training.
    pub(crate) stops: bool,
    /// How many steps the optimizer had taken when this `fit` was called. It identifies a `fit` within a program.
    pub(crate) began: u64,
}

impl Ongoing {
    pub(crate) fn new(total: Tally) -> Self {
        Self { position: None, total, callbacks: Vec::new(), history: History::default(), claim: None }
    }

    /// # Errors
    /// [`Error::Model`] if a `fit` works on the model.
    pub(crate) fn check_free(&mut self) -> Result<()> {
        match &self.claim {
            None => Ok(()),
            Some(claim) if claim.strong_count() == 0 => {
                self.end(History::default());
                Ok(())
            }
            Some(_) => Err(Error::Model(
                "is being trained already: a callback of its training may call `train_on_batch`, but not `fit`".into(),
            )),
        }
    }

    /// Claims the model for one `fit`, until the result is dropped.
    pub(crate) fn claim(&mut self) -> Arc<()> {
        let claim = Arc::new(());
        self.claim = Some(Arc::downgrade(&claim));
        claim
    }

    /// Whether this `fit` works on the model.
    pub(crate) fn is_claimed_by(&self, claim: &Arc<()>) -> bool {
        self.claim.as_ref().is_some_and(|held| std::ptr::eq(held.as_ptr(), Arc::as_ptr(claim)))
    }

    /// Clears the state of a training that has ended, except for its history.
    pub(crate) fn end(&mut self, history: History) {
        (self.position, self.history, self.claim) = (None, history, None);
        self.callbacks.clear();
    }

    /// Restores what a `fit` that could not begin has found.
    pub(crate) fn stay_resumed(&mut self, position: Option<Position>, callbacks: Vec<CallbackState>, history: History) {
        (self.position, self.callbacks, self.history) = (position, callbacks, history);
    }

    /// The position from which to train: this beginning, or where the model was resumed.
    ///
    /// # Errors
    /// [`Error::Setting`] or [`Error::Data`] for another order or other batches than those of the epoch that has been
    /// begun.
    pub(crate) fn start(&self, beginning: Position) -> Result<Position> {
        let Some(resumed) = self.position else { return Ok(beginning) };
        if resumed.batches > 0 {
            resumed.check(&beginning)?;
        }
        let Position { examples, batch_size, shuffle, .. } = beginning;
        Ok(Position { examples, batch_size, shuffle, ..resumed })
    }
}

impl Position {
    /// Whether nothing is left to do of a training of so many epochs.
    pub(crate) fn is_over(&self, epochs: usize) -> bool {
        self.batches == 0 && (self.stops || self.epoch >= epochs)
    }

    /// # Errors
    /// [`Error::Setting`] or [`Error::Data`] unless a training with this beginning can resume the epoch.
    fn check(&self, beginning: &Self) -> Result<()> {
        let Self { examples, batch_size, shuffle, .. } = *beginning;
        if examples != self.examples {
            return Err(Error::Data(format!(
                "the model was resumed in the middle of an epoch of {} examples, got {examples}: give `fit` the same data",
                self.examples
            )));
        }
        let setting = |name, received| {
            let expected = "that of the checkpoint, which was written in the middle of an epoch";
            Err(Error::Setting { name, expected, received })
        };
        if batch_size != self.batch_size {
            return setting("batch_size", format!("{batch_size} instead of {}", self.batch_size));
        }
        if shuffle != self.shuffle {
            return setting("shuffle", format!("{shuffle} instead of {}", self.shuffle));
        }
        Ok(())
    }

    /// What is impossible in a position from a file.
    pub(crate) fn nonsense(&self, step: u64) -> Option<&'static str> {
        let Self { epoch, batches, examples, batch_size, learning_rate, began, .. } = *self;
        let limit = u32::MAX as usize;
        if epoch >= limit || examples > limit || examples == 0 || batch_size == 0 || began > step {
            return Some("a position that no training has");
        }
        if batches > examples.div_ceil(batch_size) {
            return Some("a position past the end of an epoch");
        }
        let is_rate = learning_rate.is_finite() && learning_rate >= 0.0;
        (!is_rate).then_some("a learning rate that is negative or no number")
    }
}
