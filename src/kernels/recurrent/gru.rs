//! The gated recurrent unit ([Cho et al., 2014](https://arxiv.org/abs/1406.1078)), with the reset gate on either side
//! of the product.
//!
//! Update gate `z`, reset gate `r`, candidate `g`: `h = z h_before + (1 - z) g`. What `g` is made of beside the input
//! is, behind the product, `r` times it; before the product, the product with `r` times the state.

use super::{Functions, derivative_of};
use crate::kernels::activation::{activate, activate_backward};
use crate::kernels::tiny::flushed;
use crate::simd::Simd;

/// What the forward pass has left of one step of one example.
#[derive(Clone, Copy)]
pub(crate) struct GruKept<'a> {
    /// (3 units): the gates.
    pub(crate) gates: &'a [f32],
    /// The same: what their functions were applied to, empty where nobody reads that.
    pub(crate) inputs: &'a [f32],
    pub(crate) h_before: &'a [f32],
}

/// The first part of a step of one example: the update and the reset gate.
///
/// - x: the projected input, (3 units); gates: (2 units), products with the recurrent kernel, which become gates
/// - inputs: what functions are applied to, empty where nobody reads that
/// - factor: what the reset gate is multiplied with, (units), and where that goes
pub(crate) fn gru_reset<S: Simd>(
    simd: S,
    of: Functions,
    x: &[f32],
    (gates, inputs): (&mut [f32], &mut [f32]),
    (factor, product): (&[f32], &mut [f32]),
) {
    simd.vectorize(
        #[inline(always)]
        || {
            gates.iter_mut().zip(x).for_each(|(gate, x)| *gate += x);
            inputs.copy_from_slice(&gates[..inputs.len()]);
            activate(simd, of.recurrent, gates);
            let units = factor.len();
            let (reset, product) = (&gates[units..][..units], &mut product[..units]);
            for j in 0..units {
                product[j] = reset[j] * factor[j];
            }
        },
    );
}

/// The second part: the candidate, and the state.
///
/// - x: the candidate's part of the projected input; candidate: what it is made of beside that, which becomes it
/// - input: what its function is applied to, empty where nobody reads that; update: that gate
pub(crate) fn gru_forward<S: Simd>(
    simd: S,
    of: Functions,
    x: &[f32],
    (candidate, input): (&mut [f32], &mut [f32]),
    (update, h_before): (&[f32], &[f32]),
    h: &mut [f32],
) {
    simd.vectorize(
        #[inline(always)]
        || {
            candidate.iter_mut().zip(x).for_each(|(candidate, x)| *candidate += x);
            input.copy_from_slice(&candidate[..input.len()]);
            activate(simd, of.activation, candidate);
            let units = h.len();
            let (update, h_before, candidate) = (&update[..units], &h_before[..units], &candidate[..units]);
            for j in 0..units {
                h[j] = flushed(update[j] * h_before[j] + (1.0 - update[j]) * candidate[j]);
            }
        },
    );
}

/// The gradients of the update gate and of the candidate.
///
/// - dh: the gradient of the state, which becomes what goes to the one before past the gates
/// - dz: the gradient of the projected input, (3 units), of which the reset gate's is left out
pub(crate) fn gru_backward<S: Simd>(simd: S, of: Functions, kept: GruKept<'_>, dh: &mut [f32], dz: &mut [f32]) {
    let GruKept { gates, inputs, h_before } = kept;
    let units = dh.len();
    simd.vectorize(
        #[inline(always)]
        || {
            let (update, candidate) = (&gates[..units], &gates[2 * units..]);
            let (d_update, rest) = dz.split_at_mut(units);
            let (h_before, candidate) = (&h_before[..units], &candidate[..units]);
            let d_candidate = &mut rest[units..][..units];
            for j in 0..units {
                d_update[j] = dh[j] * (h_before[j] - candidate[j]);
                d_candidate[j] = dh[j] * (1.0 - update[j]);
                dh[j] *= update[j];
            }
            let of_update = &derivative_of(of.recurrent, gates, inputs)[..units];
            activate_backward(simd, of.recurrent, of_update, d_update);
            let of_candidate = &derivative_of(of.activation, gates, inputs)[2 * units..];
            activate_backward(simd, of.activation, of_candidate, d_candidate);
        },
    );
}

/// The gradient of the reset gate, and that of what the gate was multiplied with.
///
/// - d_product: the gradient of the product of both, which becomes that of the factor
/// - d_reset: the reset gate's part of the gradient of the projected input
pub(crate) fn gru_finish_backward<S: Simd>(
    simd: S,
    of: Functions,
    kept: GruKept<'_>,
    factor: &[f32],
    d_product: &mut [f32],
    d_reset: &mut [f32],
) {
    let GruKept { gates, inputs, .. } = kept;
    let units = factor.len();
    simd.vectorize(
        #[inline(always)]
        || {
            let reset = &gates[units..2 * units];
            let (d_product, d_reset) = (&mut d_product[..units], &mut d_reset[..units]);
            for j in 0..units {
                d_reset[j] = d_product[j] * factor[j];
                d_product[j] *= reset[j];
            }
            let of_reset = &derivative_of(of.recurrent, gates, inputs)[units..2 * units];
            activate_backward(simd, of.recurrent, of_reset, d_reset);
        },
    );
}
