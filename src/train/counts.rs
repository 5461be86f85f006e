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
    pub(super) steps: &'a [Option<f64>],
}

impl Scale<'_> {
    /// That of the loss of an output.
    pub(super) fn of(&self, head: usize) -> f32 {
        self.steps.get(head).copied().flatten().map_or(self.examples, |share| share as f32)
    }
}

/// One part of so many; 0 of none.
pub(super) fn share(count: f64) -> f64 {
    if count == 0.0 { 0.0 } else { 1.0 / count }
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
    pub(super) fn count(&self, batch: &Examples<'_>, pool: &mut Pool, steps: &mut Vec<Option<f64>>) {
        let Self { plan, weights, level, seed, step } = *self;
        if plan.mask_steps.is_empty() {
            return;
        }
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
                for step in &plan.mask_steps {
                    let phase = Phase { plan, steps: *step..step + 1 };
                    forward_steps(simd, phase, weights, workspace, places.len(), pass);
                }
            });
            add_steps(plan, workspace, places.len(), steps);
            counted = places.end;
        }
        steps.iter_mut().flatten().for_each(|steps| *steps = share(*steps));
        *pool.get_mut() = workspaces;
    }
}

/// Adds the steps of a chunk that count.
pub(super) fn add_steps(plan: &Plan, workspace: &Workspace, examples: usize, steps: &mut [Option<f64>]) {
    for (head, steps) in plan.heads.iter().zip(steps) {
        if let (Some(mask), Some(steps)) = (head.mask, steps) {
            *steps += counted(&workspace.value(mask)[..examples * head.shape.axes()[0]]);
        }
    }
}

/// How many steps of a mask count: a whole number, which `f32` would not hold from 2^24 on.
fn counted(mask: &[f32]) -> f64 {
    mask.iter().filter(|counts| **counts != 0.0).count() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_steps_than_a_float_can_count_are_counted() {
        let mut mask = vec![1.0; (1 << 24) + 5];
        mask[7] = 0.0;
        let total = counted(&mask) + counted(&mask[..8]);
        assert_eq!(total, f64::from((1 << 24) + 4 + 7));
        let shares = [Some(share(total)), None];
        let scale = Scale { examples: 0.5, steps: &shares };
        assert_eq!((scale.of(0), scale.of(1)), ((1.0 / total) as f32, 0.5));
    }
}
