//! Decides how a batch is cut up and put together again: chunks and shards, threads, the order of sums. It knows
//! nothing of epochs, and nothing of where examples come from.
//!
//! A batch is cut into *shards*, each with a gradient buffer of its own, and a shard into *chunks* of a few images,
//! fewer where they are large. Both depend on the batch and the model, never on the threads, and shards are added up in
//! their order: so the number of threads changes no bit.

mod decision;
mod examples;
mod gathering;
mod head;
mod initial;
mod pool;
mod predicting;
mod tally;
#[cfg(test)]
mod tests;

pub(crate) use decision::{Decision, Undecided};
pub(crate) use examples::Examples;
pub(crate) use predicting::Inference;
pub(crate) use tally::{Scoring, Tally};

use crate::aligned::AlignedBuffer;
use crate::exec::{Pass, Weights, Workspace, backward, forward, pack_step};
use crate::kernels::output::OutputFunction;
use crate::kernels::sum::{add_all_compensated, terms_at_once};
use crate::optimizer::{Gradients, MAX_PARTS, Optimizer, OptimizerState, take_step};
use crate::plan::{Placed, Plan};
use crate::simd::{Level, Simd, dispatch};
use gathering::Gathering;
pub(crate) use initial::initial_weights;
use pool::{Pool, make_workspaces};
use rayon::prelude::*;
use std::ops::Range;

/// The most images in a chunk: what one pass through the plan works on.
const MAX_CHUNK: usize = 8;
/// The most floats that a chunk of several images may have between two steps.
const CHUNK_FLOATS: usize = 1 << 22;
/// The most shards in a batch.
const MAX_SHARDS: usize = MAX_PARTS;
/// Into how many stretches examples are cut that are scored, unless those get too short or too long.
const STRETCHES: usize = 64;
/// The most chunks in a stretch.
const MAX_STRETCH: usize = 16;

/// A compiled model at work: its plan, its parameters, and all memory that training needs.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) plan: Plan,
    pub(crate) weights: Weights,
    pub(crate) scoring: Scoring,
    level: Level,
    /// One for each thread at work.
    workspaces: Pool,
    /// Those of the last batch, and after them those that it did not need.
    shards: Vec<Shard>,
    /// How many shards the last batch had.
    used_shards: usize,
    /// The sum of the shards' gradients, laid out as the parameters are.
    gradients: AlignedBuffer,
    /// What the last batch scored.
    tally: Tally,
}

/// A part of a batch.
#[derive(Debug)]
struct Shard {
    gradients: AlignedBuffer,
    tally: Tally,
}

impl Engine {
    /// An engine with weights drawn from `seed`.
    pub(crate) fn new(plan: Plan, scoring: Scoring, seed: u64, level: Level) -> Self {
        let mut engine = Self {
            weights: initial_weights(&plan, seed),
            gradients: AlignedBuffer::zeroed(plan.parameters.trained_len),
            tally: scoring.tally(),
            plan,
            scoring,
            level,
            workspaces: Pool::default(),
            shards: Vec::new(),
            used_shards: 0,
        };
        engine.pack();
        engine
    }

    /// Packs every kernel for the forward pass; to be called when parameters have changed.
    pub(crate) fn pack(&mut self) {
        let Weights { flat, packed } = &mut self.weights;
        pack_steps(self.level, &self.plan.steps, flat, packed);
    }

