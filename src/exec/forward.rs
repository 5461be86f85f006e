//! The forward pass of one chunk.

use super::Parameters;
use super::workspace::{StepMemory, Workspace};
use crate::kernels::activation::activate;
use crate::kernels::conv2d_forward::conv2d_forward;
use crate::kernels::conv2d_forward_small::{conv2d_forward_small, has_tiny_windows};
use crate::kernels::max_pool::max_pool_forward;
use crate::kernels::padding::pad;
use crate::kernels::softmax::softmax;
use crate::kernels::winograd::winograd_forward;
use crate::plan::{ConvStep, Plan, StepKind};
use crate::random::{Stream, stream};
use crate::simd::Simd;
use rand::RngExt;

/// What a forward pass is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pass {
    /// Predicting: dropout does nothing, and what only a backward pass needs is not kept.
    Inference,
    /// Training: `first_example` is the place of the chunk's first example in its batch.
    Training { seed: u64, step: u64, first_example: usize },
}

/// Runs every step on the first `images` examples of the workspace's input.
pub(crate) fn forward<S: Simd>(
    simd: S,
    plan: &Plan,
    parameters: &Parameters,
    workspace: &mut Workspace,
    images: usize,
    pass: Pass,
) {
    let Workspace { input, steps, scratch, .. } = workspace;
    for (index, step) in plan.steps.iter().enumerate() {
        let (before, from) = steps.split_at_mut(index);
        let x = before.last().map_or(&*input, |memory| &memory.output);
        let memory = &mut from[0];
        let (inputs, outputs) = (images * step.input_len, images * step.output_len);
        match &step.kind {
            StepKind::Conv(conv) => conv_forward(simd, conv, parameters, x, scratch, memory, images, pass),
            StepKind::MaxPool { window, channels } => {
                let (out, winners) = (&mut memory.output[..outputs], &mut memory.winners[..outputs]);
                max_pool_forward(simd, window, *channels, &x[..inputs], out, winners);
            }
            StepKind::Activate(activation) => {
                memory.output[..outputs].copy_from_slice(&x[..inputs]);
                activate(simd, *activation, &mut memory.output[..outputs]);
            }
            StepKind::Softmax { classes } => {
                memory.output[..outputs].copy_from_slice(&x[..inputs]);
                softmax(&mut memory.output[..outputs], *classes);
            }
            StepKind::Dropout { rate, layer } => {
                memory.output[..outputs].copy_from_slice(&x[..inputs]);
                drop_out(*rate, *layer, pass, step.output_len, memory, images);
            }
        }
    }
}

#[expect(clippy::too_many_arguments, reason = "each is one tensor of the operation")]
fn conv_forward<S: Simd>(
    simd: S,
    conv: &ConvStep,
    parameters: &Parameters,
    x: &[f32],
    scratch: &mut [f32],
    memory: &mut StepMemory,
    images: usize,
    pass: Pass,
) {
    let StepMemory { output, padded, winners, .. } = memory;
    let x = match &conv.border {
        Some((window, channels)) => {
            pad(window, *channels, images, x, padded);
            padded
        }
        None => x,
    };
    let winners = match pass {
        Pass::Inference => &mut [],
        Pass::Training { .. } => &mut winners[..],
    };
    let packed = &parameters.packed[conv.packed.clone()];
    let (layout, activation) = (&conv.layout, conv.activation);
    match &layout.winograd {
        Some(winograd) => {
            winograd_forward(simd, layout, winograd, activation, x, packed, images, scratch, output, winners);
        }
        None if has_tiny_windows(layout) => {
            conv2d_forward_small(simd, layout, activation, x, packed, images, output, winners);
        }
        None => conv2d_forward(simd, layout, activation, x, packed, images, scratch, output, winners),
    }
}

/// Each example draws from a stream of its own, so that chunks may run in any order.
fn drop_out(rate: f32, layer: usize, pass: Pass, len: usize, memory: &mut StepMemory, images: usize) {
    let Pass::Training { seed, step, first_example } = pass else {
        return;
    };
    let kept = 1.0 / (1.0 - rate);
    let examples = memory.output.chunks_exact_mut(len).zip(memory.mask.chunks_exact_mut(len)).take(images);
    for (image, (output, mask)) in examples.enumerate() {
        let mut random = stream(seed, Stream::Dropout { layer, step, example: first_example + image });
        for (value, factor) in output.iter_mut().zip(mask) {
            *factor = if random.random::<f32>() < rate { 0.0 } else { kept };
            *value *= *factor;
        }
    }
}
