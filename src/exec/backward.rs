//! The backward pass of one chunk.

use super::Parameters;
use super::workspace::{StepMemory, Workspace};
use crate::kernels::activation::activate_backward;
use crate::kernels::conv2d::SLACK;
use crate::kernels::conv2d_backward_small::{has_small_windows, weight_gradients_small};
use crate::kernels::conv2d_input_gradient::input_gradients;
use crate::kernels::conv2d_weight_gradient::weight_gradients;
use crate::kernels::max_pool::max_pool_backward;
use crate::kernels::nonzeros::{Nonzeros, images_at_once};
use crate::kernels::padding::crop;
use crate::kernels::softmax::softmax_backward;
use crate::kernels::sum::add_rows;
use crate::plan::{ConvStep, Plan, StepKind};
use crate::simd::Simd;
use std::ops::Range;

/// Adds the chunk's gradients to `gradients`, which is laid out as the parameters are. The workspace holds the forward
/// pass of the same `images`, and in its first gradient buffer the gradient of the last step's output.
pub(crate) fn backward<S: Simd>(
    simd: S,
    plan: &Plan,
    parameters: &Parameters,
    workspace: &mut Workspace,
    images: usize,
    gradients: &mut [f32],
) {
    let Workspace {
        input,
        steps,
        gradients: [dy, dx],
        padded_gradient,
        small_windows,
        nonzeros,
        filter_sets,
        cached_weights,
        ..
    } = workspace;
    let (mut dy, mut dx) = (dy, dx);
    for (index, step) in plan.steps.iter().enumerate().rev() {
        let (before, from) = steps.split_at(index);
        let x = before.last().map_or(&*input, |memory| &memory.output);
        let memory = &from[0];
        let (inputs, outputs) = (images * step.input_len, images * step.output_len);
        let (y, dy_here) = (&memory.output[..outputs], &mut dy[..outputs]);
        match &step.kind {
            StepKind::Conv(conv) => {
                activate_backward(simd, conv.activation, y, dy_here);
                let dy_here = &dy[..outputs];
                let x = if conv.border.is_some() { &memory.padded } else { x };
                let dw = &mut gradients[with_slack(&conv.weights)];
                if !step.needs_input_gradient && has_small_windows(&conv.layout) {
                    let (dy, winners) = (&dy[..outputs + SLACK], &memory.winners);
                    weight_gradients_small(simd, &conv.layout, images, x, dy, winners, small_windows, dw);
                } else {
                    weight_gradients_by_lists(simd, conv, nonzeros, images, x, dy_here, memory, dw);
                }
                add_rows(simd, dy_here, &mut gradients[conv.biases.clone()]);
                if step.needs_input_gradient {
                    let weights = &parameters.flat[with_slack(&conv.weights)];
                    let to = if conv.border.is_some() { &mut *padded_gradient } else { &mut *dx };
                    let to = &mut to[..images * conv.layout.image_len + SLACK];
                    to.fill(0.0);
                    input_gradients(
                        simd,
                        &conv.layout,
                        images,
                        dy_here,
                        &memory.winners,
                        weights,
                        filter_sets,
                        cached_weights,
                        to,
                    );
                    if let Some((window, channels)) = &conv.border {
                        crop(window, *channels, images, padded_gradient, dx);
                    }
                }
                std::mem::swap(&mut dy, &mut dx);
            }
            StepKind::MaxPool { .. } => {
                let winners = &memory.winners[..outputs];
                max_pool_backward(step.input_len, step.output_len, dy_here, winners, &mut dx[..inputs]);
                std::mem::swap(&mut dy, &mut dx);
            }
            StepKind::Activate(activation) => activate_backward(simd, *activation, y, dy_here),
            StepKind::Softmax { classes } => softmax_backward(y, dy_here, *classes),
            StepKind::Dropout { .. } => {
                dy_here.iter_mut().zip(&memory.mask).for_each(|(dy, factor)| *dy *= factor);
            }
        }
        if !step.needs_input_gradient {
            break;
        }
    }
}

/// The weight gradients of one convolution, a few images at a time.
#[expect(clippy::too_many_arguments, reason = "each is one tensor of the operation")]
fn weight_gradients_by_lists<S: Simd>(
    simd: S,
    conv: &ConvStep,
    nonzeros: &mut Nonzeros,
    images: usize,
    x: &[f32],
    dy: &[f32],
    memory: &StepMemory,
    dw: &mut [f32],
) {
    let at_once = images_at_once(&conv.layout, images);
    for start in (0..images).step_by(at_once) {
        let some = start..(start + at_once).min(images);
        nonzeros.collect(&conv.layout, some, dy, &memory.winners);
        weight_gradients(simd, &conv.layout, nonzeros, x, dw);
    }
}

/// A kernel's place, and what vectors at its end may touch behind it.
fn with_slack(weights: &Range<usize>) -> Range<usize> {
    weights.start..weights.end + SLACK
}
