//! The weight gradients of a convolution, over the outputs that have a gradient.
//!
//! The simple version, which `ops::conv2d_backward` is: for each output pixel and filter, add gradient times input to
//! the filter's weight gradients, over the window. The changes made here:
//!
//! 1. Outputs whose gradient is zero are skipped: [`Nonzeros`] lists the others, filter by filter.
//! 2. A block of a filter's weight gradients stays in registers while the windows of its list stream by.
//! 3. Rows that are no multiple of a vector read a little past their end, and add zeros there.

use super::conv2d::ConvLayout;
use super::nonzeros::{Nonzero, Nonzeros};
use super::sum::{add_compensated, terms_at_once};
use super::window_block::{Block, blocks, with_block_size};
use crate::simd::{Simd, SimdBase, SimdFloat};

/// `dw += gradient * x[window]` for the outputs that `nonzeros` lists.
///
/// - x: (images, padded height, padded width, channels), and [`super::conv2d::SLACK`]
/// - dw: (filters, window_len), and the same slack
pub(crate) fn weight_gradients<S: Simd>(simd: S, layout: &ConvLayout, nonzeros: &Nonzeros, x: &[f32], dw: &mut [f32]) {
    for block in blocks::<S>(layout, usize::MAX) {
        with_block_size!(block, gradients_of_block(simd, layout, &block, nonzeros, x, dw));
    }
}

fn gradients_of_block<S: Simd, const ROWS: usize, const R: usize>(
    simd: S,
    layout: &ConvLayout,
    block: &Block,
    nonzeros: &Nonzeros,
    x: &[f32],
    dw: &mut [f32],
) {
    simd.vectorize(
        #[inline(always)]
        || {
            let lanes = S::f32s::LEN;
            let x = &x[block.input_offset(layout)..];
            let dw = &mut dw[block.weight_offset(layout)..];
            for filter in 0..layout.filters {
                let dw = &mut dw[filter * layout.window_len()..];
                let mut lost = [[S::f32s::splat(simd, 0.0); R]; ROWS];
                let outputs = nonzeros.of(filter);
                for outputs in outputs.chunks(terms_at_once(outputs.len())) {
                    let mut sums = [[S::f32s::splat(simd, 0.0); R]; ROWS];
                    for output in outputs {
                        add_window(simd, output, x, layout.row_stride, &mut sums);
                    }
                    for row in 0..ROWS {
                        sums[row][R - 1] = block.trim(simd, layout, sums[row][R - 1]);
                        let dw = &mut dw[row * layout.run..][..R * lanes];
                        for r in 0..R {
                            let dw = &mut dw[r * lanes..][..lanes];
                            let sum = S::f32s::from_slice(simd, dw);
                            add_compensated::<S>(sums[row][r], sum, &mut lost[row][r]).store_slice(dw);
                        }
                    }
                }
            }
        },
    );
}

/// `sums += gradient * x[window]` for one output.
#[inline(always)]
fn add_window<S: Simd, const ROWS: usize, const R: usize>(
    simd: S,
    output: &Nonzero,
    x: &[f32],
    row_stride: usize,
    sums: &mut [[S::f32s; R]; ROWS],
) {
    let lanes = S::f32s::LEN;
    let gradient = S::f32s::splat(simd, output.gradient);
    for row in 0..ROWS {
        let x = &x[output.window as usize + row * row_stride..][..R * lanes];
        for r in 0..R {
            sums[row][r] = gradient.mul_add(S::f32s::from_slice(simd, &x[r * lanes..][..lanes]), sums[row][r]);
        }
    }
}
