//! Decides how a batch is cut up and put together again: chunks and shards, threads, the order of sums. It knows
//! nothing of epochs, and nothing of where examples come from.
//!
//! A batch is cut into *shards*, each with a gradient buffer of its own, and a shard into *chunks* of a few images,
//! fewer where they are large. Both depend on the batch and the model, never on the threads, and shards are added up in
//! their order: so the number of threads changes no bit. A batch of very many examples goes in *rounds*, whose
//! gradients are added with what their additions lose.

mod batch;
mod carried;
mod checksum;
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
mod exchange;
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
mod round;
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
pub(crate) use exchange::Exchange;
pub(crate) use passes::{Draws, HeadGradient, KeptPass, Moments, PassGradients, Side};
pub(crate) use predicting::Inference;
pub(crate) use tally::{Scoring, Tally};

use crate::aligned::AlignedBuffer;
use crate::cutting::Share;
use crate::exec::{Weights, pack_filters};
use crate::optimizer::{GradientSource, Optimizer, OptimizerState, Penalties, Whole, collect, take_step};
use crate::plan::Plan;
use crate::simd::{Level, dispatch};
use chunks::Chunks;
use constraints::Constraints;
use exchange::Exchanged;
use gradients::BatchGradients;
pub(crate) use initial::{initial_weights, initial_weights_of};
use other_plan::OtherPlan;
use packing::pack_steps;
use passes::{EngineId, PassRoom, Pending};
use pool::Pool;
use shard::Shard;
use std::sync::Arc;

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
    /// How other ranks take part in each batch, if there are any.
    pub(crate) exchange: Option<Exchange>,
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
    InShards {
        used: usize,
        examples: usize,
    },
    /// Those of all ranks, without what penalties add.
    Exchanged,
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
            exchange: None,
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

    /// The instruction set that it computes with.
    pub(crate) fn level_name(&self) -> String {
        format!("{:?}", self.level)
    }

    /// Who takes a step on so many examples.
    pub(crate) fn crew_of_step(&self, examples: usize) -> Crew {
        match self.exchange {
            None => Crew::of_step(&self.plan, examples),
            // No thread of the pool waits for other ranks.
            Some(_) => Crew::Caller,
        }
    }

    /// Which examples of a batch one of several ranks needs; all if it is `None`.
    pub(crate) fn share_of(&self, rank: usize, ranks: usize) -> Option<Share> {
        shards::share(&self.plan, rank, ranks)
    }

    /// Who runs a pass by hand over so many examples.
    pub(crate) fn crew_of_pass(&self, examples: usize) -> Crew {
        Crew::of_pass(&self.plan, examples)
    }

    /// Who updates the weights by gradients that are there.
    pub(crate) fn crew_of_update(&self) -> Crew {
        Crew::of_update(&self.plan)
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
        let Self { plan, shards, last, gradients, level, weights, penalties, exchange, .. } = self;
        match last {
            LastBatch::InShards { .. } => collect(*level, &last.gradients(plan, shards, None), gradients),
            LastBatch::Exchanged => collect(*level, &Exchanged::new(exchange.as_ref(), None), gradients),
            LastBatch::AddedUp => return,
        }
        penalties.iter().for_each(|penalties| penalties.add_to(*level, &weights.flat, gradients));
    }

    /// One step of the optimizer on the gradients of the last batch.
    pub(crate) fn update(&mut self, optimizer: &Optimizer, state: &mut OptimizerState) {
        let is_read_twice = optimizer.clips_by_norm();
        if is_read_twice {
            self.sum_gradients();
        }
        let Self { plan, shards, chunks, last, gradients, level, weights, penalties, constraints, exchange, .. } = self;
        let (in_shards, whole) = (last.gradients(plan, shards, penalties.as_ref()), Whole(gradients));
        let exchanged = Exchanged::new(exchange.as_ref(), penalties.as_ref());
        let source: &dyn GradientSource = match last {
            LastBatch::InShards { .. } if !is_read_twice => &in_shards,
            LastBatch::Exchanged if !is_read_twice => &exchanged,
            LastBatch::InShards { .. } | LastBatch::Exchanged | LastBatch::AddedUp => &whole,
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
            Self::Exchanged | Self::AddedUp => BatchGradients { plan, shards: &[], examples: 0, penalties },
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
