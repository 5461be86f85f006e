//! The backward pass of one chunk.

use super::Parameters;
use super::workspace::{StepMemory, Workspace};
use crate::kernels::activation::activate_backward;
use crate::kernels::conv2d::SLACK;
use crate::kernels::conv2d_backward::conv2d_backward;
use crate::kernels::conv2d_backward_small::{has_small_windows, weight_gradients_small};
use crate::kernels::max_pool::max_pool_backward;
use crate::kernels::nonzeros::{Nonzeros, images_at_once};
use crate::kernels::padding::crop;
use crate::kernels::softmax::softmax_backward;
use crate::plan::{ConvStep, Plan, StepKind};
use crate::simd::Simd;

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
    let Workspace { input, steps, gradients: [dy, dx], padded_gradient, small_windows, nonzeros, .. } = workspace;
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
                let x = if conv.border.is_some() { &memory.padded } else { x };
                let (dw, db) = weight_gradients(gradients, conv);
                if step.needs_input_gradient {
                    let weights = &parameters.flat[conv.weights.clone()];
                    let to = if conv.border.is_some() { &mut *padded_gradient } else { &mut *dx };
                    let to = &mut to[..images * conv.layout.image_len + SLACK];
                    to.fill(0.0);
                    conv_backward(simd, conv, nonzeros, images, x, dy_here, memory, weights, dw, db, Some(to));
                    if let Some((window, channels)) = &conv.border {
                        crop(window, *channels, images, padded_gradient, dx);
                    }
                } else if has_small_windows(&conv.layout) {
                    let winners = &memory.winners;
                    weight_gradients_small(simd, &conv.layout, images, x, dy_here, winners, small_windows, dw, db);
                } else {
                    conv_backward(simd, conv, nonzeros, images, x, dy_here, memory, &[], dw, db, None);
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

/// The gradients of one convolution, a few images at a time.
#[expect(clippy::too_many_arguments, reason = "each is one tensor of the operation")]
fn conv_backward<S: Simd>(
    simd: S,
    conv: &ConvStep,
    nonzeros: &mut Nonzeros,
    images: usize,
    x: &[f32],
    dy: &[f32],
    memory: &StepMemory,
    weights: &[f32],
    dw: &mut [f32],
    db: &mut [f32],
    mut dx: Option<&mut [f32]>,
) {
    let at_once = images_at_once(&conv.layout, images);
    for start in (0..images).step_by(at_once) {
        let some = start..(start + at_once).min(images);
        nonzeros.collect(&conv.layout, some, dy, &memory.winners);
        conv2d_backward(simd, &conv.layout, nonzeros, x, weights, dw, db, dx.as_deref_mut());
    }
}

/// A layer's kernel and bias gradients; the bias lies behind the kernel, or is empty.
fn weight_gradients<'a>(gradients: &'a mut [f32], conv: &ConvStep) -> (&'a mut [f32], &'a mut [f32]) {
    let (weights, biases) = (conv.weights.clone(), conv.biases.clone());
    if biases.is_empty() {
        return (&mut gradients[weights], &mut []);
    }
    let (kernel, bias) = gradients[weights.start..biases.end].split_at_mut(biases.start - weights.start);
    (&mut kernel[..weights.len()], bias)
}
