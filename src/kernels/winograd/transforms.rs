//! Winograd's transforms of one row or column: with the points 0, 1, -1 and infinity for four numbers, and 2 besides
//! for five.
//!
//! With a kernel `w`, a patch of inputs `d` and a tile's outputs `y`, number by number, a convolution is
//! `y = Aᵀ ((G w Gᵀ) * (Bᵀ d B)) A`; so the gradient of the kernel is `dw = Gᵀ ((A dy Aᵀ) * (Bᵀ d B)) G`.

use crate::simd::{Simd, SimdBase};

/// `G w`.
#[inline(always)]
pub(super) fn widen<S: Simd, V: SimdBase<S, Element = f32>, const N: usize>([a, b, c]: [V; 3]) -> [V; N] {
    let mut numbers = [a; N];
    let (even, odd) = (a + c, b);
    if N == 4 {
        numbers[1] = (even + odd) * 0.5;
        numbers[2] = (even - odd) * 0.5;
    } else {
        numbers[0] = a * 0.5;
        numbers[1] = (even + odd) * -0.5;
        numbers[2] = (even - odd) * (-1.0 / 6.0);
        numbers[3] = (a + b * 2.0 + c * 4.0) * (1.0 / 6.0);
    }
    numbers[N - 1] = c;
    numbers
}

/// `Gᵀ m`: what [`widen`] does, the other way round.
#[inline(always)]
pub(super) fn widen_back<S: Simd, V: SimdBase<S, Element = f32>, const N: usize>(m: [V; N]) -> [V; 3] {
    if N == 4 {
        let (even, odd) = ((m[1] + m[2]) * 0.5, (m[1] - m[2]) * 0.5);
        [m[0] + even, odd, even + m[3]]
    } else {
        let (ones, minus_ones, twos) = (m[1] * -0.5, m[2] * (-1.0 / 6.0), m[3] * (1.0 / 6.0));
        let even = ones + minus_ones;
        [m[0] * 0.5 + even + twos, ones - minus_ones + twos * 2.0, even + twos * 4.0 + m[4]]
    }
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
    if M == 2 {
        outputs[1] = odd - m[3];
    } else {
        outputs[0] += m[3];
        outputs[1] = odd + m[3] * 2.0;
        outputs[2] = even + m[3] * 4.0 + m[4];
    }
    outputs
}

/// `A y`: what [`narrow`] does, the other way round.
#[inline(always)]
pub(super) fn narrow_back<S: Simd, V: SimdBase<S, Element = f32>, const M: usize, const N: usize>(y: [V; M]) -> [V; N] {
    let mut numbers = [y[0]; N];
    if M == 2 {
        numbers[1] = y[0] + y[1];
        numbers[2] = y[0] - y[1];
        numbers[3] = y[1] * -1.0;
    } else {
        let even = y[0] + y[2];
        numbers[1] = even + y[1];
        numbers[2] = even - y[1];
        numbers[3] = y[0] + y[1] * 2.0 + y[2] * 4.0;
        numbers[4] = y[2];
    }
    numbers
}
