//! A round of a batch at work: examples whose gradients are summed up together. Whole shards go through forward and backward pass
//! chunk by chunk; where chunks meet, or gradients of some layers are to travel before those of others are known, phase by phase.

use super::chunks::{Chunk, Chunks, Run};
use super::counts::Scale;
use super::pool::{Pool, make_workspaces};
use super::shard::{Part, Shard, run_shard};
use super::shards::shard_places;
use super::workers::{Then, hand_out};
use super::{Crew, Examples, Scoring, chunk_len};
use crate::error::Result;
use crate::exec::{Pass, Purpose, Weights};
use crate::plan::Plan;
use crate::simd::{Level, dispatch};
use std::ops::Range;

/// What is worked on, and with what.
#[derive(Clone, Copy)]
pub(super) struct Round<'a> {
    pub(super) plan: &'a Plan,
    pub(super) weights: &'a Weights,
    pub(super) scoring: &'a Scoring,
    pub(super) level: Level,
    pub(super) batch: &'a Examples<'a>,
    /// The examples of the batch.
    pub(super) places: &'a Range<usize>,
    /// How many shards they are cut into.
    pub(super) shards: usize,
    pub(super) scale: Scale<'a>,
    pub(super) seed: u64,
    pub(super) step: u64,
}

impl Round<'_> {
    /// The most examples of a shard.
    pub(super) fn shard_len(&self) -> usize {
        self.places.len().div_ceil(self.shards)
    }

    /// Scores shards from this one on, and finds their gradients.
    pub(super) fn run_shards(&self, first: usize, shards: &mut [Shard], workspaces: &mut Pool) {
        let Self { plan, weights, scoring, level, batch, places, scale, seed, step, .. } = *self;
        // Taken out, so that what a panic of a user's own layer or loss leaves of them is dropped.
        let mut taken = std::mem::take(workspaces.get_mut());
        let threads = Crew::Pool.threads(shards.len());
        make_workspaces(plan, &mut taken, threads, chunk_len(plan).min(self.shard_len()));
        hand_out(shards.iter_mut(), &mut taken[..threads], Then::Work, |index, shard, workspace| {
            let Range { start, end } = shard_places(places.len(), self.shards, first + index);
            let part = Part { batch, places: places.start + start..places.start + end, seed, step, scale };
            dispatch!(level, simd => run_shard(simd, plan, weights, scoring, &part, shard, workspace));
        });
        *workspaces.get_mut() = taken;
    }

    /// Cuts shards from this one on into chunks, and takes them through the forward pass.
    ///
    /// # Errors
    /// [`Error::Distributed`](crate::Error::Distributed) if another rank cannot be reached.
    pub(super) fn forward(&self, run: Run<'_>, first: usize, shards: &mut [Shard], chunks: &mut Chunks) -> Result<()> {
        let Self { plan, level, batch, places, scale, seed, step, .. } = *self;
        chunks.cut(plan, places, (self.shards, first..first + shards.len()), Purpose::Training);
        shards.iter_mut().for_each(|shard| shard.open(scale));
        let pass = |places: &Range<usize>| Pass::Training { seed, step, first_example: places.start };
        chunks.forward(run, pass, |Chunk { places, workspace }| {
            dispatch!(level, simd => batch.write(simd, places.clone(), plan, workspace));
            batch.vary(places.clone(), plan, seed, step, workspace);
        })
    }

    /// Scores a chunk that has been through the forward pass, and writes the gradients of its outputs.
    pub(super) fn finish(&self, Chunk { places, workspace }: &mut Chunk, shard: &mut Shard) {
        let Self { plan, scoring, batch, scale, .. } = *self;
        shard.tally.add_chunk(scoring, plan, batch, places, workspace, Some(scale));
    }
}
