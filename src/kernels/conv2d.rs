//! Decides how a convolution lies in memory: where each window starts, and how weights are stored and packed.
//!
//! A window of `kernel_height` x `kernel_width` x `channels` is, channels last, `rows` runs of contiguous floats: that
//! is all the kernels know of it. A padded convolution works on a copy of its input with a border of zeros.

use super::winograd::{Tiling, Winograd};
use crate::aligned::{LINE_FLOATS, round_up_to_line};
use crate::shape::Window2d;
use crate::simd::{Simd, SimdBase, has_32_registers};
use std::ops::Range;

/// How many floats past the end of inputs, weights, their gradients and winners the backward kernels may touch: a
/// vector that starts at a window's last float.
pub(crate) const SLACK: usize = 16;

/// The memory layout of one convolution.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ConvLayout {
    /// Output channels.
    pub(crate) filters: usize,
    /// Rows of a window.
    pub(crate) rows: usize,
    /// Contiguous floats in each row of a window: kernel width times input channels.
    pub(crate) run: usize,
    /// Floats from one row of a window to the next: one row of the padded image.
    pub(crate) row_stride: usize,
    /// Floats of one padded image.
    pub(crate) image_len: usize,
    /// Where each window of an image starts, in the order in which outputs are computed. Where a max pooling is fused,
    /// the windows of one pooling window stand together, and those that pooling never reads are not there.
    pub(crate) windows: Vec<u32>,
    /// How many convolution outputs the fused pooling takes the maximum of; 1 without pooling.
    pub(crate) pool: usize,
    /// The layout of the way with fewer multiplications, where that suits the shapes.
    pub(crate) winograd: Option<Box<Winograd>>,
}

impl ConvLayout {
    /// The layout of a convolution on images of `channels` channels, with `pool` fused behind it.
    pub(crate) fn new(window: &Window2d, channels: usize, filters: usize, pool: Option<&Window2d>) -> Self {
        let row_stride = window.padded.1 * channels;
        let start = |y: usize, x: usize| (y * window.strides.0 * row_stride + x * window.strides.1 * channels) as u32;
        let outputs = |rows, columns| (0..rows).flat_map(move |y| (0..columns).map(move |x| (y, x)));
        let windows: Vec<u32> = match pool {
            None => outputs(window.out.0, window.out.1).map(|(y, x)| start(y, x)).collect(),
            Some(pool) => outputs(pool.out.0, pool.out.1)
                .flat_map(|(y, x)| {
                    outputs(pool.size.0, pool.size.1)
                        .map(move |(dy, dx)| (y * pool.strides.0 + dy, x * pool.strides.1 + dx))
                })
                .map(|(y, x)| start(y, x))
                .collect(),
        };
        let winograd = Winograd::new(window, channels, filters, pool, &windows).map(Box::new);
        Self {
            filters,
            rows: window.size.0,
            run: window.size.1 * channels,
            row_stride,
            image_len: window.padded.0 * row_stride,
            windows,
            pool: pool.map_or(1, |pool| pool.size.0 * pool.size.1),
            winograd,
        }
    }

    /// Weights of one filter.
    pub(crate) fn window_len(&self) -> usize {
        self.rows * self.run
    }

    /// Places of the lists of where windows start.
    pub(crate) fn list_len(&self) -> usize {
        self.windows.len() + self.winograd.as_ref().map_or(0, |winograd| winograd.list_len())
    }

    /// Outputs of one image, after pooling, per filter.
    pub(crate) fn outputs(&self) -> usize {
        self.windows.len() / self.pool
    }

    /// What [`Self::packed_len`] of [`Self::new`] with these arguments is, without the memory that a layout takes.
    /// `None` if it overflows.
    pub(crate) fn packed_len_of(
        window: &Window2d,
        channels: usize,
        filters: usize,
        pool: Option<&Window2d>,
    ) -> Option<usize> {
        let columns = filters.checked_next_multiple_of(LINE_FLOATS)?;
        let packed = |window_len: usize| window_len.checked_add(1)?.checked_mul(columns);
        let direct = packed(window.size.0.checked_mul(window.size.1)?.checked_mul(channels)?)?;
        match Tiling::of(window, channels, filters, pool) {
            Some(tiling) => {
                let transformed = packed(tiling.patch_channels(channels)?)?.checked_mul(tiling.numbers())?;
                direct.checked_add(transformed)
            }
            None => Some(direct),
        }
    }

    /// Floats of packed weights, for instruction sets of up to 16 lanes.
    pub(crate) fn packed_len(&self) -> usize {
        self.direct_packed_len() + self.winograd.as_ref().map_or(0, |winograd| winograd.packed_len())
    }

    /// Floats of weights packed for the direct way.
    pub(super) fn direct_packed_len(&self) -> usize {
        (self.window_len() + 1) * round_up_to_line(self.filters)
    }

    /// Convolution outputs that the direct way holds at a time before it pools or activates them.
    pub(super) fn band<S: Simd>(&self) -> usize {
        let vectors = self.filters.div_ceil(S::f32s::LEN).min(max_block_vectors::<S>());
        self.pool * tile_pixels::<S>(vectors)
    }

    /// Floats of scratch memory that the forward pass of at most `max_images` images needs.
    pub(crate) fn scratch_len(&self, max_images: usize) -> usize {
        match &self.winograd {
            Some(winograd) => winograd.scratch_len(),
            // No instruction set computes more than 12 pixels at a time, and nobody more than there are.
            None if self.pool > 1 => (self.pool * 12).min(max_images * self.windows.len()) * self.filters,
            None => 0,
        }
    }
}

