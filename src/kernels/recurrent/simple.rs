//! The simple recurrent cell: `h = activation(x + h U)`.

use super::{Functions, derivative_of};
use crate::kernels::activation::{activate, activate_backward};
use crate::kernels::tiny::flushed;
use crate::simd::Simd;

/// One step of one example.
///
/// - x: the projected input; z: the product with the recurrent kernel, which becomes the state
/// - inputs: what the function is applied to, empty where nobody reads that
pub(crate) fn simple_forward<S: Simd>(simd: S, of: Functions, x: &[f32], z: &mut [f32], inputs: &mut [f32]) {
    z.iter_mut().zip(x).for_each(|(z, x)| *z = flushed(*z + x));
    inputs.copy_from_slice(&z[..inputs.len()]);
    activate(simd, of.activation, z);
}

/// - z, inputs: as the forward pass has left them; dh: the gradient of the state; dz: that of the projected input
pub(crate) fn simple_backward<S: Simd>(
    simd: S,
    of: Functions,
    (z, inputs): (&[f32], &[f32]),
    dh: &[f32],
    dz: &mut [f32],
) {
    dz.copy_from_slice(dh);
    activate_backward(simd, of.activation, derivative_of(of.activation, z, inputs), dz);
}
