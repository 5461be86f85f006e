//! Runs a plan over one chunk of examples, forward and backward: what each step computes and keeps is in `steps`. It
//! knows nothing of threads, batches, losses or optimizers.

mod backward;
mod forward;
mod memory;
mod run;
mod steps;
#[cfg(test)]
pub(crate) mod tests;
mod workspace;

pub(crate) use backward::backward;
pub(crate) use forward::{Pass, forward};
pub(crate) use run::Purpose;
pub(crate) use workspace::Workspace;

use crate::aligned::AlignedBuffer;
use crate::plan::{InputGradient, Plan, Step};
use crate::simd::Simd;

/// The values of a model's weights, and the copy of its kernels that the forward pass reads.
#[derive(Clone, Debug)]
pub(crate) struct Weights {
    /// All weights, laid out as the plan says.
    pub(crate) flat: AlignedBuffer,
    /// The kernels packed for the forward pass, and turned for input gradients; to be made anew after a change of
    /// `flat`, with [`pack_step`].
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

/// Packs the kernel of one step, if it has one: for the forward pass, and for the input gradients where they need that.
///
/// - flat: all weights; packed: the step's part of the packed kernels
pub(crate) fn pack_step<S: Simd>(simd: S, step: &Step, flat: &[f32], packed: &mut [f32]) {
    if let Some(conv) = step.conv() {
        let (forward, turned) = packed.split_at_mut(conv.layout.packed_len());
        let weights = &flat[conv.weights.clone()];
        conv.layout.pack(simd, weights, &flat[conv.biases.clone()], forward);
        match &conv.input_gradient {
            InputGradient::Turned(layout) => layout.pack(simd, weights, turned),
            InputGradient::Nobody | InputGradient::Sets | InputGradient::Dense => {}
        }
    }
}
