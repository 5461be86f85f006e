//! The backward pass of a convolution, over the outputs that have a gradient.
//!
//! The simple version, which `ops::conv2d_backward` is: for each output pixel and filter, add gradient times input to the
//! filter's weight gradients, and gradient times weight to the input's gradients, over the window. The changes made
//! here:
//!
//! 1. Outputs whose gradient is zero are skipped: [`Nonzeros`] lists the others, filter by filter.
//! 2. A filter's weights, or its weight gradients, stay in registers while the windows of its list stream by. A row of
//!    the window is contiguous both in the input and in the weights, so its vectors need no broadcast and no gather.
//! 3. Rows that are no multiple of a vector read and write a little past their end: with zero weights there, adding
//!    changes nothing, and gradients there are not stored.

use super::conv2d::ConvLayout;
use super::nonzeros::{Nonzero, Nonzeros};
use crate::simd::{Simd, SimdBase, SimdFloat, has_32_registers};
use std::ops::Range;

/// Adds the gradients of the outputs that `nonzeros` lists.
///
/// - x: (images, padded height, padded width, channels), and [`super::conv2d::SLACK`]
/// - weights: (filters, window_len)
/// - dw: the same shape, db: (filters), or empty without biases, dx: the shape of x; all three added to
#[expect(clippy::too_many_arguments, reason = "each is one tensor of the operation")]
pub(crate) fn conv2d_backward<S: Simd>(
    simd: S,
    layout: &ConvLayout,
    nonzeros: &Nonzeros,
    x: &[f32],
    weights: &[f32],
    dw: &mut [f32],
    db: &mut [f32],
    mut dx: Option<&mut [f32]>,
) {
    for (filter, db) in db.iter_mut().enumerate() {
        *db += sum(nonzeros.of(filter));
    }
    for block in blocks::<S>(layout) {
        weight_gradient(simd, layout, &block, nonzeros, x, dw);
        if let Some(dx) = dx.as_deref_mut() {
            input_gradient(simd, layout, &block, nonzeros, weights, dx);
        }
    }
}

/// The sum of a list's gradients, in eight parts, as one addition must wait for the one before it.
fn sum(list: &[Nonzero]) -> f32 {
    let (eights, rest) = list.as_chunks::<8>();
    let mut sums = [0.0; 8];
    for eight in eights {
        sums.iter_mut().zip(eight).for_each(|(sum, output)| *sum += output.gradient);
    }
    sums.iter().sum::<f32>() + rest.iter().map(|output| output.gradient).sum::<f32>()
}

/// A part of a window that fits in registers: some rows, and some vectors of each.
struct Block {
    first_row: usize,
    rows: usize,
    /// The first float in each row.
    start: usize,
    /// Vectors of each row.
    vectors: usize,
}

/// Cuts a window into blocks that fit in registers: up to three rows of up to eight vectors each.
fn blocks<S: Simd>(layout: &ConvLayout) -> impl Iterator<Item = Block> {
    let (run, rows) = (layout.run.div_ceil(S::f32s::LEN), layout.rows);
    let parts = run.div_ceil(8);
    let widest = run.div_ceil(parts);
    let registers = if has_32_registers::<S>() { 24 } else { 12 };
    let rows_each = (registers / widest).clamp(1, 3);
    (0..rows).step_by(rows_each).flat_map(move |first_row| {
        (0..parts).map(move |part| {
            let (first, end) = (part * run / parts, (part + 1) * run / parts);
            let rows = rows_each.min(rows - first_row);
            Block { first_row, rows, start: first * S::f32s::LEN, vectors: end - first }
        })
    })
}

/// Calls a kernel with the numbers of rows and vectors as constants.
macro_rules! with_block_size {
    ($block:expr, $kernel:ident($($argument:expr),*)) => {
        match $block.vectors {
            1 => with_block_size!(@rows 1, $block, $kernel($($argument),*)),
            2 => with_block_size!(@rows 2, $block, $kernel($($argument),*)),
            3 => with_block_size!(@rows 3, $block, $kernel($($argument),*)),
            4 => with_block_size!(@rows 4, $block, $kernel($($argument),*)),
            5 => with_block_size!(@rows 5, $block, $kernel($($argument),*)),
            6 => with_block_size!(@rows 6, $block, $kernel($($argument),*)),
            7 => with_block_size!(@rows 7, $block, $kernel($($argument),*)),
            _ => with_block_size!(@rows 8, $block, $kernel($($argument),*)),
        }
    };
    (@rows $vectors:literal, $block:expr, $kernel:ident($($argument:expr),*)) => {
        match $block.rows {
            1 => $kernel::<S, 1, $vectors>($($argument),*),
            2 => $kernel::<S, 2, $vectors>($($argument),*),
            _ => $kernel::<S, 3, $vectors>($($argument),*),
        }
    };
}

