//! The gradients of a dense layer's kernel and biases, over all examples of a batch at once, for any part of the
//! kernel: so that threads divide the kernel instead of the examples, and none needs a buffer for all of it.
//!
//! The simple version, which `ops::dense_backward` is: for each filter and input, add output gradient times input over
//! the examples. The changes made here:
//!
//! 1. A tile of several filters x several vectors of inputs stays in registers while the examples stream by.
//! 2. The last tile overlaps the one before it where filters do not fill it, and finds the same numbers again.
//! 3. Runs of inputs that are no multiple of a vector read a little past their end, and drop what they find there.
//!
//! Each number is a sum in the order of the examples, whatever part it is found in.

use super::sum::{BLOCK, SHORT, add_compensated, sum_rows};
use crate::simd::{Simd, SimdBase, SimdFloat, has_32_registers};
use std::ops::Range;

/// Floats past the end of the inputs that may be read: of as many vectors as a tile has, from a row's last input on.
pub(crate) const SLACK: usize = 8 * 16;

/// The examples of one shard of a batch.
#[derive(Clone, Copy)]
pub(crate) struct Factors<'a> {
    /// (examples, stride), and [`SLACK`].
    pub(crate) x: &'a [f32],
    /// The gradients of the outputs: (examples, stride of the filters).
    pub(crate) dy: &'a [f32],
}

/// The shards of a batch, of a dense layer.
#[derive(Clone)]
pub(crate) struct Batch<I> {
    /// [`Factors`] of each shard, in order.
    pub(crate) shards: I,
    /// The examples of all shards.
    pub(crate) examples: usize,
    /// From one example's inputs to the next's, and from its output gradients to the next's.
    pub(crate) strides: Strides,
}

/// The distances from one example to the next.
#[derive(Clone, Copy)]
pub(crate) struct Strides {
    pub(crate) inputs: usize,
    pub(crate) filters: usize,
}

/// A part of a kernel: some inputs of some filters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) filters: Range<usize>,
    pub(crate) inputs: Range<usize>,
}

/// Finds the gradients of a part of the kernel.
///
/// - dw: (filters of the part, `stride`), of which the part's inputs are written
pub(crate) fn weight_gradients_over_batch<'a, S: Simd>(
    simd: S,
    batch: &Batch<impl Iterator<Item = Factors<'a>> + Clone>,
    part: &Part,
    dw: &mut [f32],
    stride: usize,
) {
    let Part { filters, inputs } = part;
    let (vectors, tile) = match (has_32_registers::<S>(), filters.len()) {
        (_, ..4) => (8, 1),
        (false, _) | (true, ..8) => (3, 4),
        (true, _) => (3, 8),
    };
    // Inputs outside, so that those of all examples stay in the first-level cache while the filters go by.
    let columns = vectors * S::f32s::LEN;
    for start in inputs.clone().step_by(columns) {
        let end = inputs.end.min(start + columns);
        for first in filters.clone().step_by(tile) {
            let first = first.min(filters.end - tile);
            let dw = &mut dw[(first - filters.start) * stride + start - inputs.start..];
            let part = Part { filters: first..first + tile, inputs: start..end };
            match ((end - start).div_ceil(S::f32s::LEN), tile) {
                (1, 1) => of_tile::<S, 1, 1>(simd, batch, &part, dw, stride),
                (2, 1) => of_tile::<S, 2, 1>(simd, batch, &part, dw, stride),
                (3..=4, 1) => of_tile::<S, 4, 1>(simd, batch, &part, dw, stride),
                (_, 1) => of_tile::<S, 8, 1>(simd, batch, &part, dw, stride),
                (1, 4) => of_tile::<S, 1, 4>(simd, batch, &part, dw, stride),
                (2, 4) => of_tile::<S, 2, 4>(simd, batch, &part, dw, stride),
                (_, 4) => of_tile::<S, 3, 4>(simd, batch, &part, dw, stride),
                (1, _) => of_tile::<S, 1, 8>(simd, batch, &part, dw, stride),
                (2, _) => of_tile::<S, 2, 8>(simd, batch, &part, dw, stride),
                (_, _) => of_tile::<S, 3, 8>(simd, batch, &part, dw, stride),
            }
        }
    }
}

/// Finds the gradients of some biases.
///
/// - db: (filters of the range)
pub(crate) fn bias_gradients_over_batch<'a, S: Simd>(
    simd: S,
    batch: &Batch<impl Iterator<Item = Factors<'a>> + Clone>,
    filters: Range<usize>,
    db: &mut [f32],
) {
    let rows = batch.shards.clone().flat_map(|shard| shard.dy.chunks_exact(batch.strides.filters));
    let rows = rows.map(|dy| &dy[filters.clone()]);
    simd.vectorize(
        #[inline(always)]
        || sum_rows(rows, db, |db, total| *db = total as f32),
    );
}

