//! The parts of a step one by one: a forward pass that keeps what it finds, the loss of its outputs, and a backward
//! pass from gradients of the outputs. Batches are cut as for a whole step, so that the parts give its bits.

use super::gradients::BatchGradients;
use super::packing::pack_steps;
use super::shard::Shard;
use super::shards::{shard_count, shard_places};
use super::workers::{Then, hand_out};
use super::{Engine, Examples, Tally, chunk_len};
use crate::aligned::AlignedBuffer;
use crate::error::Result;
use crate::exec::{Pass, Purpose, Weights, Workspace, backward, forward, pack_filters};
use crate::layers::Network;
use crate::optimizer::{Optimizer, OptimizerState, Whole, collect, take_step};
use crate::plan::{Plan, Wanted};
use crate::simd::{Level, dispatch};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

/// A plan that finds the gradients of inputs too, with a copy of the weights packed for it.
#[derive(Debug)]
struct PassPlan {
    /// The same for all weights.
    plan: Arc<Plan>,
    weights: Weights,
    level: Level,
    /// The engine's version of the weights.
    version: u64,
}

/// The plan of the last pass, for passes with the same weights.
#[derive(Debug, Default)]
pub(super) struct LastPlan(Mutex<Option<Arc<PassPlan>>>);

/// A forward pass over a batch, with all that it found.
#[derive(Debug)]
pub(crate) struct KeptPass {
    on: Arc<PassPlan>,
    /// The chunks of each shard.
    shards: Vec<Vec<Chunk>>,
    pub(crate) examples: usize,
    pub(crate) purpose: Purpose,
    /// The engine whose pass it is.
    of: EngineId,
}

/// What tells an engine from those of other models; a clone has its own.
#[derive(Clone, Debug, Default)]
pub(super) struct EngineId(Arc<()>);

#[derive(Debug)]
struct Chunk {
    places: Range<usize>,
    workspace: Workspace,
}

/// The gradient of one output of all examples: (N, values).
pub(crate) struct HeadGradient<'a> {
    pub(crate) values: &'a [f32],
    pub(crate) of: Side,
}

/// What a gradient is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// The model's output.
    Output,
    /// What the output function is applied to, as losses find it.
    Logits,
}

/// What a backward pass finds.
pub(crate) struct PassGradients {
    /// Of the trained parameters, laid out as they are.
    pub(crate) parameters: AlignedBuffer,
    /// Of each input: (N, values).
    pub(crate) inputs: Vec<Vec<f32>>,
}

/// Numbers that tell the random draws of a pass from those of others.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Draws {
    pub(crate) seed: u64,
    pub(crate) step: u64,
}

impl Engine {
    /// The plan for passes with today's weights.
    fn pass_plan(&self, network: &Network) -> Result<Arc<PassPlan>> {
        let mut last = self.last_plan.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = last.as_ref().filter(|last| last.version == self.version) {
            return Ok(Arc::clone(last));
        }
        let plan = match last.as_ref() {
            Some(last) => Arc::clone(&last.plan),
            None => Arc::new(Plan::new(network, Wanted::OfInputs)?),
        };
        debug_assert_eq!(plan.parameters, self.plan.parameters, "what is wanted moves no parameter");
        let (mut weights, level) = (Weights::zeroed(&plan), self.level);
        weights.flat.copy_from_slice(&self.weights.flat);
        let Weights { flat, packed } = &mut weights;
        pack_steps(&plan.steps, packed, &|conv, filters, packed| {
            dispatch!(level, simd => pack_filters(simd, conv, filters, flat, packed));
        });
        let made = Arc::new(PassPlan { plan, weights, level, version: self.version });
        *last = Some(Arc::clone(&made));
        Ok(made)
    }

    /// Runs the forward pass, and keeps the workspaces of all chunks.
    pub(crate) fn forward_pass(
        &self,
        network: &Network,
        examples: &Examples<'_>,
        purpose: Purpose,
        draws: Draws,
    ) -> Result<KeptPass> {
        let on = self.pass_plan(network)?;
        let PassPlan { plan, weights, level, .. } = &*on;
        let (count, chunk) = (examples.len(), chunk_len(plan));
        let used = shard_count(&self.plan, count);
        let chunks = |index| {
            let places: Range<usize> = shard_places(count, used, index);
            let chunk_of = |start: usize| {
                let places = start..(start + chunk).min(places.end);
                Chunk { workspace: Workspace::new(plan, places.len(), purpose), places }
            };
            places.clone().step_by(chunk).map(chunk_of).collect()
        };
        let mut shards: Vec<Vec<Chunk>> = (0..used).map(chunks).collect();
        let all: Vec<&mut Chunk> = shards.iter_mut().flatten().collect();
        let mut workers = vec![(); rayon::current_num_threads().clamp(1, all.len().max(1))];
        hand_out(all.into_iter(), &mut workers, Then::Rest, |_, Chunk { places, workspace }, ()| {
            let pass = match purpose {
                Purpose::Inference => Pass::Inference,
                Purpose::Training => Pass::Training { seed: draws.seed, step: draws.step, first_example: places.start },
            };
            dispatch!(*level, simd => {
                examples.write(simd, places.clone(), plan, workspace);
                forward(simd, plan, weights, workspace, places.len(), pass);
            });
        });
        Ok(KeptPass { on, shards, examples: count, purpose, of: self.id.clone() })
    }

