//! Decides how a batch is cut up and put together again: chunks and shards, threads, the order of sums. It knows
//! nothing of epochs, and nothing of where examples come from.
//!
//! A batch is cut into *shards*, each with a gradient buffer of its own, and a shard into *chunks* of a few images,
//! fewer where they are large. Both depend on the batch and the model, never on the threads, and shards are added up in
//! their order: so the number of threads changes no bit. A batch of very many examples goes in *rounds*, whose
//! gradients are added with what their additions lose.

mod carried;
mod chunks;
#[cfg(feature = "privacy")]
mod clipped;
mod constraints;
#[cfg(test)]
mod cores;
mod counts;
mod crew;
mod decision;
mod examples;
mod gradients;
mod head;
mod initial;
#[cfg(test)]
mod models;
mod other_plan;
mod packing;
mod passes;
mod pool;
mod predicting;
mod shard;
mod shards;
mod stretches;
mod tally;
#[cfg(test)]
mod tests;
mod workers;

pub(crate) use carried::States;
#[cfg(feature = "privacy")]
pub(crate) use clipped::Clipping;
#[cfg(feature = "privacy")]
use clipped::Totals;
pub(crate) use crew::Crew;
pub(crate) use decision::{Decision, Undecided};
pub(crate) use examples::Examples;
pub(crate) use passes::{Draws, HeadGradient, KeptPass, Moments, PassGradients, Side};
pub(crate) use predicting::Inference;
pub(crate) use tally::{Scoring, Tally};

use crate::aligned::AlignedBuffer;
use crate::exec::{Pass, Purpose, Weights, pack_filters};
use crate::kernels::sum::add_all_compensated;
use crate::optimizer::{
    GradientSource, Optimizer, OptimizerState, Penalties, PieceState, Reach, Whole, collect, for_each_run, take_step,
};
use crate::plan::Plan;
use crate::simd::{Level, dispatch};
use chunks::{Chunk, Chunks, Run};
use constraints::Constraints;
use counts::{Counting, Scale};
use gradients::BatchGradients;
pub(crate) use initial::{initial_weights, initial_weights_of};
use other_plan::OtherPlan;
use packing::pack_steps;
use passes::{EngineId, PassRoom, Pending};
use pool::{Pool, make_workspaces};
use shard::{Part, Shard, make_shards, run_shard};
use shards::{round_len, shard_count, shard_places};
use std::ops::Range;
use std::sync::Arc;
use workers::{Then, hand_out};

/// The most images in a chunk: what one pass through the plan works on.
const MAX_CHUNK: usize = 8;
/// The same where images are small: a few large chunks cost less than many small ones, above all where they read more
/// weights than values, and stay near the core too.
const MAX_SMALL_CHUNK: usize = 32;
/// The most floats that a chunk of more than [`MAX_CHUNK`] images may have between two steps.
const SMALL_CHUNK_FLOATS: usize = 1 << 14;
/// The most floats that a chunk of several images may have between two steps.
const CHUNK_FLOATS: usize = 1 << 22;
/// The same where a step wants several examples at a time.
const LONG_CHUNK_FLOATS: usize = 1 << 24;
/// A compiled model at work: its plan, its parameters, and all memory that training needs.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) plan: Plan,
    pub(crate) weights: Weights,
    pub(crate) scoring: Scoring,
    /// What weights add to the loss, if any do.
    penalties: Option<Penalties>,
    constraints: Constraints,
    level: Level,
    /// How often the weights have changed.
    version: u64,
    /// For passes by hand.
    passes: PassRoom,
    /// What predicts and scores, where it is not the plan that trains.
    inference: Option<ForInference>,
    /// What moving statistics take up of passes by hand.
    pending: Pending,
    id: EngineId,
    /// One for each thread at work.
    workspaces: Pool,
    /// Those of the last round, and after them those that it did not need.
    shards: Vec<Shard>,
    /// Those of the last batch, of a plan of several phases.
    chunks: Chunks,
    last: LastBatch,
    /// The gradients of a batch, laid out as the parameters are, with those of penalties: when its rounds have been
    /// added up, and where all of them are looked at before the optimizer's step.
    gradients: AlignedBuffer,
    /// Of each thread, the sum over a shard of gradients that are found example by example; none until there are some.
    #[cfg(feature = "privacy")]
    totals: Totals,
    /// What the additions of rounds have lost, or where gradients are clipped, those of a round; empty until a batch has
    /// several.
    lost: AlignedBuffer,
    /// For each output one part of the steps that count in the last batch; empty until one has a mask.
    step_shares: Vec<Option<f64>>,
    /// What the last batch scored.
    tally: Tally,
    /// Those of stateful layers.
    pub(crate) states: States,
}

