//! The forward pass of one chunk.

use super::Weights;
use super::run::{Forward, Run};
use super::workspace::Workspace;
use crate::plan::{Placed, Plan};
use crate::program::MAX_READS;
use crate::simd::Simd;

/// What a forward pass is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pass {
    /// Predicting: dropout does nothing, and what only a backward pass needs is not kept.
    Inference,
    /// Training: `first_example` is the place of the chunk's first example in its batch.
    Training { seed: u64, step: u64, first_example: usize },
}

/// Runs every step on the first `images` examples of the workspace's inputs.
pub(crate) fn forward<S: Simd>(
    simd: S,
    plan: &Plan,
    weights: &Weights,
    workspace: &mut Workspace,
    images: usize,
    pass: Pass,
) {
    let Workspace { values, saved, scratch, .. } = workspace;
    for (Placed { step, reads, writes, weights: places, .. }, saved) in plan.steps.iter().zip(saved) {
        // Taken out while it is written, so that the others can be read.
        let mut y = std::mem::take(&mut values[writes.0]);
        let mut x = [&[][..]; MAX_READS];
        x.iter_mut().zip(reads).for_each(|(x, value)| *x = &values[value.0]);
        let len = plan.lengths[writes.0];
        step.forward(simd, Forward { images, x, y: &mut y, len, saved, scratch, weights, places, pass });
        values[writes.0] = y;
    }
}
