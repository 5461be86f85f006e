//! The forward pass of a convolution, with bias, max pooling and activation in the same sweep.
//!
//! The simple version, which `ops::conv2d` is: for each output pixel and filter, sum input times weight over the
//! window. The changes made here:
//!
//! 1. Output channels lie in the lanes; an input value is broadcast to them.
//! 2. A tile of several pixels x several vectors of channels stays in registers while the window streams by, so that
//!    each weight that is loaded serves every pixel of the tile, and each broadcast every vector.
//! 3. Pixels of all images of the chunk form one list; the windows of one pooling window stand together in it, so
//!    that pooling and activation follow while a band of outputs is still in the first-level cache.

use super::activation::{Elementwise, activate};
use super::conv2d::{ConvLayout, Inputs, Outputs, blocks, tile_pixels};
use super::finite::{Sums, sums_of};
use super::max_pool::pool_band;
use super::sum::{BLOCK, SHORT, add_all_compensated};
use crate::simd::{Simd, SimdBase, SimdFloat};
use std::ops::Range;

/// Computes `activation(max_pool(x * weights + bias))` for `images` images.
///
/// - band: room for [`ConvLayout::band`] x filters
pub(crate) fn conv2d_forward<S: Simd>(
    simd: S,
    layout: &ConvLayout,
    activation: Elementwise,
    inputs: Inputs<'_>,
    band: &mut [f32],
    mut outputs: Outputs<'_>,
) {
    let Inputs { images, x, packed } = inputs;
    let (filters, pool) = (layout.filters, layout.pool);
    let pixels = images * layout.windows.len();
    let band_pixels = layout.band::<S>();
    let sums = if pool == 1 { Sums::Any } else { sums_of(simd, x, packed) };
    for start in (0..pixels).step_by(band_pixels) {
        let count = band_pixels.min(pixels - start);
        let mut outputs = outputs.part(start / pool * filters..(start + count) / pool * filters);
        if pool == 1 {
            products(simd, layout, x, packed, start..start + count, outputs.y);
        } else {
            products(simd, layout, x, packed, start..start + count, band);
            pool_band(simd, &band[..count * filters], sums, pool, filters, &mut outputs);
        }
        activate(simd, activation, outputs.y);
    }
}

/// The convolution outputs of some pixels of the chunk, into `out`: (pixels, filters).
pub(super) fn products<S: Simd>(
    simd: S,
    layout: &ConvLayout,
    x: &[f32],
    packed: &[f32],
    pixels: Range<usize>,
    out: &mut [f32],
) {
    let mut rest = packed;
    for (first, vectors) in blocks::<S>(layout.filters) {
        let (weights, after) = rest.split_at((layout.window_len() + 1) * vectors * S::f32s::LEN);
        rest = after;
        let (block, pixels) = (FilterBlock { weights, first }, pixels.clone());
        match (vectors, tile_pixels::<S>(vectors)) {
            (4, _) => block_products::<S, 6, 4>(simd, layout, x, block, pixels, out),
            (3, _) => block_products::<S, 8, 3>(simd, layout, x, block, pixels, out),
            (2, 12) => block_products::<S, 12, 2>(simd, layout, x, block, pixels, out),
            (2, _) => block_products::<S, 6, 2>(simd, layout, x, block, pixels, out),
            (_, 12) => block_products::<S, 12, 1>(simd, layout, x, block, pixels, out),
            (_, _) => block_products::<S, 8, 1>(simd, layout, x, block, pixels, out),
        }
    }
}

/// The packed weights of some vectors of filters.
#[derive(Clone, Copy)]
struct FilterBlock<'a> {
    /// (window_len + 1, vectors * lanes); the last row holds the biases.
    weights: &'a [f32],
    /// The first filter.
    first: usize,
}

/// [`products`] for one block of `V` vectors of filters, in tiles of `P` pixels.
fn block_products<S: Simd, const P: usize, const V: usize>(
    simd: S,
    layout: &ConvLayout,
    x: &[f32],
    block: FilterBlock<'_>,
    pixels: Range<usize>,
    out: &mut [f32],
) {
    let (per_image, count) = (layout.windows.len(), pixels.len());
    let (mut base, mut pixel) = (pixels.start / per_image * layout.image_len, pixels.start % per_image);
    let mut done = 0;
    while done < count {
        // A whole tile while it lasts, then one of four; what a tile lacks repeats its last pixel. Eight are two of
        // four.
        let rest = count - done;
        let tile = match rest {
            0..=2 => 1,
            3 | 4 => rest,
            8 if P == 6 => 4,
            _ => P.min(rest),
        };
        let mut windows = [0; P];
        for place in 0..P {
            if place < tile {
                if pixel == per_image {
                    (base, pixel) = (base + layout.image_len, 0);
                }
                windows[place] = base + layout.windows[pixel] as usize;
                pixel += 1;
            } else {
                windows[place] = windows[place - 1];
            }
        }
        let out = &mut out[done * layout.filters + block.first..];
        if layout.window_len() > SHORT {
            long_windows::<S, P, V>(simd, layout, x, windows, block, out, tile);
        } else {
            match tile {
                1 => tile_products::<S, 1, V>(simd, layout, x, [windows[0]], block, out, 1),
                2..=4 => {
                    let windows = [windows[0], windows[1], windows[2], windows[3]];
                    tile_products::<S, 4, V>(simd, layout, x, windows, block, out, tile);
                }
                _ => tile_products::<S, P, V>(simd, layout, x, windows, block, out, tile),
            }
        }
        done += tile;
    }
}

