//! One shard of a batch: what it leaves behind, and the work on it, chunk by chunk.

use super::carried::copy_states;
use super::counts::Scale;
use super::tally::{Scoring, Tally};
use super::{Examples, chunk_len};
use crate::exec::{Gradients, Pass, Weights, Workspace, backward, forward};
use crate::plan::Plan;
use crate::simd::Simd;
use std::ops::Range;

/// A part of a batch.
#[derive(Debug)]
pub(super) struct Shard {
    /// The most examples that it has room for.
    pub(super) max_examples: usize,
    pub(super) gradients: Gradients,
    pub(super) tally: Tally,
    /// The states behind its examples: (examples, values of all states).
    pub(super) states: Vec<f32>,
}

impl Shard {
    pub(super) fn new(plan: &Plan, scoring: &Scoring, max_examples: usize) -> Self {
        let states = vec![0.0; max_examples * plan.carried_len()];
        Self { max_examples, gradients: Gradients::new(plan, max_examples), tally: scoring.tally(), states }
    }

    /// One that another rank works on: room for its score, and for the factors of its gradients.
    fn of_another(plan: &Plan, scoring: &Scoring, max_examples: usize) -> Self {
        let gradients = Gradients::without_sums(plan, max_examples);
        Self { max_examples, gradients, tally: scoring.tally(), states: Vec::new() }
    }

    /// Forgets what it has found of other examples.
    pub(super) fn open(&mut self, scale: Scale<'_>) {
        self.gradients.clear();
        self.gradients.activity_scale = scale.examples;
        self.tally.reset();
    }
}

/// Makes sure that there are so many shards with room for so many examples.
pub(super) fn make_shards(shards: &mut Vec<Shard>, plan: &Plan, scoring: &Scoring, count: usize, max_examples: usize) {
    make(shards, count, max_examples, || Shard::new(plan, scoring, max_examples));
}

/// The same of shards that other ranks work on.
pub(super) fn make_shards_of_others(
    shards: &mut Vec<Shard>,
    plan: &Plan,
    scoring: &Scoring,
    count: usize,
    max_examples: usize,
) {
    make(shards, count, max_examples, || Shard::of_another(plan, scoring, max_examples));
}

fn make(shards: &mut Vec<Shard>, count: usize, max_examples: usize, new: impl Fn() -> Shard) {
    if shards.iter().take(count).any(|shard| shard.max_examples < max_examples) {
        shards.clear();
    }
    while shards.len() < count {
        shards.push(new());
    }
}

/// Which examples of a batch a shard has, and what their random numbers hang on.
pub(super) struct Part<'a> {
    pub(super) batch: &'a Examples<'a>,
    pub(super) places: Range<usize>,
    pub(super) seed: u64,
    pub(super) step: u64,
    pub(super) scale: Scale<'a>,
}

/// Scores one shard and adds up its gradients, chunk by chunk.
pub(super) fn run_shard<S: Simd>(
    simd: S,
    plan: &Plan,
    weights: &Weights,
    scoring: &Scoring,
    part: &Part<'_>,
    shard: &mut Shard,
    workspace: &mut Workspace,
) {
    let Part { batch, ref places, seed, step, scale } = *part;
    shard.open(scale);
    let chunk_len = chunk_len(plan);
    for start in places.clone().step_by(chunk_len) {
        let chunk = start..(start + chunk_len).min(places.end);
        let images = chunk.len();
        batch.write(simd, chunk.clone(), plan, workspace);
        batch.vary(chunk.clone(), plan, seed, step, workspace);
        forward(simd, plan, weights, workspace, images, Pass::Training { seed, step, first_example: start });
        shard.tally.add_chunk(scoring, plan, batch, &chunk, workspace, Some(scale));
        backward(simd, plan, weights, workspace, images, &mut shard.gradients);
        let (all, first) = (plan.carried_len(), start - places.start);
        copy_states(plan, workspace, &mut shard.states[first * all..(first + images) * all]);
    }
    shard.gradients.close();
}
