//! Activation functions of one value, and their derivatives.

use crate::simd::{Select, Simd, SimdBase};

/// An activation that looks at one value at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Elementwise {
    Linear,
    Relu,
    Sigmoid,
    Tanh,
}

impl Elementwise {
    /// Whether a larger input never gives a smaller output, so that it may follow a max pooling as well as come before
    /// it.
    pub(crate) fn grows(self) -> bool {
        match self {
            Self::Linear | Self::Relu | Self::Sigmoid | Self::Tanh => true,
        }
    }

    /// Whether about half of the gradients that it hands back are zero.
    pub(crate) fn is_sparse_behind(self) -> bool {
        match self {
            Self::Relu => true,
            Self::Linear | Self::Sigmoid | Self::Tanh => false,
        }
    }
}

/// Applies the activation in place.
pub(crate) fn activate<S: Simd>(simd: S, activation: Elementwise, values: &mut [f32]) {
    simd.vectorize(
        #[inline(always)]
        || match activation {
            Elementwise::Linear => {}
            // Not `max`: that would turn NaN, which must reach the loss, into 0.
            Elementwise::Relu => values.iter_mut().for_each(|y| *y = if *y < 0.0 { 0.0 } else { *y }),
            Elementwise::Sigmoid => values.iter_mut().for_each(|y| *y = 1.0 / (1.0 + (-*y).exp())),
            Elementwise::Tanh => values.iter_mut().for_each(|y| *y = y.tanh()),
        },
    );
}

/// Turns the gradient of the output into that of the input, in place.
///
/// - y: the outputs; dy: the same shape
pub(crate) fn activate_backward<S: Simd>(simd: S, activation: Elementwise, y: &[f32], dy: &mut [f32]) {
    simd.vectorize(
        #[inline(always)]
        || {
            let pairs = dy.iter_mut().zip(y);
            match activation {
                Elementwise::Linear => {}
                Elementwise::Relu => relu_backward(simd, y, dy),
                Elementwise::Sigmoid => pairs.for_each(|(dy, y)| *dy *= y * (1.0 - y)),
                Elementwise::Tanh => pairs.for_each(|(dy, y)| *dy *= 1.0 - y * y),
            }
        },
    );
}

#[inline(always)]
fn relu_backward<S: Simd>(simd: S, y: &[f32], dy: &mut [f32]) {
    let lanes = S::f32s::LEN;
    let whole = dy.len() - dy.len() % lanes;
    let zero = S::f32s::splat(simd, 0.0);
    for (dy, y) in dy[..whole].chunks_exact_mut(lanes).zip(y[..whole].chunks_exact(lanes)) {
        let positive = S::f32s::from_slice(simd, y).simd_gt(zero);
        positive.select(S::f32s::from_slice(simd, dy), zero).store_slice(dy);
    }
    for (dy, y) in dy[whole..].iter_mut().zip(&y[whole..]) {
        *dy = if *y > 0.0 { *dy } else { 0.0 };
    }
}
