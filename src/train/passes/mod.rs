//! The parts of a step one by one: a forward pass that keeps what it finds, the loss of its outputs, and a backward
//! pass from gradients of the outputs. Batches are cut as for a whole step, so that the parts give its bits.

mod memory;

pub(super) use memory::PassRoom;

use super::chunks::{Chunk, Run};
use super::counts::{Scale, add_steps, share};
use super::gradients::BatchGradients;
use super::head::HeadChunk;
use super::other_plan::PackedPlan;
use super::shard::make_shards;
use super::shards::shard_count;
use super::{Engine, Examples, Tally, chunk_len};
use crate::aligned::AlignedBuffer;
use crate::error::Result;
use crate::exec::{OutputBuffers, Pass, Purpose, StateUpdate, Workspace};
use crate::layers::Network;
use crate::optimizer::{Optimizer, OptimizerState, Whole, collect, take_step};
use crate::plan::{Plan, Wanted};
use crate::simd::dispatch;
use memory::PassMemory;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

/// A forward pass over a batch, with all that it found.
#[derive(Debug)]
pub(crate) struct KeptPass {
    on: On,
    memory: PassMemory,
    shards: usize,
    pub(crate) examples: usize,
    pub(crate) wanted: Wanted,
    /// The engine whose pass it is.
    of: EngineId,
}

/// The plan and the weights of a pass.
#[derive(Debug)]
enum On {
    /// Those of the engine: its weights must not change while the pass is kept.
    Engine {
        version: u64,
    },
    Other(Arc<PackedPlan>),
}

