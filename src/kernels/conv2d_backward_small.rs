//! The weight gradients of a convolution with small windows, such as the first layer's on grey images.
//!
//! A row of such a window fills only a few lanes, so the way of [`super::conv2d_weight_gradient`] would waste the rest.
//! Here the output channels lie in the lanes, as in the forward pass, and every output counts, zero or not:
//!
//! 1. A tile of several weights of the window x several vectors of channels stays in registers while all pixels of an
//!    image stream by: each gradient that is loaded serves every weight of the tile, each input every vector.
//! 2. Behind a pooling, a pixel's gradients are those of the output, with zero in the lanes where another pixel won.

use super::conv2d::{ConvLayout, OutputGradient};
use super::sum::{add_compensated, terms_at_once};
use crate::aligned::round_up_to_line;
use crate::simd::{Select, Simd, SimdBase, SimdFloat, has_32_registers};

/// Weights of a window in a tile.
const TAPS: usize = 9;

/// Whether all weights of all pixels cost less than the lists of nonzeros would.
pub(crate) fn has_small_windows(layout: &ConvLayout) -> bool {
    layout.pool * layout.window_len() <= 128
}

/// Floats of scratch memory that [`weight_gradients_small`] needs: the sums of all weights.
pub(crate) fn scratch_len(layout: &ConvLayout) -> usize {
    layout.window_len().next_multiple_of(TAPS) * round_up_to_line(layout.filters)
}

/// Adds a chunk's weight gradients.
///
/// - x: (images, padded height, padded width, channels)
/// - of: its tensors reach [`super::conv2d::SLACK`] past their ends
/// - sums: [`scratch_len`]
/// - dw: (filters, window_len), and perhaps more, which is left alone; added to
pub(crate) fn weight_gradients_small<S: Simd>(
    simd: S,
    layout: &ConvLayout,
    x: &[f32],
    of: OutputGradient<'_>,
    sums: &mut [f32],
    dw: &mut [f32],
) {
    let (filters, outputs) = (layout.filters, layout.outputs());
    let columns = round_up_to_line(filters);
    let sums = &mut sums[..scratch_len(layout)];
    sums.fill(0.0);
    for image in 0..of.images {
        let x = &x[image * layout.image_len..][..layout.image_len];
        let start = image * outputs * filters;
        let winners = if layout.pool == 1 { of.winners } else { &of.winners[start..] };
        add_products(simd, layout, columns, Image { x, dy: &of.dy[start..], winners }, sums);
    }
    for (filter, dw) in dw.chunks_exact_mut(layout.window_len()).take(filters).enumerate() {
        dw.iter_mut().zip(sums.chunks_exact(columns)).for_each(|(dw, row)| *dw += row[filter]);
    }
}

/// An image, and the gradient of its outputs.
#[derive(Clone, Copy)]
struct Image<'a> {
    /// (padded height, padded width, channels).
    x: &'a [f32],
    /// (outputs, filters), and what follows.
    dy: &'a [f32],
    /// The same shape; not read without pooling.
    winners: &'a [u32],
}

/// `sums += x[window] * dy` for one image, tile by tile.
///
/// - sums: (weights of a window, columns)
fn add_products<S: Simd>(simd: S, layout: &ConvLayout, columns: usize, image: Image<'_>, sums: &mut [f32]) {
    let widest = if has_32_registers::<S>() { 2 } else { 1 };
    let vectors = layout.filters.div_ceil(S::f32s::LEN);
    for (tile, sums) in sums.chunks_exact_mut(TAPS * columns).enumerate() {
        // What is left over of the last tile repeats the last weight; nobody reads those sums.
        let taps = std::array::from_fn(|tap| {
            let tap = (tile * TAPS + tap).min(layout.window_len() - 1);
            tap / layout.run * layout.row_stride + tap % layout.run
        });
        for first in (0..vectors).step_by(widest) {
            let tile = Tile { taps, columns, column: first * S::f32s::LEN };
            if vectors - first >= 2 && widest == 2 {
                tile_products::<S, 2>(simd, layout, image, &tile, sums);
            } else {
                tile_products::<S, 1>(simd, layout, image, &tile, sums);
            }
        }
    }
}

/// Some weights of the window x some vectors of filters.
struct Tile {
    /// Where each weight's input is, from the window's start on.
    taps: [usize; TAPS],
    /// Floats of a row of sums.
    columns: usize,
    /// The first filter.
    column: usize,
}

/// What an image adds to the sums of a tile.
///
/// - sums: (TAPS, columns)
fn tile_products<S: Simd, const V: usize>(
    simd: S,
    layout: &ConvLayout,
    image: Image<'_>,
    tile: &Tile,
    sums: &mut [f32],
) {
    simd.vectorize(
        #[inline(always)]
        || {
            let (lanes, zero) = (S::f32s::LEN, S::f32s::splat(simd, 0.0));
            let Image { x, dy, winners } = image;
            let Tile { taps, columns, column } = *tile;
            let mut lost = [[zero; V]; TAPS];
            // Whole pooling windows.
            let outputs_at_once = (terms_at_once(layout.windows.len()) / layout.pool).max(1);
            for (block, windows) in layout.windows.chunks(outputs_at_once * layout.pool).enumerate() {
                let mut tile = [[zero; V]; TAPS];
                for (output, windows) in (block * outputs_at_once..).zip(windows.chunks_exact(layout.pool)) {
                    let start = output * layout.filters + column;
                    let (mut gradients, mut won) = ([zero; V], [S::u32s::splat(simd, 0); V]);
                    for v in 0..V {
                        gradients[v] = S::f32s::from_slice(simd, &dy[start + v * lanes..][..lanes]);
                        if layout.pool > 1 {
                            won[v] = S::u32s::from_slice(simd, &winners[start + v * lanes..][..lanes]);
                        }
                    }
                    for (place, window) in windows.iter().enumerate() {
                        let x = &x[*window as usize..];
                        let mut here = [zero; V];
                        for v in 0..V {
                            here[v] = won[v].simd_eq(S::u32s::splat(simd, place as u32)).select(gradients[v], zero);
                        }
                        for tap in 0..TAPS {
                            let input = S::f32s::splat(simd, x[taps[tap]]);
                            for v in 0..V {
                                tile[tap][v] = input.mul_add(here[v], tile[tap][v]);
                            }
                        }
                    }
                }
                for tap in 0..TAPS {
                    let sums = &mut sums[tap * columns + column..][..V * lanes];
                    for v in 0..V {
                        let sums = &mut sums[v * lanes..][..lanes];
                        let sum = S::f32s::from_slice(simd, sums);
                        add_compensated::<S>(tile[tap][v], sum, &mut lost[tap][v]).store_slice(sums);
                    }
                }
            }
        },
    );
}
