//! One step of Lion over a stretch of parameters.

use crate::simd::Simd;

/// The numbers of one step, the same for every parameter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LionStep {
    pub(crate) rate: f32,
    pub(crate) beta_1: f32,
    pub(crate) beta_2: f32,
}

/// Moments below this are zero: a little more than the smallest normal number.
const LEAST: f32 = 2.0 * f32::MIN_POSITIVE;

/// Updates parameters and their moment; all slices have one length.
pub(crate) fn lion_update<S: Simd>(
    simd: S,
    step: LionStep,
    gradients: &[f32],
    parameters: &mut [f32],
    moments: &mut [f32],
) {
    simd.vectorize(
        #[inline(always)]
        || {
            let LionStep { rate, beta_1, beta_2 } = step;
            for ((parameter, g), m) in parameters.iter_mut().zip(gradients).zip(moments) {
                *parameter -= rate * sign(*m * beta_1 + g * (1.0 - beta_1));
                *m = *m * beta_2 + g * (1.0 - beta_2);
                // The sign of any moment counts in full, so only what is nearly subnormal is flushed.
                *m = if m.abs() < LEAST { 0.0 } else { *m };
            }
        },
    );
}

/// 1, -1, or the value itself if it is 0 or NaN; `signum` has no 0.
#[inline(always)]
fn sign(value: f32) -> f32 {
    if value == 0.0 || value.is_nan() { value } else { 1.0_f32.copysign(value) }
}
