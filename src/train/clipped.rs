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
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What finding the gradients of a batch hangs on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clipping {
    /// The most that the gradient of an example may be long, over all trained parameters.
    pub(crate) l2_norm_clip: f32,
    pub(crate) seed: u64,
    pub(crate) step: u64,
}

/// The sum over a shard, where its own buffer holds the gradient of one example.
type Total = AlignedBuffer;

/// Those of all threads, one for each that works on a shard.
#[derive(Debug, Default)]
pub(super) struct Totals(Mutex<Vec<Total>>);

impl Totals {
    /// Makes sure that there are so many of this length.
    fn make(&mut self, count: usize, len: usize) {
        let totals = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        while totals.len() < count {
            totals.push(AlignedBuffer::zeroed(len));
        }
    }

    /// One that nobody works in.
    fn take(&self) -> Total {
        self.lock().pop().expect("there is one for each thread")
    }

    fn put_back(&self, total: Total) {
        self.lock().push(total);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Total>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engine {
    /// Makes room for batches of up to so many examples, so that no step has to, however their sizes go up and down.
    pub(crate) fn reserve_clipped(&mut self, examples: usize) {
        let Self { plan, scoring, shards, workspaces, totals, lost, .. } = self;
        let cuts = (1..=examples.min(round_len(plan))).map(|examples| {
            let used = shard_count(plan, examples);
            (used, examples.div_ceil(used))
        });
        let (used, shard_len) = cuts.fold((1, 1), |most, cut| (most.0.max(cut.0), most.1.max(cut.1)));
        make_shards(shards, plan, scoring, used, shard_len);
        let threads = Crew::Pool.threads(used);
        make_workspaces(plan, workspaces.get_mut(), threads, 1);
        totals.make(threads, plan.parameters.sharded_len);
        if examples > round_len(plan) && lost.is_empty() {
            *lost = AlignedBuffer::zeroed(plan.parameters.trained_len);
        }
    }

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
        let Self { plan, weights, scoring, level, totals, lost, .. } = self;
        make_workspaces(plan, &mut workspaces, threads, 1);
        totals.make(threads, plan.parameters.sharded_len);
        let shards = &mut self.shards[..used];
        hand_out(shards.iter_mut(), &mut workspaces[..threads], Then::Work, |index, shard, workspace| {
            let Range { start, end } = shard_places(places.len(), used, index);
            let part = Part { batch, places: places.start + start..places.start + end, clipping };
            let mut total = totals.take();
            dispatch!(*level, simd => run_shard(simd, plan, weights, scoring, &part, shard, (workspace, &mut total)));
            totals.put_back(total);
        });
        shards.iter().for_each(|shard| self.tally.merge(&shard.tally));
        *self.workspaces.get_mut() = workspaces;
        let source = BatchGradients { plan, shards, examples: places.len(), penalties: None };
        if places.start == 0 {
            collect(*level, &source, &mut self.gradients);
        } else {
            // Which rounds of other batches need for something else, and clear first.
            let round = lost;
            if round.is_empty() {
                *round = AlignedBuffer::zeroed(plan.parameters.trained_len);
            }
            collect(*level, &source, round);
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
