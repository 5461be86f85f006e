//! The forward pass of a 3x3 convolution in fewer multiplications: Winograd's F(2x2, 3x3), as in
//! [Lavin and Gray, 2015](https://arxiv.org/abs/1509.09308).
//!
//! The simple version is `ops::conv2d`. The changes made here:
//!
//! 1. Four outputs side by side (a *tile*) read a patch of 4x4 inputs. Both the patch and the kernel are transformed to
//!    4x4 numbers, so that the outputs become the back-transformed products, number by number: 16 multiplications
//!    instead of 36. The transforms only add, and halve.
//! 2. The sum over channels is taken before the way back: 16 matrix products, (tiles x channels) times
//!    (channels x filters), by the microkernel of the direct way.
//! 3. Behind a 2x2 pooling a tile is just one pooling window.
//!
//! Its rounding differs from the direct way's in the last bits; the layout is chosen by shape alone, so a model always
//! computes alike.

use super::activation::{Elementwise, activate};
use super::conv2d::{ConvLayout, blocks};
use super::conv2d_forward::products;
use super::max_pool::pool_band;
use crate::aligned::LINE_FLOATS;
use crate::shape::Window2d;
use crate::simd::{Simd, SimdBase};

/// Tiles that are taken at a time: their transforms stay near the core.
const GROUP: usize = 24;
/// Numbers in a transformed patch, and matrix products.
const NUMBERS: usize = 16;
/// Outputs of a tile.
const OUTPUTS: usize = 4;

/// The layout of a convolution that goes this way.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Winograd {
    channels: usize,
    /// Where each tile's patch starts in an image.
    patches: Vec<u32>,
    /// Without pooling: columns of the output. With pooling the tiles are in the order of the pooled outputs.
    out_columns: Option<usize>,
    /// One of the matrix products as a convolution: a transformed patch is a pixel, its window 1x1.
    product: ConvLayout,
}

impl Winograd {
    /// The layout, if this way suits the convolution: 3x3, no strides, whole vectors of channels and filters, and tiles
    /// that fill the output.
    pub(super) fn new(
        window: &Window2d,
        channels: usize,
        filters: usize,
        pool: Option<&Window2d>,
        windows: &[u32],
    ) -> Option<Self> {
        let whole = |size: usize| size.is_multiple_of(LINE_FLOATS);
        if window.size != (3, 3) || window.strides != (1, 1) || !whole(channels) || !whole(filters) {
            return None;
        }
        let (patches, out_columns) = match pool {
            Some(pool) if pool.size == (2, 2) => (windows.iter().step_by(OUTPUTS).copied().collect(), None),
            None if window.out.0.is_multiple_of(2) && window.out.1.is_multiple_of(2) => {
                let rows = windows.chunks_exact(window.out.1).step_by(2);
                (rows.flat_map(|row| row.iter().step_by(2).copied()).collect(), Some(window.out.1))
            }
            Some(_) | None => return None,
        };
        let product = ConvLayout {
            filters,
            rows: 1,
            run: channels,
            row_stride: 0,
            image_len: GROUP * channels,
            windows: (0..GROUP).map(|tile| (tile * channels) as u32).collect(),
            pool: 1,
            winograd: None,
        };
        Some(Self { channels, patches, out_columns, product })
    }

    /// Floats of transformed weights.
    pub(super) fn packed_len(&self) -> usize {
        NUMBERS * self.product.packed_len()
    }

    /// Floats of scratch memory: a group's transformed patches, their products, and outputs before pooling.
    pub(super) fn scratch_len(&self) -> usize {
        GROUP * (NUMBERS * (self.channels + self.product.filters) + OUTPUTS * self.product.filters)
    }

