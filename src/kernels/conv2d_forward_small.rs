//! The forward pass of a convolution with windows of at most nine weights, such as 3x3 on grey images.
//!
//! For so few weights the tile of [`super::conv2d_forward`] spends its time on getting started. Here all weights of a
//! filter stay in registers while every window of the image streams by, and a pooling window's maximum is taken before
//! anything is stored.

use super::activation::{Elementwise, activate};
use super::conv2d::{ConvLayout, Inputs, Outputs, blocks};
use super::finite::{Sums, sums_of};
use super::max_pool::wins;
use crate::aligned::LINE_FLOATS;
use crate::simd::{Select, Simd, SimdBase, SimdFloat, has_32_registers};

/// The most weights of a window.
const TAPS: usize = 9;

/// Whether this way suits the convolution: few weights, and whole vectors of filters.
pub(crate) fn has_tiny_windows(layout: &ConvLayout) -> bool {
    layout.window_len() <= TAPS && layout.filters.is_multiple_of(LINE_FLOATS) && layout.windows.len() > 1
}

/// Computes `activation(max_pool(x * weights + bias))` for `images` images.
pub(crate) fn conv2d_forward_small<S: Simd>(
    simd: S,
    layout: &ConvLayout,
    activation: Elementwise,
    inputs: Inputs<'_>,
    mut outputs: Outputs<'_>,
) {
    let Inputs { images, x, packed } = inputs;
    let per_image = layout.outputs() * layout.filters;
    let sums = if layout.pool == 1 { Sums::Any } else { sums_of(simd, x, packed) };
    for image in 0..images {
        let x = &x[image * layout.image_len..][..layout.image_len];
        let mut outputs = outputs.part(image * per_image..(image + 1) * per_image);
        let mut block = packed;
        for (first, vectors) in blocks::<S>(layout.filters) {
            let columns = vectors * S::f32s::LEN;
            // Two vectors of nine weights leave room for sums and maxima in 32 registers, one in 16.
            let step = if has_32_registers::<S>() { 2 } else { 1 };
            for vector in (0..vectors).step_by(step) {
                let column = vector * S::f32s::LEN;
                let stream = match (step == 2 && vectors - vector >= 2, sums) {
                    (true, Sums::Finite) => stream::<S, 2, false>,
                    (true, Sums::Any) => stream::<S, 2, true>,
                    (false, Sums::Finite) => stream::<S, 1, false>,
                    (false, Sums::Any) => stream::<S, 1, true>,
                };
                let weights = Columns { block, columns, first: column, filter: first + column };
                stream(simd, layout, x, weights, &mut outputs);
            }
            block = &block[(layout.window_len() + 1) * columns..];
        }
        activate(simd, activation, outputs.y);
    }
}

/// The weights of some vectors of filters: columns of a packed block.
#[derive(Clone, Copy)]
struct Columns<'a> {
    /// (window_len + 1, columns); the last row holds the biases.
    block: &'a [f32],
    columns: usize,
    /// The first of the columns.
    first: usize,
    /// The filter whose weights the first column holds.
    filter: usize,
}

/// All windows of an image for `V` vectors of filters; `NAN` says whether sums may be NaN.
fn stream<S: Simd, const V: usize, const NAN: bool>(
    simd: S,
    layout: &ConvLayout,
    x: &[f32],
    weights: Columns<'_>,
    outputs: &mut Outputs<'_>,
) {
    simd.vectorize(
        #[inline(always)]
        || {
            let (lanes, filters, window_len) = (S::f32s::LEN, layout.filters, layout.window_len());
            let Columns { block, columns, first, filter } = weights;
            let Outputs { y, winners } = outputs;
            let load =
                |row: usize, v: usize| S::f32s::from_slice(simd, &block[row * columns + first + v * lanes..][..lanes]);
            // What is missing of nine weights is zero, times any input of the window.
            let mut weights = [[S::f32s::splat(simd, 0.0); V]; TAPS];
            let mut taps = [0; TAPS];
            for tap in 0..TAPS {
                if tap < window_len {
                    taps[tap] = tap / layout.run * layout.row_stride + tap % layout.run;
                    for v in 0..V {
                        weights[tap][v] = load(tap, v);
                    }
                }
            }
            let mut bias = [S::f32s::splat(simd, 0.0); V];
            for v in 0..V {
                bias[v] = load(window_len, v);
            }
            for (output, windows) in layout.windows.chunks_exact(layout.pool).enumerate() {
                let mut best = convolve(simd, x, windows[0], &taps, &weights, &bias);
                let mut winner = [S::u32s::splat(simd, 0); V];
                for (place, window) in (1..).zip(&windows[1..]) {
                    let sums = convolve(simd, x, *window, &taps, &weights, &bias);
                    for v in 0..V {
                        let larger = wins::<S, NAN>(sums[v], best[v]);
                        best[v] = larger.select(sums[v], best[v]);
                        winner[v] = larger.select(S::u32s::splat(simd, place), winner[v]);
                    }
                }
                let at = output * filters + filter;
                for v in 0..V {
                    best[v].store_slice(&mut y[at + v * lanes..][..lanes]);
                    if let Some(winners) = winners.get_mut(at + v * lanes..at + (v + 1) * lanes) {
                        winner[v].store_slice(winners);
                    }
                }
            }
        },
    );
}

/// One window's sums.
#[inline(always)]
fn convolve<S: Simd, const V: usize>(
    simd: S,
    x: &[f32],
    window: u32,
    taps: &[usize; TAPS],
    weights: &[[S::f32s; V]; TAPS],
    bias: &[S::f32s; V],
) -> [S::f32s; V] {
    let x = &x[window as usize..];
    let mut sums = *bias;
    for tap in 0..TAPS {
        let input = S::f32s::splat(simd, x[taps[tap]]);
        for v in 0..V {
            sums[v] = input.mul_add(weights[tap][v], sums[v]);
        }
    }
    sums
}
