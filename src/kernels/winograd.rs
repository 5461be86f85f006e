//! The forward pass of a 3x3 convolution in fewer multiplications: Winograd's F(2x2, 3x3) and F(3x3, 3x3), as in
//! [Lavin and Gray, 2015](https://arxiv.org/abs/1509.09308).
//!
//! The simple version is `ops::conv2d`. The changes made here:
//!
//! 1. 2x2 outputs (a *tile*) read a patch of 4x4 inputs. Both the patch and the kernel are transformed to 4x4 numbers,
//!    so that the outputs become the back-transformed products, number by number: 16 multiplications instead of 36.
//!    Tiles of 3x3 outputs, with 5x5 numbers, take 25 instead of 81. The transforms are a few additions.
//! 2. The sum over channels is taken before the way back: one matrix product for each number, (tiles x channels) times
//!    (channels x filters), by the microkernel of the direct way.
//! 3. Behind a 2x2 pooling a tile of 2x2 is just one pooling window.
//!
//! `M` is the side of a tile's outputs, `N = M + 2` that of its numbers.
//!
//! Its rounding differs from the direct way's in the last bits; the layout is chosen by shape alone, so a model always
//! computes alike.

use super::activation::{Elementwise, activate};
use super::conv2d::{ConvLayout, Inputs, Outputs, blocks};
use super::conv2d_forward::products;
use super::finite::{Sums, sums_of};
use super::max_pool::pool_band;
use crate::aligned::LINE_FLOATS;
use crate::shape::Window2d;
use crate::simd::{Simd, SimdBase};

/// Tiles that are taken at a time: their transforms stay near the core.
const GROUP: usize = 24;

/// The layout of a convolution that goes this way.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Winograd {
    /// Outputs on a side of a tile: 2 or 3.
    side: usize,
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
        let side = Self::side_for(window, channels, filters, pool)?;
        let (patches, out_columns) = if pool.is_some() {
            (windows.iter().step_by(side * side).copied().collect(), None)
        } else {
            let rows = windows.chunks_exact(window.out.1).step_by(side);
            (rows.flat_map(|row| row.iter().step_by(side).copied()).collect(), Some(window.out.1))
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
        Some(Self { side, channels, patches, out_columns, product })
    }

    /// Outputs on a side of a tile, where this way suits the convolution.
    pub(super) fn side_for(
        window: &Window2d,
        channels: usize,
        filters: usize,
        pool: Option<&Window2d>,
    ) -> Option<usize> {
        let whole = |size: usize| size.is_multiple_of(LINE_FLOATS);
        if window.size != (3, 3) || window.strides != (1, 1) || !whole(channels) || !whole(filters) {
            return None;
        }
        let fills = |side: usize| window.out.0.is_multiple_of(side) && window.out.1.is_multiple_of(side);
        match pool {
            Some(pool) if pool.size == (2, 2) => Some(2),
            None if fills(3) => Some(3),
            None if fills(2) => Some(2),
            Some(_) | None => None,
        }
    }

    /// Outputs on a side of a tile.
    #[cfg(test)]
    pub(super) fn side(&self) -> usize {
        self.side
    }

    /// Places of the lists of where patches start.
    pub(super) fn list_len(&self) -> usize {
        self.patches.len() + self.product.windows.len()
    }

    /// Multiplications for one image, one channel and one filter.
    pub(super) fn multiplications(&self) -> usize {
        self.patches.len() * self.numbers()
    }

    /// Numbers in a transformed patch, and matrix products.
    fn numbers(&self) -> usize {
        (self.side + 2).pow(2)
    }

    /// Floats of transformed weights.
    pub(super) fn packed_len(&self) -> usize {
        self.numbers() * self.product.packed_len()
    }

    /// Floats of scratch memory: a group's transformed patches, their products, and outputs before pooling.
    pub(super) fn scratch_len(&self) -> usize {
        let filters = self.product.filters;
        // Saturated on machines of 32 bits, whose memory it is more than.
        let tile = self.numbers().saturating_mul(self.channels + filters).saturating_add(self.side.pow(2) * filters);
        GROUP.saturating_mul(tile)
    }

    /// Transforms the weights, `G w Gᵀ` for every channel and filter.
    ///
    /// - direct: the weights as [`super::conv2d::pack`] makes them; packed: for each number as `pack` makes a 1x1
    ///   kernel, with zero biases
    pub(super) fn pack<S: Simd>(&self, simd: S, direct: &[f32], packed: &mut [f32]) {
        let (channels, stride) = (self.channels, self.product.packed_len());
        let mut direct = direct;
        let mut start = 0;
        for (_, vectors) in blocks::<S>(self.product.filters) {
            let columns = vectors * S::f32s::LEN;
            let (block, rest) = direct.split_at((9 * channels + 1) * columns);
            direct = rest;
            let (packed, len) = (&mut packed[start..], channels * columns);
            match self.side {
                2 => transform_weights::<S, 4>(simd, block, packed, len, stride),
                _ => transform_weights::<S, 5>(simd, block, packed, len, stride),
            }
            start += (channels + 1) * columns;
        }
    }
}

