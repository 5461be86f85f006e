//! Runs a plan over one chunk of examples, forward and backward: what each step computes and keeps is in `steps`. It
//! knows nothing of threads, batches, losses or optimizers.

mod backward;
#[cfg(feature = "privacy")]
mod clipped;
mod forward;
mod gradients;
mod looked_up;
mod meeting;
mod memory;
mod run;
mod steps;
#[cfg(test)]
pub(crate) mod tests;
mod travelling;
mod workspace;

pub(crate) use backward::{backward, backward_phase};
pub(crate) use forward::{Pass, Phase, forward, forward_phase, forward_steps, infer_step};
pub(crate) use gradients::{Gradients, kept_len, stride};
pub(crate) use meeting::{Direction, Meeting, StateUpdate};
pub(crate) use memory::Scratch;
pub(crate) use run::Purpose;
pub(crate) use travelling::Factored;
pub(crate) use workspace::{OutputBuffers, Workspace};

use crate::aligned::AlignedBuffer;
use crate::plan::{ConvStep, FoldedNorm, ForwardAlgorithm, InputGradient, Plan};
use crate::simd::Simd;
use std::ops::Range;
use steps::MovingScaling;

/// The values of a model's weights, and the copy of its kernels that the forward pass reads.
#[derive(Clone, Debug)]
pub(crate) struct Weights {
    /// All weights, laid out as the plan says.
    pub(crate) flat: AlignedBuffer,
    /// The kernels packed for the forward pass, and turned for input gradients; to be made anew after a change of
    /// `flat`, with [`pack_filters`].
    pub(crate) packed: AlignedBuffer,
}

impl Weights {
    /// Those that are trained, with the slack behind them.
    pub(crate) fn trained_mut(&mut self, plan: &Plan) -> &mut [f32] {
        &mut self.flat[..plan.parameters.trained_len]
    }

    /// All zeros.
    pub(crate) fn zeroed(plan: &Plan) -> Self {
        Self { flat: AlignedBuffer::zeroed(plan.parameters.len), packed: AlignedBuffer::zeroed(plan.packed_len) }
    }
}

/// Packs the kernel of one step: for the forward pass, and for the input gradients where they need that.
///
/// - flat: all weights; packed: the step's part of the packed kernels
pub(crate) fn pack_kernel<S: Simd>(simd: S, conv: &ConvStep, flat: &[f32], packed: &mut [f32]) {
    if let Some(folded) = &conv.norm {
        let FoldedKernel { weights, biases } = fold(conv, folded, flat);
        return conv.layout.pack(simd, &weights, &biases, packed);
    }
    let weights = &flat[conv.weights.clone()];
    let turned = match conv.forward {
        ForwardAlgorithm::Stored => packed,
        ForwardAlgorithm::Direct | ForwardAlgorithm::Tiny | ForwardAlgorithm::Winograd => {
            let (forward, turned) = packed.split_at_mut(conv.layout.packed_len());
            conv.layout.pack(simd, weights, &flat[conv.biases.clone()], forward);
            turned
        }
    };
    match &conv.input_gradient {
        InputGradient::Turned(layout) => layout.pack(simd, weights, turned),
        InputGradient::Nobody | InputGradient::Sets | InputGradient::Dense => {}
    }
}

/// A kernel as the backward pass would read it, and its biases.
pub(crate) struct FoldedKernel {
    /// (filters, window).
    pub(crate) weights: Vec<f32>,
    /// (filters).
    pub(crate) biases: Vec<f32>,
}

/// The kernel of a step, with the normalization that is part of it, and its biases, zeros where it has none.
pub(crate) fn kernel_of(conv: &ConvStep, flat: &[f32]) -> FoldedKernel {
    match &conv.norm {
        Some(folded) => fold(conv, folded, flat),
        None => {
            let mut biases = flat[conv.biases.clone()].to_vec();
            biases.resize(conv.layout.filters, 0.0);
            FoldedKernel { weights: flat[conv.weights.clone()].to_vec(), biases }
        }
    }
}

/// The kernel of a step with the normalization behind it made part of it: only inference has such steps.
fn fold(conv: &ConvStep, FoldedNorm { norm, weights }: &FoldedNorm, flat: &[f32]) -> FoldedKernel {
    let scalings = || norm.moving_scalings(flat, weights, &flat[conv.biases.clone()]);
    let kernel = flat[conv.weights.clone()].chunks_exact(conv.layout.window_len()).zip(scalings());
    let weights =
        kernel.flat_map(|(window, MovingScaling { scale, .. })| window.iter().map(move |weight| weight * scale));
    FoldedKernel { weights: weights.collect(), biases: scalings().map(|scaling| scaling.offset).collect() }
}

/// Where some filters of a step are cut in two that are to be packed; `None` where they are one job.
pub(crate) fn cut_packing(conv: &ConvStep, filters: &Range<usize>) -> Option<usize> {
    if conv.norm.is_some() || conv.packed.is_empty() {
        return None;
    }
    match &conv.input_gradient {
        InputGradient::Turned(_) => None,
        InputGradient::Nobody | InputGradient::Sets | InputGradient::Dense => conv.layout.cut_packing(filters),
    }
}

/// Packs some filters of a step's kernel, all of them or between cuts of [`cut_packing`].
///
/// - flat: all weights; packed: these filters' part of the packed kernels
pub(crate) fn pack_filters<S: Simd>(simd: S, conv: &ConvStep, filters: Range<usize>, flat: &[f32], packed: &mut [f32]) {
    if filters.len() == conv.layout.filters {
        return pack_kernel(simd, conv, flat, packed);
    }
    let window_len = conv.layout.window_len();
    let weights = &flat[conv.weights.clone()][filters.start * window_len..filters.end * window_len];
    let biases = flat[conv.biases.clone()].get(filters).unwrap_or_default();
    conv.layout.pack_filters(simd, weights, biases, packed);
}
