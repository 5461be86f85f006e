//! Predicting with what a model has learned alone: on one thread, in memory that the caller keeps.

use super::carried::copy_states;
use super::other_plan::PackedPlan;
use super::pool::Pool;
use super::{Decision, Engine, Examples, chunk_len};
use crate::aligned::AlignedBuffer;
use crate::exec::{Pass, Purpose, Weights, Workspace, forward};
use crate::plan::Plan;
use crate::simd::{Level, dispatch};
use std::ops::Range;
use std::sync::Arc;

/// A plan with its packed weights: all that the forward pass reads, and nothing that changes.
#[derive(Clone, Debug)]
pub(crate) struct Inference {
    /// Shared with the memory that was made for it.
    pub(crate) plan: Arc<Plan>,
    /// How outputs become a class: the loss knows what they mean.
    pub(crate) decision: Decision,
    /// Shared by clones.
    weights: Arc<Weights>,
    /// What calls have worked in that brought no memory of their own; shared as well.
    workspaces: Arc<Pool>,
    level: Level,
}

impl Engine {
    /// Leaves everything behind that only training needs.
    pub(crate) fn into_inference(mut self) -> Inference {
        let decision = self.decision();
        let other = self.inference_plan().and_then(|packed| {
            // Nobody else holds it when the engine lets it go.
            drop(self.inference.take());
            Arc::into_inner(packed)
        });
        let Self { plan, weights, level, .. } = self;
        let (plan, weights) = match other {
            Some(PackedPlan { plan, weights, .. }) => (plan, weights),
            None => (Arc::new(plan), weights),
        };
        let reads_flat = plan.steps.iter().any(|placed| placed.forward_reads_flat_weights());
        let flat = if reads_flat { weights.flat } else { AlignedBuffer::default() };
        let weights = Arc::new(Weights { flat, packed: weights.packed });
        Inference { plan, decision, weights, workspaces: Arc::default(), level }
    }
}

impl Inference {
    /// What one thread needs to work on a chunk at a time.
    pub(crate) fn workspace(&self) -> Workspace {
        Workspace::new(&self.plan, chunk_len(&self.plan), Purpose::Inference)
    }

    /// What an earlier call has worked in if it has room for so many examples, or for a chunk; otherwise new memory,
    /// for no more than that. [`Self::put_back`] keeps it for the next call.
    pub(crate) fn take_workspace(&self, examples: usize) -> Workspace {
        let images = chunk_len(&self.plan).min(examples.max(1));
        let waiting = self.workspaces.take_one(images);
        waiting.unwrap_or_else(|| Workspace::new(&self.plan, images, Purpose::Inference))
    }

    /// Keeps memory for the next call.
    pub(crate) fn put_back(&self, workspace: Workspace) {
        self.workspaces.put_back_one(workspace);
    }

    /// Runs all examples chunk by chunk, and shows what each chunk leaves in the workspace, outputs before their
    /// functions.
    ///
    /// - look: gets the workspace, and the places of the examples in it
    pub(crate) fn watch(
        &self,
        examples: &Examples<'_>,
        workspace: &mut Workspace,
        mut look: impl FnMut(&mut Workspace, Range<usize>),
    ) {
        let Self { plan, weights, level, .. } = self;
        for start in (0..examples.len()).step_by(workspace.max_images) {
            let places = start..(start + workspace.max_images).min(examples.len());
            let images = places.len();
            dispatch!(*level, simd => {
                examples.write(simd, places.clone(), plan, workspace);
                forward(simd, plan, weights, workspace, images, Pass::Inference);
            });
            look(workspace, places);
        }
    }

    /// Runs all examples, chunk by chunk as [`Engine::predict`], and hands each chunk's outputs to `finish`:
    /// probabilities if the model ends with a softmax, its plain outputs otherwise.
    ///
    /// - finish: gets the place of the chunk's first example, the index of an output, and (images, values of it)
    pub(crate) fn run(
        &self,
        examples: &Examples<'_>,
        workspace: &mut Workspace,
        finish: impl FnMut(usize, usize, &[f32]),
    ) {
        self.run_on(examples, workspace, &mut [], finish);
    }

    /// The same, and keeps the states of stateful layers behind each example.
    ///
    /// - states: (N, values of all states), or empty
    pub(crate) fn run_on(
        &self,
        examples: &Examples<'_>,
        workspace: &mut Workspace,
        states: &mut [f32],
        mut finish: impl FnMut(usize, usize, &[f32]),
    ) {
        let (plan, all) = (&self.plan, self.plan.carried_len());
        self.watch(examples, workspace, |workspace, places| {
            if let Some(states) = states.get_mut(places.start * all..places.end * all) {
                copy_states(plan, workspace, states);
            }
            for (index, head) in plan.heads.iter().enumerate() {
                let len = plan.output_len(index);
                let outputs = &mut workspace.output_mut(head)[..places.len() * len];
                head.function.apply(outputs, len);
                finish(places.start, index, outputs);
            }
        });
    }
}
