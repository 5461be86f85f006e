//! Decides how a batch is cut up and put together again: chunks and shards, threads, the order of sums. It knows nothing of
//! epochs, and nothing of where examples come from.
//!
//! A batch is cut into *shards*, each with a gradient buffer of its own, and a shard into *chunks* of a few images, fewer
//! where they are large. Both depend on the batch and the model, never on the threads, and shards are added up in their
//! order: so the number of threads changes no bit.

use crate::aligned::AlignedBuffer;
use crate::data::{Augment, OrderedImages, Pixels, Stored};
use crate::exec::{Parameters, Pass, Workspace, backward, forward, pack_step};
use crate::kernels::pixels::{bytes_to_floats, scale};
use crate::kernels::softmax::softmax;
use crate::kernels::sum::add;
use crate::loss::Tally;
use crate::optimizer::{Optimizer, OptimizerState, Piece};
use crate::plan::{Initial, Plan, Step};
use crate::random::{Stream, stream};
use crate::simd::{Level, Simd, dispatch};
use gathering::Gathering;
use rand::RngExt;
use rayon::prelude::*;
use std::ops::Range;

/// The most images in a chunk: what one pass through the plan works on.
const MAX_CHUNK: usize = 8;
/// The most floats that a chunk of several images may have between two steps.
const CHUNK_FLOATS: usize = 1 << 22;
/// The most shards in a batch.
const MAX_SHARDS: usize = 4;
/// Parameters that one thread updates at a time.
const PIECE: usize = 8192;

/// Examples to train on or to score, in the order in which they come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Examples<'a> {
    pixels: Pixels<'a>,
    /// Where each example's image is among the pixels; in the order of the examples if it is `None`.
    stored: Option<&'a [u32]>,
    /// A class for each example; empty where no labels are needed.
    labels: &'a [usize],
    /// Which examples, in this order; all of them if it is `None`.
    order: Option<&'a [u32]>,
    /// How they are varied in training.
    augment: Option<Augment>,
    len: usize,
}

impl<'a> Examples<'a> {
    /// All images, with a label for each, or with none where none are needed.
    pub(crate) fn of(images: &'a OrderedImages<'_>, labels: &'a [usize]) -> Self {
        Self { pixels: images.pixels(), stored: images.order(), labels, order: None, augment: None, len: images.len() }
    }

    /// Those examples that `order` names.
    pub(crate) fn ordered(self, order: &'a [u32]) -> Self {
        Self { order: Some(order), len: order.len(), ..self }
    }

    /// The examples varied at random in training; as they are in scoring and predicting.
    pub(crate) fn augmented(self, augment: Option<Augment>) -> Self {
        Self { augment, ..self }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    fn at(&self, place: usize) -> usize {
        self.order.map_or(place, |order| order[place] as usize)
    }

    /// Writes the pixels of these examples, one after the other.
    fn write<S: Simd>(&self, simd: S, places: Range<usize>, len: usize, out: &mut [f32]) {
        for (place, out) in places.zip(out.chunks_exact_mut(len)) {
            let example = self.at(place);
            let start = self.stored.map_or(example, |stored| stored[example] as usize) * len;
            match self.pixels.stored {
                Stored::Bytes(bytes) => bytes_to_floats(simd, &bytes[start..][..len], out),
                Stored::Floats(floats) => out.copy_from_slice(&floats[start..][..len]),
            }
            if let Some(scaling) = self.pixels.scaling {
                scale(simd, &scaling.factors, &scaling.offsets, out);
            }
        }
    }

    /// Varies images that have been written, as the batch says.
    fn vary(&self, places: Range<usize>, plan: &Plan, seed: u64, step: u64, workspace: &mut Workspace) {
        let Some(augment) = &self.augment else { return };
        // Once for a workspace: later calls find it long enough.
        workspace.augment.resize(Augment::scratch_len(plan.input), 0.0);
        for (example, image) in places.zip(workspace.input.chunks_exact_mut(plan.input_len())) {
            let mut random = stream(seed, Stream::Augment { step, example });
            augment.apply(plan.input, &mut random, image, &mut workspace.augment);
        }
    }

    fn labels(&self, places: Range<usize>) -> impl Iterator<Item = usize> {
        places.map(|place| self.labels[self.at(place)])
    }
}

/// A compiled model at work: its plan, its parameters, and all memory that training needs.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) plan: Plan,
    pub(crate) parameters: Parameters,
    level: Level,
    /// One for each thread at work.
    workspaces: Vec<Workspace>,
    /// Those of the last batch, and after them those that it did not need.
    shards: Vec<Shard>,
    /// How many shards the last batch had.
    used_shards: usize,
    /// The sum of the shards' gradients, laid out as the parameters are.
    gradients: AlignedBuffer,
}

