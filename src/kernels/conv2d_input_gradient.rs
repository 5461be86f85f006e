//! The input gradients of a convolution, over the outputs that have a gradient.
//!
//! The simple version, which `ops::conv2d_backward` is: for each output pixel and filter, add gradient times weight to
//! the input's gradients, over the window. The changes made here:
//!
//! 1. Outputs whose gradient is zero are skipped: a set of bits says for each pixel which filters have one.
//! 2. A block of the window's gradients stays in registers while the filters of a pixel stream by, because adding to
//!    memory costs a store for every vector: 1.4 cycles on a Zen 5, where a multiply-add takes half of one.
//! 3. Blocks are so small that their weights, for 64 filters, stay in the first-level cache while all pixels of the
//!    chunk go by. They are copied together first: where they lie, they would compete for the same cache sets.

use super::conv2d::{ConvLayout, OutputGradient};
use super::window_block::{Block, blocks, with_block_size};
use crate::simd::{Simd, SimdBase, SimdFloat, SimdMask};

/// Filters in a set: the bits of a word.
const SET: usize = u64::BITS as usize;
/// Floats of a block's weights, which are to stay in the first-level cache: 36 KB of a Zen 5's 48.
pub(crate) const CACHED_WEIGHTS: usize = 36 * 1024 / size_of::<f32>();

/// Sets that [`input_gradients`] needs room for.
pub(crate) fn sets_len(layout: &ConvLayout, max_images: usize) -> usize {
    layout.filters.div_ceil(SET) * layout.windows.len() * max_images
}

/// What [`input_gradients`] works in.
pub(crate) struct Room<'a> {
    /// [`sets_len`].
    pub(crate) sets: &'a mut [u64],
    /// [`CACHED_WEIGHTS`].
    pub(crate) cached: &'a mut [f32],
}

/// `dx[window] += gradient * weights` for every output of some images that has a gradient.
///
/// - weights: (filters, window_len), and [`super::conv2d::SLACK`]
/// - dx: (images, padded height, padded width, channels), and the same slack
pub(crate) fn input_gradients<S: Simd>(
    simd: S,
    layout: &ConvLayout,
    of: OutputGradient<'_>,
    weights: &[f32],
    room: Room<'_>,
    dx: &mut [f32],
) {
    let Room { sets, cached } = room;
    let pixels = of.images * layout.windows.len();
    let filters_at_once = layout.filters.min(SET);
    let max_vectors = CACHED_WEIGHTS / (filters_at_once * S::f32s::LEN);
    for (group, sets) in sets.chunks_exact_mut(pixels).enumerate().take(layout.filters.div_ceil(SET)) {
        let first = group * SET;
        find(simd, layout, first, of, sets);
        let group = Group { first, dy: of.dy, weights: &weights[first * layout.window_len()..], sets };
        for block in blocks::<S>(layout, max_vectors) {
            with_block_size!(block, gradients_of_block(simd, layout, &block, &group, cached, dx));
        }
    }
}

/// Finds for each pixel the filters from `first` on that have a gradient there.
///
/// - sets: (images, windows)
fn find<S: Simd>(simd: S, layout: &ConvLayout, first: usize, of: OutputGradient<'_>, sets: &mut [u64]) {
    simd.vectorize(
        #[inline(always)]
        || {
            let filters = layout.filters;
            let of_group = first..(first + SET).min(filters);
            for (output, sets) in sets.chunks_exact_mut(layout.pool).enumerate() {
                let start = output * filters;
                let dy = &of.dy[start..][of_group.clone()];
                if layout.pool == 1 {
                    sets[0] = bits_of(simd, dy, &[], 0);
                    continue;
                }
                let winners = &of.winners[start..][of_group.clone()];
                for (place, set) in sets.iter_mut().enumerate() {
                    *set = bits_of(simd, dy, winners, place as u32);
                }
            }
        },
    );
}