/// - weights: (3, 3, len); packed: for each of N x N numbers (len), `stride` apart
fn transform_weights<S: Simd, const N: usize>(simd: S, weights: &[f32], packed: &mut [f32], len: usize, stride: usize) {
    simd.vectorize(
        #[inline(always)]
        || {
            let lanes = S::f32s::LEN;
            for at in (0..len).step_by(lanes) {
                let mut half = [[S::f32s::splat(simd, 0.0); 3]; N];
                for x in 0..3 {
                    let load = |y: usize| S::f32s::from_slice(simd, &weights[(y * 3 + x) * len + at..][..lanes]);
                    let column = widen::<S, _, N>([load(0), load(1), load(2)]);
                    for y in 0..N {
                        half[y][x] = column[y];
                    }
                }
                for y in 0..N {
                    let row = widen::<S, _, N>(half[y]);
                    for x in 0..N {
                        row[x].store_slice(&mut packed[(y * N + x) * stride + at..][..lanes]);
                    }
                }
            }
        },
    );
}

/// Computes `activation(max_pool(x * weights + bias))` for `images` images.
///
/// - scratch: [`ConvLayout::scratch_len`]
pub(crate) fn winograd_forward<S: Simd>(
    simd: S,
    layout: &ConvLayout,
    winograd: &Winograd,
    activation: Elementwise,
    inputs: Inputs<'_>,
    scratch: &mut [f32],
    outputs: Outputs<'_>,
) {
    match winograd.side {
        2 => forward::<S, 2, 4>(simd, layout, winograd, activation, inputs, scratch, outputs),
        _ => forward::<S, 3, 5>(simd, layout, winograd, activation, inputs, scratch, outputs),
    }
}

/// [`winograd_forward`] for one size of tiles.
fn forward<S: Simd, const M: usize, const N: usize>(
    simd: S,
    layout: &ConvLayout,
    winograd: &Winograd,
    activation: Elementwise,
    inputs: Inputs<'_>,
    scratch: &mut [f32],
    mut outputs: Outputs<'_>,
) {
    let Inputs { images, x, packed } = inputs;
    let (filters, channels) = (layout.filters, winograd.channels);
    let (direct, transformed) = packed.split_at(layout.direct_packed_len());
    let (patches, scratch) = scratch.split_at_mut(GROUP * N * N * channels);
    let (sums, scratch) = scratch.split_at_mut(GROUP * N * N * filters);
    let tiles = images * winograd.patches.len();
    let pooled = if winograd.out_columns.is_some() { Sums::Any } else { sums_of(simd, x, packed) };
    for first in (0..tiles).step_by(GROUP) {
        let count = GROUP.min(tiles - first);
        for tile in 0..count {
            let (image, patch) = ((first + tile) / winograd.patches.len(), (first + tile) % winograd.patches.len());
            let x = &x[image * layout.image_len + winograd.patches[patch] as usize..];
            transform_patch::<S, N>(simd, channels, layout.row_stride, x, &mut patches[tile * channels..]);
        }
        let product = &winograd.product;
        for number in 0..N * N {
            let weights = &transformed[number * product.packed_len()..][..product.packed_len()];
            let patches = &patches[number * GROUP * channels..][..GROUP * channels];
            let sums = &mut sums[number * GROUP * filters..][..GROUP * filters];
            products(simd, product, patches, weights, 0..count, sums);
        }
        let band = &mut scratch[..count * M * M * filters];
        back_transform::<S, M, N>(simd, layout, direct, sums, band);
        match winograd.out_columns {
            None => {
                let mut outputs = outputs.part(first * filters..(first + count) * filters);
                pool_band(simd, band, pooled, M * M, filters, &mut outputs);
                activate(simd, activation, outputs.y);
            }
            Some(columns) => {
                activate(simd, activation, band);
                for (tile, values) in (first..).zip(band.chunks_exact(M * M * filters)) {
                    // The tile's row and column, which go on from image to image, are those of an M-th of the output.
                    let (row, column) = (tile / (columns / M), tile % (columns / M));
                    let at = (row * M * columns + column * M) * filters;
                    for (row, values) in values.chunks_exact(M * filters).enumerate() {
                        outputs.y[at + row * columns * filters..][..M * filters].copy_from_slice(values);
                    }
                }
            }
        }
    }
}

