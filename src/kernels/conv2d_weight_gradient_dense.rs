//! The weight gradients of a convolution whose outputs nearly all have a gradient, as behind a tanh.
//!
//! The simple version, which `ops::conv2d_backward` is: for each output pixel and filter, add gradient times input to
//! the filter's weight gradients, over the window. The changes made here:
//!
//! 1. A tile of several filters x a block of the window stays in registers while the pixels of some images stream by:
//!    each vector of inputs that is loaded serves every filter of the tile, each broadcast gradient every vector.
//! 2. The last tile overlaps the one before it where filters do not fill it, and adds what is new.
//! 3. Rows that are no multiple of a vector read a little past their end, and add zeros there.
//!
//! Without long sums it gives the same bits as [`super::conv2d_weight_gradient`].

use super::conv2d::ConvLayout;
use super::sum::{add_compensated, terms_at_once};
use super::window_block::{Block, blocks};
use crate::simd::{Simd, SimdBase, SimdFloat, has_32_registers};
use std::ops::Range;

/// Vectors of a window's block.
const MAX_VECTORS: usize = 3;

/// `dw += dy * x[window]` for some images of a chunk. No pooling may be fused.
///
/// - x: (images of the chunk, padded height, padded width, channels), and [`super::conv2d::SLACK`]
/// - dy: (images of the chunk, outputs, filters)
/// - dw: (filters, window_len), and the same slack
pub(crate) fn weight_gradients_dense<S: Simd>(
    simd: S,
    layout: &ConvLayout,
    images: Range<usize>,
    x: &[f32],
    dy: &[f32],
    dw: &mut [f32],
) {
    let image_gradients = layout.windows.len() * layout.filters;
    let x = &x[images.start * layout.image_len..];
    let dy = &dy[images.start * image_gradients..images.end * image_gradients];
    for block in blocks::<S>(layout, MAX_VECTORS) {
        // As many sums as the registers hold beside a block's inputs and a gradient.
        match (block.rows, block.vectors, has_32_registers::<S>()) {
            (1, 1, true) => of_block::<S, 1, 1, 16>(simd, layout, &block, x, dy, dw),
            (1, 1, false) => of_block::<S, 1, 1, 8>(simd, layout, &block, x, dy, dw),
            (1, 2, true) => of_block::<S, 1, 2, 8>(simd, layout, &block, x, dy, dw),
            (1, 2, false) => of_block::<S, 1, 2, 4>(simd, layout, &block, x, dy, dw),
            (1, _, true) => of_block::<S, 1, 3, 8>(simd, layout, &block, x, dy, dw),
            (1, _, false) => of_block::<S, 1, 3, 4>(simd, layout, &block, x, dy, dw),
            (2, _, true) => of_block::<S, 2, 1, 8>(simd, layout, &block, x, dy, dw),
            (2, _, false) => of_block::<S, 2, 1, 4>(simd, layout, &block, x, dy, dw),
            (_, _, true) => of_block::<S, 3, 1, 8>(simd, layout, &block, x, dy, dw),
            (_, _, false) => of_block::<S, 3, 1, 4>(simd, layout, &block, x, dy, dw),
        }
    }
}

/// One block of the window, for all filters in tiles of `F`; of fewer than those in tiles of four or one.
fn of_block<S: Simd, const ROWS: usize, const R: usize, const F: usize>(
    simd: S,
    layout: &ConvLayout,
    block: &Block,
    x: &[f32],
    dy: &[f32],
    dw: &mut [f32],
) {
    let filters = layout.filters;
    let tile = match filters {
        0..4 => 1,
        _ if filters < F => 4,
        _ => F,
    };
    for first in (0..filters).step_by(tile) {
        // The last tile starts early, and leaves out those that were there.
        let start = first.min(filters - tile);
        let tiled = Tile { block, filters: start..start + tile, skip: first - start };
        match tile {
            1 => of_tile::<S, ROWS, R, 1>(simd, layout, &tiled, x, dy, dw),
            4 => of_tile::<S, ROWS, R, 4>(simd, layout, &tiled, x, dy, dw),
            _ => of_tile::<S, ROWS, R, F>(simd, layout, &tiled, x, dy, dw),
        }
    }
}

/// Some filters, of which the first few are skipped, by a block of the window.
struct Tile<'a> {
    block: &'a Block,
    filters: Range<usize>,
    skip: usize,
}

/// The microkernel: `F` filters x a block of `ROWS` rows of `R` vectors.
fn of_tile<S: Simd, const ROWS: usize, const R: usize, const F: usize>(
    simd: S,
    layout: &ConvLayout,
    tile: &Tile<'_>,
    x: &[f32],
    dy: &[f32],
    dw: &mut [f32],
) {
    simd.vectorize(
        #[inline(always)]
        || {
            let (lanes, zero) = (S::f32s::LEN, S::f32s::splat(simd, 0.0));
            let Tile { block, filters, skip } = tile;
            let mut x = &x[block.input_offset(layout)..];
            let dw = &mut dw[block.weight_offset(layout)..];
            let mut lost = [[[zero; R]; ROWS]; F];
            let mut window = 0;
            let at_once = terms_at_once(dy.len() / layout.filters);
            for dy in dy.chunks(at_once * layout.filters) {
                let mut sums = [[[zero; R]; ROWS]; F];
                for dy in dy.chunks_exact(layout.filters) {
                    if window == layout.windows.len() {
                        (window, x) = (0, &x[layout.image_len..]);
                    }
                    let x = &x[layout.windows[window] as usize..];
                    window += 1;
                    let mut inputs = [[zero; R]; ROWS];
                    for row in 0..ROWS {
                        let x = &x[row * layout.row_stride..][..R * lanes];
                        for r in 0..R {
                            inputs[row][r] = S::f32s::from_slice(simd, &x[r * lanes..][..lanes]);
                        }
                    }
                    let dy = &dy[filters.start..][..F];
                    for f in 0..F {
                        let gradient = S::f32s::splat(simd, dy[f]);
                        for row in 0..ROWS {
                            for r in 0..R {
                                sums[f][row][r] = gradient.mul_add(inputs[row][r], sums[f][row][r]);
                            }
                        }
                    }
                }
                // A copy, because what is indexed with a variable lives in memory.
                let mut spilled = sums;
                for f in *skip..F {
                    let dw = &mut dw[(filters.start + f) * layout.window_len()..];
                    let sums = &mut spilled[f];
                    for row in 0..ROWS {
                        sums[row][R - 1] = block.trim(simd, layout, sums[row][R - 1]);
                        let dw = &mut dw[row * layout.run..][..R * lanes];
                        for r in 0..R {
                            let dw = &mut dw[r * lanes..][..lanes];
                            let sum = S::f32s::from_slice(simd, dw);
                            add_compensated::<S>(sums[row][r], sum, &mut lost[f][row][r]).store_slice(dw);
                        }
                    }
                }
            }
        },
    );
}