    /// Transforms the weights, `G w Gᵀ` for every channel and filter.
    ///
    /// - direct: the weights as [`super::conv2d::pack`] makes them; packed: for each number as `pack` makes a 1x1 kernel,
    ///   with zero biases
    pub(super) fn pack<S: Simd>(&self, simd: S, direct: &[f32], packed: &mut [f32]) {
        let (channels, stride) = (self.channels, self.product.packed_len());
        let mut direct = direct;
        let mut start = 0;
        for (_, vectors) in blocks::<S>(self.product.filters) {
            let columns = vectors * S::f32s::LEN;
            let (block, rest) = direct.split_at((9 * channels + 1) * columns);
            direct = rest;
            transform_weights(simd, block, &mut packed[start..], channels * columns, stride);
            start += (channels + 1) * columns;
        }
    }
}

/// - weights: (3, 3, len); packed: 16 times (len), `stride` apart
fn transform_weights<S: Simd>(simd: S, weights: &[f32], packed: &mut [f32], len: usize, stride: usize) {
    simd.vectorize(
        #[inline(always)]
        || {
            let lanes = S::f32s::LEN;
            for at in (0..len).step_by(lanes) {
                let mut half = [[S::f32s::splat(simd, 0.0); 3]; 4];
                for x in 0..3 {
                    let load = |y: usize| S::f32s::from_slice(simd, &weights[(y * 3 + x) * len + at..][..lanes]);
                    let column = widen([load(0), load(1), load(2)]);
                    for y in 0..4 {
                        half[y][x] = column[y];
                    }
                }
                for y in 0..4 {
                    let row = widen(half[y]);
                    for x in 0..4 {
                        row[x].store_slice(&mut packed[(y * 4 + x) * stride + at..][..lanes]);
                    }
                }
            }
        },
    );
}

/// `G w`, for three numbers.
#[inline(always)]
fn widen<S: Simd, V: SimdBase<S, Element = f32>>([a, b, c]: [V; 3]) -> [V; 4] {
    [a, (a + b + c) * 0.5, (a - b + c) * 0.5, c]
}

/// Computes `activation(max_pool(x * weights + bias))` for `images` images.
///
/// - x: (images, padded height, padded width, channels)
/// - packed: as `ConvLayout::pack` makes it
/// - scratch: [`ConvLayout::scratch_len`]
/// - out: (images, outputs, filters); winners: the same shape, or empty if nobody asks
#[expect(clippy::too_many_arguments, reason = "each is one tensor of the operation")]
pub(crate) fn winograd_forward<S: Simd>(
    simd: S,
    layout: &ConvLayout,
    winograd: &Winograd,
    activation: Elementwise,
    x: &[f32],
    packed: &[f32],
    images: usize,
    scratch: &mut [f32],
    out: &mut [f32],
    winners: &mut [u32],
) {
    let (filters, channels) = (layout.filters, winograd.channels);
    let (direct, transformed) = packed.split_at(layout.direct_packed_len());
    let (patches, scratch) = scratch.split_at_mut(GROUP * NUMBERS * channels);
    let (sums, scratch) = scratch.split_at_mut(GROUP * NUMBERS * filters);
    let tiles = images * winograd.patches.len();
    for first in (0..tiles).step_by(GROUP) {
        let count = GROUP.min(tiles - first);
        for tile in 0..count {
            let (image, patch) = ((first + tile) / winograd.patches.len(), (first + tile) % winograd.patches.len());
            let x = &x[image * layout.image_len + winograd.patches[patch] as usize..];
            transform_patch(simd, channels, layout.row_stride, x, &mut patches[tile * channels..]);
        }
        let product = &winograd.product;
        for number in 0..NUMBERS {
            let weights = &transformed[number * product.packed_len()..][..product.packed_len()];
            let patches = &patches[number * GROUP * channels..][..GROUP * channels];
            let sums = &mut sums[number * GROUP * filters..][..GROUP * filters];
            products(simd, product, patches, weights, 0, count, sums);
        }
        let band = &mut scratch[..count * OUTPUTS * filters];
        back_transform(simd, layout, direct, sums, band);
        match winograd.out_columns {
            None => {
                let done = first * filters..(first + count) * filters;
                let winners = if winners.is_empty() { &mut [][..] } else { &mut winners[done.clone()] };
                pool_band(simd, band, OUTPUTS, filters, &mut out[done.clone()], winners);
                activate(simd, activation, &mut out[done]);
            }
            Some(columns) => {
                activate(simd, activation, band);
                for (tile, outputs) in (first..).zip(band.chunks_exact(OUTPUTS * filters)) {
                    // Two rows of two outputs: the tile's row and column are those of half the output.
                    let (row, column) = (tile / (columns / 2), tile % (columns / 2));
                    let (upper, lower) = outputs.split_at(2 * filters);
                    let at = (row * 2 * columns + column * 2) * filters;
                    out[at..][..2 * filters].copy_from_slice(upper);
                    out[at + columns * filters..][..2 * filters].copy_from_slice(lower);
                }
            }
        }
    }
}

