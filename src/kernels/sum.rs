//! Sums of gradients, in an order that nothing but the batch decides.

use crate::simd::{Simd, SimdBase};

/// `sums += values`.
pub(crate) fn add<S: Simd>(simd: S, values: &[f32], sums: &mut [f32]) {
    simd.vectorize(
        #[inline(always)]
        || sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value),
    );
}

/// `sums += rows`, summed over the rows.
///
/// - rows: (any number, sums)
pub(crate) fn add_rows<S: Simd>(simd: S, rows: &[f32], sums: &mut [f32]) {
    let columns = sums.len();
    if columns == 0 {
        return;
    }
    simd.vectorize(
        #[inline(always)]
        || {
            let lanes = S::f32s::LEN;
            let whole = columns - columns % lanes;
            for start in (0..whole).step_by(lanes) {
                let sums = &mut sums[start..start + lanes];
                let mut sum = S::f32s::from_slice(simd, sums);
                for row in rows.chunks_exact(columns) {
                    sum += S::f32s::from_slice(simd, &row[start..][..lanes]);
                }
                sum.store_slice(sums);
            }
            for start in whole..columns {
                sums[start] += rows.iter().skip(start).step_by(columns).sum::<f32>();
            }
        },
    );
}
