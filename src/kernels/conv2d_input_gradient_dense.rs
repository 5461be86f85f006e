//! The input gradients of a convolution whose outputs nearly all have a gradient, as behind a tanh.
//!
//! The simple version, which `ops::conv2d_backward` is: for each output pixel and filter, add gradient times weight to
//! the input's gradients, over the window. The changes made here:
//!
//! 1. A tile of several pixels x a block of the window stays in registers while the filters stream by: each vector of
//!    weights that is loaded serves every pixel of the tile, each broadcast gradient every vector. What a tile lacks
//!    repeats its last pixel.
//! 2. Sums go over as many filters as leave a block's weights in the first-level cache. Where several tiles use them
//!    they are copied together first: where they lie, they would compete for the same cache sets.
//! 3. Rows that are no multiple of a vector read a little past their end, and add zeros there.

use super::conv2d::ConvLayout;
use super::window_block::{Block, narrow_blocks};
use crate::simd::{Simd, SimdBase, SimdFloat, has_32_registers};
use std::ops::Range;

/// Filters of one sum.
const FILTERS: usize = 128;
/// Pixels that are worked on at a time: their gradients, and what they add to, stay near the core.
const PIXELS: usize = 192;
/// Pixels from which on it pays to copy weights together.
const MANY_PIXELS: usize = 32;

/// Floats of the copied weights: up to three vectors of up to 16 lanes for each filter.
pub(crate) const COPIED_WEIGHTS: usize = FILTERS * 3 * 16;

/// What the input gradients are made of.
#[derive(Clone, Copy)]
pub(crate) struct Factors<'a> {
    /// (images, outputs, filters).
    pub(crate) dy: &'a [f32],
    /// (filters, window_len), and [`super::conv2d::SLACK`].
    pub(crate) weights: &'a [f32],
}

/// `dx[window] += dy * weights` for every output of some images. No pooling may be fused.
///
/// - copied: room for [`COPIED_WEIGHTS`]
/// - dx: (images, padded height, padded width, channels), and [`super::conv2d::SLACK`]
pub(crate) fn input_gradients_dense<S: Simd>(
    simd: S,
    layout: &ConvLayout,
    factors: Factors<'_>,
    copied: &mut [f32],
    dx: &mut [f32],
) {
    let per_image = layout.windows.len();
    for (band, dy) in factors.dy.chunks(PIXELS * layout.filters).enumerate() {
        let (image, window) = (band * PIXELS / per_image, band * PIXELS % per_image);
        let dx = &mut dx[image * layout.image_len..];
        for first in (0..layout.filters).step_by(FILTERS) {
            let filters = first..(first + FILTERS).min(layout.filters);
            for block in narrow_blocks::<S>(layout) {
                let origin = first * layout.window_len() + block.weight_offset(layout);
                let mut weights = Weights { values: &factors.weights[origin..], stride: layout.window_len() };
                if block.rows > 1 || dy.len() >= MANY_PIXELS * layout.filters {
                    weights = copy(simd, layout, &block, &weights, filters.len(), copied);
                }
                let part = Part { block: &block, filters: filters.clone(), weights, dy, window };
                // As many sums as the registers hold beside a block's weights and a gradient.
                match (block.rows, block.vectors, has_32_registers::<S>()) {
                    (1, 1, true) => of_part::<S, 1, 1, 16>(simd, layout, &part, dx),
                    (1, 1, false) => of_part::<S, 1, 1, 8>(simd, layout, &part, dx),
                    (1, 2, true) => of_part::<S, 1, 2, 8>(simd, layout, &part, dx),
                    (1, 2, false) => of_part::<S, 1, 2, 4>(simd, layout, &part, dx),
                    (1, _, true) => of_part::<S, 1, 3, 8>(simd, layout, &part, dx),
                    (1, _, false) => of_part::<S, 1, 3, 4>(simd, layout, &part, dx),
                    (2, _, true) => of_part::<S, 2, 1, 8>(simd, layout, &part, dx),
                    (2, _, false) => of_part::<S, 2, 1, 4>(simd, layout, &part, dx),
                    (_, _, true) => of_part::<S, 3, 1, 8>(simd, layout, &part, dx),
                    (_, _, false) => of_part::<S, 3, 1, 4>(simd, layout, &part, dx),
                }
            }
        }
    }
}

/// The weights of a block, filter by filter.
#[derive(Clone, Copy)]
struct Weights<'a> {
    values: &'a [f32],
    /// Floats from one filter to the next.
    stride: usize,
}