/// `Bᵀ d B` of one patch, for every channel.
///
/// - x: from the patch on, rows `row_stride` apart; patches: from the tile's place on, numbers a group apart
fn transform_patch<S: Simd>(simd: S, channels: usize, row_stride: usize, x: &[f32], patches: &mut [f32]) {
    simd.vectorize(
        #[inline(always)]
        || {
            let lanes = S::f32s::LEN;
            for at in (0..channels).step_by(lanes) {
                let mut half = [[S::f32s::splat(simd, 0.0); 4]; 4];
                for column in 0..4 {
                    let load = |row: usize| {
                        S::f32s::from_slice(simd, &x[row * row_stride + column * channels + at..][..lanes])
                    };
                    let numbers = differences([load(0), load(1), load(2), load(3)]);
                    for row in 0..4 {
                        half[row][column] = numbers[row];
                    }
                }
                for row in 0..4 {
                    let numbers = differences(half[row]);
                    for column in 0..4 {
                        let place = (row * 4 + column) * GROUP * channels + at;
                        numbers[column].store_slice(&mut patches[place..][..lanes]);
                    }
                }
            }
        },
    );
}

/// `Bᵀ d`, for four numbers.
#[inline(always)]
fn differences<S: Simd, V: SimdBase<S, Element = f32>>([a, b, c, d]: [V; 4]) -> [V; 4] {
    [a - c, b + c, c - b, b - d]
}

/// `Aᵀ m A` and the bias, for every tile and filter.
///
/// - direct: the packed weights, whose blocks end with the biases
/// - sums: (16, GROUP, filters); band: (tiles, 4, filters)
fn back_transform<S: Simd>(simd: S, layout: &ConvLayout, direct: &[f32], sums: &[f32], band: &mut [f32]) {
    simd.vectorize(
        #[inline(always)]
        || {
            let (lanes, filters, window_len) = (S::f32s::LEN, layout.filters, layout.window_len());
            let mut block_end = 0;
            for (first, vectors) in blocks::<S>(filters) {
                let columns = vectors * lanes;
                block_end += (window_len + 1) * columns;
                let biases = &direct[block_end - columns..block_end];
                for (tile, band) in band.chunks_exact_mut(OUTPUTS * filters).enumerate() {
                    for at in (0..columns).step_by(lanes) {
                        let bias = S::f32s::from_slice(simd, &biases[at..][..lanes]);
                        let at = first + at;
                        let mut half = [[S::f32s::splat(simd, 0.0); 4]; 2];
                        for column in 0..4 {
                            let load = |row: usize| {
                                let place = ((row * 4 + column) * GROUP + tile) * filters + at;
                                S::f32s::from_slice(simd, &sums[place..][..lanes])
                            };
                            let [upper, lower] = narrow([load(0), load(1), load(2), load(3)]);
                            half[0][column] = upper;
                            half[1][column] = lower;
                        }
                        for row in 0..2 {
                            let [left, right] = narrow(half[row]);
                            (left + bias).store_slice(&mut band[row * 2 * filters + at..][..lanes]);
                            (right + bias).store_slice(&mut band[(row * 2 + 1) * filters + at..][..lanes]);
                        }
                    }
                }
            }
        },
    );
}

/// `Aᵀ m`, for four numbers.
#[inline(always)]
fn narrow<S: Simd, V: SimdBase<S, Element = f32>>([a, b, c, d]: [V; 4]) -> [V; 2] {
    [a + b + c, b - c - d]
}
