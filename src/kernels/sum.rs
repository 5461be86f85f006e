//! Sums of gradients, in an order that nothing but the batch decides.

use crate::simd::Simd;

/// `sums += values`.
pub(crate) fn add<S: Simd>(simd: S, values: &[f32], sums: &mut [f32]) {
    simd.vectorize(
        #[inline(always)]
        || sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value),
    );
}
