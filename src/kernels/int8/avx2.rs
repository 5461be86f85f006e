//! The microkernel for AVX2. Its instruction for pairs of bytes saturates at 16 bits, so bytes are widened first, and
//! pairs of 16-bit numbers multiplied: half as many multiplications an instruction as without widening.

use super::conv::Tile;
use super::pack::{LANES, VECTOR};
use fearless_simd::{Avx2, SimdBase, SimdInto, i8x16, i32x8};
use std::arch::x86_64::{
    _mm_set1_epi32, _mm256_add_epi32, _mm256_cvtepi8_epi16, _mm256_cvtepu8_epi16, _mm256_hadd_epi32, _mm256_madd_epi16,
    _mm256_permute4x64_epi64, _mm256_setzero_si256,
};

/// Bytes that are widened at a time: the weights of four filters.
const QUARTER: usize = VECTOR / 4;

fearless_simd::kernel! {
    /// As `conv::products`.
    pub(super) fn products(simd: Avx2, tile: &Tile<'_>, windows: &[usize], sums: &mut [i32]) {
        let columns = tile.vectors * LANES;
        for (windows, sums) in windows.chunks(2).zip(sums.chunks_mut(2 * columns)) {
            for vector in 0..tile.vectors {
                match *windows {
                    [first, second] => pixel_products(simd, tile, [first, second], vector, sums),
                    [ref first, ..] => pixel_products(simd, tile, [*first], vector, sums),
                    [] => {}
                }
            }
        }
    }
}

/// The sums of `P` pixels for one vector of filters.
#[target_feature(enable = "avx2")]
#[inline]
fn pixel_products<const P: usize>(simd: Avx2, tile: &Tile<'_>, windows: [usize; P], vector: usize, out: &mut [i32]) {
    // Of each filter two sums, side by side: of the first two inputs of each group, and of the other two.
    let mut sums = [[_mm256_setzero_si256(); 4]; P];
    for row in 0..tile.rows {
        let mut inputs = [tile.window_row(windows[0], row); P];
        for p in 1..P {
            inputs[p] = tile.window_row(windows[p], row);
        }
        let weights = tile.row_weights(row).chunks_exact(tile.vectors * VECTOR);
        for (group, weights) in (0..tile.groups).zip(weights) {
            let mut wide = [_mm256_setzero_si256(); P];
            for p in 0..P {
                wide[p] = _mm256_cvtepu8_epi16(_mm_set1_epi32(i32::from_le_bytes(inputs[p][group])));
            }
            let weights = &weights[vector * VECTOR..][..VECTOR];
            for q in 0..4 {
                let four = i8x16::from_slice(simd, &weights[q * QUARTER..][..QUARTER]).into();
                let four = _mm256_cvtepi8_epi16(four);
                for p in 0..P {
                    sums[p][q] = _mm256_add_epi32(sums[p][q], _mm256_madd_epi16(wide[p], four));
                }
            }
        }
    }
    let columns = tile.vectors * LANES;
    for p in 0..P {
        for half in 0..2 {
            let first = vector * LANES + half * 8;
            // Filters 0, 1, 4, 5, 2, 3, 6, 7, then in their order.
            let pairs = _mm256_hadd_epi32(sums[p][2 * half], sums[p][2 * half + 1]);
            let ordered = _mm256_permute4x64_epi64::<0b11_01_10_00>(pairs);
            let bias = i32x8::from_slice(simd, &tile.biases[first..][..8]).into();
            let sums: i32x8<Avx2> = _mm256_add_epi32(ordered, bias).simd_into(simd);
            sums.store_slice(&mut out[p * columns + first..][..8]);
        }
    }
}