/// What a forward pass reads.
#[derive(Clone, Copy)]
pub(crate) struct Inputs<'a> {
    pub(crate) images: usize,
    /// (images, padded height, padded width, channels).
    pub(crate) x: &'a [f32],
    /// Weights and biases as [`ConvLayout::pack`] makes them.
    pub(crate) packed: &'a [f32],
}

/// What a forward pass writes.
pub(crate) struct Outputs<'a> {
    /// (images, outputs, filters).
    pub(crate) y: &'a mut [f32],
    /// The same shape: which of the pooled outputs was the largest. Empty if nobody asks.
    pub(crate) winners: &'a mut [u32],
}

impl Outputs<'_> {
    /// Some consecutive outputs.
    #[inline(always)]
    pub(super) fn part(&mut self, places: Range<usize>) -> Outputs<'_> {
        let winners = if self.winners.is_empty() { &mut [] } else { &mut self.winners[places.clone()] };
        Outputs { y: &mut self.y[places], winners }
    }
}

/// The gradient of a chunk's outputs.
#[derive(Clone, Copy)]
pub(crate) struct OutputGradient<'a> {
    pub(crate) images: usize,
    /// (images, outputs, filters).
    pub(crate) dy: &'a [f32],
    /// The same shape: which of the pooled outputs was the largest. Not read without pooling.
    pub(crate) winners: &'a [u32],
}

/// Vectors of output channels that one block of packed weights spans at most.
pub(crate) const fn max_block_vectors<S: Simd>() -> usize {
    if has_32_registers::<S>() { 4 } else { 2 }
}

/// Pixels that the forward kernel computes at a time with `vectors` vectors of output channels each: as many as the
/// registers hold beside the weights.
pub(crate) const fn tile_pixels<S: Simd>(vectors: usize) -> usize {
    match (has_32_registers::<S>(), vectors) {
        (true, 4) => 6,
        (true, 3) => 8,
        (true, _) => 12,
        (false, 2) => 6,
        (false, _) => 8,
    }
}

/// The blocks of packed weights: (first filter, vectors).
pub(crate) fn blocks<S: Simd>(filters: usize) -> impl Iterator<Item = (usize, usize)> {
    let vectors = filters.div_ceil(S::f32s::LEN);
    (0..vectors)
        .step_by(max_block_vectors::<S>())
        .map(move |first| (first * S::f32s::LEN, (vectors - first).min(max_block_vectors::<S>())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::Padding;

    #[test]
    fn packed_weights_have_the_length_that_was_foretold_and_fill_tiles_of_the_side_that_fits() {
        for (out, side) in [(1, None), (2, Some(2)), (3, Some(3)), (4, Some(2)), (6, Some(3))] {
            for (channels, filters) in [(16, 16), (64, 64), (16, 128), (3, 5)] {
                let window = Window2d::new((out + 2, out + 2), (3, 3), (1, 1), Padding::Valid).unwrap();
                let layout = ConvLayout::new(&window, channels, filters, None);
                let foretold = ConvLayout::packed_len_of(&window, channels, filters, None);
                assert_eq!(foretold, Some(layout.packed_len()), "{out} {channels} {filters}");
                let side = side.filter(|_| channels >= 16);
                assert_eq!(layout.winograd.as_ref().map(|winograd| winograd.side()), side);
            }
        }
        // Windows of 2x2, and of 4x4 where 2x2 pixels are taken together.
        for (size, stride, side) in [(2, 1, 4), (4, 2, 4), (6, 2, 3)] {
            let image = 3 * side * stride + size - stride;
            let window = Window2d::new((image, image), (size, size), (stride, stride), Padding::Valid).unwrap();
            let layout = ConvLayout::new(&window, 16, 48, None);
            assert_eq!(ConvLayout::packed_len_of(&window, 16, 48, None), Some(layout.packed_len()), "{size} {stride}");
            assert_eq!(layout.winograd.as_ref().map(|winograd| winograd.side()), Some(side), "{size} {stride}");
        }
        let window = |size| Window2d::new((8, 8), size, (1, 1), Padding::Valid).unwrap();
        for (size, pool, channels, filters) in
            [((3, 3), 2, 16, 32), ((3, 3), 3, 16, 16), ((1, 1), 2, 16, 16), ((2, 5), 2, 3, 7)]
        {
            let window = window(size);
            let pool = Window2d::new(window.out, (pool, pool), (pool, pool), Padding::Valid).unwrap();
            let layout = ConvLayout::new(&window, channels, filters, Some(&pool));
            let foretold = ConvLayout::packed_len_of(&window, channels, filters, Some(&pool));
            assert_eq!(foretold, Some(layout.packed_len()), "{size:?} {channels} {filters}");
        }
    }

    #[test]
    fn scratch_for_a_fused_pooling_is_for_no_more_pixels_than_there_are() {
        let window = Window2d::new((8, 8), (1, 1), (1, 1), Padding::Valid).unwrap();
        let pool = Window2d::new((8, 8), (8, 8), (8, 8), Padding::Valid).unwrap();
        let layout = ConvLayout::new(&window, 1, 1 << 22, Some(&pool));
        // A gigabyte for what are 64 * 2^22 outputs before the pooling, not twelve.
        assert_eq!(layout.scratch_len(1), 64 << 22);
        assert_eq!(layout.scratch_len(100), (64 * 12) << 22);
    }
}
