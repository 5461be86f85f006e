//! One step of RMSprop over a stretch of parameters: plain, centred, with momentum, with both.

use super::tiny::{flushed, flushed_beside, flushed_root, square as square_of};
use crate::simd::Simd;

/// The numbers of one step, the same for every parameter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RmsPropStep {
    pub(crate) rate: f32,
    pub(crate) rho: f32,
    pub(crate) momentum: f32,
    pub(crate) epsilon: f32,
}

impl RmsPropStep {
    /// The running mean of the squares, with this gradient in it.
    #[inline(always)]
    fn square(self, square: f32, g: f32) -> f32 {
        flushed_beside(self.rho * square + (1.0 - self.rho) * square_of(g), g)
    }

    /// The running mean of the gradients, with this one in it.
    #[inline(always)]
    fn mean(self, mean: f32, g: f32) -> f32 {
        flushed_root(self.rho * mean + (1.0 - self.rho) * g)
    }

    /// How far a gradient goes with this variance.
    #[inline(always)]
    fn increment(self, g: f32, variance: f32) -> f32 {
        self.rate * g / (variance + self.epsilon).sqrt()
    }
}

/// Updates parameters and the mean squares; all slices have one length, here and below.
pub(crate) fn rms_prop_update<S: Simd>(
    simd: S,
    step: RmsPropStep,
    gradients: &[f32],
    parameters: &mut [f32],
    squares: &mut [f32],
) {
    simd.vectorize(
        #[inline(always)]
        || {
            for ((parameter, g), square) in parameters.iter_mut().zip(gradients).zip(squares) {
                *square = step.square(*square, *g);
                *parameter -= step.increment(*g, *square);
            }
        },
    );
}

/// With momentum.
pub(crate) fn rms_prop_momentum_update<S: Simd>(
    simd: S,
    step: RmsPropStep,
    gradients: &[f32],
    parameters: &mut [f32],
    squares: &mut [f32],
    velocities: &mut [f32],
) {
    simd.vectorize(
        #[inline(always)]
        || {
            let state = squares.iter_mut().zip(velocities);
            for ((parameter, g), (square, velocity)) in parameters.iter_mut().zip(gradients).zip(state) {
                *square = step.square(*square, *g);
                *velocity = flushed(step.momentum * *velocity + step.increment(*g, *square));
                *parameter -= *velocity;
            }
        },
    );
}

/// Centred: divided by the root of the variance instead of the mean square.
pub(crate) fn rms_prop_centered_update<S: Simd>(
    simd: S,
    step: RmsPropStep,
    gradients: &[f32],
    parameters: &mut [f32],
    squares: &mut [f32],
    means: &mut [f32],
) {
    simd.vectorize(
        #[inline(always)]
        || {
            let state = squares.iter_mut().zip(means);
            for ((parameter, g), (square, mean)) in parameters.iter_mut().zip(gradients).zip(state) {
                *square = step.square(*square, *g);
                *mean = step.mean(*mean, *g);
                *parameter -= step.increment(*g, *square - *mean * *mean);
            }
        },
    );
}

/// Centred, with momentum.
pub(crate) fn rms_prop_centered_momentum_update<S: Simd>(
    simd: S,
    step: RmsPropStep,
    gradients: &[f32],
    parameters: &mut [f32],
    [squares, velocities, means]: [&mut [f32]; 3],
) {
    simd.vectorize(
        #[inline(always)]
        || {
            let state = squares.iter_mut().zip(velocities.iter_mut()).zip(means.iter_mut());
            for ((parameter, g), ((square, velocity), mean)) in parameters.iter_mut().zip(gradients).zip(state) {
                *square = step.square(*square, *g);
                *mean = step.mean(*mean, *g);
                let increment = step.increment(*g, *square - *mean * *mean);
                *velocity = flushed(step.momentum * *velocity + increment);
                *parameter -= *velocity;
            }
        },
    );
}