/// A part of a batch.
#[derive(Debug)]
struct Shard {
    gradients: AlignedBuffer,
    tally: Tally,
}

impl Engine {
    /// An engine with weights drawn from `seed`.
    pub(crate) fn new(plan: Plan, seed: u64, level: Level) -> Self {
        let parameters = initial_parameters(&plan, seed);
        let gradients = AlignedBuffer::zeroed(plan.parameter_len);
        let mut engine =
            Self { plan, parameters, level, workspaces: Vec::new(), shards: Vec::new(), used_shards: 0, gradients };
        engine.pack();
        engine
    }

    /// Packs every kernel for the forward pass; to be called when parameters have changed.
    pub(crate) fn pack(&mut self) {
        let Parameters { flat, packed } = &mut self.parameters;
        pack_steps(self.level, &self.plan.steps, flat, packed);
    }

    /// Scores a batch, and finds the gradients of its mean loss shard by shard.
    pub(crate) fn run_batch(&mut self, batch: &Examples<'_>, seed: u64, step: u64) -> Tally {
        let shard_len = batch.len.div_ceil(MAX_SHARDS);
        self.used_shards = batch.len.div_ceil(shard_len);
        while self.shards.len() < self.used_shards {
            self.shards.push(Shard::new(&self.plan));
        }
        let threads = self.make_workspaces(self.used_shards, chunk_len(&self.plan).min(shard_len));
        let Self { plan, parameters, level, workspaces, .. } = self;
        let shards = &mut self.shards[..self.used_shards];
        let run = |index: usize, shard: &mut Shard, workspace: &mut Workspace| {
            let places = index * shard_len..((index + 1) * shard_len).min(batch.len);
            dispatch!(*level, simd => run_shard(simd, plan, parameters, batch, places, seed, step, shard, workspace));
        };
        let each = shards.len().div_ceil(threads);
        let parts = shards.par_chunks_mut(each).zip(workspaces.par_iter_mut()).enumerate();
        let gathering = Gathering::new(parts.len());
        parts.for_each(|(thread, (shards, workspace))| {
            gathering.start();
            for (place, shard) in shards.iter_mut().enumerate() {
                run(thread * each + place, shard, workspace);
            }
            gathering.finish();
        });
        let mut tally = Tally::default();
        shards.iter().for_each(|shard| tally += shard.tally);
        tally
    }

    /// The gradients of the last batch, laid out as the parameters are, after [`Engine::sum_gradients`] or
    /// [`Engine::update`].
    pub(crate) fn gradients(&self) -> &[f32] {
        &self.gradients
    }

    /// Adds the gradients of the last batch's shards up.
    pub(crate) fn sum_gradients(&mut self) {
        let shards = &self.shards[..self.used_shards];
        dispatch!(self.level, simd => sum_shards(simd, shards, 0, &mut self.gradients));
    }

