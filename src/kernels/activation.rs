//! Activation functions of one value, and their derivatives.

use super::exp::{between, exp, exp_m1_below_0, normal, sigmoid, softplus, tanh};
use crate::simd::{Select, Simd, SimdBase};

/// The numbers of SELU, with which its outputs keep mean 0 and variance 1: `alpha`, `scale` ([Klambauer et al.,
/// 2017](https://arxiv.org/abs/1706.02515)).
pub(crate) const SELU: (f64, f64) = (1.673_263_242_354_377_2, 1.050_700_987_355_480_5);

/// An activation that looks at one value at a time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Elementwise {
    Linear,
    Relu,
    /// `slope * x` below 0; the slope is positive.
    LeakyRelu {
        slope: f32,
    },
    /// ReLU up to a ceiling of at least 0.
    CappedRelu {
        ceiling: f32,
    },
    /// `x` above the threshold, but no more than the ceiling; `slope * (x - threshold)` up to it. None is negative.
    Rectifier {
        slope: f32,
        threshold: f32,
        ceiling: f32,
    },
    /// `scale * x` above 0, otherwise `scale * alpha * (e^x - 1)`; neither is negative.
    Elu {
        alpha: f32,
        scale: f32,
    },
    Sigmoid,
    HardSigmoid,
    Tanh,
    Softsign,
    Softplus,
    Exponential,
    Silu,
    Gelu,
    GeluTanh,
    Mish,
}

/// What the derivative of a function is found from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Derivative {
    /// Its output alone: the input may be gone.
    OfOutput,
    OfInput,
}

impl Elementwise {
    /// Whether a larger input never gives a smaller output, so that it may follow a max pooling as well as come before
    /// it.
    pub(crate) fn grows(self) -> bool {
        match self {
            Self::Linear
            | Self::Relu
            | Self::LeakyRelu { .. }
            | Self::CappedRelu { .. }
            | Self::Rectifier { .. }
            | Self::Elu { .. }
            | Self::Sigmoid
            | Self::HardSigmoid
            | Self::Tanh
            | Self::Softsign
            | Self::Softplus
            | Self::Exponential => true,
            Self::Silu | Self::Gelu | Self::GeluTanh | Self::Mish => false,
        }
    }

    pub(crate) fn derivative(self) -> Derivative {
        match self {
            Self::Linear
            | Self::Relu
            | Self::LeakyRelu { .. }
            | Self::CappedRelu { .. }
            | Self::Elu { .. }
            | Self::Sigmoid
            | Self::HardSigmoid
            | Self::Tanh
            | Self::Softsign
            | Self::Softplus
            | Self::Exponential => Derivative::OfOutput,
            // One output has several inputs.
            Self::Rectifier { .. } | Self::Silu | Self::Gelu | Self::GeluTanh | Self::Mish => Derivative::OfInput,
        }
    }

    /// Whether about half of the gradients that it hands back are zero.
    pub(crate) fn is_sparse_behind(self) -> bool {
        match self {
            Self::Relu | Self::CappedRelu { .. } => true,
            Self::Rectifier { slope, .. } => slope == 0.0,
            Self::Linear
            | Self::LeakyRelu { .. }
            | Self::Elu { .. }
            | Self::Sigmoid
            | Self::HardSigmoid
            | Self::Tanh
            | Self::Softsign
            | Self::Softplus
            | Self::Exponential
            | Self::Silu
            | Self::Gelu
            | Self::GeluTanh
            | Self::Mish => false,
        }
    }
}

/// Replaces each value. Bounds are comparisons, not `max` and `min`: those would turn NaN, which must reach the loss,
/// into a number. A loop, not `for_each`, which one instruction set may share with another.
#[inline(always)]
fn each(values: &mut [f32], function: impl Fn(f32) -> f32) {
    for value in values {
        *value = function(*value);
    }
}

/// Applies the activation in place.
pub(crate) fn activate<S: Simd>(simd: S, activation: Elementwise, values: &mut [f32]) {
    simd.vectorize(
        #[inline(always)]
        || match activation {
            Elementwise::Linear => {}
            Elementwise::Relu => each(values, |x| if x < 0.0 { 0.0 } else { x }),
            Elementwise::LeakyRelu { slope } => each(values, |x| if x < 0.0 { slope * x } else { x }),
            Elementwise::CappedRelu { ceiling } => each(values, |x| between(0.0, x, ceiling)),
            // No product with a slope of 0, which times infinity is NaN.
            Elementwise::Rectifier { slope: 0.0, threshold, ceiling } => {
                each(values, |x| if x <= threshold { 0.0 } else { capped(x, ceiling) });
            }
            Elementwise::Rectifier { slope, threshold, ceiling } => {
                each(values, |x| if x <= threshold { slope * (x - threshold) } else { capped(x, ceiling) });
            }
            Elementwise::Elu { alpha, scale } => {
                each(values, |x| if x > 0.0 { scale * x } else { scale * alpha * exp_m1_below_0(x) });
            }
            Elementwise::Sigmoid => each(values, sigmoid),
            Elementwise::HardSigmoid => each(values, |x| between(0.0, x + 3.0, 6.0) / 6.0),
            Elementwise::Tanh => each(values, tanh),
            Elementwise::Softsign => each(values, |x| x / (1.0 + x.abs())),
            Elementwise::Softplus => each(values, softplus),
            Elementwise::Exponential => each(values, exp),
            Elementwise::Silu => each(values, |x| x * sigmoid(x)),
            Elementwise::Gelu => each(values, |x| x * normal(x).0),
            Elementwise::GeluTanh => each(values, |x| x * gate(x)),
            Elementwise::Mish => each(values, |x| {
                let [_, squared] = mish_powers(x);
                x * (squared / (squared + 2.0))
            }),
        },
    );
}

