//! The parts of a step one by one: a forward pass that keeps what it finds, the loss of its outputs, and a backward
//! pass from gradients of the outputs. Batches are cut as for a whole step, so that the parts give its bits.

use super::chunks::{Chunk, Chunks};
use super::counts::{Scale, add_steps, share};
use super::gradients::BatchGradients;
use super::head::HeadChunk;
use super::other_plan::PackedPlan;
use super::shard::Shard;
use super::shards::shard_count;
use super::{Engine, Examples, Tally, chunk_len};
use crate::aligned::AlignedBuffer;
use crate::error::Result;
use crate::exec::{OutputBuffers, Pass, Purpose, StateUpdate, Workspace};
use crate::layers::Network;
use crate::optimizer::{Optimizer, OptimizerState, Whole, collect, take_step};
use crate::plan::{Plan, Wanted};
use crate::simd::dispatch;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

/// A forward pass over a batch, with all that it found.
#[derive(Debug)]
pub(crate) struct KeptPass {
    on: Arc<PackedPlan>,
    memory: PassMemory,
    shards: usize,
    pub(crate) examples: usize,
    pub(crate) purpose: Purpose,
    /// The engine whose pass it is.
    of: EngineId,
}

/// The memory of a pass: its chunks, and the gradients of shards that an earlier pass has left.
#[derive(Debug, Default)]
struct PassMemory {
    chunks: Chunks,
    shards: Vec<Shard>,
}

/// The memory of passes for training that have gone backward, for those that come. A loop by hand has as many at once as
/// it has passes between two steps.
#[derive(Debug, Default)]
pub(super) struct SparePasses(Mutex<Vec<PassMemory>>);

/// The most passes whose memory is kept.
const MAX_SPARE: usize = 4;

impl SparePasses {
    fn take(&self) -> PassMemory {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    fn put_back(&self, memory: PassMemory) {
        let mut spare = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.len() < MAX_SPARE {
            spare.push(memory);
        }
    }
}

/// What tells an engine from those of other models; a clone has its own.
#[derive(Clone, Debug, Default)]
pub(super) struct EngineId(Arc<()>);

/// What moving statistics take up with the next step: of each normalization, for all backward passes since the last.
#[derive(Debug, Default)]
pub(super) struct Pending(Mutex<Vec<StateUpdate>>);

impl Clone for Pending {
    fn clone(&self) -> Self {
        Self(Mutex::new(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()))
    }
}

impl Pending {
    pub(super) fn take_up(&self, updates: Vec<StateUpdate>) {
        let mut pending = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if pending.is_empty() {
            *pending = updates;
        } else {
            pending.iter_mut().zip(&updates).for_each(|(pending, update)| pending.then(update));
        }
    }

    fn take(&mut self) -> Vec<StateUpdate> {
        std::mem::take(self.0.get_mut().unwrap_or_else(PoisonError::into_inner))
    }
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

/// Whether moving statistics take up the moments of a pass with the next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moments {
    TakenUp,
    LeftOut,
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
    /// Runs the forward pass of some examples, and keeps the workspaces of all chunks.
    pub(crate) fn forward_pass(
        &self,
        network: &Network,
        examples: &Examples<'_>,
        places: Range<usize>,
        purpose: Purpose,
        draws: Draws,
    ) -> Result<KeptPass> {
        let for_inference = match purpose {
            Purpose::Inference => self.inference_plan(),
            Purpose::Training => None,
        };
        let on = match for_inference {
            Some(on) => on,
            None => self.pass_plan.packed(self, || Plan::new(network, Wanted::OfInputs).map(Arc::new))?,
        };
        debug_assert_eq!(on.plan.parameters, self.plan.parameters, "what is wanted moves no parameter");
        let (count, shards) = (places.len(), shard_count(&self.plan, places.len()));
        // All passes for training have one plan.
        let mut memory = match purpose {
            Purpose::Training => self.spare_passes.take(),
            Purpose::Inference => PassMemory::default(),
        };
        let chunks = &mut memory.chunks;
        chunks.cut(&on.plan, &places, shards, purpose);
        let pass = |places: &Range<usize>| match purpose {
            Purpose::Inference => Pass::Inference,
            Purpose::Training => Pass::Training { seed: draws.seed, step: draws.step, first_example: places.start },
        };
        chunks.forward(on.run(), pass, |Chunk { places, workspace }| {
            dispatch!(on.level, simd => examples.write(simd, places.clone(), &on.plan, workspace));
        });
        Ok(KeptPass { on, memory, shards, examples: count, purpose, of: self.id.clone() })
    }

