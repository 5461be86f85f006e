//! The forward pass of one chunk.

use super::Weights;
use super::run::{Forward, Run};
use super::workspace::Workspace;
use crate::plan::{Placed, Plan};
use crate::program::MAX_READS;
use crate::simd::Simd;
use std::ops::Range;

/// What a forward pass is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pass {
    /// Predicting: dropout does nothing, and what only a backward pass needs is not kept.
    Inference,
    /// Training: `first_example` is the place of the chunk's first example in its batch.
    Training { seed: u64, step: u64, first_example: usize },
}

/// What a pass does at a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Do {
    Run,
    /// Finds what is summed over the batch before the step runs.
    Gather,
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
    for step in 0..plan.steps.len() {
        forward_step(simd, (plan, step, Do::Run), weights, workspace, images, pass);
    }
}

/// Runs the steps of one phase, and gathers what the chunks need of each other for the next.
pub(crate) fn forward_phase<S: Simd>(
    simd: S,
    (plan, phase): (&Plan, Range<usize>),
    weights: &Weights,
    workspace: &mut Workspace,
    images: usize,
    pass: Pass,
) {
    let end = phase.end;
    for step in phase {
        forward_step(simd, (plan, step, Do::Run), weights, workspace, images, pass);
    }
    if end < plan.steps.len() {
        forward_step(simd, (plan, end, Do::Gather), weights, workspace, images, pass);
    }
}

fn forward_step<S: Simd>(
    simd: S,
    (plan, step, what): (&Plan, usize, Do),
    weights: &Weights,
    workspace: &mut Workspace,
    images: usize,
    pass: Pass,
) {
    let Placed { step: run, reads, writes, weights: places, .. } = &plan.steps[step];
    let Workspace { values, saved, scratch, .. } = workspace;
    // Taken out while it is written, so that the others can be read.
    let mut y = std::mem::take(&mut values[writes.0]);
    let mut x = [&[][..]; MAX_READS];
    x.iter_mut().zip(reads).for_each(|(x, value)| *x = &values[value.0]);
    let (len, saved) = (plan.lengths[writes.0], &mut saved[step]);
    let io = Forward { images, x, y: &mut y, len, saved, scratch, weights, places, pass };
    match what {
        Do::Run => run.forward(simd, io),
        Do::Gather => run.gather(simd, io),
    }
    values[writes.0] = y;
}