/// The plan that predicts and scores.
#[derive(Debug)]
struct ForInference {
    plan: Arc<Plan>,
    packed: OtherPlan,
    workspaces: Pool,
}

impl ForInference {
    fn new(plan: Arc<Plan>) -> Self {
        Self { plan, packed: OtherPlan::default(), workspaces: Pool::default() }
    }
}

/// Where the gradients of the last batch are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LastBatch {
    InShards { used: usize, examples: usize },
    AddedUp,
}

impl Engine {
    /// An engine with these weights.
    ///
    /// - inference: the plan that predicts, where normalizations have become part of kernels
    pub(crate) fn new(plan: Plan, inference: Option<Plan>, scoring: Scoring, weights: Weights, level: Level) -> Self {
        let regularized = plan
            .parameters
            .trained()
            .filter_map(|parameter| Some((parameter.range.clone(), parameter.options.regularizer?)));
        let mut engine = Self {
            weights,
            gradients: AlignedBuffer::zeroed(plan.parameters.trained_len),
            tally: scoring.tally(),
            penalties: Penalties::new(regularized),
            constraints: Constraints::new(&plan.parameters),
            plan,
            scoring,
            level,
            version: 0,
            passes: PassRoom::default(),
            inference: inference.map(|plan| ForInference::new(Arc::new(plan))),
            pending: Pending::default(),
            id: EngineId::default(),
            workspaces: Pool::default(),
            shards: Vec::new(),
            chunks: Chunks::default(),
            last: LastBatch::InShards { used: 0, examples: 0 },
            #[cfg(feature = "privacy")]
            totals: Totals::default(),
            lost: AlignedBuffer::default(),
            step_shares: Vec::new(),
            states: States::default(),
        };
        engine.pack();
        engine
    }

    /// Packs every kernel for the forward pass; to be called when parameters have changed.
    pub(crate) fn pack(&mut self) {
        self.version += 1;
        self.pending = Pending::default();
        let Weights { flat, packed } = &mut self.weights;
        let level = self.level;
        pack_steps(&self.plan.steps, packed, &|conv, filters, packed| {
            dispatch!(level, simd => pack_filters(simd, conv, filters, flat, packed));
        });
    }

    /// Scores a batch, and finds the gradients of its mean loss shard by shard.
    pub(crate) fn run_batch(&mut self, batch: &Examples<'_>, seed: u64, step: u64) {
        self.tally.reset();
        // Taken out: after a panic of a user's own layer or loss the next batch starts anew.
        let mut states = std::mem::take(&mut self.states);
        let (before, behind) = states.open(&self.plan, batch.len());
        let going_on = batch.starting_from(before);
        let Self { plan, weights, level, workspaces, step_shares, .. } = self;
        Counting { plan, weights, level: *level, seed, step }.count(&going_on, workspaces, step_shares);
        // Chunks that meet must all be there.
        let meets = self.plan.meetings().next().is_some();
        let round_len = if meets { batch.len().max(1) } else { round_len(&self.plan) };
        for start in (0..batch.len()).step_by(round_len) {
            let places = start..(start + round_len).min(batch.len());
            self.run_round(&going_on, places.clone(), seed, step);
            self.copy_states(places, behind);
            if batch.len() > round_len {
                self.add_round(start);
            }
        }
        self.states = states;
        let Self { weights, gradients, tally, penalties, level, last, .. } = self;
        if batch.len() > round_len {
            *last = LastBatch::AddedUp;
            penalties.iter().for_each(|penalties| penalties.add_to(*level, &weights.flat, gradients));
        }
        penalties.iter().for_each(|penalties| tally.add_penalty(penalties.value(*level, &weights.flat)));
    }

