//! How many steps count in the sequences of a batch that have a mask. The loss of such an output is the mean over those
//! steps, so that their number must be known before the first chunk goes backward.

use super::pool::{Pool, make_workspaces};
use super::{Examples, chunk_len};
use crate::exec::{Pass, Phase, Weights, Workspace, forward_steps};
use crate::plan::Plan;
use crate::simd::{Level, dispatch};

/// What the gradients of a batch's losses are multiplied by, so that they are those of a mean.
#[derive(Clone, Copy)]
pub(super) struct Scale<'a> {
    /// One part of the batch's examples.
    pub(super) examples: f32,
    /// For each output one part of its steps that count; none where examples do.
    pub(super) steps: &'a [Option<f32>],
}

impl Scale<'_> {
    /// That of the loss of an output.
    pub(super) fn of(&self, head: usize) -> f32 {
        self.steps.get(head).copied().flatten().unwrap_or(self.examples)
    }
}

/// One part of so many; 0 of none.
pub(super) fn share(count: f64) -> f32 {
    if count == 0.0 { 0.0 } else { (1.0 / count) as f32 }
}

/// What counts, in which memory, and which examples.
pub(super) struct Counting<'a> {
    pub(super) plan: &'a Plan,
    pub(super) weights: &'a Weights,
    pub(super) level: Level,
    pub(super) seed: u64,
    pub(super) step: u64,
}

impl Counting<'_> {
    /// Counts the steps of a batch, by the part of the forward pass that makes its masks: next to nothing where inputs
    /// are masked. Nothing is done where no output has a mask.
    pub(super) fn count(&self, batch: &Examples<'_>, pool: &mut Pool, steps: &mut Vec<Option<f32>>) {
        let Self { plan, weights, level, seed, step } = *self;
        let Some(end) = plan.masks_end() else { return };
        let mut workspaces = std::mem::take(pool.get_mut());
        let len = chunk_len(plan).min(batch.len());
        make_workspaces(plan, &mut workspaces, 1, len);
        let workspace = &mut workspaces[0];
        // The counts of a batch first, then its shares.
        steps.clear();
        steps.extend(plan.heads.iter().map(|head| head.mask.map(|_| 0.0)));
        let mut counted = 0;
        while counted < batch.len() {
            let places = counted..(counted + len).min(batch.len());
            let pass = Pass::Training { seed, step, first_example: counted };
            dispatch!(level, simd => {
                batch.write(simd, places.clone(), plan, workspace);
                batch.vary(places.clone(), plan, seed, step, workspace);
                forward_steps(simd, Phase { plan, steps: 0..end }, weights, workspace, places.len(), pass);
            });
            add_steps(plan, workspace, places.len(), steps);
            counted = places.end;
        }
        steps.iter_mut().flatten().for_each(|steps| *steps = share(f64::from(*steps)));
        *pool.get_mut() = workspaces;
    }
}

/// Adds the steps of a chunk that count. They are whole numbers that a float holds.
pub(super) fn add_steps(plan: &Plan, workspace: &Workspace, examples: usize, steps: &mut [Option<f32>]) {
    for (head, steps) in plan.heads.iter().zip(steps) {
        if let (Some(mask), Some(steps)) = (head.mask, steps) {
            *steps += workspace.value(mask)[..examples * head.shape.axes()[0]].iter().sum::<f32>();
        }
    }
}
