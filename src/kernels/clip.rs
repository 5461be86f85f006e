//! Clipping of gradients: sums of squares, and copies that are scaled or bounded.

use crate::simd::{Simd, SimdBase, SimdFloat};

/// The sum of the squares, in an order that nothing but the length and the instruction set decides.
pub(crate) fn sum_of_squares<S: Simd>(simd: S, values: &[f32]) -> f64 {
    const SUMS: usize = 4;
    simd.vectorize(
        #[inline(always)]
        || {
            let lanes = S::f32s::LEN;
            let mut sums = [S::f32s::splat(simd, 0.0); SUMS];
            let mut groups = values.chunks_exact(SUMS * lanes);
            for group in &mut groups {
                for (sum, values) in sums.iter_mut().zip(group.chunks_exact(lanes)) {
                    let values = S::f32s::from_slice(simd, values);
                    *sum = values.mul_add(values, *sum);
                }
            }
            let of_groups = sums.iter().map(|sum| sum.as_slice().iter().copied().map(f64::from).sum::<f64>());
            let of_rest = groups.remainder().iter().map(|value| f64::from(*value) * f64::from(*value));
            of_groups.chain(of_rest).sum()
        },
    )
}

/// `out = factor * values`.
pub(crate) fn scaled<S: Simd>(simd: S, factor: f32, values: &[f32], out: &mut [f32]) {
    simd.vectorize(
        #[inline(always)]
        || out.iter_mut().zip(values).for_each(|(out, value)| *out = factor * value),
    );
}

/// `out = values`, but at least `-bound` and at most `bound`; NaN stays NaN.
pub(crate) fn bounded<S: Simd>(simd: S, bound: f32, values: &[f32], out: &mut [f32]) {
    simd.vectorize(
        #[inline(always)]
        || {
            for (out, value) in out.iter_mut().zip(values) {
                let value = if *value > bound { bound } else { *value };
                *out = if value < -bound { -bound } else { value };
            }
        },
    );
}