/// The same weights, close together.
fn copy<'a, S: Simd>(
    simd: S,
    layout: &ConvLayout,
    block: &Block,
    from: &Weights<'_>,
    filters: usize,
    copied: &'a mut [f32],
) -> Weights<'a> {
    simd.vectorize(
        #[inline(always)]
        || {
            let lanes = S::f32s::LEN;
            let row = block.vectors * lanes;
            let stride = block.rows * row;
            for (filter, copied) in copied.chunks_exact_mut(stride).take(filters).enumerate() {
                for (place, copied) in copied.chunks_exact_mut(row).enumerate() {
                    let from = &from.values[filter * from.stride + place * layout.run..][..row];
                    for (copied, from) in copied.chunks_exact_mut(lanes).zip(from.chunks_exact(lanes)) {
                        S::f32s::from_slice(simd, from).store_slice(copied);
                    }
                }
            }
            Weights { values: copied, stride }
        },
    )
}

/// Some filters by a block of the window, for a band of pixels.
struct Part<'a> {
    block: &'a Block,
    filters: Range<usize>,
    weights: Weights<'a>,
    /// (pixels, all filters).
    dy: &'a [f32],
    /// The first pixel's window.
    window: usize,
}

/// All pixels in tiles of `P`; the last few in one of four or single ones.
fn of_part<S: Simd, const ROWS: usize, const R: usize, const P: usize>(
    simd: S,
    layout: &ConvLayout,
    part: &Part<'_>,
    dx: &mut [f32],
) {
    let mut place = Place { image: 0, window: part.window };
    let tile = P * layout.filters;
    for dy in part.dy.chunks(tile) {
        match dy.len() / layout.filters {
            1 | 2 => dy.chunks_exact(layout.filters).for_each(|dy| {
                of_tile::<S, ROWS, R, 1>(simd, layout, part, dy, &mut place, dx);
            }),
            3 | 4 => of_tile::<S, ROWS, R, 4>(simd, layout, part, dy, &mut place, dx),
            _ => of_tile::<S, ROWS, R, P>(simd, layout, part, dy, &mut place, dx),
        }
    }
}

/// The next pixel.
struct Place {
    /// Where its image starts.
    image: usize,
    window: usize,
}

/// The microkernel: up to `P` pixels x a block of `ROWS` rows of `R` vectors.
///
/// - dy: (pixels of the tile, filters)
fn of_tile<S: Simd, const ROWS: usize, const R: usize, const P: usize>(
    simd: S,
    layout: &ConvLayout,
    part: &Part<'_>,
    dy: &[f32],
    place: &mut Place,
    dx: &mut [f32],
) {
    simd.vectorize(
        #[inline(always)]
        || {
            let (lanes, zero) = (S::f32s::LEN, S::f32s::splat(simd, 0.0));
            let Part { block, filters, weights, .. } = part;
            let pixels = dy.len() / layout.filters;
            let mut gradients = [&dy[..0]; P];
            for p in 0..P {
                let pixel = p.min(pixels - 1);
                gradients[p] = &dy[pixel * layout.filters + filters.start..][..filters.len()];
            }
            let mut sums = [[[zero; R]; ROWS]; P];
            for filter in 0..filters.len() {
                let values = &weights.values[filter * weights.stride..][..ROWS * R * lanes];
                let mut vectors = [[zero; R]; ROWS];
                for row in 0..ROWS {
                    for r in 0..R {
                        vectors[row][r] = S::f32s::from_slice(simd, &values[(row * R + r) * lanes..][..lanes]);
                    }
                }
                for p in 0..P {
                    let gradient = S::f32s::splat(simd, gradients[p][filter]);
                    for row in 0..ROWS {
                        for r in 0..R {
                            sums[p][row][r] = gradient.mul_add(vectors[row][r], sums[p][row][r]);
                        }
                    }
                }
            }
            let offset = block.input_offset(layout);
            // A copy, because what is indexed with a variable lives in memory.
            let mut spilled = sums;
            for sums in &mut spilled[..pixels] {
                if place.window == layout.windows.len() {
                    *place = Place { image: place.image + layout.image_len, window: 0 };
                }
                let window = layout.windows[place.window] as usize;
                place.window += 1;
                let dx = &mut dx[place.image + window + offset..];
                for row in 0..ROWS {
                    sums[row][R - 1] = block.trim(simd, layout, sums[row][R - 1]);
                    let dx = &mut dx[row * layout.row_stride..][..R * lanes];
                    for r in 0..R {
                        let dx = &mut dx[r * lanes..][..lanes];
                        (S::f32s::from_slice(simd, dx) + sums[row][r]).store_slice(dx);
                    }
                }
            }
        },
    );
}