    /// One step of the optimizer on the gradients of the last batch.
    pub(crate) fn update(&mut self, optimizer: &Optimizer, state: &mut OptimizerState) {
        state.step += 1;
        let (level, step, shards) = (self.level, state.step, &self.shards[..self.used_shards]);
        let [first, second] = &mut state.moments;
        let parameters = &mut self.parameters.flat[..];
        let all = Piece { start: 0, gradients: &mut self.gradients, parameters, moments: [first, second] };
        in_pieces(all, &|piece: Piece<'_>| {
            dispatch!(level, simd => {
                sum_shards(simd, shards, piece.start, piece.gradients);
                optimizer.update(simd, step, piece);
            });
        });
        self.pack();
    }

    /// Scores examples without changing anything.
    pub(crate) fn score(&mut self, examples: &Examples<'_>) -> Tally {
        let classes = self.plan.classes();
        let mut tallies = vec![Tally::default(); examples.len.div_ceil(chunk_len(&self.plan))];
        self.run_chunks(examples, 1, &mut tallies, |places, logits, tally| {
            tally[0] = Tally::of_chunk(logits, classes, examples.labels(places), None);
        });
        let mut total = Tally::default();
        tallies.into_iter().for_each(|tally| total += tally);
        total
    }

    /// Predicts: probabilities if the model ends with a softmax, its plain outputs otherwise.
    ///
    /// - out: (N, classes)
    pub(crate) fn predict(&mut self, examples: &Examples<'_>, out: &mut [f32]) {
        let (classes, softmax_output) = (self.plan.classes(), self.plan.softmax_output);
        self.run_chunks(examples, chunk_len(&self.plan) * classes, out, |_, outputs, out| {
            out.copy_from_slice(outputs);
            if softmax_output {
                softmax(out, classes);
            }
        });
    }

    /// Runs the forward pass on all examples, chunk by chunk, and hands each chunk's places and outputs to `finish`,
    /// with the `per_chunk` results that belong to it.
    fn run_chunks<T: Send>(
        &mut self,
        examples: &Examples<'_>,
        per_chunk: usize,
        results: &mut [T],
        finish: impl Fn(Range<usize>, &[f32], &mut [T]) + Sync,
    ) {
        let chunk = chunk_len(&self.plan);
        let chunks = examples.len.div_ceil(chunk);
        if chunks == 0 {
            return;
        }
        let threads = self.make_workspaces(chunks, chunk.min(examples.len));
        let Self { plan, parameters, level, workspaces, .. } = self;
        let classes = plan.classes();
        let run = |first_chunk: usize, results: &mut [T], workspace: &mut Workspace| {
            for (place, results) in results.chunks_mut(per_chunk).enumerate() {
                let start = (first_chunk + place) * chunk;
                let places = start..(start + chunk).min(examples.len);
                let images = places.len();
                dispatch!(*level, simd => {
                    examples.write(simd, places.clone(), plan.input_len(), &mut workspace.input);
                    forward(simd, plan, parameters, workspace, images, Pass::Inference);
                });
                finish(places, &workspace.output()[..images * classes], results);
            }
        };
        if threads == 1 {
            return run(0, results, &mut workspaces[0]);
        }
        let each = chunks.div_ceil(threads);
        let parts = results.par_chunks_mut(each * per_chunk).zip(workspaces.par_iter_mut()).enumerate();
        parts.for_each(|(thread, (results, workspace))| run(thread * each, results, workspace));
    }

    /// Makes sure there is a workspace for each thread that these parts of work can use; returns how many that is.
    fn make_workspaces(&mut self, parts: usize, max_images: usize) -> usize {
        let threads = rayon::current_num_threads().clamp(1, parts);
        if self.workspaces.first().is_some_and(|workspace| workspace.max_images < max_images) {
            self.workspaces.clear();
        }
        while self.workspaces.len() < threads {
            self.workspaces.push(Workspace::new(&self.plan, max_images));
        }
        threads
    }
}

impl Shard {
    fn new(plan: &Plan) -> Self {
        Self { gradients: AlignedBuffer::zeroed(plan.parameter_len), tally: Tally::default() }
    }
}

