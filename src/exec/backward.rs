//! The backward pass of one chunk.

use super::Parameters;
use super::workspace::Workspace;
use crate::kernels::activation::activate_backward;
use crate::kernels::conv2d::SLACK;
use crate::kernels::conv2d_backward::conv2d_backward;
use crate::kernels::max_pool::max_pool_backward;
use crate::kernels::nonzeros::images_at_once;
use crate::kernels::padding::crop;
use crate::kernels::softmax::softmax_backward;
use crate::plan::{Plan, StepKind};
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
    let Workspace { input, steps, gradients: [dy, dx], padded_gradient, nonzeros, .. } = workspace;
    let (mut dy, mut dx) = (dy, dx);
    for (index, step) in plan.steps.iter().enumerate().rev() {
        let (before, from) = steps.split_at(index);
        let x = before.last().map_or(&*input, |memory| &memory.output);
        let memory = &from[0];
        let (inputs, outputs) = (images * step.input_len, images * step.output_len);
        let y = &memory.output[..outputs];
        match &step.kind {
            StepKind::Conv(conv) => {
                let layout = &conv.layout;
                activate_backward(simd, conv.activation, y, &mut dy[..outputs]);
                let (x, dx_of_x) = match conv.border {
                    Some(_) => (&memory.padded, &mut *padded_gradient),
                    None => (x, &mut *dx),
                };
                let mut dx_of_x = step.needs_input_gradient.then(|| {
                    let dx = &mut dx_of_x[..images * layout.image_len + SLACK];
                    dx.fill(0.0);
                    dx
                });
                let weights = &parameters.flat[conv.weights.clone()];
                let (dw, db) = weight_gradients(gradients, conv.weights.clone(), conv.biases.clone());
                let at_once = images_at_once(layout, images);
                for start in (0..images).step_by(at_once) {
                    let some = start..(start + at_once).min(images);
                    nonzeros.collect(layout, some, &dy[..outputs], &memory.winners);
                    conv2d_backward(simd, layout, nonzeros, x, weights, dw, db, dx_of_x.as_deref_mut());
                }
                if let Some((window, channels)) = conv.border.as_ref().filter(|_| step.needs_input_gradient) {
                    crop(window, *channels, images, padded_gradient, dx);
                }
                std::mem::swap(&mut dy, &mut dx);
            }
            StepKind::MaxPool { .. } => {
                let winners = &memory.indices[..outputs];
                max_pool_backward(step.input_len, step.output_len, &dy[..outputs], winners, &mut dx[..inputs]);
                std::mem::swap(&mut dy, &mut dx);
            }
            StepKind::Activate(activation) => activate_backward(simd, *activation, y, &mut dy[..outputs]),
            StepKind::Softmax { classes } => softmax_backward(y, &mut dy[..outputs], *classes),
            StepKind::Dropout { .. } => {
                dy[..outputs].iter_mut().zip(&memory.mask).for_each(|(dy, factor)| *dy *= factor);
            }
        }
        if !step.needs_input_gradient {
            break;
        }
    }
}

/// A layer's kernel and bias gradients; the bias lies behind the kernel, or is empty.
fn weight_gradients(
    gradients: &mut [f32],
    weights: std::ops::Range<usize>,
    biases: std::ops::Range<usize>,
) -> (&mut [f32], &mut [f32]) {
    if biases.is_empty() {
        return (&mut gradients[weights], &mut []);
    }
    let (kernel, bias) = gradients[weights.start..biases.end].split_at_mut(biases.start - weights.start);
    (&mut kernel[..weights.len()], bias)
}
