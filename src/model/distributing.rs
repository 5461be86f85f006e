//! A model as one of several ranks that train together.

use super::Model;
use crate::cutting::Share;
use crate::distributed::{Call, Group, Signals};
use crate::error::{Error, Result};
use crate::metrics::Scores;
use crate::train::{Examples, Exchange, Tally};

impl Model {
    /// The ranks that it is trained with, if there are others.
    pub(crate) fn group(&self) -> Option<&Group> {
        self.engine.exchange.as_ref().map(Exchange::group)
    }

    /// Whether it is trained by several ranks, and another one writes and prints.
    pub(crate) fn follows(&self) -> bool {
        self.group().is_some_and(|group| group.rank() > 0)
    }

    /// Which examples of a batch this process needs to train; all if it is `None`.
    pub(crate) fn share(&self) -> Option<Share> {
        self.group().and_then(|group| self.engine.share_of(group.rank(), group.size()))
    }

    /// Waits for the other ranks, if there are any, to come to the same call with as many examples.
    ///
    /// # Errors
    /// [`Error::Distributed`] if one has failed, or is elsewhere.
    pub(crate) fn meet_others(&self, call: Call, examples: usize) -> Result<()> {
        let Some(group) = self.group() else { return Ok(()) };
        group.meet(call, [self.state.step, examples as u64], Signals::default()).map(drop)
    }

    /// Scores examples together with the other ranks, if there are any.
    ///
    /// # Errors
    /// [`Error::Distributed`] if one has failed, or is elsewhere.
    pub(crate) fn score_together(&self, examples: &Examples<'_>) -> Result<Scores> {
        Ok(self.tally_together(examples)?.scores(&self.engine.scoring))
    }

    pub(crate) fn tally_together(&self, examples: &Examples<'_>) -> Result<Tally> {
        self.meet_others(Call::Validate, examples.len())?;
        self.engine.score_together(examples)
    }

    /// Tells the other ranks, if there are any, that this one has failed: they would wait for it.
    pub(crate) fn tell_others(&self, error: &Error) {
        // Where the group has ended they know, and nothing is sent.
        if let Some(group) = self.group() {
            group.fail(error);
        }
    }

    /// # Errors
    /// [`Error::Model`] for a model that several ranks cannot train.
    pub(crate) fn check_distributable(&self) -> Result<()> {
        if self.engine.plan.carried_len() == 0 {
            return Ok(());
        }
        Err(Error::Model(
            "is stateful, which `distribute` does not carry from rank to rank: train it in one process, or leave `stateful` out"
                .into(),
        ))
    }
}
