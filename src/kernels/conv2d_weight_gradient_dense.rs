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
use super::window_block::{Block, narrow_blocks};
use crate::simd::{Simd, SimdBase, SimdFloat, has_32_registers};
use std::ops::Range;

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
    let (filters, windows) = (layout.filters, layout.windows.len());
    let x = &x[images.start * layout.image_len..];
    let dy = &dy[images.start * windows * filters..images.end * windows * filters];
    // As many sums as the registers hold beside a block's inputs and a gradient; tiles of four or one for fewer filters.
    let most = if has_32_registers::<S>() { 8 } else { 4 };
    let tile = if filters < 4 { 1 } else { most.min(filters - filters % 4) };
    for first in (0..filters).step_by(tile) {
        // The last tile starts early, and leaves out those that were there.
        let start = first.min(filters - tile);
        let tile = Tile { filters: start..start + tile, skip: first - start, dy };
        for block in narrow_blocks::<S>(layout) {
            match (block.rows, block.vectors) {
                (1, 1) => of_block::<S, 1, 1>(simd, layout, &tile, &block, x, dw),
                (1, 2) => of_block::<S, 1, 2>(simd, layout, &tile, &block, x, dw),
                (1, _) => of_block::<S, 1, 3>(simd, layout, &tile, &block, x, dw),
                (2, _) => of_block::<S, 2, 1>(simd, layout, &tile, &block, x, dw),
                (_, _) => of_block::<S, 3, 1>(simd, layout, &tile, &block, x, dw),
            }
        }
    }
}

/// Some filters, of which the first few are skipped.
struct Tile<'a> {
    filters: Range<usize>,
    skip: usize,
    /// (pixels, all filters).
    dy: &'a [f32],
}

/// One tile of filters x one block of the window.
fn of_block<S: Simd, const ROWS: usize, const R: usize>(
    simd: S,
    layout: &ConvLayout,
    tile: &Tile<'_>,
    block: &Block,
    x: &[f32],
    dw: &mut [f32],
) {
    let x = &x[block.input_offset(layout)..];
    let dw = &mut dw[block.weight_offset(layout)..];
    match tile.filters.len() {
        1 => of_tile::<S, ROWS, R, 1>(simd, layout, tile, block, x, dw),
        4 => of_tile::<S, ROWS, R, 4>(simd, layout, tile, block, x, dw),
        _ => of_tile::<S, ROWS, R, 8>(simd, layout, tile, block, x, dw),
    }
}

/// The weight gradients of `F` filters, from where the block starts in the windows and the weights.
fn of_tile<S: Simd, const ROWS: usize, const R: usize, const F: usize>(
    simd: S,
    layout: &ConvLayout,
    tile: &Tile<'_>,
    block: &Block,
    x: &[f32],
    dw: &mut [f32],
) {
    simd.vectorize(
        #[inline(always)]
        || {
            let (lanes, zero) = (S::f32s::LEN, S::f32s::splat(simd, 0.0));
            let Tile { filters, skip, dy } = tile;
            let mut place = Place { x, window: 0 };
            let pixels = terms_at_once(dy.len() / layout.filters);
            if pixels * layout.filters >= dy.len() && *skip == 0 && block.is_whole::<S>(layout) {
                let sums = products::<S, ROWS, R, F>(simd, layout, dy, filters.start, &mut place);
                for f in 0..F {
                    let dw = &mut dw[(filters.start + f) * layout.window_len()..];
                    for row in 0..ROWS {
                        let dw = &mut dw[row * layout.run..][..R * lanes];
                        for r in 0..R {
                            let dw = &mut dw[r * lanes..][..lanes];
                            (S::f32s::from_slice(simd, dw) + sums[f][row][r]).store_slice(dw);
                        }
                    }
                }
                return;
            }
            let mut lost = [[[zero; R]; ROWS]; F];
            for dy in dy.chunks(pixels * layout.filters) {
                let sums = products::<S, ROWS, R, F>(simd, layout, dy, filters.start, &mut place);
                // A copy, made with constant bounds, because what is indexed with a variable lives in memory.
                let mut spilled = lost;
                for f in 0..F {
                    for row in 0..ROWS {
                        for r in 0..R {
                            spilled[f][row][r] = sums[f][row][r];
                        }
                    }
                }
                for f in *skip..F {
                    let dw = &mut dw[(filters.start + f) * layout.window_len()..];
                    for row in 0..ROWS {
                        let sums = &mut spilled[f][row];
                        sums[R - 1] = block.trim(simd, layout, sums[R - 1]);
                        let dw = &mut dw[row * layout.run..][..R * lanes];
                        for r in 0..R {
                            let dw = &mut dw[r * lanes..][..lanes];
                            let sum = S::f32s::from_slice(simd, dw);
                            add_compensated::<S>(sums[r], sum, &mut lost[f][row][r]).store_slice(dw);
                        }
                    }
                }
            }
        },
    );
}

/// The next pixel.
struct Place<'a> {
    /// From its image on.
    x: &'a [f32],
    window: usize,
}

/// The microkernel: the sums over some pixels, with `F` filters x `ROWS` rows of `R` vectors in registers.
///
/// - dy: (pixels, all filters)
#[inline(always)]
fn products<S: Simd, const ROWS: usize, const R: usize, const F: usize>(
    simd: S,
    layout: &ConvLayout,
    dy: &[f32],
    first: usize,
    place: &mut Place<'_>,
) -> [[[S::f32s; R]; ROWS]; F] {
    let (lanes, zero) = (S::f32s::LEN, S::f32s::splat(simd, 0.0));
    let mut sums = [[[zero; R]; ROWS]; F];
    let Place { mut x, mut window } = *place;
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
        let dy = &dy[first..][..F];
        for f in 0..F {
            let gradient = S::f32s::splat(simd, dy[f]);
            for row in 0..ROWS {
                for r in 0..R {
                    sums[f][row][r] = gradient.mul_add(inputs[row][r], sums[f][row][r]);
                }
            }
        }
    }
    *place = Place { x, window };
    sums
}