/// How many images of a model go through its plan at a time: fewer where they are large.
fn chunk_len(plan: &Plan) -> usize {
    (CHUNK_FLOATS / plan.widest_padded()).clamp(1, MAX_CHUNK)
}

/// Scores one shard and adds up its gradients, chunk by chunk.
#[expect(clippy::too_many_arguments, reason = "each says one thing about the shard")]
fn run_shard<S: Simd>(
    simd: S,
    plan: &Plan,
    parameters: &Parameters,
    batch: &Examples<'_>,
    places: Range<usize>,
    seed: u64,
    step: u64,
    shard: &mut Shard,
    workspace: &mut Workspace,
) {
    shard.gradients.fill(0.0);
    shard.tally = Tally::default();
    let scale = 1.0 / batch.len as f32;
    let chunk_len = chunk_len(plan);
    for start in places.clone().step_by(chunk_len) {
        let chunk = start..(start + chunk_len).min(places.end);
        let images = chunk.len();
        batch.write(simd, chunk.clone(), plan.input_len(), &mut workspace.input);
        batch.vary(chunk.clone(), plan, seed, step, workspace);
        forward(simd, plan, parameters, workspace, images, Pass::Training { seed, step, first_example: start });
        let outputs = images * plan.classes();
        let [dlogits, _] = &mut workspace.gradients;
        let logits = workspace.steps.last().map_or(&workspace.input, |memory| &memory.output);
        let gradient = (&mut dlogits[..outputs], scale);
        shard.tally += Tally::of_chunk(&logits[..outputs], plan.classes(), batch.labels(chunk), Some(gradient));
        backward(simd, plan, parameters, workspace, images, &mut shard.gradients);
    }
}

/// Adds the shards' gradients for a stretch of the parameters, in the order of the shards.
fn sum_shards<S: Simd>(simd: S, shards: &[Shard], start: usize, sums: &mut [f32]) {
    let stretch = start..start + sums.len();
    if let [first, others @ ..] = shards {
        sums.copy_from_slice(&first.gradients[stretch.clone()]);
        others.iter().for_each(|shard| add(simd, &shard.gradients[stretch.clone()], sums));
    }
}

/// Cuts a piece in two until it is small, and works on all of them in parallel.
fn in_pieces(piece: Piece<'_>, work: &(impl Fn(Piece<'_>) + Sync)) {
    let len = piece.parameters.len();
    if len <= PIECE {
        return work(piece);
    }
    let (left, right) = piece.split_at((len / 2).next_multiple_of(crate::aligned::LINE_FLOATS));
    rayon::join(|| in_pieces(left, work), || in_pieces(right, work));
}

/// Packs the kernels of these steps, in parallel.
///
/// - packed: the part of these steps, which lie in it one after the other
fn pack_steps(level: Level, steps: &[Step], flat: &[f32], packed: &mut [f32]) {
    match steps {
        [] => {}
        [step] => dispatch!(level, simd => pack_step(simd, step, flat, packed)),
        _ => {
            let (left, right) = steps.split_at(steps.len() / 2);
            let middle = left.iter().filter_map(Step::conv).map(|conv| conv.packed.len()).sum();
            let (packed_left, packed_right) = packed.split_at_mut(middle);
            rayon::join(|| pack_steps(level, left, flat, packed_left), || pack_steps(level, right, flat, packed_right));
        }
    }
}

/// The weights that training starts from.
fn initial_parameters(plan: &Plan, seed: u64) -> Parameters {
    let mut parameters = Parameters::zeroed(plan);
    for parameter in &plan.parameters {
        match parameter.initial {
            Initial::Zeros => {}
            Initial::Uniform { limit } => {
                let mut random = stream(seed, Stream::Weights { layer: parameter.layer });
                let values = parameters.flat[parameter.range.clone()].iter_mut();
                values.for_each(|value| *value = (random.random::<f32>() * 2.0 - 1.0) * limit);
            }
        }
    }
    parameters
}

mod gathering;
#[cfg(test)]
mod tests;
