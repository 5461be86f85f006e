//! The weight gradients of a convolution with small windows, such as the first layer's on grey images.
//!
//! A row of such a window fills only a few lanes, so the way of [`super::conv2d_backward`] would waste the rest. Here the
//! output channels lie in the lanes, as in the forward pass, and every output counts, zero or not:
//!
//! 1. A band of outputs is spread out to the pixels before pooling, zeros where the window did not win.
//! 2. A tile of several weights of the window x several vectors of channels stays in registers while the band's pixels
//!    stream by: each gradient that is loaded serves every weight of the tile, each input every vector.
//!
//! There is no input gradient: it is for layers that come first.

use super::conv2d::ConvLayout;
use crate::aligned::round_up_to_line;
use crate::simd::{Select, Simd, SimdBase, SimdFloat, has_32_registers};

/// Outputs that are spread out at a time.
const BAND: usize = 8;
/// Weights of a window in a tile.
const TAPS: usize = 9;

/// Whether all weights of all pixels cost less than the lists of nonzeros would.
pub(crate) fn has_small_windows(layout: &ConvLayout) -> bool {
    layout.pool * layout.window_len() <= 128
}

/// Floats of scratch memory that [`weight_gradients_small`] needs: the band, and the sums of all weights.
pub(crate) fn scratch_len(layout: &ConvLayout) -> usize {
    let columns = round_up_to_line(layout.filters);
    (BAND * layout.pool + layout.window_len().next_multiple_of(TAPS)) * columns
}

/// Adds a chunk's gradients.
///
/// - x: (images, padded height, padded width, channels); dy: (images, outputs, filters); winners: the same shape, or not
///   read without pooling
/// - scratch: [`scratch_len`]
/// - dw: (filters, window_len), db: (filters), or empty without biases; both added to
#[expect(clippy::too_many_arguments, reason = "each is one tensor of the operation")]
pub(crate) fn weight_gradients_small<S: Simd>(
    simd: S,
    layout: &ConvLayout,
    images: usize,
    x: &[f32],
    dy: &[f32],
    winners: &[u32],
    scratch: &mut [f32],
    dw: &mut [f32],
    db: &mut [f32],
) {
    let (filters, outputs, pool) = (layout.filters, layout.outputs(), layout.pool);
    let columns = round_up_to_line(filters);
    let (band, sums) = scratch[..scratch_len(layout)].split_at_mut(BAND * pool * columns);
    band.fill(0.0);
    sums.fill(0.0);
    for image in 0..images {
        let x = &x[image * layout.image_len..][..layout.image_len];
        for first in (0..outputs).step_by(BAND) {
            let count = BAND.min(outputs - first);
            let start = (image * outputs + first) * filters;
            let dy = &dy[start..][..count * filters];
            let winners = if pool == 1 { &[][..] } else { &winners[start..][..count * filters] };
            spread(simd, pool, filters, columns, dy, winners, band);
            add_biases(simd, dy, db);
            let windows = &layout.windows[first * pool..][..count * pool];
            add_products(simd, layout, columns, x, windows, band, sums);
        }
    }
    for (filter, dw) in dw.chunks_exact_mut(layout.window_len()).enumerate() {
        dw.iter_mut().zip(sums.chunks_exact(columns)).for_each(|(dw, row)| *dw += row[filter]);
    }
}

/// Gives each output's gradient to the pixel that won, and zero to the others.
///
/// - dy, winners: (outputs, filters); band: (outputs, pool, columns)
fn spread<S: Simd>(
    simd: S,
    pool: usize,
    filters: usize,
    columns: usize,
    dy: &[f32],
    winners: &[u32],
    band: &mut [f32],
) {
    simd.vectorize(
        #[inline(always)]
        || {
            let (lanes, zero) = (S::f32s::LEN, S::f32s::splat(simd, 0.0));
            let whole = filters - filters % lanes;
            for (output, dy) in dy.chunks_exact(filters).enumerate() {
                let to = &mut band[output * pool * columns..][..pool * columns];
                if pool == 1 {
                    to[..filters].copy_from_slice(dy);
                    continue;
                }
                let winners = &winners[output * filters..][..filters];
                for start in (0..whole).step_by(lanes) {
                    let won = S::u32s::from_slice(simd, &winners[start..][..lanes]);
                    let gradients = S::f32s::from_slice(simd, &dy[start..][..lanes]);
                    for (place, to) in to.chunks_exact_mut(columns).enumerate() {
                        let here = won.simd_eq(S::u32s::splat(simd, place as u32));
                        here.select(gradients, zero).store_slice(&mut to[start..][..lanes]);
                    }
                }
                for filter in whole..filters {
                    for (place, to) in to.chunks_exact_mut(columns).enumerate() {
                        to[filter] = if winners[filter] == place as u32 { dy[filter] } else { 0.0 };
                    }
                }
            }
        },
    );
}

