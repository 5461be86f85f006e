//! The states of stateful recurrent layers: those behind a batch are those before the next one, example by example.

use super::chunks::Chunks;
use super::shard::Shard;
use super::shards::shard_places;
use super::{Engine, LastBatch};
use crate::error::{Error, Result};
use crate::exec::Workspace;
use crate::plan::Plan;
use std::ops::Range;

/// States on their way from a batch to the next: (examples, values of all states).
#[derive(Clone, Debug, Default)]
pub(crate) struct States {
    /// Of how many examples they are; 0 if the next batch starts from zeros.
    examples: usize,
    /// How many the last batch had.
    opened: usize,
    now: Vec<f32>,
    /// Those behind the last batch, which a step of the optimizer makes the present ones.
    next: Vec<f32>,
}

impl States {
    /// Whether a batch of so many examples can go on from these.
    ///
    /// # Errors
    /// [`Error::Data`] if they are of another number of examples.
    pub(crate) fn check(&self, examples: usize) -> Result<()> {
        if self.examples == 0 || self.examples == examples {
            return Ok(());
        }
        Err(Error::Data(format!(
            "the stateful layers of the model have states of {} examples, got {examples}: give batches of one size, or \
             call `reset_states` before",
            self.examples
        )))
    }

    /// Makes the next batch start from zeros.
    pub(crate) fn reset(&mut self) {
        self.examples = 0;
    }

    /// What a batch of so many examples starts from, and where the states behind it go.
    pub(crate) fn open(&mut self, plan: &Plan, examples: usize) -> (&[f32], &mut [f32]) {
        let len = examples * plan.carried_len();
        self.opened = examples;
        if self.examples != examples {
            self.now.clear();
        }
        // Once for a number of examples: later batches find them long enough.
        self.now.resize(len, 0.0);
        self.next.resize(len, 0.0);
        (&self.now, &mut self.next)
    }

    /// The states behind the last batch become those before the next.
    pub(crate) fn go_on(&mut self) {
        self.examples = self.opened;
        std::mem::swap(&mut self.now, &mut self.next);
    }

    /// The states of so many examples, of so many values each.
    pub(crate) fn of(&self, examples: usize, len: usize) -> Vec<f32> {
        if self.examples == examples { self.now.clone() } else { vec![0.0; examples * len] }
    }

    /// Sets the states of so many examples.
    pub(crate) fn set(&mut self, examples: usize, values: Vec<f32>) {
        (self.examples, self.now) = (examples, values);
    }
}

/// Copies the states behind the examples of a chunk.
///
/// - to: (examples of the chunk, values of all states)
pub(super) fn copy_states(plan: &Plan, workspace: &Workspace, to: &mut [f32]) {
    let (all, mut from) = (plan.carried_len(), 0);
    for carried in &plan.carried {
        let rows = workspace.value(carried.last).chunks_exact(carried.len);
        for (to, states) in to.chunks_exact_mut(all).zip(rows) {
            to[from..from + carried.len].copy_from_slice(states);
        }
        from += carried.len;
    }
}

impl Engine {
    /// Copies the states behind a round of a batch.
    ///
    /// - to: (examples of the batch, values of all states)
    pub(super) fn copy_states(&self, places: Range<usize>, to: &mut [f32]) {
        let all = self.plan.carried_len();
        match self.last {
            LastBatch::InShards { used, .. } if all > 0 => {
                let to = &mut to[places.start * all..places.end * all];
                match self.plan.meetings().next() {
                    None => copy_of_shards(&self.plan, &self.shards[..used], to),
                    Some(_) => copy_of_chunks(&self.plan, &self.chunks, to),
                }
            }
            LastBatch::InShards { .. } | LastBatch::Exchanged | LastBatch::AddedUp => {}
        }
    }
}

/// Copies the states behind the examples of a round's shards.
///
/// - to: (examples of the round, values of all states)
fn copy_of_shards(plan: &Plan, shards: &[Shard], to: &mut [f32]) {
    let all = plan.carried_len();
    for (index, shard) in shards.iter().enumerate() {
        let Range { start, end } = shard_places(to.len() / all, shards.len(), index);
        to[start * all..end * all].copy_from_slice(&shard.states[..(end - start) * all]);
    }
}

/// Copies those of a batch whose chunks meet.
fn copy_of_chunks(plan: &Plan, chunks: &Chunks, to: &mut [f32]) {
    let all = plan.carried_len();
    for chunk in chunks.iter() {
        copy_states(plan, &chunk.workspace, &mut to[chunk.places.start * all..chunk.places.end * all]);
    }
}
