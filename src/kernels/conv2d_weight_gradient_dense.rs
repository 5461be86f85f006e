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

use super::conv2d::{ConvLayout, SLACK};
use super::sum::{BLOCK, SHORT, add_compensated};
use super::window_block::{Block, narrow_blocks};
use crate::simd::{Simd, SimdBase, SimdFloat, has_32_registers};
use std::ops::Range;

/// Pixels that are worked on at a time, so that what they read stays near the core: one running sum, or whole blocks.
const PIXELS: usize = SHORT;

/// Floats that [`weight_gradients_dense`] needs for long sums.
pub(crate) fn lost_len(layout: &ConvLayout, max_images: usize) -> usize {
    let is_long = max_images * layout.windows.len() > SHORT;
    if is_long { layout.filters * layout.window_len() + SLACK } else { 0 }
}

/// `dw += dy * x[window]` for some images of a chunk. No pooling may be fused.
///
/// - x: (images of the chunk, padded height, padded width, channels), and [`SLACK`]
/// - dy: (images of the chunk, outputs, filters)
/// - lost: room for [`lost_len`]
/// - dw: (filters, window_len), and the same slack
pub(crate) fn weight_gradients_dense<S: Simd>(
    simd: S,
    layout: &ConvLayout,
    images: Range<usize>,
    x: &[f32],
    dy: &[f32],
    lost: &mut [f32],
    dw: &mut [f32],
) {
    let per_image = layout.windows.len();
    let lost = &mut lost[..lost_len(layout, images.len())];
    lost.fill(0.0);
    let dy = &dy[images.start * per_image * layout.filters..images.end * per_image * layout.filters];
    for (band, dy) in dy.chunks(PIXELS * layout.filters).enumerate() {
        let place = Place { image: images.start + band * PIXELS / per_image, window: band * PIXELS % per_image };
        add_band(simd, layout, place, x, dy, lost, dw);
    }
}

/// `dw += dy * x` for the pixels of windows of 1x1, as many as `dy` has; no more than a short sum has terms.
///
/// - x: (pixels, channels); dy: (pixels, filters); dw: (filters, channels), whole vectors of channels
pub(super) fn add_products<S: Simd>(simd: S, layout: &ConvLayout, x: &[f32], dy: &[f32], dw: &mut [f32]) {
    add_band(simd, layout, Place { image: 0, window: 0 }, x, dy, &mut [], dw);
}

/// The same, of sums that go on from call to call.
///
/// - lost: what the additions have lost so far: (filters, channels) and [`SLACK`], or empty where sums are short
pub(super) fn add_long_products<S: Simd>(
    simd: S,
    layout: &ConvLayout,
    x: &[f32],
    dy: &[f32],
    lost: &mut [f32],
    dw: &mut [f32],
) {
    add_band(simd, layout, Place { image: 0, window: 0 }, x, dy, lost, dw);
}

/// Where a band of pixels starts.
#[derive(Clone, Copy)]
struct Place {
    image: usize,
    window: usize,
}

