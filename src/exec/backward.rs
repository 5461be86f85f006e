//! The backward pass of one chunk.

use super::Weights;
use super::forward::{At, Do, Phase};
use super::gradients::Gradients;
use super::run::{Backward, InputGradient, Run};
use super::workspace::Workspace;
use crate::aligned::AlignedBuffer;
use crate::kernels::penalty::add_penalty_gradients;
use crate::plan::{Flow, Placed, Plan};
use crate::program::{MAX_READS, Regularizer};
use crate::simd::Simd;

/// Adds the chunk's gradients to `gradients`. The workspace holds the
/// forward pass of the same `images`, and the gradients of the outputs.
pub(crate) fn backward<S: Simd>(
    simd: S,
    plan: &Plan,
    weights: &Weights,
    workspace: &mut Workspace,
    images: usize,
    gradients: &mut Gradients,
) {
    for step in (0..plan.steps.len()).rev() {
        backward_step(simd, At { plan, step, what: Do::Run }, weights, workspace, images, gradients);
    }
    gradients.count(images);
}

/// Runs the steps of one phase backwards. Where the phase begins with a step at which the chunks meet, that step only
/// gathers what they need of each other: it runs with the phase before.
pub(crate) fn backward_phase<S: Simd>(
    simd: S,
    Phase { plan, steps }: Phase<'_>,
    weights: &Weights,
    workspace: &mut Workspace,
    images: usize,
    gradients: &mut Gradients,
) {
    // The step that starts the next phase runs first if its chunks have met there.
    let end = steps.end + usize::from(plan.steps.get(steps.end).is_some_and(Placed::meets));
    for step in (steps.start..end).rev() {
        let gathers = step == steps.start && step < steps.end && plan.steps[step].meets();
        let what = if gathers { Do::Gather } else { Do::Run };
        backward_step(simd, At { plan, step, what }, weights, workspace, images, gradients);
    }
}

fn backward_step<S: Simd>(
    simd: S,
    At { plan, step, what }: At<'_>,
    weights: &Weights,
    workspace: &mut Workspace,
    images: usize,
    gradients: &mut Gradients,
) {
    let Placed { step: run, reads, writes, weights: places, flows } = &plan.steps[step];
    let Workspace { values, gradients: slots, saved, scratch, .. } = workspace;
    let saved = &mut saved[step];
    let (Some(flows), Some(slot)) = (flows, plan.gradients.slot_of[writes.0]) else { return };
    let slot_read = |place: usize| match flows[place] {
        Flow::Nobody | Flow::InPlace => None,
        Flow::Write | Flow::Add => plan.gradients.slot_of[reads[place].0],
    };
    // Taken out while they are written: no two are the same.
    let mut dy = std::mem::take(&mut slots[slot]);
    let mut taken: [AlignedBuffer; MAX_READS] = std::array::from_fn(|place| {
        slot_read(place).map_or_else(AlignedBuffer::default, |slot| std::mem::take(&mut slots[slot]))
    });
    let mut x = [&[][..]; MAX_READS];
    x.iter_mut().zip(reads).for_each(|(x, value)| *x = &values[value.0]);
    let [first, second, third] = taken.each_mut();
    let dx = [(flows[0], first), (flows[1], second), (flows[2], third)].map(|(flow, to)| InputGradient { flow, to });
    let (y, len) = (&values[writes.0][..], plan.lengths[writes.0]);
    // Once, before anything looks at the gradient.
    if what == Do::Gather || !plan.steps[step].meets() {
        for (_, Regularizer { l1, l2 }) in plan.activities.iter().filter(|(value, _)| value == writes) {
            let factors = [l1, l2].map(|factor| factor * gradients.activity_scale);
            add_penalty_gradients(simd, factors, &y[..images * len], &mut dy[..images * len]);
        }
    }
    let io = Backward { images, x, y, len, dy: &mut dy, dx, saved, scratch, weights, places, gradients };
    match what {
        Do::Run => run.backward(simd, io),
        Do::Gather => run.gather_backward(simd, io),
    }
    slots[slot] = dy;
    for (place, buffer) in taken.into_iter().enumerate() {
        if let Some(slot) = slot_read(place) {
            slots[slot] = buffer;
        }
    }
}