/// The microkernel: `P` pixels x `V` vectors of filters in registers while their windows stream by.
///
/// - windows: where each pixel's window starts in x
/// - out: from the first pixel's first filter of this block on; `pixels` of the `P` are stored
fn tile_products<S: Simd, const P: usize, const V: usize>(
    simd: S,
    layout: &ConvLayout,
    x: &[f32],
    windows: [usize; P],
    block: FilterBlock<'_>,
    out: &mut [f32],
    pixels: usize,
) {
    simd.vectorize(
        #[inline(always)]
        || {
            let (lanes, run) = (S::f32s::LEN, layout.run);
            let columns = V * lanes;
            let bias = &block.weights[layout.window_len() * columns..][..columns];
            let mut sums = [[S::f32s::splat(simd, 0.0); V]; P];
            for v in 0..V {
                let bias = S::f32s::from_slice(simd, &bias[v * lanes..][..lanes]);
                for sums in &mut sums {
                    sums[v] = bias;
                }
            }
            for row in 0..layout.rows {
                let weights = &block.weights[row * run * columns..][..run * columns];
                sums = add_products(simd, sums, x, windows, row * layout.row_stride, weights);
            }
            let filters = (layout.filters - block.first).min(columns);
            if pixels == P && filters == columns {
                for p in 0..P {
                    let out = &mut out[p * layout.filters..][..columns];
                    for v in 0..V {
                        sums[p][v].store_slice(&mut out[v * lanes..][..lanes]);
                    }
                }
            } else {
                // A copy, because what is indexed with a variable lives in memory.
                let spilled = sums;
                for (p, sums) in spilled[..pixels].iter().enumerate() {
                    store_some(sums, &mut out[p * layout.filters..][..filters]);
                }
            }
        },
    );
}

/// Adds the products of a row of the window, or a part of one.
///
/// - offset: where it starts in each window; weights: (inputs, V vectors)
#[inline(always)]
pub(super) fn add_products<S: Simd, const P: usize, const V: usize>(
    simd: S,
    mut sums: [[S::f32s; V]; P],
    x: &[f32],
    windows: [usize; P],
    offset: usize,
    weights: &[f32],
) -> [[S::f32s; V]; P] {
    // Every loop over pixels and vectors has constant bounds, so that the sums stay in registers.
    let lanes = S::f32s::LEN;
    let len = weights.len() / (V * lanes);
    let mut inputs = [&x[..0]; P];
    for p in 0..P {
        inputs[p] = &x[windows[p] + offset..][..len];
    }
    for (i, weights) in (0..len).zip(weights.chunks_exact(V * lanes)) {
        let mut vectors = [S::f32s::splat(simd, 0.0); V];
        for v in 0..V {
            vectors[v] = S::f32s::from_slice(simd, &weights[v * lanes..][..lanes]);
        }
        for p in 0..P {
            let input = S::f32s::splat(simd, inputs[p][i]);
            for v in 0..V {
                sums[p][v] = input.mul_add(vectors[v], sums[p][v]);
            }
        }
    }
    sums
}

/// The most sums of a tile: 12 pixels x 2 vectors of 16 filters, 6 x 4, 8 x 3.
const MAX_TILE: usize = 384;

/// [`tile_products`] for windows of more than [`SHORT`] terms: in pieces of [`BLOCK`], whose sums are added with what
/// the additions lose.
fn long_windows<S: Simd, const P: usize, const V: usize>(
    simd: S,
    layout: &ConvLayout,
    x: &[f32],
    windows: [usize; P],
    block: FilterBlock<'_>,
    out: &mut [f32],
    pixels: usize,
) {
    let columns = V * S::f32s::LEN;
    let bias = &block.weights[layout.window_len() * columns..][..columns];
    let (mut sums, mut lost, mut part) = ([0.0; MAX_TILE], [0.0; MAX_TILE], [0.0; MAX_TILE]);
    let used = P * columns;
    for p in 0..P {
        sums[p * columns..][..columns].copy_from_slice(bias);
    }
    for row in 0..layout.rows {
        for start in (0..layout.run).step_by(BLOCK) {
            let len = BLOCK.min(layout.run - start);
            let weights = &block.weights[(row * layout.run + start) * columns..][..len * columns];
            piece::<S, P, V>(simd, x, windows, row * layout.row_stride + start, weights, &mut part[..used]);
            add_all_compensated(simd, &part[..used], &mut sums[..used], &mut lost[..used]);
        }
    }
    let filters = (layout.filters - block.first).min(columns);
    for (sums, out) in sums.chunks_exact(columns).zip(out.chunks_mut(layout.filters)).take(pixels) {
        out[..filters].copy_from_slice(&sums[..filters]);
    }
}

/// The products of a piece of the windows, into `part`: (P, V vectors).
fn piece<S: Simd, const P: usize, const V: usize>(
    simd: S,
    x: &[f32],
    windows: [usize; P],
    offset: usize,
    weights: &[f32],
    part: &mut [f32],
) {
    simd.vectorize(
        #[inline(always)]
        || {
            let zeros = [[S::f32s::splat(simd, 0.0); V]; P];
            let sums = add_products(simd, zeros, x, windows, offset, weights);
            for p in 0..P {
                for v in 0..V {
                    sums[p][v].store_slice(&mut part[(p * V + v) * S::f32s::LEN..][..S::f32s::LEN]);
                }
            }
        },
    );
}

/// Stores as many lanes as `out` has room for.
#[inline(always)]
fn store_some<S: Simd, V: SimdBase<S, Element = f32>>(vectors: &[V], out: &mut [f32]) {
    for (vector, out) in vectors.iter().zip(out.chunks_mut(V::LEN)) {
        out.copy_from_slice(&vector.as_slice()[..out.len()]);
    }
}
