//! One step of Adagrad over a stretch of parameters.

use super::tiny::square;
use crate::simd::Simd;

/// Adds `g * g` to the sum and takes `rate * g / sqrt(sum + epsilon)` from the parameter; all slices have one length.
pub(crate) fn adagrad_update<S: Simd>(
    simd: S,
    rate: f32,
    epsilon: f32,
    gradients: &[f32],
    parameters: &mut [f32],
    sums: &mut [f32],
) {
    simd.vectorize(
        #[inline(always)]
        || {
            for ((parameter, g), sum) in parameters.iter_mut().zip(gradients).zip(sums) {
                *sum += square(*g);
                *parameter -= rate * g / (*sum + epsilon).sqrt();
            }
        },
    );
}
