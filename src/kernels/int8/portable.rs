//! The microkernel for every other instruction set: plain loops over lanes, which the compiler makes vectors of.

use super::conv::Tile;
use super::pack::{GROUP, LANES, VECTOR};
use crate::simd::Simd;

/// As `conv::products`.
pub(super) fn products<S: Simd>(simd: S, tile: &Tile<'_>, windows: &[usize], sums: &mut [i32]) {
    simd.vectorize(
        #[inline(always)]
        || {
            let columns = tile.vectors * LANES;
            for (window, sums) in windows.iter().zip(sums.chunks_exact_mut(columns)) {
                for (vector, (to, biases)) in
                    sums.chunks_exact_mut(LANES).zip(tile.biases.chunks_exact(LANES)).enumerate()
                {
                    let mut sums = [0; LANES];
                    sums.copy_from_slice(biases);
                    for row in 0..tile.rows {
                        let weights = tile.row_weights(row).chunks_exact(tile.vectors * VECTOR);
                        for (input, weights) in tile.window_row(*window, row).iter().zip(weights) {
                            add_group(&mut sums, *input, &weights[vector * VECTOR..][..VECTOR]);
                        }
                    }
                    to.copy_from_slice(&sums);
                }
            }
        },
    );
}

/// Adds the products of four inputs.
///
/// - weights: (lanes, 4)
#[inline(always)]
fn add_group(sums: &mut [i32; LANES], input: [u8; GROUP], weights: &[i8]) {
    let input = input.map(i32::from);
    for (sum, weights) in sums.iter_mut().zip(weights.as_chunks::<GROUP>().0) {
        for (input, weight) in input.iter().zip(weights) {
            *sum = sum.wrapping_add(input * i32::from(*weight));
        }
    }
}