    /// Scores a pass, and finds the gradient of its mean loss at each output, before the output function.
    pub(crate) fn loss_of_pass(&self, pass: &KeptPass, targets: &Examples<'_>) -> (Tally, Vec<Vec<f32>>) {
        let (plan, scoring) = (&pass.on.plan, &self.scoring);
        let mut steps: Vec<Option<f64>> = plan.heads.iter().map(|head| head.mask.map(|_| 0.0)).collect();
        let chunks = pass.memory.chunks.iter();
        chunks.for_each(|Chunk { places, workspace }| add_steps(plan, workspace, places.len(), &mut steps));
        steps.iter_mut().flatten().for_each(|steps| *steps = share(*steps));
        let scale = Scale { examples: 1.0 / pass.examples as f32, steps: &steps };
        let (mut total, mut tally) = (scoring.tally(), scoring.tally());
        let mut gradients: Vec<Vec<f32>> =
            (0..plan.heads.len()).map(|head| vec![0.0; pass.examples * plan.output_len(head)]).collect();
        let (mut room, mut target_row) = (vec![0.0; plan.widest_output() * chunk_len(plan)], Vec::new());
        for shard in pass.memory.chunks.shards() {
            tally.reset();
            for Chunk { places, workspace } in shard {
                tally.count(places);
                tally.add_activities(plan, workspace, places.len());
                for (index, (head, scoring)) in plan.heads.iter().zip(&scoring.heads).enumerate() {
                    let len = scoring.outputs();
                    let logits = &workspace.output(head)[..places.len() * len];
                    let gradient = &mut gradients[index][places.start * len..places.end * len];
                    let gradient = (gradient, scale.of(index) * self.scoring.loss_weights[index]);
                    let room = &mut room[..logits.len()];
                    let mask = head.mask.map(|mask| workspace.value(mask));
                    let targets = targets.targets(index, places.clone());
                    let chunk = HeadChunk { logits, room, target_row: &mut target_row, mask };
                    tally.heads[index].add_chunk(scoring, chunk, &targets, Some(gradient));
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
    pub(crate) fn backward_pass(
        &self,
        pass: KeptPass,
        gradients: &[HeadGradient<'_>],
        moments: Moments,
    ) -> PassGradients {
        let KeptPass { on, mut memory, shards, examples, .. } = pass;
        let PackedPlan { plan, weights, level, .. } = &*on;
        let shard_len = examples.div_ceil(shards.max(1));
        let PassMemory { chunks, shards: spare } = &mut memory;
        if spare.iter().take(shards).any(|shard| shard.max_examples < shard_len) {
            spare.clear();
        }
        while spare.len() < shards {
            spare.push(Shard::new(plan, &self.scoring, shard_len));
        }
        let found = &mut spare[..shards];
        found.iter_mut().for_each(|shard| shard.gradients.clear());
        let is_of_loss = gradients.iter().any(|gradient| gradient.of == Side::Logits);
        let scale = if is_of_loss { 1.0 / examples as f32 } else { 0.0 };
        found.iter_mut().for_each(|shard| shard.gradients.activity_scale = scale);
        chunks.backward(on.run(), found, |Chunk { places, workspace }, _| {
            let heads = gradients.iter().enumerate();
            heads.for_each(|(index, gradient)| gradient.write(plan, index, places, workspace));
        });
        if examples > 0 && moments == Moments::TakenUp {
            self.pending.take_up(chunks.state_updates(plan));
        }
        let mut parameters = AlignedBuffer::zeroed(plan.parameters.trained_len);
        collect(*level, &BatchGradients { plan, shards: found, examples, penalties: None }, &mut parameters);
        if is_of_loss {
            let penalties = self.penalties.iter();
            penalties.for_each(|penalties| penalties.add_to(*level, &weights.flat, &mut parameters));
        }
        let input = |index: usize| {
            let of_chunk = |Chunk { places, workspace }: &Chunk| {
                workspace.input_gradient(plan, index)[..places.len() * plan.input_len(index)].to_vec()
            };
            chunks.iter().flat_map(of_chunk).collect()
        };
        let found = PassGradients { parameters, inputs: (0..plan.inputs.len()).map(input).collect() };
        self.spare_passes.put_back(memory);
        found
    }

    /// Whether a pass is one of this engine.
    pub(crate) fn made(&self, pass: &KeptPass) -> bool {
        Arc::ptr_eq(&self.id.0, &pass.of.0)
    }

    /// One step of the optimizer on these gradients, laid out as the trained parameters are. The moving statistics take
    /// up those of the batches whose backward passes have run since the last step.
    pub(crate) fn update_with(&mut self, gradients: &[f32], optimizer: &Optimizer, state: &mut OptimizerState) {
        let weights = self.weights.trained_mut(&self.plan);
        take_step(self.level, optimizer, state, &Whole(gradients), weights);
        self.constraints.apply(self.level, weights);
        self.pending.take().iter().for_each(|update| update.apply(&mut self.weights.flat));
        self.pack();
    }

    /// Forgets the moments of passes whose step is not taken.
    pub(crate) fn drop_moments(&mut self) {
        self.pending = Pending::default();
    }

    /// Brings every trained weight between `-limit` and `limit`.
    pub(crate) fn clip_weights(&mut self, limit: f32) {
        let weights = self.weights.trained_mut(&self.plan);
        weights.iter_mut().for_each(|weight| *weight = weight.clamp(-limit, limit));
        self.pack();
    }
}

impl KeptPass {
    /// What the model gives at an output: (N, values).
    pub(crate) fn output(&self, index: usize) -> Vec<f32> {
        let plan = &self.on.plan;
        let (head, len) = (&plan.heads[index], plan.output_len(index));
        let of_chunk = |Chunk { places, workspace }: &Chunk| workspace.output(head)[..places.len() * len].to_vec();
        let values = self.memory.chunks.iter().flat_map(of_chunk);
        let mut values: Vec<f32> = values.collect();
        head.function.apply(&mut values, len);
        values
    }
}

impl HeadGradient<'_> {
    /// Writes the part of a chunk to where the backward pass reads it.
    fn write(&self, plan: &Plan, index: usize, places: &Range<usize>, workspace: &mut Workspace) {
        let (head, len) = (&plan.heads[index], plan.output_len(index));
        let values = &self.values[places.start * len..places.end * len];
        let OutputBuffers { logits, room, gradient, .. } = workspace.output_buffers(plan, head);
        let (y, gradient) = (&mut room[..values.len()], &mut gradient[..values.len()]);
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