/// [`weight_gradients_dense`] for a band of pixels.
fn add_band<S: Simd>(
    simd: S,
    layout: &ConvLayout,
    place: Place,
    x: &[f32],
    dy: &[f32],
    lost: &mut [f32],
    dw: &mut [f32],
) {
    let filters = layout.filters;
    let x = &x[place.image * layout.image_len..];
    // As many sums as the registers hold beside a block's inputs and a gradient; tiles of eight, four or one for fewer
    // filters.
    let most = match (has_32_registers::<S>(), layout.rows == 1 && layout.run <= S::f32s::LEN) {
        (true, true) => 16,
        (true, false) | (false, true) => 8,
        (false, false) => 4,
    };
    let tile = [16, 8, 4].into_iter().find(|tile| *tile <= most.min(filters)).unwrap_or(1);
    for first in (0..filters).step_by(tile) {
        // The last tile starts early, and leaves out those that were there.
        let start = first.min(filters - tile);
        let tile = Tile { filters: start..start + tile, skip: first - start, dy, window: place.window };
        for block in narrow_blocks::<S>(layout) {
            let to = Target { dw, lost };
            match (block.rows, block.vectors) {
                (1, 1) => of_block::<S, 1, 1>(simd, layout, &tile, &block, x, to),
                (1, 2) => of_block::<S, 1, 2>(simd, layout, &tile, &block, x, to),
                (1, _) => of_block::<S, 1, 3>(simd, layout, &tile, &block, x, to),
                (2, _) => of_block::<S, 2, 1>(simd, layout, &tile, &block, x, to),
                (_, _) => of_block::<S, 3, 1>(simd, layout, &tile, &block, x, to),
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
    /// The first pixel's window.
    window: usize,
}

/// Where sums go, and what their additions have lost so far: nothing, and empty, where they are short.
struct Target<'a> {
    dw: &'a mut [f32],
    lost: &'a mut [f32],
}

/// One tile of filters x one block of the window.
fn of_block<S: Simd, const ROWS: usize, const R: usize>(
    simd: S,
    layout: &ConvLayout,
    tile: &Tile<'_>,
    block: &Block,
    x: &[f32],
    to: Target<'_>,
) {
    let x = &x[block.input_offset(layout)..];
    match tile.filters.len() {
        1 => of_tile::<S, ROWS, R, 1>(simd, layout, tile, block, x, to),
        4 => of_tile::<S, ROWS, R, 4>(simd, layout, tile, block, x, to),
        8 => of_tile::<S, ROWS, R, 8>(simd, layout, tile, block, x, to),
        16 if ROWS * R == 1 => of_tile::<S, ROWS, R, 16>(simd, layout, tile, block, x, to),
        filters => unreachable!("a tile of {filters} filters x {ROWS} rows of {R} vectors"),
    }
}

/// The weight gradients of `F` filters.
///
/// - x: from where the block starts in the first window on
fn of_tile<S: Simd, const ROWS: usize, const R: usize, const F: usize>(
    simd: S,
    layout: &ConvLayout,
    tile: &Tile<'_>,
    block: &Block,
    x: &[f32],
    to: Target<'_>,
) {
    simd.vectorize(
        #[inline(always)]
        || {
            let lanes = S::f32s::LEN;
            let Tile { filters, skip, dy, window } = tile;
            let Target { dw, lost } = to;
            let mut pixel = Pixel { x, window: *window };
            if lost.is_empty() && *skip == 0 && block.is_whole::<S>(layout) {
                let sums = products::<S, ROWS, R, F>(simd, layout, dy, filters.start, &mut pixel);
                for f in 0..F {
                    let dw = &mut dw[(filters.start + f) * layout.window_len() + block.weight_offset(layout)..];
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
            let pixels = if lost.is_empty() { SHORT } else { BLOCK };
            for dy in dy.chunks(pixels * layout.filters) {
                let sums = products::<S, ROWS, R, F>(simd, layout, dy, filters.start, &mut pixel);
                // A copy, made with constant bounds, because what is indexed with a variable lives in memory.
                let mut spilled = [[[S::f32s::splat(simd, 0.0); R]; ROWS]; F];
                for f in 0..F {
                    for row in 0..ROWS {
                        for r in 0..R {
                            spilled[f][row][r] = sums[f][row][r];
                        }
                    }
                }
                for f in *skip..F {
                    for row in 0..ROWS {
                        let sums = &mut spilled[f][row];
                        sums[R - 1] = block.trim(simd, layout, sums[R - 1]);
                        let start = (filters.start + f) * layout.window_len() + block.weight_offset(layout);
                        let places = start + row * layout.run..start + row * layout.run + R * lanes;
                        let lost = lost.get_mut(places.clone()).unwrap_or_default();
                        add_sums(simd, sums, &mut dw[places], lost);
                    }
                }
            }
        },
    );
}

/// Adds sums to those in memory, with what the additions have lost so far if that is not empty.
#[inline(always)]
fn add_sums<S: Simd, const R: usize>(simd: S, sums: &[S::f32s; R], dw: &mut [f32], lost: &mut [f32]) {
    let lanes = S::f32s::LEN;
    for r in 0..R {
        let dw = &mut dw[r * lanes..][..lanes];
        let sum = S::f32s::from_slice(simd, dw);
        match lost.get_mut(r * lanes..(r + 1) * lanes) {
            Some(lost) => {
                let mut rest = S::f32s::from_slice(simd, lost);
                add_compensated::<S>(sums[r], sum, &mut rest).store_slice(dw);
                rest.store_slice(lost);
            }
            None => (sum + sums[r]).store_slice(dw),
        }
    }
}

/// The next pixel.
struct Pixel<'a> {
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
    pixel: &mut Pixel<'_>,
) -> [[[S::f32s; R]; ROWS]; F] {
    let (lanes, zero) = (S::f32s::LEN, S::f32s::splat(simd, 0.0));
    let mut sums = [[[zero; R]; ROWS]; F];
    let Pixel { mut x, mut window } = *pixel;
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
    *pixel = Pixel { x, window };
    sums
}
