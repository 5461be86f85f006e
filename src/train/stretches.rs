//! Scores and predicts, stretch by stretch: examples are cut up by their number alone, so that results depend on no
//! thread.

use super::other_plan::PackedPlan;
use super::pool::make_workspaces;
use super::workers::{Then, hand_out};
use super::{Crew, Engine, Examples, ForInference, Tally, chunk_len};
use crate::exec::{Pass, Workspace, forward};
use crate::kernels::output::OutputFunction;
use crate::plan::Plan;
use crate::simd::dispatch;
use std::ops::Range;
use std::sync::Arc;

/// Into how many stretches examples are cut that are scored, unless those get too short or too long.
const STRETCHES: usize = 64;
/// The most chunks in a stretch.
const MAX_STRETCH: usize = 16;

/// How many examples are worked on, chunk after chunk, for one result: it depends on their number alone.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretches {
    examples: usize,
    len: usize,
    pub(super) count: usize,
}

impl Stretches {
    /// The examples of one.
    pub(super) fn places(self, index: usize) -> Range<usize> {
        index * self.len..((index + 1) * self.len).min(self.examples)
    }
}

impl Engine {
    /// Scores examples without changing anything.
    pub(crate) fn score(&self, examples: &Examples<'_>) -> Tally {
        let Stretches { count, .. } = self.stretches(examples);
        let mut tallies = vec![self.scoring.tally(); count];
        self.score_stretches(examples, 0..count, &mut tallies);
        self.total(&tallies)
    }

    /// Scores some of the stretches, each for itself.
    pub(super) fn score_stretches(&self, examples: &Examples<'_>, stretches: Range<usize>, tallies: &mut [Tally]) {
        let scoring = &self.scoring;
        self.run_stretches(examples, stretches, 1, tallies, |plan, _, places, workspace, tallies| {
            tallies[0].add_chunk(scoring, plan, examples, &places, workspace, None);
        });
    }

    /// What all stretches have scored.
    pub(super) fn total(&self, tallies: &[Tally]) -> Tally {
        let mut total = self.scoring.tally();
        tallies.iter().for_each(|tally| total.merge(tally));
        let penalties = self.penalties.iter();
        penalties.for_each(|penalties| total.add_penalty(penalties.value(self.level, &self.weights.flat)));
        total
    }

    /// The plan that predicts and scores, where it is not the one that trains.
    pub(super) fn inference_plan(&self) -> Option<Arc<PackedPlan>> {
        let ForInference { plan, packed, .. } = self.inference.as_ref()?;
        packed.packed(self, || Ok(Arc::clone(plan))).ok()
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

    /// What those probabilities are made of: the values that softmax or sigmoid is applied to.
    pub(crate) fn logits(&self, examples: &Examples<'_>, out: &mut [f32]) {
        self.apply(examples, |_, _| OutputFunction::Linear, out);
    }

    fn apply(
        &self,
        examples: &Examples<'_>,
        function: impl Fn(&Plan, usize) -> OutputFunction + Sync,
        out: &mut [f32],
    ) {
        let all = self.plan.outputs_len();
        let Stretches { len, count, .. } = self.stretches(examples);
        self.run_stretches(examples, 0..count, len * all, out, |plan, first, places, workspace, out| {
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

    pub(super) fn stretches(&self, examples: &Examples<'_>) -> Stretches {
        let (examples, chunk) = (examples.len(), chunk_len(&self.plan));
        let chunks = examples.div_ceil(chunk);
        let len = chunk * (chunks / STRETCHES).clamp(1, MAX_STRETCH);
        Stretches { examples, len, count: examples.div_ceil(len) }
    }

    /// Runs the forward pass on the examples of some stretches, chunk by chunk, and hands the first place of each chunk's stretch, the
    /// chunk's places, and the workspace with its outputs to `finish`, with the `per_stretch` results that belong to
    /// the stretch.
    fn run_stretches<T: Send>(
        &self,
        examples: &Examples<'_>,
        stretches: Range<usize>,
        per_stretch: usize,
        results: &mut [T],
        finish: impl Fn(&Plan, usize, Range<usize>, &mut Workspace, &mut [T]) + Sync,
    ) {
        let cut = self.stretches(examples);
        if stretches.is_empty() {
            return;
        }
        let chunk = chunk_len(&self.plan);
        let packed = self.inference_plan();
        let (plan, weights) = match &packed {
            Some(packed) => (&*packed.plan, &packed.weights),
            None => (&self.plan, &self.weights),
        };
        let (level, pool) = (&self.level, self.inference.as_ref().map_or(&self.workspaces, |other| &other.workspaces));
        let mut workspaces = pool.take();
        let threads = Crew::of_forward(plan, examples.len()).threads(stretches.len());
        make_workspaces(plan, &mut workspaces, threads, chunk.min(examples.len()));
        let results = results.chunks_mut(per_stretch);
        hand_out(results, &mut workspaces[..threads], Then::Rest, |place, results, workspace| {
            let Range { start: first, end } = cut.places(stretches.start + place);
            for start in (first..end).step_by(chunk) {
                let places = start..(start + chunk).min(end);
                dispatch!(*level, simd => {
                    examples.write(simd, places.clone(), plan, workspace);
                    forward(simd, plan, weights, workspace, places.len(), Pass::Inference);
                });
                finish(plan, first, places, workspace, results);
            }
        });
        pool.put_back(workspaces);
    }
}
