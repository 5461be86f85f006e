//! Decides how a kernel of bytes lies in memory: the same on every instruction set.

use crate::aligned::Aligned;
use crate::kernels::conv2d::ConvLayout;

/// Filters in a vector of packed weights: the 32-bit lanes of AVX-512.
pub(super) const LANES: usize = 16;
/// Inputs that a lane takes at a time.
pub(super) const GROUP: usize = 4;
/// Bytes of a vector of packed weights.
pub(super) const VECTOR: usize = LANES * GROUP;
/// Vectors that a block of packed weights spans at most.
const MAX_VECTORS: usize = 4;
/// The filters of the widest block.
pub(super) const MAX_COLUMNS: usize = MAX_VECTORS * LANES;

/// The kernel of one convolution, packed, with what makes its sums outputs.
#[derive(Clone, Debug)]
pub(crate) struct Int8Kernel {
    /// For each block of filters (rows, groups, filters, [`GROUP`]).
    weights: Aligned<i8>,
    /// What each sum starts with. As many as all blocks have filters.
    biases: Vec<i32>,
    /// What each sum is multiplied by. As many.
    multipliers: Vec<f32>,
}

/// The part of a kernel for some vectors of filters.
#[derive(Clone, Copy)]
pub(super) struct Block<'a> {
    pub(super) first_filter: usize,
    pub(super) vectors: usize,
    pub(super) weights: &'a [i8],
    pub(super) biases: &'a [i32],
    pub(super) multipliers: &'a [f32],
}

impl Int8Kernel {
    /// - weights: (filters, window); biases, multipliers: (filters)
    pub(crate) fn new(layout: &ConvLayout, weights: &[i8], biases: &[i32], multipliers: &[f32]) -> Self {
        let columns = layout.filters.next_multiple_of(LANES);
        let window = layout.rows * groups(layout) * GROUP;
        let mut packed = Aligned::zeroed(window * columns);
        for (first, vectors) in blocks(layout.filters) {
            let block = &mut packed[first * window..][..window * vectors * LANES];
            let filters = first..(first + vectors * LANES).min(layout.filters);
            for (filter, weights) in filters.clone().zip(weights.chunks_exact(layout.window_len()).skip(first)) {
                for (row, weights) in weights.chunks_exact(layout.run).enumerate() {
                    for (input, weight) in weights.iter().enumerate() {
                        let group = row * groups(layout) + input / GROUP;
                        let lane = group * vectors * LANES + filter - first;
                        block[lane * GROUP + input % GROUP] = *weight;
                    }
                }
            }
        }
        let (mut biases, mut multipliers) = (biases.to_vec(), multipliers.to_vec());
        biases.resize(columns, 0);
        multipliers.resize(columns, 0.0);
        Self { weights: packed, biases, multipliers }
    }

    pub(super) fn blocks(&self, layout: &ConvLayout) -> impl Iterator<Item = Block<'_>> {
        let window = layout.rows * groups(layout) * GROUP;
        blocks(layout.filters).map(move |(first_filter, vectors)| {
            let filters = first_filter..first_filter + vectors * LANES;
            Block {
                first_filter,
                vectors,
                weights: &self.weights[filters.start * window..filters.end * window],
                biases: &self.biases[filters.clone()],
                multipliers: &self.multipliers[filters],
            }
        })
    }
}

/// Groups of inputs in a row of a window.
pub(super) fn groups(layout: &ConvLayout) -> usize {
    layout.run.div_ceil(GROUP)
}

/// The blocks of packed weights: (first filter, vectors).
fn blocks(filters: usize) -> impl Iterator<Item = (usize, usize)> {
    let vectors = filters.div_ceil(LANES);
    (0..vectors).step_by(MAX_VECTORS).map(move |first| (first * LANES, (vectors - first).min(MAX_VECTORS)))
}