#[inline(always)]
fn capped(x: f32, ceiling: f32) -> f32 {
    if x > ceiling { ceiling } else { x }
}

/// The factor of the cheaper form of GELU, `(1 + tanh(z)) / 2`, which is `sigmoid(2 z)` and so keeps its digits where
/// it is small.
#[inline(always)]
fn gate(x: f32) -> f32 {
    sigmoid(x * (GATE[0] + GATE[1] * (x * x)))
}

/// `2 sqrt(2 / pi)`, and that times 0.044715.
const GATE: [f32; 2] = [1.595_769, 7.135_481_6e-2];

/// `e^x`, and `(1 + e^x)^2 - 1`, of which tanh(softplus(x)) is made; where it is 1, of a smaller `x`, so that nothing
/// overflows.
#[inline(always)]
fn mish_powers(x: f32) -> [f32; 2] {
    let power = exp(capped(x, 20.0));
    [power, power * (power + 2.0)]
}

/// Turns the gradient of the output into that of the input, in place.
///
/// - values: outputs or inputs, as [`Elementwise::derivative`] says; dy: the same shape
pub(crate) fn activate_backward<S: Simd>(simd: S, activation: Elementwise, values: &[f32], dy: &mut [f32]) {
    simd.vectorize(
        #[inline(always)]
        || match activation {
            Elementwise::Linear => {}
            Elementwise::Relu => relu_backward(simd, values, dy),
            Elementwise::LeakyRelu { slope } => scale_each(dy, values, |y| if y > 0.0 { 1.0 } else { slope }),
            // Selected, not multiplied, as behind ReLU: no infinite gradient makes a zero NaN.
            Elementwise::CappedRelu { ceiling } => keep_each(dy, values, |y| y > 0.0 && y < ceiling),
            Elementwise::Rectifier { slope: 0.0, threshold, ceiling } => {
                keep_each(dy, values, |x| x > threshold && x < ceiling);
            }
            Elementwise::Rectifier { slope, threshold, ceiling } => scale_each(dy, values, |x| {
                let above = if x < ceiling { 1.0 } else { 0.0 };
                if x > threshold { above } else { slope }
            }),
            Elementwise::Elu { alpha, scale } => {
                scale_each(dy, values, |y| if y > 0.0 { scale } else { y + scale * alpha });
            }
            Elementwise::Sigmoid => scale_each(dy, values, |y| y * (1.0 - y)),
            Elementwise::HardSigmoid => {
                scale_each(dy, values, |y| if y > 0.0 && y < 1.0 { 1.0 / 6.0 } else { 0.0 });
            }
            Elementwise::Tanh => scale_each(dy, values, |y| 1.0 - y * y),
            Elementwise::Softsign => scale_each(dy, values, |y| (1.0 - y.abs()) * (1.0 - y.abs())),
            // The sigmoid of the input, found from the output.
            Elementwise::Softplus => scale_each(dy, values, |y| -exp_m1_below_0(-y)),
            Elementwise::Exponential => scale_each(dy, values, |y| y),
            Elementwise::Silu => scale_each(dy, values, |x| {
                let y = sigmoid(x);
                y * (1.0 + x * (1.0 - y))
            }),
            Elementwise::Gelu => scale_each(dy, values, |x| {
                let (cumulative, density) = normal(x);
                cumulative + x * density
            }),
            Elementwise::GeluTanh => scale_each(dy, values, |x| {
                // Further out the squares overflow, and nothing changes.
                let x = between(-20.0, x, 20.0);
                let y = gate(x);
                y + x * (y * (1.0 - y)) * (GATE[0] + 3.0 * GATE[1] * (x * x))
            }),
            Elementwise::Mish => scale_each(dy, values, |x| {
                let [power, squared] = mish_powers(x);
                let below = squared + 2.0;
                squared / below + capped(x, 20.0) * (4.0 * power * (1.0 + power) / (below * below))
            }),
        },
    );
}