    /// Scores a pass, and finds the gradient of its mean loss at each output, before the output function.
    pub(crate) fn loss_of_pass(&self, pass: &KeptPass, targets: &Examples<'_>) -> (Tally, Vec<Vec<f32>>) {
        let (plan, scoring) = (&pass.on.plan, &self.scoring);
        let scale = 1.0 / pass.examples as f32;
        let (mut total, mut tally) = (scoring.tally(), scoring.tally());
        let mut gradients: Vec<Vec<f32>> =
            (0..plan.heads.len()).map(|head| vec![0.0; pass.examples * plan.output_len(head)]).collect();
        let mut room = vec![0.0; plan.widest_output() * chunk_len(plan)];
        for shard in &pass.shards {
            tally.reset();
            for Chunk { places, workspace } in shard {
                tally.count(places);
                tally.add_activities(plan, workspace, places.len());
                for (index, (head, scoring)) in plan.heads.iter().zip(&scoring.heads).enumerate() {
                    let len = scoring.outputs();
                    let logits = &workspace.output(head)[..places.len() * len];
                    let gradient = &mut gradients[index][places.start * len..places.end * len];
                    let gradient = (gradient, scale * self.scoring.loss_weights[index]);
                    let room = &mut room[..logits.len()];
                    let targets = targets.targets(index, places.clone());
                    tally.heads[index].add_chunk(scoring, logits, room, targets, Some(gradient));
                }
            }
            total.merge(&tally);
        }
        let weights = &pass.on.weights.flat;
        self.penalties.iter().for_each(|penalties| total.add_penalty(penalties.value(self.level, weights)));
        (total, gradients)
    }

    /// Runs the backward pass from the gradients of the outputs; the pass has been one for training. To those of the
    /// loss belong those of the penalties, which are a part of it.
    pub(crate) fn backward_pass(&self, pass: KeptPass, gradients: &[HeadGradient<'_>]) -> PassGradients {
        let KeptPass { on, mut shards, examples, .. } = pass;
        let PassPlan { plan, weights, level, .. } = &*on;
        let shard_len = examples.div_ceil(shards.len().max(1));
        let mut found: Vec<Shard> = shards.iter().map(|_| Shard::new(plan, &self.scoring, shard_len)).collect();
        let is_of_loss = gradients.iter().any(|gradient| gradient.of == Side::Logits);
        let scale = if is_of_loss { 1.0 / examples as f32 } else { 0.0 };
        found.iter_mut().for_each(|shard| shard.gradients.activity_scale = scale);
        let tasks = shards.iter_mut().zip(&mut found);
        let mut workers = vec![(); rayon::current_num_threads().clamp(1, tasks.len().max(1))];
        hand_out(tasks, &mut workers, Then::Rest, |_, (chunks, shard), ()| {
            for Chunk { places, workspace } in chunks {
                for (index, gradient) in gradients.iter().enumerate() {
                    gradient.write(plan, index, places, workspace);
                }
                dispatch!(*level, simd => {
                    backward(simd, plan, weights, workspace, places.len(), &mut shard.gradients);
                });
            }
        });
        let mut parameters = AlignedBuffer::zeroed(plan.parameters.trained_len);
        collect(*level, &BatchGradients { plan, shards: &found, examples, penalties: None }, &mut parameters);
        if is_of_loss {
            let penalties = self.penalties.iter();
            penalties.for_each(|penalties| penalties.add_to(*level, &weights.flat, &mut parameters));
        }
        let input = |index: usize| {
            let chunks = shards.iter().flatten();
            let of_chunk = |Chunk { places, workspace }: &Chunk| {
                workspace.input_gradient(plan, index)[..places.len() * plan.input_len(index)].to_vec()
            };
            chunks.flat_map(of_chunk).collect()
        };
        PassGradients { parameters, inputs: (0..plan.inputs.len()).map(input).collect() }
    }

    /// Whether a pass is one of this engine.
    pub(crate) fn made(&self, pass: &KeptPass) -> bool {
        Arc::ptr_eq(&self.id.0, &pass.of.0)
    }

    /// One step of the optimizer on these gradients, laid out as the trained parameters are.
    pub(crate) fn update_with(&mut self, gradients: &[f32], optimizer: &Optimizer, state: &mut OptimizerState) {
        let weights = self.weights.trained_mut(&self.plan);
        take_step(self.level, optimizer, state, &Whole(gradients), weights);
        self.constraints.apply(self.level, weights);
        self.pack();
    }
}

impl KeptPass {
    /// What the model gives at an output: (N, values).
    pub(crate) fn output(&self, index: usize) -> Vec<f32> {
        let plan = &self.on.plan;
        let (head, len) = (&plan.heads[index], plan.output_len(index));
        let chunks = self.shards.iter().flatten();
        let values = chunks.flat_map(|Chunk { places, workspace }| &workspace.output(head)[..places.len() * len]);
        let mut values: Vec<f32> = values.copied().collect();
        head.function.apply(&mut values, len);
        values
    }
}

impl HeadGradient<'_> {
    /// Writes the part of a chunk to where the backward pass reads it.
    fn write(&self, plan: &Plan, index: usize, places: &Range<usize>, workspace: &mut Workspace) {
        let (head, len) = (&plan.heads[index], plan.output_len(index));
        let values = &self.values[places.start * len..places.end * len];
        let (logits, y, gradient) = workspace.output_result_and_gradient(plan, head);
        let (y, gradient) = (&mut y[..values.len()], &mut gradient[..values.len()]);
        gradient.copy_from_slice(values);
        match self.of {
            Side::Logits => {}
            Side::Output => {
                y.copy_from_slice(&logits[..values.len()]);
                head.function.apply(y, len);
                let rows = y.chunks_exact(len).zip(gradient.chunks_exact_mut(len));
                rows.for_each(|(y, dy)| head.function.backward(y, dy));
            }
        }
    }
}
