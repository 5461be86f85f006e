//! A batch to whose gradient no example adds more than its share: the gradient of each is found alone, and shortened
//! where it is too long, as differentially private training needs it (Abadi et al., 2016,
//! <https://arxiv.org/abs/1607.00133>).

use super::counts::Scale;
use super::gradients::BatchGradients;
use super::pool::make_workspaces;
use super::shard::{Shard, make_shards};
use super::shards::{round_len, shard_count, shard_places};
use super::tally::Scoring;
use super::workers::{Then, hand_out};
use super::{Crew, Engine, Examples};
use crate::aligned::AlignedBuffer;
use crate::exec::{Pass, Weights, Workspace, backward, forward};
use crate::optimizer::{Optimizer, OptimizerState, Whole, collect, take_step};
use crate::plan::Plan;
use crate::simd::{Simd, dispatch};
use std::ops::Range;

/// What finding the gradients of a batch hangs on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clipping {
    /// The most that the gradient of an example may be long, over all trained parameters.
    pub(crate) l2_norm_clip: f32,
    pub(crate) seed: u64,
    pub(crate) step: u64,
}

/// Memory of a thread: the sum over a shard, where its own buffer holds the gradient of one example.
type Total = AlignedBuffer;

impl Engine {
    /// Scores a batch, and adds the gradients of its examples up, each of its own loss and shortened where it is too
    /// long. Chunks must not meet.
    pub(crate) fn run_clipped_batch(&mut self, batch: &Examples<'_>, clipping: Clipping) {
        self.tally.reset();
        self.gradients.fill(0.0);
        let round_len = round_len(&self.plan);
        for start in (0..batch.len()).step_by(round_len) {
            self.run_clipped_round(batch, start..(start + round_len).min(batch.len()), clipping);
        }
        let Self { weights, tally, penalties, level, .. } = self;
        penalties.iter().for_each(|penalties| tally.add_penalty(penalties.value(*level, &weights.flat)));
    }

    fn run_clipped_round(&mut self, batch: &Examples<'_>, places: Range<usize>, clipping: Clipping) {
        let used = shard_count(&self.plan, places.len());
        let shard_len = places.len().div_ceil(used);
        make_shards(&mut self.shards, &self.plan, &self.scoring, used, shard_len);
        // Taken out, so that what a panic of a user's own layer or loss leaves of them is dropped.
        let mut workspaces = std::mem::take(self.workspaces.get_mut());
        let threads = Crew::Pool.threads(used);
        let Self { plan, weights, scoring, level, totals, .. } = self;
        make_workspaces(plan, &mut workspaces, threads, 1);
        while totals.len() < threads {
            totals.push(AlignedBuffer::zeroed(plan.parameters.sharded_len));
        }
        let shards = &mut self.shards[..used];
        let mut rooms: Vec<(&mut Workspace, &mut Total)> = workspaces.iter_mut().zip(totals.iter_mut()).collect();
        hand_out(shards.iter_mut(), &mut rooms[..threads], Then::Work, |index, shard, (workspace, total)| {
            let Range { start, end } = shard_places(places.len(), used, index);
            let part = Part { batch, places: places.start + start..places.start + end, clipping };
            dispatch!(*level, simd => run_shard(simd, plan, weights, scoring, &part, shard, (workspace, total)));
        });
        shards.iter().for_each(|shard| self.tally.merge(&shard.tally));
        *self.workspaces.get_mut() = workspaces;
        let source = BatchGradients { plan, shards, examples: places.len(), penalties: None };
        if places.start == 0 {
            collect(*level, &source, &mut self.gradients);
        } else {
            let mut round = AlignedBuffer::zeroed(plan.parameters.trained_len);
            collect(*level, &source, &mut round);
            self.gradients.iter_mut().zip(round.iter()).for_each(|(sum, value)| *sum += value);
        }
    }

    /// One step of the optimizer on what [`Self::run_clipped_batch`] has added up. What penalties add belongs to no
    /// example.
    ///
    /// - finish: what becomes of the sum first, of one trained parameter after the other
    pub(crate) fn update_clipped(
        &mut self,
        mut finish: impl FnMut(&mut [f32]),
        optimizer: &Optimizer,
        state: &mut OptimizerState,
    ) {
        let Self { plan, gradients, level, weights, penalties, constraints, .. } = self;
        plan.parameters.trained().for_each(|parameter| finish(&mut gradients[parameter.range.clone()]));
        penalties.iter().for_each(|penalties| penalties.add_to(*level, &weights.flat, gradients));
        let weights = weights.trained_mut(plan);
        take_step(*level, optimizer, state, &Whole(gradients), weights);
        constraints.apply(*level, weights);
        self.pack();
    }
}

/// Some examples of a batch.
struct Part<'a> {
    batch: &'a Examples<'a>,
    places: Range<usize>,
    clipping: Clipping,
}

/// Scores one shard and adds up its gradients, example by example.
fn run_shard<S: Simd>(
    simd: S,
    plan: &Plan,
    weights: &Weights,
    scoring: &Scoring,
    part: &Part<'_>,
    shard: &mut Shard,
    (workspace, total): (&mut Workspace, &mut Total),
) {
    let Part { batch, places, clipping: Clipping { l2_norm_clip, seed, step } } = part;
    let Shard { gradients, tally, .. } = shard;
    gradients.clear();
    tally.reset();
    gradients.activity_scale = 1.0;
    total.fill(0.0);
    for example in places.clone() {
        let one = example..example + 1;
        batch.write(simd, one.clone(), plan, workspace);
        batch.vary(one.clone(), plan, *seed, *step, workspace);
        forward(simd, plan, weights, workspace, 1, Pass::Training { seed: *seed, step: *step, first_example: example });
        tally.add_chunk(scoring, plan, batch, &one, workspace, Some(Scale { examples: 1.0, steps: &[] }));
        gradients.open_example();
        backward(simd, plan, weights, workspace, 1, gradients);
        gradients.add_clipped(simd, plan, *l2_norm_clip, total);
    }
    std::mem::swap(&mut gradients.summed, total);
    gradients.close();
}
