//! The matrix products of the forward pass: for each number (tiles x channels) times (channels x filters).
//!
//! It is [`crate::kernels::conv2d_forward`] for windows of one pixel, which lie one behind the other, and are few: all
//! numbers go through in one call, and no list of windows is read.

use super::GROUP;
use crate::kernels::conv2d::{blocks, tile_pixels};
use crate::kernels::conv2d_forward::add_products;
use crate::simd::{Simd, SimdBase};

/// The sizes of the products.
#[derive(Clone, Copy)]
pub(super) struct Sizes {
    pub(super) channels: usize,
    pub(super) filters: usize,
    /// At most [`GROUP`].
    pub(super) tiles: usize,
}

/// What belongs to each number, and the floats from one number's to the next's.
#[derive(Clone, Copy)]
pub(super) struct Each<T> {
    pub(super) of: T,
    pub(super) stride: usize,
}

/// Writes the products of some tiles; what is behind them in a group may be overwritten.
///
/// - patches: for each number (GROUP, channels); weights: as packed for windows of one pixel
/// - sums: (GROUP, filters)
pub(super) fn products<S: Simd>(
    simd: S,
    sizes: Sizes,
    patches: Each<&[f32]>,
    weights: Each<&[f32]>,
    sums: Each<&mut [f32]>,
) {
    let (mut start, Each { of: sums, stride }) = (0, sums);
    for (first, vectors) in blocks::<S>(sizes.filters) {
        let weights = Each { of: &weights.of[start..], stride: weights.stride };
        let sums = Each { of: &mut sums[first..], stride };
        match (vectors, tile_pixels::<S>(vectors)) {
            (4, _) => of_block::<S, 6, 4>(simd, sizes, patches, weights, sums),
            (3, _) => of_block::<S, 8, 3>(simd, sizes, patches, weights, sums),
            (2, 12) => of_block::<S, 12, 2>(simd, sizes, patches, weights, sums),
            (2, _) => of_block::<S, 6, 2>(simd, sizes, patches, weights, sums),
            (_, 12) => of_block::<S, 12, 1>(simd, sizes, patches, weights, sums),
            (_, _) => of_block::<S, 8, 1>(simd, sizes, patches, weights, sums),
        }
        start += (sizes.channels + 1) * vectors * S::f32s::LEN;
    }
}

/// [`products`] for one block of `V` vectors of filters, in tiles of `P` rows.
fn of_block<S: Simd, const P: usize, const V: usize>(
    simd: S,
    sizes: Sizes,
    patches: Each<&[f32]>,
    weights: Each<&[f32]>,
    sums: Each<&mut [f32]>,
) {
    const { assert!(GROUP.is_multiple_of(P)) };
    simd.vectorize(
        #[inline(always)]
        || {
            let Sizes { channels, filters, tiles } = sizes;
            let numbers = patches.of.chunks(patches.stride).zip(weights.of.chunks(weights.stride));
            for ((patches, weights), sums) in numbers.zip(sums.of.chunks_mut(sums.stride)) {
                let weights = &weights[..channels * V * S::f32s::LEN];
                let mut done = 0;
                while done < tiles {
                    let (patches, sums) = (&patches[done * channels..], &mut sums[done * filters..]);
                    // A whole tile while it lasts, then one of four or single ones. Eight are two of four.
                    done += match tiles - done {
                        1 | 2 => of_tile::<S, 1, V>(simd, sizes, patches, weights, sums),
                        3 | 4 => of_tile::<S, 4, V>(simd, sizes, patches, weights, sums),
                        8 if P == 6 => of_tile::<S, 4, V>(simd, sizes, patches, weights, sums),
                        _ => of_tile::<S, P, V>(simd, sizes, patches, weights, sums),
                    };
                }
            }
        },
    );
}

/// `P` rows x `V` vectors of filters, by the microkernel of the direct way. Returns `P`.
#[inline(always)]
fn of_tile<S: Simd, const P: usize, const V: usize>(
    simd: S,
    Sizes { channels, filters, .. }: Sizes,
    patches: &[f32],
    weights: &[f32],
    out: &mut [f32],
) -> usize {
    let lanes = S::f32s::LEN;
    let mut rows = [0; P];
    for p in 0..P {
        rows[p] = p * channels;
    }
    let sums = add_products(simd, [[S::f32s::splat(simd, 0.0); V]; P], patches, rows, 0, weights);
    for p in 0..P {
        let out = &mut out[p * filters..][..V * lanes];
        for v in 0..V {
            sums[p][v].store_slice(&mut out[v * lanes..][..lanes]);
        }
    }
    P
}
