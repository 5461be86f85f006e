//! Runs a plan over one chunk of examples, forward and backward: picks the kernel and the memory for each step. It knows
//! nothing of threads, batches, losses or optimizers.

mod backward;
mod forward;
mod workspace;

pub(crate) use backward::backward;
pub(crate) use forward::{Pass, forward};
pub(crate) use workspace::Workspace;

use crate::aligned::AlignedBuffer;
use crate::plan::Plan;
use crate::simd::Simd;

/// A model's parameters, and the copy of its kernels that the forward pass reads.
#[derive(Clone, Debug)]
pub(crate) struct Parameters {
    /// All parameters, laid out as the plan says.
    pub(crate) flat: AlignedBuffer,
    /// The kernels packed for the forward pass; [`Parameters::pack`] makes it true after a change of `flat`.
    pub(crate) packed: AlignedBuffer,
}

impl Parameters {
    /// All zeros.
    pub(crate) fn zeroed(plan: &Plan) -> Self {
        Self { flat: AlignedBuffer::zeroed(plan.parameter_len), packed: AlignedBuffer::zeroed(plan.packed_len) }
    }

    /// Packs every kernel anew.
    pub(crate) fn pack<S: Simd>(&mut self, simd: S, plan: &Plan) {
        for conv in plan.steps.iter().filter_map(|step| step.conv()) {
            let (weights, biases) = (&self.flat[conv.weights.clone()], &self.flat[conv.biases.clone()]);
            conv.layout.pack(simd, weights, biases, &mut self.packed[conv.packed.clone()]);
        }
    }
}