    /// Scores a round, and finds its gradients.
    fn run_round(&mut self, batch: &Examples<'_>, places: Range<usize>, seed: u64, step: u64) {
        let used = shard_count(&self.plan, places.len());
        let shard_len = places.len().div_ceil(used);
        make_shards(&mut self.shards, &self.plan, &self.scoring, used, shard_len);
        self.last = LastBatch::InShards { used, examples: places.len() };
        if self.plan.meetings().next().is_some() {
            return self.run_phases(batch, &places, used, (seed, step));
        }
        // Taken out, so that what a panic of a user's own layer or loss leaves of them is dropped.
        let mut workspaces = std::mem::take(self.workspaces.get_mut());
        let Self { plan, weights, scoring, level, step_shares, .. } = self;
        let scale = Scale { examples: 1.0 / batch.len() as f32, steps: step_shares };
        let threads = Crew::Pool.threads(used);
        make_workspaces(plan, &mut workspaces, threads, chunk_len(plan).min(shard_len));
        let shards = &mut self.shards[..used];
        hand_out(shards.iter_mut(), &mut workspaces[..threads], Then::Work, |index, shard, workspace| {
            let Range { start, end } = shard_places(places.len(), used, index);
            let part = Part { batch, places: places.start + start..places.start + end, seed, step, scale };
            dispatch!(*level, simd => run_shard(simd, plan, weights, scoring, &part, shard, workspace));
        });
        shards.iter().for_each(|shard| self.tally.merge(&shard.tally));
        *self.workspaces.get_mut() = workspaces;
    }

    /// Scores a batch whose chunks meet, and finds its gradients.
    fn run_phases(&mut self, batch: &Examples<'_>, places: &Range<usize>, used: usize, (seed, step): (u64, u64)) {
        // Taken out, so that what a panic of a user's own layer or loss leaves of them is dropped.
        let mut chunks = std::mem::take(&mut self.chunks);
        let Self { plan, weights, scoring, level, shards, step_shares, .. } = self;
        let run = Run { plan, weights, level: *level };
        chunks.cut(plan, places, used, Purpose::Training);
        let shards = &mut shards[..used];
        for shard in &mut *shards {
            shard.gradients.clear();
            shard.gradients.activity_scale = 1.0 / batch.len() as f32;
            shard.tally.reset();
        }
        let pass = |places: &Range<usize>| Pass::Training { seed, step, first_example: places.start };
        chunks.forward(run, pass, |Chunk { places, workspace }| {
            dispatch!(*level, simd => batch.write(simd, places.clone(), plan, workspace));
            batch.vary(places.clone(), plan, seed, step, workspace);
        });
        let scale = Scale { examples: 1.0 / batch.len() as f32, steps: step_shares };
        chunks.backward(run, shards, |Chunk { places, workspace }, shard| {
            shard.tally.add_chunk(scoring, plan, batch, places, workspace, Some(scale));
        });
        shards.iter().for_each(|shard| self.tally.merge(&shard.tally));
        self.chunks = chunks;
    }

    /// Who takes a step on so many examples.
    pub(crate) fn crew_of_step(&self, examples: usize) -> Crew {
        Crew::of_step(&self.plan, examples)
    }

    /// Who runs a pass by hand over so many examples.
    pub(crate) fn crew_of_pass(&self, examples: usize) -> Crew {
        Crew::of_pass(&self.plan, examples)
    }

    /// Who updates the weights by gradients that are there.
    pub(crate) fn crew_of_update(&self) -> Crew {
        Crew::of_update(&self.plan)
    }