    /// Scores a batch, and finds the gradients of its mean loss shard by shard.
    pub(crate) fn run_batch(&mut self, batch: &Examples<'_>, seed: u64, step: u64) {
        let shard_len = batch.len().div_ceil(MAX_SHARDS);
        self.used_shards = batch.len().div_ceil(shard_len);
        while self.shards.len() < self.used_shards {
            self.shards.push(Shard::new(&self.plan, &self.scoring));
        }
        // Taken out, so that what a panic of a user's own layer or loss leaves of them is dropped.
        let mut workspaces = std::mem::take(self.workspaces.get_mut());
        let Self { plan, weights, scoring, level, .. } = self;
        let threads = make_workspaces(plan, &mut workspaces, self.used_shards, chunk_len(plan).min(shard_len));
        let shards = &mut self.shards[..self.used_shards];
        let run = |index: usize, shard: &mut Shard, workspace: &mut Workspace| {
            let places = index * shard_len..((index + 1) * shard_len).min(batch.len());
            let part = Part { batch, places, seed, step };
            dispatch!(*level, simd => run_shard(simd, plan, weights, scoring, &part, shard, workspace));
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
        self.tally.reset();
        shards.iter().for_each(|shard| self.tally.merge(&shard.tally));
        *self.workspaces.get_mut() = workspaces;
    }

    /// What the last batch scored.
    pub(crate) fn tally(&self) -> &Tally {
        &self.tally
    }

    /// The gradients of the last batch, laid out as the parameters are, after [`Engine::sum_gradients`] or
    /// [`Engine::update`].
    pub(crate) fn gradients(&self) -> &[f32] {
        &self.gradients
    }

    /// Adds the gradients of the last batch's shards up.
    pub(crate) fn sum_gradients(&mut self) {
        let gradients = gradients_of(&self.shards[..self.used_shards], &mut self.gradients);
        dispatch!(self.level, simd => { gradients.add_up(simd); });
    }

    /// One step of the optimizer on the gradients of the last batch.
    pub(crate) fn update(&mut self, optimizer: &Optimizer, state: &mut OptimizerState) {
        let gradients = gradients_of(&self.shards[..self.used_shards], &mut self.gradients);
        take_step(self.level, optimizer, state, gradients, self.weights.trained_mut(&self.plan));
        self.pack();
    }

    /// Makes the moving average of the weights the weights, if the optimizer keeps one.
    pub(crate) fn finalize_weights(&mut self, state: &OptimizerState) {
        if state.average_to(self.weights.trained_mut(&self.plan)) {
            self.pack();
        }
    }

    /// Scores examples without changing anything.
    pub(crate) fn score(&self, examples: &Examples<'_>) -> Tally {
        let scoring = &self.scoring;
        let mut tallies = vec![scoring.tally(); self.stretches(examples)];
        self.run_stretches(examples, 1, &mut tallies, |plan, _, places, workspace, tallies| {
            let tally = &mut tallies[0];
            tally.count(&places);
            for (index, (head, scoring)) in plan.heads.iter().zip(&scoring.heads).enumerate() {
                let values = places.len() * scoring.outputs();
                let (logits, room, _) = workspace.output_result_and_gradient(plan, head);
                let (logits, room, targets) =
                    (&logits[..values], &mut room[..values], examples.targets(index, places.clone()));
                tally.heads[index].add_chunk(scoring, logits, room, targets, None);
            }
        });
        let mut total = scoring.tally();
        tallies.iter().for_each(|tally| total.merge(tally));
        total
    }

    /// How the model's outputs become a class.
    pub(crate) fn decision(&self) -> Decision {
        Decision::new(&self.plan, &self.scoring)
    }

    /// Predicts: probabilities if the model ends with a softmax, its plain outputs otherwise.
    ///
    /// - out: (N, values of all outputs, one output after the other)
    pub(crate) fn predict(&self, examples: &Examples<'_>, out: &mut [f32]) {
        self.apply(examples, |plan, head| plan.heads[head].function, out);
    }

    /// The same, but probabilities too where the model leaves it to the loss to make some of its outputs.
    pub(crate) fn probabilities(&self, examples: &Examples<'_>, out: &mut [f32]) {
        self.apply(examples, |_, head| self.scoring.heads[head].function(), out);
    }

    fn apply(
        &self,
        examples: &Examples<'_>,
        function: impl Fn(&Plan, usize) -> OutputFunction + Sync,
        out: &mut [f32],
    ) {
        let all = self.plan.outputs_len();
        let per_stretch = self.stretch_len(examples) * all;
        self.run_stretches(examples, per_stretch, out, |plan, first, places, workspace, out| {
            let out = &mut out[(places.start - first) * all..][..places.len() * all];
            let mut before = 0;
            for (index, head) in plan.heads.iter().enumerate() {
                let len = plan.output_len(index);
                let values = workspace.output(head).chunks_exact(len);
                for (out, values) in out.chunks_exact_mut(all).zip(values) {
                    let out = &mut out[before..before + len];
                    out.copy_from_slice(values);
                    function(plan, index).apply(out, len);
                }
                before += len;
            }
        });
    }

    /// How many examples are worked on, chunk after chunk, for one result: it depends on their number alone.
    fn stretch_len(&self, examples: &Examples<'_>) -> usize {
        let chunk = chunk_len(&self.plan);
        let chunks = examples.len().div_ceil(chunk);
        chunk * (chunks / STRETCHES).clamp(1, MAX_STRETCH)
    }

    fn stretches(&self, examples: &Examples<'_>) -> usize {
        examples.len().div_ceil(self.stretch_len(examples))
    }

    /// Runs the forward pass on all examples, chunk by chunk, and hands the first place of each chunk's stretch, the
    /// chunk's places, and the workspace with its outputs to `finish`, with the `per_stretch` results that belong to
    /// the stretch.
    fn run_stretches<T: Send>(
        &self,
        examples: &Examples<'_>,
        per_stretch: usize,
        results: &mut [T],
        finish: impl Fn(&Plan, usize, Range<usize>, &mut Workspace, &mut [T]) + Sync,
    ) {
        let (stretch, stretches) = (self.stretch_len(examples), self.stretches(examples));
        if stretches == 0 {
            return;
        }
        let chunk = chunk_len(&self.plan);
        let Self { plan, weights, level, .. } = self;
        let mut workspaces = self.workspaces.take();
        let threads = make_workspaces(plan, &mut workspaces, stretches, chunk.min(examples.len()));
        let run = |first_stretch: usize, results: &mut [T], workspace: &mut Workspace| {
            for (place, results) in results.chunks_mut(per_stretch).enumerate() {
                let first = (first_stretch + place) * stretch;
                let end = (first + stretch).min(examples.len());
                for start in (first..end).step_by(chunk) {
                    let places = start..(start + chunk).min(end);
                    dispatch!(*level, simd => {
                        examples.write(simd, places.clone(), plan, workspace);
                        forward(simd, plan, weights, workspace, places.len(), Pass::Inference);
                    });
                    finish(plan, first, places, workspace, results);
                }
            }
        };
        if threads == 1 {
            run(0, results, &mut workspaces[0]);
        } else {
            let each = stretches.div_ceil(threads);
            let parts = results.par_chunks_mut(each * per_stretch).zip(workspaces.par_iter_mut()).enumerate();
            parts.for_each(|(thread, (results, workspace))| run(thread * each, results, workspace));
        }
        self.workspaces.put_back(workspaces);
    }
}

impl Shard {
    fn new(plan: &Plan, scoring: &Scoring) -> Self {
        Self { gradients: AlignedBuffer::zeroed(plan.parameters.trained_len), tally: scoring.tally() }
    }
}

/// Runs the work of one batch in the current thread pool, which takes it over as a whole: that is faster than to enter
/// the pool for each of its loops. The work must be short and call no callback: a thread of the pool that waits may run
/// any other work of the pool to its end before it returns to its own.
pub(crate) fn in_pool<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    rayon::scope(|_| work())
}

