//! Where a training of two models stands, and what its epoch has scored so far: what a checkpoint needs beside models
//! and settings, as seed, epoch and step decide every random number.

use super::GanScores;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// Where a training stands, between two steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Position {
    /// Completed epochs.
    pub(super) epochs: usize,
    /// The batches of the current epoch that are already processed.
    pub(super) batches: usize,
    /// Of the current epoch, if it has begun.
    pub(super) batch_size: usize,
    /// Of an epoch, if one has begun.
    pub(super) examples: usize,
    /// Steps of the discriminator so far.
    pub(super) steps: u64,
    pub(super) sums: Sums,
}

/// Sums over the examples of an epoch so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sums {
    discriminator_loss: f64,
    real_accuracy: f64,
    generated_accuracy: f64,
    examples: f64,
    generator_loss: f64,
    /// The examples of the generator's steps.
    generated: f64,
}

impl Sums {
    pub(super) fn count(&mut self, scores: &GanScores, examples: usize) {
        let examples = examples as f64;
        self.discriminator_loss += scores.discriminator_loss * examples;
        self.real_accuracy += scores.real_accuracy * examples;
        self.generated_accuracy += scores.generated_accuracy * examples;
        self.examples += examples;
        if let Some(loss) = scores.generator_loss {
            self.generator_loss += loss * examples;
            self.generated += examples;
        }
    }

    pub(super) fn means(&self) -> GanScores {
        let share = |sum: f64| sum / self.examples.max(1.0);
        GanScores {
            discriminator_loss: share(self.discriminator_loss),
            real_accuracy: share(self.real_accuracy),
            generated_accuracy: share(self.generated_accuracy),
            generator_loss: (self.generated > 0.0).then(|| self.generator_loss / self.generated),
        }
    }
}

impl Position {
    /// # Errors
    /// [`Error::Setting`] or [`Error::Data`] unless the epoch that has begun can go on with these.
    pub(super) fn check(&self, examples: usize, batch_size: usize) -> Result<()> {
        if self.batches == 0 {
            return Ok(());
        }
        if examples != self.examples {
            return Err(Error::Data(format!(
                "the models were resumed in the middle of an epoch of {} examples, got {examples}: give `fit` the same data",
                self.examples
            )));
        }
        if batch_size != self.batch_size {
            let expected = "that of the checkpoint, which was written in the middle of an epoch";
            let received = format!("{batch_size} instead of {}", self.batch_size);
            return Err(Error::Setting { name: "batch_size", expected, received });
        }
        Ok(())
    }

    /// What is impossible in a position from a file.
    pub(super) fn nonsense(&self) -> Option<&'static str> {
        let Self { epochs, batches, batch_size, examples, steps, sums } = self;
        let limit = u32::MAX as usize;
        if *epochs >= limit
            || *examples > limit
            || *steps > 1 << 53
            || *batches > examples.div_ceil((*batch_size).max(1))
        {
            return Some("a position that no training has");
        }
        let Sums { discriminator_loss, real_accuracy, generated_accuracy, examples, generator_loss, generated } = sums;
        let all = [discriminator_loss, real_accuracy, generated_accuracy, examples, generator_loss, generated];
        (!all.into_iter().all(|sum| sum.is_finite())).then_some("sums that are no numbers")
    }
}
