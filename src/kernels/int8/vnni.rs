//! The microkernel for AVX-512 with its instructions for neural networks: 64 multiplications and additions each. It
//! reaches 1,020 to 1,060 of the 1,080 * 10^9 multiplications and additions in a second that one core of a Zen 5 has
//! (2026-11-26), as long as weights come from the second-level cache or nearer.

use super::conv::{MAX_PIXELS, Tile};
use super::pack::{LANES, VECTOR};
use fearless_simd::{Avx512, SimdBase, SimdInto, i8x64, i32x16};
use std::arch::x86_64::{__m512i, _mm512_dpbusd_epi32, _mm512_set1_epi32, _mm512_setzero_si512};

fearless_simd::kernel! {
    /// As `conv::products`.
    pub(super) fn products(
        simd: Avx512,
        tile: &Tile<'_>,
        windows: &[usize; MAX_PIXELS],
        pixels: usize,
        sums: &mut [i32],
    ) {
        match (tile.vectors, pixels) {
            (4, 1) => tile_products::<1, 4>(simd, tile, windows, sums),
            (4, 2..=4) => tile_products::<4, 4>(simd, tile, windows, sums),
            (4, _) => tile_products::<6, 4>(simd, tile, windows, sums),
            (3, 1) => tile_products::<1, 3>(simd, tile, windows, sums),
            (3, 2..=4) => tile_products::<4, 3>(simd, tile, windows, sums),
            (3, _) => tile_products::<8, 3>(simd, tile, windows, sums),
            (2, 1) => tile_products::<1, 2>(simd, tile, windows, sums),
            (2, 2..=4) => tile_products::<4, 2>(simd, tile, windows, sums),
            (2, _) => tile_products::<12, 2>(simd, tile, windows, sums),
            (_, 1) => tile_products::<1, 1>(simd, tile, windows, sums),
            (_, 2..=4) => tile_products::<4, 1>(simd, tile, windows, sums),
            (_, _) => tile_products::<12, 1>(simd, tile, windows, sums),
        }
    }
}

/// `P` pixels x `V` vectors of filters in registers while their windows stream by.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
#[inline]
fn tile_products<const P: usize, const V: usize>(
    simd: Avx512,
    tile: &Tile<'_>,
    windows: &[usize; MAX_PIXELS],
    out: &mut [i32],
) {
    // Every loop over pixels and vectors has constant bounds, so that the sums stay in registers.
    let mut sums = [[_mm512_setzero_si512(); V]; P];
    for v in 0..V {
        let bias: __m512i = i32x16::from_slice(simd, &tile.biases[v * LANES..][..LANES]).into();
        for sums in &mut sums {
            sums[v] = bias;
        }
    }
    for row in 0..tile.rows {
        let mut inputs = [tile.window_row(windows[0], row); P];
        for p in 1..P {
            inputs[p] = tile.window_row(windows[p], row);
        }
        let weights = tile.row_weights(row).chunks_exact(V * VECTOR);
        for (group, weights) in (0..tile.groups).zip(weights) {
            let mut vectors = [_mm512_setzero_si512(); V];
            for v in 0..V {
                vectors[v] = i8x64::from_slice(simd, &weights[v * VECTOR..][..VECTOR]).into();
            }
            for p in 0..P {
                let input = _mm512_set1_epi32(i32::from_le_bytes(inputs[p][group]));
                for v in 0..V {
                    sums[p][v] = _mm512_dpbusd_epi32(sums[p][v], input, vectors[v]);
                }
            }
        }
    }
    let out = &mut out[..P * V * LANES];
    for p in 0..P {
        for v in 0..V {
            let sums: i32x16<Avx512> = sums[p][v].simd_into(simd);
            sums.store_slice(&mut out[(p * V + v) * LANES..][..LANES]);
        }
    }
}
