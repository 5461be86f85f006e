//! Winograd's transforms of one row or column: with the points 0, 1, -1 and infinity for four numbers, and 2 besides
//! for five.
//!
//! With a kernel `w` of K x K weights, a patch of inputs `d` and a tile's outputs `y`, number by number, a convolution is
//! `y = Aᵀ ((G w Gᵀ) * (Bᵀ d B)) A`; so the gradient of the kernel is `dw = Gᵀ ((A dy Aᵀ) * (Bᵀ d B)) G`. M outputs take
//! N = M + K - 1 numbers.

use crate::simd::{Simd, SimdBase};

/// `G w`, of two or three weights.
#[inline(always)]
pub(super) fn widen<S: Simd, V: SimdBase<S, Element = f32>, const K: usize, const N: usize>(w: [V; K]) -> [V; N] {
    let (a, b) = (w[0], w[1]);
    let mut numbers = [a; N];
    let even = if K == 3 { a + w[2] } else { a };
    if N == 4 {
        numbers[1] = (even + b) * 0.5;
        numbers[2] = (even - b) * 0.5;
    } else {
        numbers[0] = a * 0.5;
        numbers[1] = (even + b) * -0.5;
        numbers[2] = (even - b) * (-1.0 / 6.0);
        let twos = if K == 3 { a + b * 2.0 + w[2] * 4.0 } else { a + b * 2.0 };
        numbers[3] = twos * (1.0 / 6.0);
    }
    numbers[N - 1] = w[K - 1];
    numbers
}

/// `Gᵀ m`: what [`widen`] does, the other way round.
#[inline(always)]
pub(super) fn widen_back<S: Simd, V: SimdBase<S, Element = f32>, const K: usize, const N: usize>(m: [V; N]) -> [V; K] {
    let mut weights = [m[0]; K];
    if N == 4 {
        let (even, odd) = ((m[1] + m[2]) * 0.5, (m[1] - m[2]) * 0.5);
        weights[0] = m[0] + even;
        weights[1] = odd;
        if K == 3 {
            weights[2] = even;
        }
    } else {
        let (ones, minus_ones, twos) = (m[1] * -0.5, m[2] * (-1.0 / 6.0), m[3] * (1.0 / 6.0));
        let even = ones + minus_ones;
        weights[0] = m[0] * 0.5 + even + twos;
        weights[1] = ones - minus_ones + twos * 2.0;
        if K == 3 {
            weights[2] = even + twos * 4.0;
        }
    }
    weights[K - 1] += m[N - 1];
    weights
}

/// `Bᵀ d`.
#[inline(always)]
pub(super) fn differences<S: Simd, V: SimdBase<S, Element = f32>, const N: usize>(d: [V; N]) -> [V; N] {
    let mut numbers = d;
    if N == 4 {
        numbers[0] = d[0] - d[2];
        numbers[1] = d[1] + d[2];
        numbers[2] = d[2] - d[1];
        numbers[3] = d[1] - d[3];
    } else {
        let (high, low) = (d[3] - d[1], d[2] - d[0]);
        numbers[0] = high - low * 2.0;
        numbers[1] = d[3] - d[2] - d[1] * 2.0;
        numbers[2] = d[3] - d[2] * 3.0 + d[1] * 2.0;
        numbers[3] = high;
        numbers[4] = d[4] - d[2] - high * 2.0;
    }
    numbers
}

/// `Aᵀ m`.
#[inline(always)]
pub(super) fn narrow<S: Simd, V: SimdBase<S, Element = f32>, const M: usize, const N: usize>(m: [V; N]) -> [V; M] {
    let (even, odd) = (m[1] + m[2], m[1] - m[2]);
    let mut outputs = [m[0] + even; M];
    outputs[1] = odd;
    if M > 2 {
        outputs[2] = even;
    }
    if N == 4 {
        outputs[M - 1] -= m[3];
        return outputs;
    }
    outputs[0] += m[3];
    outputs[1] += m[3] * 2.0;
    outputs[2] += m[3] * 4.0;
    if M > 3 {
        outputs[3] = odd + m[3] * 8.0;
    }
    outputs[M - 1] += m[4];
    outputs
}

/// `A y`: what [`narrow`] does, the other way round.
#[inline(always)]
pub(super) fn narrow_back<S: Simd, V: SimdBase<S, Element = f32>, const M: usize, const N: usize>(y: [V; M]) -> [V; N] {
    let mut numbers = [y[0]; N];
    let even = if M > 2 { y[0] + y[2] } else { y[0] };
    let odd = if M > 3 { y[1] + y[3] } else { y[1] };
    numbers[1] = even + odd;
    numbers[2] = even - odd;
    if N == 4 {
        numbers[3] = y[M - 1] * -1.0;
        return numbers;
    }
    let twos = y[0] + y[1] * 2.0 + y[2] * 4.0;
    numbers[3] = if M > 3 { twos + y[3] * 8.0 } else { twos };
    numbers[4] = y[M - 1];
    numbers
}
