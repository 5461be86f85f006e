//! One step of gradient descent over a stretch of parameters.

use super::tiny::flushed;
use crate::simd::Simd;

/// `w -= rate * g`.
pub(crate) fn sgd_update<S: Simd>(simd: S, rate: f32, gradients: &[f32], parameters: &mut [f32]) {
    simd.vectorize(
        #[inline(always)]
        || parameters.iter_mut().zip(gradients).for_each(|(w, g)| *w -= rate * g),
    );
}

/// Whether a step looks ahead along the velocity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lookahead {
    None,
    Nesterov,
}

/// `velocity = momentum * velocity - rate * g`, and `w += velocity`, or with Nesterov's look ahead
/// `w += momentum * velocity - rate * g`.
pub(crate) fn momentum_update<S: Simd>(
    simd: S,
    rate: f32,
    momentum: f32,
    lookahead: Lookahead,
    gradients: &[f32],
    parameters: &mut [f32],
    velocities: &mut [f32],
) {
    simd.vectorize(
        #[inline(always)]
        || {
            for ((w, g), velocity) in parameters.iter_mut().zip(gradients).zip(velocities) {
                *velocity = flushed(momentum * *velocity - rate * g);
                *w += match lookahead {
                    Lookahead::None => *velocity,
                    Lookahead::Nesterov => momentum * *velocity - rate * g,
                };
            }
        },
    );
}
