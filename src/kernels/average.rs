//! What happens to weights besides the optimizer's step: decay before it, a moving average after it.

use super::tiny::flushed;
use crate::simd::Simd;

/// `w -= w * part`.
pub(crate) fn decay<S: Simd>(simd: S, part: f32, weights: &mut [f32]) {
    simd.vectorize(
        #[inline(always)]
        || weights.iter_mut().for_each(|w| *w = flushed(*w - *w * part)),
    );
}

/// `average = momentum * average + (1 - momentum) * w`.
pub(crate) fn moving_average<S: Simd>(simd: S, momentum: f32, weights: &[f32], averages: &mut [f32]) {
    simd.vectorize(
        #[inline(always)]
        || {
            for (average, w) in averages.iter_mut().zip(weights) {
                *average = flushed(momentum * *average + (1.0 - momentum) * w);
            }
        },
    );
}