    /// Adds the gradients of a round that started here to those of the rounds before.
    fn add_round(&mut self, start: usize) {
        let Self { plan, shards, last, gradients, lost, level, .. } = self;
        if lost.is_empty() {
            *lost = AlignedBuffer::zeroed(plan.parameters.trained_len);
        }
        if start == 0 {
            gradients.fill(0.0);
            lost.fill(0.0);
        }
        let sums = PieceState { buffers: [lost, &mut [], &mut []], ..PieceState::of(gradients) };
        for_each_run(
            *level,
            &last.gradients(plan, shards, None),
            Reach::All,
            sums,
            |_, values, PieceState { parameters, buffers, .. }| {
                let [lost, ..] = buffers;
                dispatch!(*level, simd => add_all_compensated(simd, values, parameters, lost));
            },
        );
    }

    /// The moments of the last batch are taken up with the next step that is given gradients.
    pub(crate) fn keep_moments(&self) {
        self.pending.take_up(self.chunks.state_updates(&self.plan));
    }

    /// What the last batch scored.
    pub(crate) fn tally(&self) -> &Tally {
        &self.tally
    }

    /// The gradients of the last batch, laid out as the parameters are, after [`Engine::sum_gradients`].
    pub(crate) fn gradients(&self) -> &[f32] {
        &self.gradients
    }

    /// Writes the gradients of the last batch to where they can be looked at.
    pub(crate) fn sum_gradients(&mut self) {
        let Self { plan, shards, last, gradients, level, weights, penalties, .. } = self;
        match last {
            LastBatch::InShards { .. } => {
                collect(*level, &last.gradients(plan, shards, None), gradients);
                penalties.iter().for_each(|penalties| penalties.add_to(*level, &weights.flat, gradients));
            }
            LastBatch::AddedUp => {}
        }
    }

    /// One step of the optimizer on the gradients of the last batch.
    pub(crate) fn update(&mut self, optimizer: &Optimizer, state: &mut OptimizerState) {
        let is_read_twice = optimizer.clips_by_norm();
        if is_read_twice {
            self.sum_gradients();
        }
        let Self { plan, shards, chunks, last, gradients, level, weights, penalties, constraints, .. } = self;
        let (in_shards, whole) = (last.gradients(plan, shards, penalties.as_ref()), Whole(gradients));
        let source: &dyn GradientSource = match last {
            LastBatch::InShards { .. } if !is_read_twice => &in_shards,
            LastBatch::InShards { .. } | LastBatch::AddedUp => &whole,
        };
        take_step(*level, optimizer, state, source, weights.trained_mut(plan));
        constraints.apply(*level, weights.trained_mut(plan));
        chunks.update_state(plan, &mut weights.flat);
        self.states.go_on();
        self.pack();
    }

    /// Makes the moving average of the weights the weights, if the optimizer keeps one.
    pub(crate) fn finalize_weights(&mut self, state: &OptimizerState) {
        if state.average_to(self.weights.trained_mut(&self.plan)) {
            self.pack();
        }
    }

    /// How the model's outputs become a class.
    pub(crate) fn decision(&self) -> Decision {
        Decision::new(&self.plan, &self.scoring)
    }
}

impl LastBatch {
    /// The gradients of the shards, and what a step adds to them.
    fn gradients<'a>(
        &self,
        plan: &'a Plan,
        shards: &'a [Shard],
        penalties: Option<&'a Penalties>,
    ) -> BatchGradients<'a> {
        match *self {
            Self::InShards { used, examples } => BatchGradients { plan, shards: &shards[..used], examples, penalties },
            Self::AddedUp => BatchGradients { plan, shards: &[], examples: 0, penalties },
        }
    }
}

/// How many images of a model go through its plan at a time: fewer where they are large.
pub(crate) fn chunk_len(plan: &Plan) -> usize {
    let widest = plan.widest_padded();
    let most = (SMALL_CHUNK_FLOATS / widest).clamp(MAX_CHUNK, MAX_SMALL_CHUNK);
    let wanted = plan.examples_at_once();
    let floats = if wanted > 1 { LONG_CHUNK_FLOATS } else { CHUNK_FLOATS };
    (floats / widest).clamp(1, most.max(wanted))
}