/// `dw += gradient * x[window]` for every filter and output, for one block of the window.
///
/// - dw: (filters, window_len)
fn weight_gradient<S: Simd>(
    simd: S,
    layout: &ConvLayout,
    block: &Block,
    nonzeros: &Nonzeros,
    x: &[f32],
    dw: &mut [f32],
) {
    with_block_size!(block, weight_gradient_of(simd, layout, block, nonzeros, x, dw));
}

fn weight_gradient_of<S: Simd, const ROWS: usize, const R: usize>(
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
            let x = &x[block.first_row * layout.row_stride + block.start..];
            for (filter, dw) in dw.chunks_exact_mut(layout.window_len()).enumerate() {
                let mut sums = [[S::f32s::splat(simd, 0.0); R]; ROWS];
                for output in nonzeros.of(filter) {
                    add_window(simd, output, x, layout.row_stride, &mut sums);
                }
                for row in 0..ROWS {
                    let dw = &mut dw[row_of_block(layout, block, row)];
                    for r in 0..R {
                        add_to(simd, sums[row][r], &mut dw[r * S::f32s::LEN..]);
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

/// `dx[window] += gradient * weights` for every filter and output, for one block of the window.
///
/// - weights: (filters, window_len)
fn input_gradient<S: Simd>(
    simd: S,
    layout: &ConvLayout,
    block: &Block,
    nonzeros: &Nonzeros,
    weights: &[f32],
    dx: &mut [f32],
) {
    with_block_size!(block, input_gradient_of(simd, layout, block, nonzeros, weights, dx));
}

fn input_gradient_of<S: Simd, const ROWS: usize, const R: usize>(
    simd: S,
    layout: &ConvLayout,
    block: &Block,
    nonzeros: &Nonzeros,
    weights: &[f32],
    dx: &mut [f32],
) {
    simd.vectorize(
        #[inline(always)]
        || {
            let dx = &mut dx[block.first_row * layout.row_stride + block.start..];
            for (filter, weights) in weights.chunks_exact(layout.window_len()).enumerate() {
                let mut vectors = [[S::f32s::splat(simd, 0.0); R]; ROWS];
                for row in 0..ROWS {
                    let weights = &weights[row_of_block(layout, block, row)];
                    for r in 0..R {
                        vectors[row][r] = load_padded(simd, &weights[r * S::f32s::LEN..]);
                    }
                }
                // Neighbours in the list have overlapping windows, and an addition must wait for the one before it to
                // be stored. So two far parts of the list take turns.
                let list = nonzeros.of(filter);
                let (near, far) = list.split_at(list.len() / 2);
                for (one, other) in near.iter().zip(far) {
                    add_weights(simd, one, &vectors, layout.row_stride, dx);
                    add_weights(simd, other, &vectors, layout.row_stride, dx);
                }
                if let Some(last) = far.get(near.len()) {
                    add_weights(simd, last, &vectors, layout.row_stride, dx);
                }
            }
        },
    );
}

/// `dx[window] += gradient * weights` for one output.
#[inline(always)]
fn add_weights<S: Simd, const ROWS: usize, const R: usize>(
    simd: S,
    output: &Nonzero,
    weights: &[[S::f32s; R]; ROWS],
    row_stride: usize,
    dx: &mut [f32],
) {
    let lanes = S::f32s::LEN;
    let gradient = S::f32s::splat(simd, output.gradient);
    for row in 0..ROWS {
        let dx = &mut dx[output.window as usize + row * row_stride..][..R * lanes];
        for r in 0..R {
            let dx = &mut dx[r * lanes..][..lanes];
            gradient.mul_add(weights[row][r], S::f32s::from_slice(simd, dx)).store_slice(dx);
        }
    }
}

/// Where one row of a block lies in a filter's window, up to the end of the window's row.
#[inline(always)]
fn row_of_block(layout: &ConvLayout, block: &Block, row: usize) -> Range<usize> {
    let row = block.first_row + row;
    row * layout.run + block.start..(row + 1) * layout.run
}

/// `values += sums`, for as many lanes as there are values.
#[inline(always)]
fn add_to<S: Simd>(simd: S, sums: S::f32s, values: &mut [f32]) {
    if values.len() >= S::f32s::LEN {
        let values = &mut values[..S::f32s::LEN];
        (S::f32s::from_slice(simd, values) + sums).store_slice(values);
    } else {
        values.iter_mut().zip(sums.as_slice()).for_each(|(value, sum)| *value += sum);
    }
}

/// Loads the first floats of `values` into a vector; lanes past their end are zero.
#[inline(always)]
fn load_padded<S: Simd>(simd: S, values: &[f32]) -> S::f32s {
    if values.len() >= S::f32s::LEN {
        S::f32s::from_slice(simd, &values[..S::f32s::LEN])
    } else {
        let mut padded = S::f32s::splat(simd, 0.0);
        padded.as_mut_slice()[..values.len()].copy_from_slice(values);
        padded
    }
}