/// How many images of a model go through its plan at a time: fewer where they are large.
pub(crate) fn chunk_len(plan: &Plan) -> usize {
    (CHUNK_FLOATS / plan.widest_padded()).clamp(1, MAX_CHUNK)
}

/// Which examples of a batch a shard has, and what their random numbers hang on.
struct Part<'a> {
    batch: &'a Examples<'a>,
    places: Range<usize>,
    seed: u64,
    step: u64,
}

/// Scores one shard and adds up its gradients, chunk by chunk.
fn run_shard<S: Simd>(
    simd: S,
    plan: &Plan,
    weights: &Weights,
    scoring: &Scoring,
    part: &Part<'_>,
    shard: &mut Shard,
    workspace: &mut Workspace,
) {
    let Part { batch, ref places, seed, step } = *part;
    shard.gradients.fill(0.0);
    shard.tally.reset();
    let scale = 1.0 / batch.len() as f32;
    let loss_weights = &scoring.loss_weights;
    let chunk_len = chunk_len(plan);
    let chunks_at_once = terms_at_once(places.len()).div_ceil(chunk_len);
    let mut sums = LongSum::default();
    for (chunk, start) in places.clone().step_by(chunk_len).enumerate() {
        if chunk > 0 && chunk.is_multiple_of(chunks_at_once) {
            sums.take(simd, &mut shard.gradients);
        }
        let chunk = start..(start + chunk_len).min(places.end);
        let images = chunk.len();
        batch.write(simd, chunk.clone(), plan, workspace);
        batch.vary(chunk.clone(), plan, seed, step, workspace);
        forward(simd, plan, weights, workspace, images, Pass::Training { seed, step, first_example: start });
        shard.tally.count(&chunk);
        for (index, (head, scoring)) in plan.heads.iter().zip(&scoring.heads).enumerate() {
            let outputs = images * scoring.outputs();
            let (logits, room, dlogits) = workspace.output_result_and_gradient(plan, head);
            let gradient = (&mut dlogits[..outputs], scale * loss_weights[index]);
            let (logits, room, targets) =
                (&logits[..outputs], &mut room[..outputs], batch.targets(index, chunk.clone()));
            shard.tally.heads[index].add_chunk(scoring, logits, room, targets, Some(gradient));
        }
        backward(simd, plan, weights, workspace, images, &mut shard.gradients);
    }
    sums.give(simd, &mut shard.gradients);
}

