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

/// Some steps of a plan.
#[derive(Clone)]
pub(crate) struct Phase<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) steps: Range<usize>,
}

/// One step of a plan, and what is done there.
pub(super) struct At<'a> {
    pub(super) plan: &'a Plan,
    pub(super) step: usize,
    pub(super) what: Do,
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
    forward_steps(simd, Phase { plan, steps: 0..plan.steps.len() }, weights, workspace, images, pass);
}

/// Runs some steps, without a meeting behind them.
pub(crate) fn forward_steps<S: Simd>(
    simd: S,
    Phase { plan, steps }: Phase<'_>,
    weights: &Weights,
    workspace: &mut Workspace,
    images: usize,
    pass: Pass,
) {
    for step in steps {
        forward_step(simd, At { plan, step, what: Do::Run }, weights, workspace, images, pass);
    }
}

/// Predicts with one step alone.
pub(crate) fn infer_step<S: Simd>(
    simd: S,
    plan: &Plan,
    step: usize,
    weights: &Weights,
    workspace: &mut Workspace,
    images: usize,
) {
    forward_step(simd, At { plan, step, what: Do::Run }, weights, workspace, images, Pass::Inference);
}

/// Runs the steps of one phase, and gathers what the chunks need of each other for the next.
pub(crate) fn forward_phase<S: Simd>(
    simd: S,
    Phase { plan, steps }: Phase<'_>,
    weights: &Weights,
    workspace: &mut Workspace,
    images: usize,
    pass: Pass,
) {
    let end = steps.end;
    forward_steps(simd, Phase { plan, steps }, weights, workspace, images, pass);
    if end < plan.steps.len() {
        forward_step(simd, At { plan, step: end, what: Do::Gather }, weights, workspace, images, pass);
    }
}

fn forward_step<S: Simd>(
    simd: S,
    At { plan, step, what }: At<'_>,
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
