//! One step of Nadam over a stretch of parameters.

use super::tiny::{flushed, flushed_beside, square};
use crate::simd::Simd;

/// The numbers of one step, the same for every parameter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NadamStep {
    pub(crate) rate: f32,
    pub(crate) beta_1: f32,
    pub(crate) beta_2: f32,
    pub(crate) epsilon: f32,
    /// What the first moment counts in the corrected one.
    pub(crate) moment_part: f32,
    /// What the gradient counts there.
    pub(crate) gradient_part: f32,
    /// What corrects the second moment for its bias.
    pub(crate) correction: f32,
}

/// Updates parameters and both moments; all slices have one length.
pub(crate) fn nadam_update<S: Simd>(
    simd: S,
    step: NadamStep,
    gradients: &[f32],
    parameters: &mut [f32],
    first: &mut [f32],
    second: &mut [f32],
) {
    simd.vectorize(
        #[inline(always)]
        || {
            let NadamStep { rate, beta_1, beta_2, epsilon, moment_part, gradient_part, correction } = step;
            let moments = first.iter_mut().zip(second.iter_mut());
            for ((parameter, g), (m, v)) in parameters.iter_mut().zip(gradients).zip(moments) {
                *m = flushed(*m + (g - *m) * (1.0 - beta_1));
                *v = flushed_beside(*v + (square(*g) - *v) * (1.0 - beta_2), *m);
                let corrected = moment_part * *m + gradient_part * g;
                *parameter -= rate * corrected / ((correction * *v).sqrt() + epsilon);
            }
        },
    );
}
