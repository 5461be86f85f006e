//! Packs a convolution's weights as its forward pass reads them.

use super::conv2d::{ConvLayout, blocks};
use crate::simd::{Simd, SimdBase, f32x4};
use std::ops::Range;

/// Filters that fill whole blocks of packed weights on every instruction set.
const WHOLE_BLOCKS: usize = 64;

impl ConvLayout {
    /// Packs weights for the forward pass.
    ///
    /// - weights: (filters, window_len); biases: (filters), or empty if there are none
    /// - packed: for each block of filters what the microkernel reads, and what the way with fewer multiplications
    ///   makes of that
    pub(crate) fn pack<S: Simd>(&self, simd: S, weights: &[f32], biases: &[f32], packed: &mut [f32]) {
        let (direct, transformed) = packed.split_at_mut(self.direct_packed_len());
        pack(simd, self.window_len(), weights, biases, direct);
        if let Some(winograd) = &self.winograd {
            winograd.pack(simd, direct, transformed);
        }
    }

    /// Where some filters are cut in two that are to be packed; `None` where that is too little work, or one job.
    pub(crate) fn cut_packing(&self, filters: &Range<usize>) -> Option<usize> {
        /// The fewest weights that are worth handing to another thread.
        const LEAST: usize = 1 << 14;
        if self.winograd.is_some() || filters.len() * self.window_len() < 2 * LEAST {
            return None;
        }
        let middle = filters.start + filters.len().div_ceil(2).next_multiple_of(WHOLE_BLOCKS);
        (middle < filters.end).then_some(middle)
    }

    /// Where the packed weights start of a filter at which [`Self::cut_packing`] has cut.
    pub(crate) fn packed_start(&self, filter: usize) -> usize {
        filter * (self.window_len() + 1)
    }

    /// Packs the weights of some filters, from one on at which [`Self::cut_packing`] has cut.
    ///
    /// - weights, biases: as in [`Self::pack`], of these filters; packed: their part
    pub(crate) fn pack_filters<S: Simd>(&self, simd: S, weights: &[f32], biases: &[f32], packed: &mut [f32]) {
        pack(simd, self.window_len(), weights, biases, packed);
    }
}

/// Packs weights for the microkernel: for each block of filters a row of filters for each weight of the window, and
/// a last row with the biases. Lanes without a filter are zero.
///
/// - weights: (filters, window_len); biases: (filters), or empty if there are none
/// - packed: for each block (window_len + 1, vectors * lanes)
fn pack<S: Simd>(simd: S, window_len: usize, weights: &[f32], biases: &[f32], packed: &mut [f32]) {
    let all = weights.len() / window_len;
    let mut rest = packed;
    for (first, vectors) in blocks::<S>(all) {
        let columns = vectors * S::f32s::LEN;
        let (block, after) = rest.split_at_mut((window_len + 1) * columns);
        rest = after;
        let filters = columns.min(all - first);
        let (block, last_row) = block.split_at_mut(window_len * columns);
        transpose(simd, window_len, columns, &weights[first * window_len..][..filters * window_len], block);
        if let Some(biases) = biases.get(first..first + filters) {
            last_row[..filters].copy_from_slice(biases);
        }
    }
}

/// Turns rows into columns, a square of vectors at a time, and four by four what is left.
///
/// - from: (filters, len); to: (len, columns), of which `filters` columns are written
fn transpose<S: Simd>(simd: S, len: usize, columns: usize, from: &[f32], to: &mut [f32]) {
    simd.vectorize(
        #[inline(always)]
        || {
            let (lanes, filters) = (S::f32s::LEN, from.len() / len);
            let in_squares = filters - filters % lanes;
            for first in (0..in_squares).step_by(lanes) {
                transpose_rows::<S, S::f32s>(simd, len, columns, &from[first * len..], &mut to[first..]);
            }
            let in_fours = filters - filters % 4;
            for first in (in_squares..in_fours).step_by(4) {
                transpose_rows::<S, f32x4<S>>(simd, len, columns, &from[first * len..], &mut to[first..]);
            }
            for filter in in_fours..filters {
                let values = &from[filter * len..][..len];
                values.iter().zip(to[filter..].iter_mut().step_by(columns)).for_each(|(value, to)| *to = *value);
            }
        },
    );
}