impl On {
    fn run<'a>(&'a self, engine: &'a Engine) -> Run<'a> {
        match self {
            Self::Engine { version } => {
                assert_eq!(*version, engine.version, "the weights are those of the forward pass");
                Run { plan: &engine.plan, weights: &engine.weights, level: engine.level, group: None }
            }
            Self::Other(packed) => packed.run(),
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

/// What a backward pass finds. It serves the next one as room.
#[derive(Clone, Debug, Default)]
pub(crate) struct PassGradients {
    /// Of the trained parameters, laid out as they are; none if they were not wanted.
    pub(crate) parameters: AlignedBuffer,
    /// Of each input: (N, values); none if they were not wanted.
    pub(crate) inputs: Vec<Vec<f32>>,
}

/// Numbers that tell the random draws of a pass from those of others.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Draws {
    pub(crate) seed: u64,
    pub(crate) step: u64,
}

impl Engine {
    /// Runs the forward pass of some examples, and keeps the workspaces of all chunks. `Wanted::Nothing` is a pass for
    /// inference; one for `Wanted::OfParameters` is one through the weights of the engine, which must not change while
    /// it is kept.
    pub(crate) fn forward_pass(
        &self,
        network: &Network,
        examples: &Examples<'_>,
        places: Range<usize>,
        wanted: Wanted,
        draws: Draws,
    ) -> Result<KeptPass> {
        let (other, purpose) = match wanted {
            // A user may keep it while the weights change, as those that find the gradients of inputs.
            Wanted::Nothing => match self.inference_plan() {
                Some(on) => (Some(on), Purpose::Inference),
                None => (self.passes.plan(Wanted::OfInputs, self, network)?, Purpose::Inference),
            },
            Wanted::OfParameters | Wanted::OfInputs | Wanted::OfInputsAlone => {
                (self.passes.plan(wanted, self, network)?, Purpose::Training)
            }
        };
        let on = other.map_or(On::Engine { version: self.version }, On::Other);
        let run = on.run(self);
        debug_assert_eq!(run.plan.parameters, self.plan.parameters, "what is wanted moves no parameter");
        let (count, shards) = (places.len(), shard_count(&self.plan, places.len()));
        let mut memory = self.passes.take(wanted);
        let chunks = &mut memory.chunks;
        chunks.cut(run.plan, &places, (shards, 0..shards), purpose);
        let pass = |places: &Range<usize>| match purpose {
            Purpose::Inference => Pass::Inference,
            Purpose::Training => Pass::Training { seed: draws.seed, step: draws.step, first_example: places.start },
        };
        chunks.forward(run, pass, |Chunk { places, workspace }| {
            dispatch!(run.level, simd => examples.write(simd, places.clone(), run.plan, workspace));
        })?;
        Ok(KeptPass { on, memory, shards, examples: count, wanted, of: self.id.clone() })
    }

    /// Scores a pass, and finds the gradient of its mean loss at each output, before the output function.
    pub(crate) fn loss_of_pass(&self, pass: &KeptPass, targets: &Examples<'_>) -> (Tally, Vec<Vec<f32>>) {
        let Run { plan, weights, .. } = pass.on.run(self);
        let scoring = &self.scoring;
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
        let penalties = self.penalties.iter();
        penalties.for_each(|penalties| total.add_penalty(penalties.value(self.level, &weights.flat)));
        (total, gradients)
    }

    /// Runs the backward pass from the gradients of the outputs; the pass has been one for training. To those of the
    /// loss belong those of the penalties, which are a part of it.
    pub(crate) fn backward_pass(
        &self,
        pass: KeptPass,
        gradients: &[HeadGradient<'_>],
        moments: Moments,
        found: &mut PassGradients,
    ) {
        let KeptPass { on, mut memory, shards, examples, wanted, .. } = pass;
        let run = on.run(self);
        let Run { plan, weights, level, .. } = run;
        let shard_len = examples.div_ceil(shards.max(1));
        let PassMemory { chunks, shards: spare } = &mut memory;
        make_shards(spare, plan, &self.scoring, shards, shard_len);
        let in_use = &mut spare[..shards];
        in_use.iter_mut().for_each(|shard| shard.gradients.clear());
        let is_of_loss = gradients.iter().any(|gradient| gradient.of == Side::Logits);
        let scale = if is_of_loss { 1.0 / examples as f32 } else { 0.0 };
        in_use.iter_mut().for_each(|shard| shard.gradients.activity_scale = scale);
        let met = chunks.backward(run, in_use, |Chunk { places, workspace }, _| {
            let heads = gradients.iter().enumerate();
            heads.for_each(|(index, gradient)| gradient.write(plan, index, places, workspace));
        });
        met.expect("a pass by hand asks no other rank");
        if examples > 0 && moments == Moments::TakenUp {
            self.pending.take_up(chunks.state_updates(plan));
        }
        let PassGradients { parameters, inputs } = found;
        if wanted.includes_parameters() {
            if parameters.len() != plan.parameters.trained_len {
                *parameters = AlignedBuffer::zeroed(plan.parameters.trained_len);
            }
            collect(level, &BatchGradients { plan, shards: in_use, examples, penalties: None }, parameters);
            if is_of_loss {
                let penalties = self.penalties.iter();
                penalties.for_each(|penalties| penalties.add_to(level, &weights.flat, parameters));
            }
        }
        if wanted.includes_inputs() {
            inputs.resize_with(plan.inputs.len(), Vec::new);
            for (index, found) in inputs.iter_mut().enumerate() {
                found.clear();
                for Chunk { places, workspace } in chunks.iter() {
                    let gradient = workspace.input_gradient(plan, index);
                    found.extend_from_slice(&gradient[..places.len() * plan.input_len(index)]);
                }
            }
        }
        self.passes.put_back(wanted, memory);
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

    /// What a pass has given at an output: (N, values).
    pub(crate) fn output_of(&self, pass: &KeptPass, index: usize) -> Vec<f32> {
        let plan = pass.on.run(self).plan;
        let (head, len) = (&plan.heads[index], plan.output_len(index));
        let mut values = Vec::with_capacity(pass.examples * len);
        for Chunk { places, workspace } in pass.memory.chunks.iter() {
            values.extend_from_slice(&workspace.output(head)[..places.len() * len]);
        }
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
