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
use crate::simd::{Simd, SimdBase, SimdFloat};

/// The most vectors of a window's row that are held in registers at a time.
const MAX_VECTORS: usize = 8;

/// Adds a chunk's gradients.
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
    let window_len = layout.window_len();
    for filter in 0..layout.filters {
        let list = nonzeros.of(filter);
        if let Some(db) = db.get_mut(filter) {
            *db += list.iter().map(|output| output.gradient).sum::<f32>();
        }
        for row in 0..layout.rows {
            for (start, len, vectors) in blocks::<S>(layout.run) {
                let from = row * layout.row_stride + start;
                let weight = filter * window_len + row * layout.run + start;
                let weights = &weights[weight..][..len];
                let dw = &mut dw[weight..][..len];
                let dx = dx.as_deref_mut().map(|dx| &mut dx[from..]);
                row_block(simd, vectors, list, &x[from..], weights, dw, dx);
            }
        }
    }
}

/// Cuts a row of `run` floats into blocks of about equal size: (start, floats, vectors).
fn blocks<S: Simd>(run: usize) -> impl Iterator<Item = (usize, usize, usize)> {
    let vectors = run.div_ceil(S::f32s::LEN);
    let count = vectors.div_ceil(MAX_VECTORS);
    (0..count).map(move |block| {
        let (first, last) = (block * vectors / count, (block + 1) * vectors / count);
        let start = first * S::f32s::LEN;
        (start, run.min(last * S::f32s::LEN) - start, last - first)
    })
}

fn row_block<S: Simd>(
    simd: S,
    vectors: usize,
    list: &[Nonzero],
    x: &[f32],
    weights: &[f32],
    dw: &mut [f32],
    dx: Option<&mut [f32]>,
) {
    match vectors {
        1 => row_block_of::<S, 1>(simd, list, x, weights, dw, dx),
        2 => row_block_of::<S, 2>(simd, list, x, weights, dw, dx),
        3 => row_block_of::<S, 3>(simd, list, x, weights, dw, dx),
        4 => row_block_of::<S, 4>(simd, list, x, weights, dw, dx),
        5 => row_block_of::<S, 5>(simd, list, x, weights, dw, dx),
        6 => row_block_of::<S, 6>(simd, list, x, weights, dw, dx),
        7 => row_block_of::<S, 7>(simd, list, x, weights, dw, dx),
        _ => row_block_of::<S, 8>(simd, list, x, weights, dw, dx),
    }
}

fn row_block_of<S: Simd, const R: usize>(
    simd: S,
    list: &[Nonzero],
    x: &[f32],
    weights: &[f32],
    dw: &mut [f32],
    dx: Option<&mut [f32]>,
) {
    weight_gradient::<S, R>(simd, list, x, dw);
    if let Some(dx) = dx {
        input_gradient::<S, R>(simd, list, weights, dx);
    }
}

/// `dw += gradient * x[window]` over the list, for `R` vectors of one row of the window.
fn weight_gradient<S: Simd, const R: usize>(simd: S, list: &[Nonzero], x: &[f32], dw: &mut [f32]) {
    simd.vectorize(
        #[inline(always)]
        || {
            let lanes = S::f32s::LEN;
            let mut sums: [S::f32s; R] = load_padded(simd, dw);
            for output in list {
                let gradient = S::f32s::splat(simd, output.gradient);
                let x = &x[output.window as usize..][..R * lanes];
                for r in 0..R {
                    sums[r] = gradient.mul_add(S::f32s::from_slice(simd, &x[r * lanes..][..lanes]), sums[r]);
                }
            }
            for (sums, dw) in sums.iter().zip(dw.chunks_mut(lanes)) {
                dw.copy_from_slice(&sums.as_slice()[..dw.len()]);
            }
        },
    );
}

/// `dx[window] += gradient * weights` over the list, for `R` vectors of one row of the window.
fn input_gradient<S: Simd, const R: usize>(simd: S, list: &[Nonzero], weights: &[f32], dx: &mut [f32]) {
    simd.vectorize(
        #[inline(always)]
        || {
            let lanes = S::f32s::LEN;
            let weights: [S::f32s; R] = load_padded(simd, weights);
            for output in list {
                let gradient = S::f32s::splat(simd, output.gradient);
                let dx = &mut dx[output.window as usize..][..R * lanes];
                for r in 0..R {
                    let dx = &mut dx[r * lanes..][..lanes];
                    gradient.mul_add(weights[r], S::f32s::from_slice(simd, dx)).store_slice(dx);
                }
            }
        },
    );
}

/// Loads `values` into `R` vectors; the lanes past its end are zero.
#[inline(always)]
fn load_padded<S: Simd, const R: usize>(simd: S, values: &[f32]) -> [S::f32s; R] {
    let lanes = S::f32s::LEN;
    std::array::from_fn(|r| {
        let values = &values[r * lanes..];
        if values.len() >= lanes {
            S::f32s::from_slice(simd, &values[..lanes])
        } else {
            let mut padded = S::f32s::splat(simd, 0.0);
            padded.as_mut_slice()[..values.len()].copy_from_slice(values);
            padded
        }
    })
}