/// The gradients of the blocks of a shard with so many chunks that one running sum would lose digits. A shard of a usual batch
/// takes no memory for it.
#[derive(Default)]
struct LongSum {
    sums: Vec<f32>,
    lost: Vec<f32>,
}

impl LongSum {
    /// Adds the gradients of a block, and zeros them for the next.
    fn take<S: Simd>(&mut self, simd: S, gradients: &mut [f32]) {
        self.sums.resize(gradients.len(), 0.0);
        self.lost.resize(gradients.len(), 0.0);
        add_all_compensated(simd, gradients, &mut self.sums, &mut self.lost);
        gradients.fill(0.0);
    }

    /// Makes the gradients of the last block those of all.
    fn give<S: Simd>(&mut self, simd: S, gradients: &mut [f32]) {
        if !self.sums.is_empty() {
            add_all_compensated(simd, gradients, &mut self.sums, &mut self.lost);
            gradients.copy_from_slice(&self.sums);
        }
    }
}

/// The shards' gradients, which are to be added up in their order.
fn gradients_of<'a>(shards: &'a [Shard], sum: &'a mut [f32]) -> Gradients<'a> {
    let part = |index: usize| shards.get(index).map_or(&[][..], |shard| &shard.gradients[..]);
    Gradients::Parts { parts: std::array::from_fn(part), sum }
}

/// Packs the kernels of these steps, in parallel.
///
/// - packed: the part of these steps, which lie in it one after the other
fn pack_steps(level: Level, steps: &[Placed], flat: &[f32], packed: &mut [f32]) {
    match steps {
        [] => {}
        [placed] => dispatch!(level, simd => pack_step(simd, &placed.step, flat, packed)),
        _ => {
            let (left, right) = steps.split_at(steps.len() / 2);
            let middle = left.iter().filter_map(|placed| placed.step.conv()).map(|conv| conv.packed.len()).sum();
            let (packed_left, packed_right) = packed.split_at_mut(middle);
            rayon::join(|| pack_steps(level, left, flat, packed_left), || pack_steps(level, right, flat, packed_right));
        }
    }
}