/// Which of up to 64 gradients are not zero, and belong to this place of the pooling window if there is one.
#[inline(always)]
fn bits_of<S: Simd>(simd: S, dy: &[f32], winners: &[u32], place: u32) -> u64 {
    let lanes = S::f32s::LEN;
    let whole = dy.len() - dy.len() % lanes;
    let (zero, here) = (S::f32s::splat(simd, 0.0), S::u32s::splat(simd, place));
    let mut bits = 0;
    for start in (0..whole).step_by(lanes) {
        let mut found = !S::f32s::from_slice(simd, &dy[start..][..lanes]).simd_eq(zero);
        if let Some(winners) = winners.get(start..start + lanes) {
            found &= S::u32s::from_slice(simd, winners).simd_eq(here);
        }
        bits |= found.to_bitmask() << start;
    }
    for filter in whole..dy.len() {
        let won = winners.get(filter).is_none_or(|winner| *winner == place);
        bits |= u64::from(won && dy[filter] != 0.0) << filter;
    }
    bits
}

/// As many filters as a set holds.
struct Group<'a> {
    /// The first filter.
    first: usize,
    /// (images, outputs, all filters).
    dy: &'a [f32],
    /// From the first filter on: (filters, window_len).
    weights: &'a [f32],
    /// Which of them have a gradient: (images, windows).
    sets: &'a [u64],
}

/// What a group of filters adds to the gradients of a block of each window.
fn gradients_of_block<S: Simd, const ROWS: usize, const R: usize>(
    simd: S,
    layout: &ConvLayout,
    block: &Block,
    group: &Group<'_>,
    cached: &mut [f32],
    dx: &mut [f32],
) {
    simd.vectorize(
        #[inline(always)]
        || {
            let lanes = S::f32s::LEN;
            let Group { first, dy, weights, sets } = *group;
            let per_image = layout.windows.len();
            let filters = (layout.filters - first).min(SET);
            let cached = &mut cached[..filters * ROWS * R * lanes];
            for (filter, cached) in cached.chunks_exact_mut(ROWS * R * lanes).enumerate() {
                let weights = &weights[filter * layout.window_len() + block.weight_offset(layout)..];
                for row in 0..ROWS {
                    for r in 0..R {
                        let weights = S::f32s::from_slice(simd, &weights[row * layout.run + r * lanes..][..lanes]);
                        let weights = if r == R - 1 { block.trim(simd, layout, weights) } else { weights };
                        weights.store_slice(&mut cached[(row * R + r) * lanes..][..lanes]);
                    }
                }
            }
            let outputs = sets.chunks_exact(layout.pool).zip(dy.chunks_exact(layout.filters));
            let mut window = 0;
            let mut dx = &mut dx[block.input_offset(layout)..];
            for (sets, dy) in outputs {
                if window == per_image {
                    (window, dx) = (0, &mut dx[layout.image_len..]);
                }
                let windows = &layout.windows[window..window + layout.pool];
                window += layout.pool;
                let dy = &dy[first..];
                for (set, window) in sets.iter().zip(windows) {
                    let mut set = *set;
                    if set == 0 {
                        continue;
                    }
                    let mut sums = [[S::f32s::splat(simd, 0.0); R]; ROWS];
                    while set != 0 {
                        let filter = set.trailing_zeros() as usize;
                        set &= set - 1;
                        let gradient = S::f32s::splat(simd, dy[filter]);
                        let weights = &cached[filter * ROWS * R * lanes..][..ROWS * R * lanes];
                        for row in 0..ROWS {
                            for r in 0..R {
                                let weights = S::f32s::from_slice(simd, &weights[(row * R + r) * lanes..][..lanes]);
                                sums[row][r] = gradient.mul_add(weights, sums[row][r]);
                            }
                        }
                    }
                    for row in 0..ROWS {
                        let dx = &mut dx[*window as usize + row * layout.row_stride..][..R * lanes];
                        for r in 0..R {
                            let dx = &mut dx[r * lanes..][..lanes];
                            (S::f32s::from_slice(simd, dx) + sums[row][r]).store_slice(dx);
                        }
                    }
                }
            }
        },
    );
}
