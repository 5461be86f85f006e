//! The backward pass of one chunk.

use super::Weights;
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
    let Workspace { values, gradients: slots, saved, scratch, .. } = workspace;
    for (Placed { step, reads, writes, weights: places, flows }, saved) in plan.steps.iter().zip(saved).rev() {
        let (Some(flows), Some(slot)) = (flows, plan.gradients.slot_of[writes.0]) else { continue };
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
        let [first, second] = taken.each_mut();
        let dx = [InputGradient { flow: flows[0], to: first }, InputGradient { flow: flows[1], to: second }];
        let (y, len) = (&values[writes.0][..], plan.lengths[writes.0]);
        for (_, Regularizer { l1, l2 }) in plan.activities.iter().filter(|(value, _)| value == writes) {
            let factors = [l1, l2].map(|factor| factor * gradients.activity_scale);
            add_penalty_gradients(simd, factors, &y[..images * len], &mut dy[..images * len]);
        }
        let dy_all = &mut dy;
        step.backward(simd, Backward { images, x, y, len, dy: dy_all, dx, saved, scratch, weights, places, gradients });
        slots[slot] = dy;
        for (place, buffer) in taken.into_iter().enumerate() {
            if let Some(slot) = slot_read(place) {
                slots[slot] = buffer;
            }
        }
    }
    gradients.count(images);
}