/// `Bᵀ d B` of one patch, for every channel.
///
/// - x: from the patch on, rows `row_stride` apart; patches: from the tile's place on, numbers a group apart
fn transform_patch<S: Simd, const N: usize>(
    simd: S,
    channels: usize,
    row_stride: usize,
    x: &[f32],
    patches: &mut [f32],
) {
    simd.vectorize(
        #[inline(always)]
        || {
            let lanes = S::f32s::LEN;
            for at in (0..channels).step_by(lanes) {
                let mut half = [[S::f32s::splat(simd, 0.0); N]; N];
                for column in 0..N {
                    let mut inputs = [S::f32s::splat(simd, 0.0); N];
                    for row in 0..N {
                        let x = &x[row * row_stride + column * channels + at..];
                        inputs[row] = S::f32s::from_slice(simd, &x[..lanes]);
                    }
                    let numbers = differences(inputs);
                    for row in 0..N {
                        half[row][column] = numbers[row];
                    }
                }
                for row in 0..N {
                    let numbers = differences(half[row]);
                    for column in 0..N {
                        let place = (row * N + column) * GROUP * channels + at;
                        numbers[column].store_slice(&mut patches[place..][..lanes]);
                    }
                }
            }
        },
    );
}

/// `Aᵀ m A` and the bias, for every tile and filter.
///
/// - direct: the packed weights, whose blocks end with the biases
/// - sums: (N x N, GROUP, filters); band: (tiles, M x M, filters)
fn back_transform<S: Simd, const M: usize, const N: usize>(
    simd: S,
    layout: &ConvLayout,
    direct: &[f32],
    sums: &[f32],
    band: &mut [f32],
) {
    simd.vectorize(
        #[inline(always)]
        || {
            let (lanes, filters, window_len) = (S::f32s::LEN, layout.filters, layout.window_len());
            let mut block_end = 0;
            for (first, vectors) in blocks::<S>(filters) {
                let columns = vectors * lanes;
                block_end += (window_len + 1) * columns;
                let biases = &direct[block_end - columns..block_end];
                for (tile, band) in band.chunks_exact_mut(M * M * filters).enumerate() {
                    for at in (0..columns).step_by(lanes) {
                        let bias = S::f32s::from_slice(simd, &biases[at..][..lanes]);
                        let at = first + at;
                        let mut half = [[S::f32s::splat(simd, 0.0); N]; M];
                        for column in 0..N {
                            let mut numbers = [S::f32s::splat(simd, 0.0); N];
                            for row in 0..N {
                                let place = ((row * N + column) * GROUP + tile) * filters + at;
                                numbers[row] = S::f32s::from_slice(simd, &sums[place..][..lanes]);
                            }
                            let outputs: [S::f32s; M] = narrow(numbers);
                            for row in 0..M {
                                half[row][column] = outputs[row];
                            }
                        }
                        for row in 0..M {
                            let outputs: [S::f32s; M] = narrow(half[row]);
                            for column in 0..M {
                                let place = (row * M + column) * filters + at;
                                (outputs[column] + bias).store_slice(&mut band[place..][..lanes]);
                            }
                        }
                    }
                }
            }
        },
    );
}

/// `G w`: with the points 0, 1, -1 and infinity for four numbers, and 2 besides for five.
#[inline(always)]
fn widen<S: Simd, V: SimdBase<S, Element = f32>, const N: usize>([a, b, c]: [V; 3]) -> [V; N] {
    let mut numbers = [a; N];
    let (even, odd) = (a + c, b);
    if N == 4 {
        numbers[1] = (even + odd) * 0.5;
        numbers[2] = (even - odd) * 0.5;
    } else {
        numbers[0] = a * 0.5;
        numbers[1] = (even + odd) * -0.5;
        numbers[2] = (even - odd) * (-1.0 / 6.0);
        numbers[3] = (a + b * 2.0 + c * 4.0) * (1.0 / 6.0);
    }
    numbers[N - 1] = c;
    numbers
}

/// `Bᵀ d`.
#[inline(always)]
fn differences<S: Simd, V: SimdBase<S, Element = f32>, const N: usize>(d: [V; N]) -> [V; N] {
    let mut numbers = d;
    if N == 4 {
        numbers[0] = d[0] - d[2];
        numbers[1] = d[1] + d[2];
        numbers[2] = d[2] - d[1];
        numbers[3] = d[1] - d[3];
    } else {
        let (high, low) = (d[3] - d[1], d[2] - d[0]);
        numbers[0] = high - low * 2.0;
        numbers[1] = d[3] - d[2] - d[1] * 2.0;
        numbers[2] = d[3] - d[2] * 3.0 + d[1] * 2.0;
        numbers[3] = high;
        numbers[4] = d[4] - d[2] - high * 2.0;
    }
    numbers
}

/// `Aᵀ m`.
#[inline(always)]
fn narrow<S: Simd, V: SimdBase<S, Element = f32>, const M: usize, const N: usize>(m: [V; N]) -> [V; M] {
    let (even, odd) = (m[1] + m[2], m[1] - m[2]);
    let mut outputs = [m[0] + even; M];
    if M == 2 {
        outputs[1] = odd - m[3];
    } else {
        outputs[0] += m[3];
        outputs[1] = odd + m[3] * 2.0;
        outputs[2] = even + m[3] * 4.0 + m[4];
    }
    outputs
}