/// `F` filters x at most `R` vectors of inputs.
fn of_tile<'a, S: Simd, const R: usize, const F: usize>(
    simd: S,
    batch: &Batch<impl Iterator<Item = Factors<'a>> + Clone>,
    part: &Part,
    dw: &mut [f32],
    stride: usize,
) {
    simd.vectorize(
        #[inline(always)]
        || {
            let zero = [[S::f32s::splat(simd, 0.0); R]; F];
            let mut sums = zero;
            if batch.examples <= SHORT {
                for shard in batch.shards.clone() {
                    sums = products(simd, batch.strides, shard, part, sums);
                }
            } else {
                let mut lost = zero;
                for Factors { x, dy } in batch.shards.clone() {
                    for (block, dy) in dy.chunks(BLOCK * batch.strides.filters).enumerate() {
                        let shard = Factors { x: &x[block * BLOCK * batch.strides.inputs..], dy };
                        let block = products(simd, batch.strides, shard, part, zero);
                        for f in 0..F {
                            for r in 0..R {
                                sums[f][r] = add_compensated::<S>(block[f][r], sums[f][r], &mut lost[f][r]);
                            }
                        }
                    }
                }
            }
            let lanes = S::f32s::LEN;
            for f in 0..F {
                let dw = &mut dw[f * stride..];
                for r in 0..R {
                    let left = part.inputs.len().saturating_sub(r * lanes);
                    if left >= lanes {
                        sums[f][r].store_slice(&mut dw[r * lanes..][..lanes]);
                    } else if left > 0 {
                        dw[r * lanes..][..left].copy_from_slice(&sums[f][r].as_slice()[..left]);
                    }
                }
            }
        },
    );
}

/// The microkernel: `sums += dy * x` over the examples of a shard.
#[inline(always)]
fn products<S: Simd, const R: usize, const F: usize>(
    simd: S,
    strides: Strides,
    Factors { x, dy }: Factors<'_>,
    part: &Part,
    mut sums: [[S::f32s; R]; F],
) -> [[S::f32s; R]; F] {
    let lanes = S::f32s::LEN;
    let mut x = &x[part.inputs.start..];
    for dy in dy.chunks_exact(strides.filters) {
        let mut inputs = [S::f32s::splat(simd, 0.0); R];
        for r in 0..R {
            inputs[r] = S::f32s::from_slice(simd, &x[r * lanes..][..lanes]);
        }
        let dy = &dy[part.filters.start..][..F];
        for f in 0..F {
            let gradient = S::f32s::splat(simd, dy[f]);
            for r in 0..R {
                sums[f][r] = gradient.mul_add(inputs[r], sums[f][r]);
            }
        }
        x = x.get(strides.inputs..).unwrap_or_default();
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{Level, all_levels, dispatch};

    const FILTERS: usize = 21;
    const INPUTS: usize = 83;
    const STRIDE: usize = 96;

    fn number(index: usize) -> f32 {
        (index * 7919 % 2003) as f32 / 1000.0 - 1.0
    }

    /// The gradients of a part, from shards of these sizes.
    fn gradients(level: Level, shards: &[usize], part: &Part) -> Vec<f32> {
        let mut examples = 0;
        let rows: Vec<(Vec<f32>, Vec<f32>)> = shards
            .iter()
            .map(|shard| {
                let start = examples;
                examples += shard;
                let x = (start * STRIDE..examples * STRIDE).map(number).chain([f32::NAN; SLACK]);
                (x.collect(), (start * FILTERS..examples * FILTERS).map(|index| number(index + 3)).collect())
            })
            .collect();
        let shards = rows.iter().map(|(x, dy)| Factors { x, dy });
        let batch = Batch { shards, examples, strides: Strides { inputs: STRIDE, filters: FILTERS } };
        let stride = part.inputs.len();
        let mut dw = vec![f32::NAN; part.filters.len() * stride];
        dispatch!(level, simd => weight_gradients_over_batch(simd, &batch, part, &mut dw, stride));
        dw
    }

    #[test]
    fn every_part_has_the_bits_of_the_whole_and_the_whole_is_right() {
        let whole = Part { filters: 0..FILTERS, inputs: 0..INPUTS };
        for level in all_levels() {
            for shards in [&[1][..], &[8, 8, 3], &[1024], &[500, 500, 77]] {
                let all = gradients(level, shards, &whole);
                let examples: usize = shards.iter().sum();
                for filter in 0..FILTERS {
                    for input in 0..INPUTS {
                        let terms = (0..examples).map(|n| {
                            f64::from(number(n * STRIDE + input)) * f64::from(number(n * FILTERS + filter + 3))
                        });
                        let found = f64::from(all[filter * INPUTS + input]);
                        let expected: f64 = terms.sum();
                        assert!((found - expected).abs() < 1e-4, "{level:?} {shards:?}: {found}, not {expected}");
                    }
                }
                for (filters, inputs) in [(0..1, 5..83), (3..7, 0..1), (2..13, 17..66), (20..21, 82..83), (0..8, 0..83)]
                {
                    let part = Part { filters, inputs };
                    let found = gradients(level, shards, &part);
                    let rows = part.filters.clone().flat_map(|filter| {
                        all[filter * INPUTS..][..INPUTS][part.inputs.clone()].iter().map(|value| value.to_bits())
                    });
                    let found: Vec<u32> = found.iter().map(|value| value.to_bits()).collect();
                    assert_eq!(found, rows.collect::<Vec<u32>>(), "{level:?} {shards:?} {part:?}");
                }
            }
        }
    }
}
