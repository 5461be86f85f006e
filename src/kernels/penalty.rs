//! The sums and gradients of regularizers.

use crate::simd::{Simd, SimdBase};

/// The sum of the values without their signs, in an order that nothing but the length and the instruction set decides.
pub(crate) fn sum_of_magnitudes<S: Simd>(simd: S, values: &[f32]) -> f64 {
    const SUMS: usize = 4;
    simd.vectorize(
        #[inline(always)]
        || {
            let lanes = S::f32s::LEN;
            let mut sums = [S::f32s::splat(simd, 0.0); SUMS];
            let mut groups = values.chunks_exact(SUMS * lanes);
            for group in &mut groups {
                for (sum, values) in sums.iter_mut().zip(group.chunks_exact(lanes)) {
                    *sum += S::f32s::from_slice(simd, values).abs();
                }
            }
            let of_groups = sums.iter().map(|sum| sum.as_slice().iter().copied().map(f64::from).sum::<f64>());
            let of_rest = groups.remainder().iter().map(|value| f64::from(value.abs()));
            of_groups.chain(of_rest).sum()
        },
    )
}

/// `gradients += l1 * sign(x) + 2 * l2 * x`, where the sign of 0 is 0.
pub(crate) fn add_penalty_gradients<S: Simd>(simd: S, [l1, l2]: [f32; 2], x: &[f32], gradients: &mut [f32]) {
    let slope = 2.0 * l2;
    simd.vectorize(
        #[inline(always)]
        || {
            for (gradient, x) in gradients.iter_mut().zip(x) {
                let sign = f32::from(u8::from(*x > 0.0)) - f32::from(u8::from(*x < 0.0));
                *gradient += l1 * sign + slope * x;
            }
        },
    );
}

/// The sum of `l1 * |x| + l2 * x²`, in `f64`.
pub(crate) fn penalty([l1, l2]: [f32; 2], values: &[f32]) -> f64 {
    const SUMS: usize = 8;
    let (l1, l2) = (f64::from(l1), f64::from(l2));
    let mut sums = [0.0; SUMS];
    for values in values.chunks(SUMS) {
        for (sum, x) in sums.iter_mut().zip(values) {
            let x = f64::from(*x);
            *sum += l1 * x.abs() + l2 * x * x;
        }
    }
    sums.iter().sum()
}
