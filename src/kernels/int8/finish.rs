//! What becomes of a convolution's sums: the largest of each pooling window, scaled, as a byte or a float.

use super::conv::Output;
use super::pack::LANES;
use super::{Quantization, to_byte};
use crate::simd::Simd;

/// The sums of some consecutive pixels for one block of filters.
#[derive(Clone, Copy)]
pub(super) struct Sums<'a> {
    /// (outputs, pool, columns).
    pub(super) sums: &'a [i32],
    pub(super) columns: usize,
    pub(super) pool: usize,
    /// (columns).
    pub(super) multipliers: &'a [f32],
}

/// Writes the outputs that these sums are.
///
/// - place: the first output, how many filters there are, and the block's first one
pub(super) fn finish<S: Simd>(simd: S, sums: Sums<'_>, place: (usize, usize, usize), output: &mut Output<'_>) {
    match output {
        Output::Bytes { y, zero_point } => {
            // The scale is part of the multipliers.
            let bounds = Quantization { scale: 1.0, zero_point: *zero_point }.bounds();
            each_output(simd, sums, place, y, |steps| to_byte(steps, bounds, *zero_point));
        }
        Output::Floats { y } => each_output(simd, sums, place, y, |value| value),
    }
}

fn each_output<S: Simd, T: Copy + Default>(
    simd: S,
    sums: Sums<'_>,
    place: (usize, usize, usize),
    y: &mut [T],
    make: impl Fn(f32) -> T,
) {
    // With the number of places as a constant the loop over them unrolls.
    match sums.pool {
        1 => pooled::<S, 1, T>(simd, sums, place, y, make),
        4 => pooled::<S, 4, T>(simd, sums, place, y, make),
        _ => pooled::<S, 0, T>(simd, sums, place, y, make),
    }
}

/// [`each_output`] with the number of places as a constant; 0 is any number.
fn pooled<S: Simd, const POOL: usize, T: Copy + Default>(
    simd: S,
    Sums { sums, columns, pool, multipliers }: Sums<'_>,
    (first_output, filters, first_filter): (usize, usize, usize),
    y: &mut [T],
    make: impl Fn(f32) -> T,
) {
    simd.vectorize(
        #[inline(always)]
        || {
            let pool = if POOL == 0 { pool } else { POOL };
            let used = columns.min(filters - first_filter);
            let outputs = sums.chunks_exact(pool * columns).zip(y[first_output * filters..].chunks_exact_mut(filters));
            for (sums, y) in outputs {
                let vectors = y[first_filter..][..used].chunks_mut(LANES).zip(multipliers.as_chunks().0);
                for (vector, (y, multipliers)) in vectors.enumerate() {
                    let sums = &sums[vector * LANES..];
                    let mut largest = [0; LANES];
                    largest.copy_from_slice(&sums[..LANES]);
                    for place in 1..pool {
                        let sums = &sums[place * columns..][..LANES];
                        for (largest, sum) in largest.iter_mut().zip(sums) {
                            *largest = if *sum > *largest { *sum } else { *largest };
                        }
                    }
                    let mut made = [T::default(); LANES];
                    let multipliers: &[f32; LANES] = multipliers;
                    for lane in 0..LANES {
                        made[lane] = make(largest[lane] as f32 * multipliers[lane]);
                    }
                    match y.first_chunk_mut() {
                        Some(y) => *y = made,
                        None => y.copy_from_slice(&made[..y.len()]),
                    }
                }
            }
        },
    );
}