/// Multiplies each gradient by the derivative there.
#[inline(always)]
fn scale_each(dy: &mut [f32], values: &[f32], derivative: impl Fn(f32) -> f32) {
    for (dy, value) in dy.iter_mut().zip(values) {
        *dy *= derivative(*value);
    }
}

/// Makes the other gradients zero.
#[inline(always)]
fn keep_each(dy: &mut [f32], values: &[f32], keeps: impl Fn(f32) -> bool) {
    for (dy, value) in dy.iter_mut().zip(values) {
        *dy = if keeps(*value) { *dy } else { 0.0 };
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{Level, all_levels, dispatch};

    const ALL: [Elementwise; 18] = [
        Elementwise::Linear,
        Elementwise::Relu,
        Elementwise::LeakyRelu { slope: 0.3 },
        Elementwise::CappedRelu { ceiling: 6.0 },
        Elementwise::Rectifier { slope: 0.0, threshold: 1.0, ceiling: 5.0 },
        Elementwise::Rectifier { slope: 0.2, threshold: 1.0, ceiling: f32::INFINITY },
        Elementwise::Elu { alpha: 1.0, scale: 1.0 },
        Elementwise::Elu { alpha: 1.6, scale: 1.1 },
        Elementwise::Sigmoid,
        Elementwise::HardSigmoid,
        Elementwise::Tanh,
        Elementwise::Softsign,
        Elementwise::Softplus,
        Elementwise::Exponential,
        Elementwise::Silu,
        Elementwise::Gelu,
        Elementwise::GeluTanh,
        Elementwise::Mish,
    ];

    fn inputs() -> Vec<f32> {
        let small = (-70..=70).map(|x| x as f32 * 0.137);
        let far = [0.0, 1e-40, 1e-5, 15.0, 19.9, 20.1, 88.0, 90.0, 104.0, 1e10, 1e30, f32::MAX];
        small.chain(far.iter().flat_map(|x| [*x, -x])).collect()
    }

    fn bits(values: &[f32]) -> Vec<u32> {
        values.iter().map(|value| value.to_bits()).collect()
    }

    /// Outputs, and gradients where those of the outputs are 1.
    fn both(simd: impl Simd, function: Elementwise, x: &[f32]) -> [Vec<f32>; 2] {
        let (mut y, mut dy) = (x.to_vec(), vec![1.0; x.len()]);
        activate(simd, function, &mut y);
        let values = match function.derivative() {
            Derivative::OfOutput => &y,
            Derivative::OfInput => x,
        };
        activate_backward(simd, function, values, &mut dy);
        [y, dy]
    }

    /// In the middle of a slice and in its tail, alone, and on every instruction set.
    #[test]
    fn a_value_gives_the_same_bits_wherever_it_stands() {
        let x = inputs();
        for function in ALL {
            let alone: Vec<[Vec<f32>; 2]> =
                dispatch!(Level::fallback(), simd => x.iter().map(|x| both(simd, function, &[*x])).collect());
            for level in all_levels() {
                for start in [0, 1, 7, 20] {
                    let found = dispatch!(level, simd => both(simd, function, &x[start..]));
                    for (place, found) in found.iter().enumerate() {
                        let alone: Vec<f32> = alone[start..].iter().map(|alone| alone[place][0]).collect();
                        assert_eq!(bits(found), bits(&alone), "{level:?} {function:?} from {start} on");
                    }
                }
            }
        }
    }

    #[test]
    fn no_finite_input_gives_nan() {
        for function in ALL {
            let [y, dy] = dispatch!(Level::fallback(), simd => both(simd, function, &inputs()));
            for ((x, y), dy) in inputs().iter().zip(y).zip(dy) {
                assert!(!y.is_nan() && !dy.is_nan(), "{function:?} of {x:e}: {y}, derivative {dy}");
            }
        }
    }

    /// It must reach the loss, which ends the training; a bound would make it a number.
    #[test]
    fn nan_goes_through_every_function() {
        for (level, function) in all_levels().into_iter().flat_map(|level| ALL.map(|function| (level, function))) {
            let mut values = [f32::NAN; 21];
            dispatch!(level, simd => activate(simd, function, &mut values));
            assert!(values.iter().all(|value| value.is_nan()), "{level:?} {function:?}");
        }
    }

    /// What may trade places with a max pooling, and what makes gradients sparse.
    #[test]
    fn each_function_is_what_it_says() {
        let mut x = inputs();
        x.sort_by(f32::total_cmp);
        for function in ALL {
            let [y, dy] = dispatch!(Level::fallback(), simd => both(simd, function, &x));
            // Rounding may take a place.
            let falls = y.windows(2).any(|pair| pair[1] < pair[0] - 1e-6 * pair[0].abs());
            assert_eq!(falls, !function.grows(), "{function:?}");
            let zeros = dy.iter().zip(&x).filter(|(dy, x)| **dy == 0.0 && x.abs() < 2.9).count();
            assert_eq!(zeros > 15, function.is_sparse_behind(), "{function:?}: {zeros} zeros");
        }
    }
}
