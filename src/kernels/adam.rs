//! One step of Adam over a stretch of parameters.

use super::tiny::{flushed, flushed_beside, square};
use crate::simd::Simd;

/// The numbers of one step, the same for every parameter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AdamStep {
    /// The learning rate with both bias corrections in it.
    pub(crate) rate: f32,
    pub(crate) beta_1: f32,
    pub(crate) beta_2: f32,
    pub(crate) epsilon: f32,
}

/// Updates parameters and both moments; all slices have one length.
pub(crate) fn adam_update<S: Simd>(
    simd: S,
    step: AdamStep,
    gradients: &[f32],
    parameters: &mut [f32],
    first: &mut [f32],
    second: &mut [f32],
) {
    simd.vectorize(
        #[inline(always)]
        || {
            let AdamStep { rate, beta_1, beta_2, epsilon } = step;
            let moments = first.iter_mut().zip(second.iter_mut());
            for ((parameter, g), (m, v)) in parameters.iter_mut().zip(gradients).zip(moments) {
                *m = flushed(*m + (g - *m) * (1.0 - beta_1));
                *v = flushed_beside(*v + (square(*g) - *v) * (1.0 - beta_2), *m);
                *parameter -= rate * *m / (v.sqrt() + epsilon);
            }
        },
    );
}

/// The same with AMSGrad: steps are divided by the largest second moment so far.
pub(crate) fn amsgrad_update<S: Simd>(
    simd: S,
    step: AdamStep,
    gradients: &[f32],
    parameters: &mut [f32],
    [first, second, largest]: [&mut [f32]; 3],
) {
    simd.vectorize(
        #[inline(always)]
        || {
            let AdamStep { rate, beta_1, beta_2, epsilon } = step;
            let moments = first.iter_mut().zip(second.iter_mut()).zip(largest.iter_mut());
            for ((parameter, g), ((m, v), largest)) in parameters.iter_mut().zip(gradients).zip(moments) {
                *m = flushed(*m + (g - *m) * (1.0 - beta_1));
                *v = flushed_beside(*v + (square(*g) - *v) * (1.0 - beta_2), *m);
                // Not `max`, which would forget a NaN.
                *largest = if *largest > *v { *largest } else { *v };
                *parameter -= rate * *m / (largest.sqrt() + epsilon);
            }
        },
    );
}
