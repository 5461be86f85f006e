//! Runs a plan over one chunk of examples, forward and backward: picks the kernel and the memory for each step. It
//! knows nothing of threads, batches, losses or optimizers.

mod backward;
mod forward;
mod workspace;

pub(crate) use backward::backward;
pub(crate) use forward::{Pass, forward};
pub(crate) use workspace::Workspace;

use crate::aligned::AlignedBuffer;
use crate::plan::{Plan, Step};
use crate::simd::Simd;

/// A model's parameters, and the copy of its kernels that the forward pass reads.
#[derive(Clone, Debug)]
pub(crate) struct Parameters {
    /// All parameters, laid out as the plan says.
    pub(crate) flat: AlignedBuffer,
    /// The kernels packed for the forward pass; to be made anew after a change of `flat`, with [`pack_step`].
    pub(crate) packed: AlignedBuffer,
}

impl Parameters {
    /// All zeros.
    pub(crate) fn zeroed(plan: &Plan) -> Self {
        Self { flat: AlignedBuffer::zeroed(plan.parameter_len), packed: AlignedBuffer::zeroed(plan.packed_len) }
    }
}

/// Packs the kernel of one step for the forward pass, if it has one.
///
/// - flat: all parameters; packed: the step's part of the packed kernels
pub(crate) fn pack_step<S: Simd>(simd: S, step: &Step, flat: &[f32], packed: &mut [f32]) {
    if let Some(conv) = step.conv() {
        conv.layout.pack(simd, &flat[conv.weights.clone()], &flat[conv.biases.clone()], packed);
    }
}