/// `db += dy`, summed over outputs.
fn add_biases<S: Simd>(simd: S, dy: &[f32], db: &mut [f32]) {
    let filters = db.len();
    if filters == 0 {
        return;
    }
    simd.vectorize(
        #[inline(always)]
        || {
            let lanes = S::f32s::LEN;
            let whole = db.len() - db.len() % lanes;
            for start in (0..whole).step_by(lanes) {
                let db = &mut db[start..start + lanes];
                let mut sum = S::f32s::from_slice(simd, db);
                for dy in dy.chunks_exact(filters) {
                    sum += S::f32s::from_slice(simd, &dy[start..][..lanes]);
                }
                sum.store_slice(db);
            }
            for start in whole..db.len() {
                db[start] += dy.iter().skip(start).step_by(filters).sum::<f32>();
            }
        },
    );
}

/// `sums += x[window] * band`, tile by tile.
///
/// - band: (pixels, columns); sums: (weights of a window, columns)
fn add_products<S: Simd>(
    simd: S,
    layout: &ConvLayout,
    columns: usize,
    x: &[f32],
    windows: &[u32],
    band: &[f32],
    sums: &mut [f32],
) {
    let widest = if has_32_registers::<S>() { 2 } else { 1 };
    let vectors = layout.filters.div_ceil(S::f32s::LEN);
    for (tile, sums) in sums.chunks_exact_mut(TAPS * columns).enumerate() {
        // What is left over of the last tile repeats the last weight; nobody reads those sums.
        let taps = std::array::from_fn(|tap| {
            let tap = (tile * TAPS + tap).min(layout.window_len() - 1);
            tap / layout.run * layout.row_stride + tap % layout.run
        });
        for first in (0..vectors).step_by(widest) {
            let column = first * S::f32s::LEN;
            if vectors - first >= 2 && widest == 2 {
                tile_products::<S, 2>(simd, columns, column, x, windows, &taps, band, sums);
            } else {
                tile_products::<S, 1>(simd, columns, column, x, windows, &taps, band, sums);
            }
        }
    }
}

#[expect(clippy::too_many_arguments, reason = "each is one tensor or bound of the operation")]
fn tile_products<S: Simd, const V: usize>(
    simd: S,
    columns: usize,
    column: usize,
    x: &[f32],
    windows: &[u32],
    taps: &[usize; TAPS],
    band: &[f32],
    sums: &mut [f32],
) {
    simd.vectorize(
        #[inline(always)]
        || {
            let lanes = S::f32s::LEN;
            let mut tile = [[S::f32s::splat(simd, 0.0); V]; TAPS];
            for (window, gradients) in windows.iter().zip(band.chunks_exact(columns)) {
                let x = &x[*window as usize..];
                let gradients = &gradients[column..][..V * lanes];
                let mut vectors = [S::f32s::splat(simd, 0.0); V];
                for v in 0..V {
                    vectors[v] = S::f32s::from_slice(simd, &gradients[v * lanes..][..lanes]);
                }
                for tap in 0..TAPS {
                    let input = S::f32s::splat(simd, x[taps[tap]]);
                    for v in 0..V {
                        tile[tap][v] = input.mul_add(vectors[v], tile[tap][v]);
                    }
                }
            }
            for tap in 0..TAPS {
                let sums = &mut sums[tap * columns + column..][..V * lanes];
                for v in 0..V {
                    let sums = &mut sums[v * lanes..][..lanes];
                    (S::f32s::from_slice(simd, sums) + tile[tap][v]).store_slice(sums);
                }
            }
        },
    );
}
