//! Runs a plan over one chunk of examples, forward and backward: what each step computes and keeps is in `steps`. It
//! knows nothing of threads, batches, losses or optimizers.

mod backward;
mod forward;
mod gradients;
mod memory;
mod run;
mod steps;
#[cfg(test)]
pub(crate) mod tests;
mod workspace;

pub(crate) use backward::backward;
pub(crate) use forward::{Pass, forward};
pub(crate) use gradients::{Gradients, kept_len, stride};
pub(crate) use run::Purpose;
pub(crate) use workspace::Workspace;

use crate::aligned::AlignedBuffer;
use crate::plan::{ConvStep, InputGradient, Plan};
use crate::simd::Simd;
use std::ops::Range;

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
    let (forward, turned) = packed.split_at_mut(conv.layout.packed_len());
    let weights = &flat[conv.weights.clone()];
    conv.layout.pack(simd, weights, &flat[conv.biases.clone()], forward);
    match &conv.input_gradient {
        InputGradient::Turned(layout) => layout.pack(simd, weights, turned),
        InputGradient::Nobody | InputGradient::Sets | InputGradient::Dense => {}
    }
}

/// Where some filters of a step are cut in two that are to be packed; `None` where they are one job.
pub(crate) fn cut_packing(conv: &ConvStep, filters: &Range<usize>) -> Option<usize> {
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