/// Turns as many rows into columns as a vector has lanes.
///
/// - from: (rows, len); to: (len, columns), of which the first are written
#[inline(always)]
fn transpose_rows<S: Simd, V: SimdBase<S, Element = f32>>(
    simd: S,
    len: usize,
    columns: usize,
    from: &[f32],
    to: &mut [f32],
) {
    const MOST: usize = 16;
    let lanes = V::LEN;
    let whole = len - len % lanes;
    for at in (0..whole).step_by(lanes) {
        let mut rows = [V::splat(simd, 0.0); MOST];
        for row in 0..lanes {
            rows[row] = V::from_slice(simd, &from[row * len + at..][..lanes]);
        }
        // Each time the rows of one half go between those of the other, until columns have become rows.
        let mut stride = 1;
        while stride < lanes {
            let halves = rows;
            for pair in 0..lanes / 2 {
                rows[2 * pair] = halves[pair].zip_low(halves[pair + lanes / 2]);
                rows[2 * pair + 1] = halves[pair].zip_high(halves[pair + lanes / 2]);
            }
            stride *= 2;
        }
        for row in 0..lanes {
            rows[row].store_slice(&mut to[(at + row) * columns..][..lanes]);
        }
    }
    for at in whole..len {
        for row in 0..lanes {
            to[at * columns + row] = from[row * len + at];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::{Padding, Window2d};
    use crate::simd::{all_levels, dispatch};

    fn layout(inputs: usize, filters: usize) -> ConvLayout {
        let window = Window2d::new((1, 1), (1, 1), (1, 1), Padding::Valid).unwrap();
        ConvLayout::new(&window, inputs, filters, None)
    }

    fn numbers(len: usize) -> Vec<f32> {
        (1..=len).map(|number| number as f32).collect()
    }

    #[test]
    fn every_weight_and_bias_gets_its_place() {
        for (inputs, filters) in [(1, 1), (3, 5), (16, 16), (17, 33), (50, 100), (33, 80), (64, 7)] {
            let layout = layout(inputs, filters);
            let (weights, biases) = (numbers(inputs * filters), numbers(filters));
            for level in all_levels() {
                let mut packed = vec![0.0; layout.packed_len()];
                let blocks: Vec<(usize, usize)> = dispatch!(level, simd => {
                    layout.pack(simd, &weights, &biases, &mut packed);
                    blocks_of(simd, filters)
                });
                for (first, columns) in blocks {
                    let block = &packed[layout.packed_start(first)..];
                    for filter in first..filters.min(first + columns) {
                        for input in 0..inputs {
                            let found = block[input * columns + filter - first];
                            assert_eq!(found, weights[filter * inputs + input], "{level:?} {inputs} {filters}");
                        }
                        assert_eq!(block[inputs * columns + filter - first], biases[filter]);
                    }
                }
            }
        }
    }

    fn blocks_of<S: Simd>(_simd: S, filters: usize) -> Vec<(usize, usize)> {
        blocks::<S>(filters).map(|(first, vectors)| (first, vectors * S::f32s::LEN)).collect()
    }

    #[test]
    fn parts_are_packed_as_the_whole() {
        for (inputs, filters) in [(784, 512), (500, 130), (2048, 128)] {
            let layout = layout(inputs, filters);
            let (weights, biases) = (numbers(inputs * filters), numbers(filters));
            let middle = layout.cut_packing(&(0..filters)).unwrap();
            for level in all_levels() {
                let (mut whole, mut parts) = (vec![0.0; layout.packed_len()], vec![0.0; layout.packed_len()]);
                let (before, after) = parts.split_at_mut(layout.packed_start(middle));
                dispatch!(level, simd => {
                    layout.pack(simd, &weights, &biases, &mut whole);
                    layout.pack_filters(simd, &weights[..middle * inputs], &biases[..middle], before);
                    layout.pack_filters(simd, &weights[middle * inputs..], &biases[middle..], after);
                });
                assert!(whole == parts, "{level:?} {inputs} {filters}");
            }
        }
        assert_eq!(layout(100, 100).cut_packing(&(0..100)), None, "too little work");
        for filters in [1, 2, 60, 64] {
            assert_eq!(layout(40_000, filters).cut_packing(&(0..filters)), None, "one block");
        }
    }
}
