//! Convolutions of small windows in fewer multiplications: Winograd's F(2x2, 3x3) and F(3x3, 3x3), as in
//! [Lavin and Gray, 2015](https://arxiv.org/abs/1509.09308), and F(3x3, 2x2) and F(4x4, 2x2).
//!
//! The simple versions are `ops::conv2d` and `ops::conv2d_backward`. The changes made here:
//!
//! 1. 2x2 outputs (a *tile*) read a patch of 4x4 inputs. Both the patch and the kernel are transformed to 4x4 numbers,
//!    so that the outputs become the back-transformed products, number by number: 16 multiplications instead of 36.
//!    Tiles of 3x3 outputs, with 5x5 numbers, take 25 instead of 81. The transforms are a few additions.
//! 2. The sum over channels is taken before the way back: one matrix product for each number, (tiles x channels) times
//!    (channels x filters), by the microkernel of the direct way. For weight gradients the sum is that over tiles.
//! 3. Behind a 2x2 pooling a tile of 2x2 is just one pooling window. Elsewhere the last tiles of a row and of a column
//!    overlap those before them where tiles don't fill the output.
//! 4. With strides of two, each 2x2 pixels are one of four times the channels, and a window of 4x4 is one of 2x2. Those
//!    pixels are in the image as they are: two of a row lie side by side, and only the rows are apart.
//!
//! `K` is the side of a window, `M` that of a tile's outputs, `N = M + K - 1` that of its numbers.
//!
//! The rounding differs from the direct way's in the last bits; the layout is chosen by shape alone, so a model always
//! computes alike.

mod forward;
mod products;
mod transforms;
mod weight_gradient;

pub(crate) use forward::winograd_forward;
pub(crate) use weight_gradient::weight_gradients_winograd;

use super::conv2d::{ConvLayout, blocks};
use crate::aligned::LINE_FLOATS;
use crate::shape::Window2d;
use crate::simd::{Simd, SimdBase};
use transforms::widen;

/// Tiles that the forward pass takes at a time: their transforms stay near the core.
const GROUP: usize = 24;

/// The fewest tiles of an image that share the transformed weights of other windows than 3x3.
const FEWEST_TILES: usize = 4;
/// The most pairs of a channel of a patch and a filter whose transformed weights stay near the core: with strides of two
/// those of 64 channels and 128 filters.
const MOST_PAIRS: usize = 1 << 15;

/// The layout of a convolution that goes this way.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Winograd {
    tiling: Tiling,
    /// Channels of a patch: those of `stride` x `stride` pixels.
    channels: usize,
    tiles: Vec<Tile>,
    /// Columns of the output. `None` with pooling: there the tiles are in the order of the pooled outputs.
    out_columns: Option<usize>,
    /// One of the matrix products as a convolution: a transformed patch is a pixel, its window 1x1.
    product: ConvLayout,
}

/// How a convolution is cut into tiles.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Tiling {
    /// Outputs on a side of a tile.
    pub(super) side: usize,
    /// Weights on a side of a window, over pixels that are taken together: 2 or 3.
    taps: usize,
    /// Pixels on a side that are taken together: 1 or 2.
    stride: usize,
}

/// Some outputs that are computed together.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Tile {
    /// Where its patch starts in an image.
    patch: u32,
    /// Its first output, counted in pixels. Not read with pooling.
    output: u32,
    /// How many of its rows and columns, the first ones, belong to the tiles before it.
    shared: (u8, u8),
}

impl Winograd {
    /// The layout, if this way suits the convolution: see [`Tiling::of`].
    pub(super) fn new(
        window: &Window2d,
        channels: usize,
        filters: usize,
        pool: Option<&Window2d>,
        windows: &[u32],
    ) -> Option<Self> {
        let tiling = Tiling::of(window, channels, filters, pool)?;
        let Tiling { side, stride, .. } = tiling;
        let channels = stride * stride * channels;
        let tiles = if pool.is_some() {
            let patches = windows.iter().step_by(side * side);
            patches.map(|patch| Tile { patch: *patch, output: 0, shared: (0, 0) }).collect()
        } else {
            let columns = || starts(window.out.1, side);
            let tile = |(row, shared_rows): (usize, u8), (column, shared_columns): (usize, u8)| {
                let output = row * window.out.1 + column;
                Tile { patch: windows[output], output: output as u32, shared: (shared_rows, shared_columns) }
            };
            starts(window.out.0, side).flat_map(|row| columns().map(move |column| tile(row, column))).collect()
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
        Some(Self { tiling, channels, tiles, out_columns: pool.is_none().then_some(window.out.1), product })
    }

    /// Outputs on a side of a tile.
    #[cfg(test)]
    pub(super) fn side(&self) -> usize {
        self.tiling.side
    }

    /// Places of the lists of tiles and windows.
    pub(super) fn list_len(&self) -> usize {
        self.tiles.len() * size_of::<Tile>() / size_of::<u32>() + self.product.windows.len()
    }

    /// Multiplications for one image, one channel and one filter.
    pub(super) fn multiplications(&self) -> usize {
        self.tiles.len() * self.tiling.numbers() * self.tiling.stride.pow(2)
    }

    /// Floats of transformed weights.
    pub(super) fn packed_len(&self) -> usize {
        self.tiling.numbers() * self.product.packed_len()
    }

    /// Transforms the weights, `G w Gᵀ` for every channel and filter.
    ///
    /// - direct: the weights as [`super::pack`] makes them; packed: for each number as `pack` makes a 1x1 kernel, with
    ///   zero biases
    pub(super) fn pack<S: Simd>(&self, simd: S, direct: &[f32], packed: &mut [f32]) {
        let Self { tiling, channels, .. } = self;
        let (of_image, window_len) = (channels / tiling.stride.pow(2), channels * tiling.taps.pow(2));
        let mut direct = direct;
        let mut start = 0;
        for (_, vectors) in blocks::<S>(self.product.filters) {
            let columns = vectors * S::f32s::LEN;
            let (block, rest) = direct.split_at((window_len + 1) * columns);
            direct = rest;
            let part = KernelPart { stride: tiling.stride, len: of_image * columns, number: self.product.packed_len() };
            let packed = &mut packed[start..];
            match (tiling.side, tiling.taps) {
                (2, 3) => transform_weights::<S, 3, 4>(simd, part, block, packed),
                (_, 3) => transform_weights::<S, 3, 5>(simd, part, block, packed),
                (3, _) => transform_weights::<S, 2, 4>(simd, part, block, packed),
                (_, _) => transform_weights::<S, 2, 5>(simd, part, block, packed),
            }
            start += (channels + 1) * columns;
        }
    }

    /// Transforms the patch of a tile.
    ///
    /// - x: from the patch on; number: floats from one number to the next; patches: from the tile's place on
    fn transform_patch<S: Simd, const N: usize>(
        &self,
        simd: S,
        row_stride: usize,
        x: &[f32],
        number: usize,
        patches: &mut [f32],
    ) {
        let stride = self.tiling.stride;
        let channels = self.channels / stride;
        let strides = Strides { channels, row: stride * row_stride, number };
        for row in 0..stride {
            transform_patch::<S, N>(simd, strides, &x[row * row_stride..], &mut patches[row * channels..]);
        }
    }
}

impl Tiling {
    /// What takes the fewest multiplications, where this way suits the convolution: windows of 2x2 or 3x3 without
    /// strides, or twice that with strides of two, whole vectors of channels and filters, and room for a tile.
    pub(super) fn of(window: &Window2d, channels: usize, filters: usize, pool: Option<&Window2d>) -> Option<Self> {
        let whole = |size: usize| size.is_multiple_of(LINE_FLOATS);
        let (taps, stride) = match (window.size, window.strides) {
            ((3, 3), (1, 1)) => (3, 1),
            ((2, 2), (1, 1)) => (2, 1),
            ((4, 4), (2, 2)) => (2, 2),
            ((6, 6), (2, 2)) => (3, 2),
            _ => return None,
        };
        if !whole(channels) || !whole(filters) {
            return None;
        }
        let tiling = |side| Self { side, taps, stride };
        let (rows, columns) = window.out;
        match pool {
            Some(pool) => (pool.size == (2, 2) && window.size == (3, 3)).then(|| tiling(2)),
            None => [5 - taps, 6 - taps]
                .into_iter()
                .filter(|side| rows.min(columns) >= *side)
                .map(tiling)
                .min_by_key(|tiling| tiling.tiles(rows, columns) * tiling.numbers())
                .filter(|tiling| {
                    tiling.saves(rows, columns, channels.saturating_mul(stride * stride).saturating_mul(filters))
                }),
        }
    }

    /// Numbers in a transformed patch, and matrix products.
    pub(super) fn numbers(&self) -> usize {
        (self.side + self.taps - 1).pow(2)
    }

    /// Channels of a patch of an image that has so many; `None` if that overflows.
    pub(super) fn patch_channels(&self, channels: usize) -> Option<usize> {
        channels.checked_mul(self.stride * self.stride)
    }

    fn tiles(&self, rows: usize, columns: usize) -> usize {
        rows.div_ceil(self.side) * columns.div_ceil(self.side)
    }

    /// Whether it saves enough: transformed weights of other windows than 3x3 are up to six times those of the kernel,
    /// which pays where several tiles share them and they stay near the core.
    ///
    /// - pairs: of a channel of a patch and a filter
    fn saves(&self, rows: usize, columns: usize, pairs: usize) -> bool {
        if self.taps == 3 && self.stride == 1 {
            return true;
        }
        let (tiles, windows) = (self.tiles(rows, columns), rows * columns * self.taps.pow(2));
        tiles >= FEWEST_TILES && pairs <= MOST_PAIRS && 4 * tiles * self.numbers() <= 3 * windows
    }
}

/// The floats from one number's values to the next's: a line more than they take. Many distances would be multiples of
/// the page, and what is written for one tile would compete for a few sets of the first-level cache.
fn apart(floats: usize) -> usize {
    floats.saturating_add(LINE_FLOATS)
}

/// Where tiles start on an axis, and how much of each belongs to the one before it.
fn starts(size: usize, side: usize) -> impl Iterator<Item = (usize, u8)> {
    (0..size).step_by(side).map(move |first| {
        let start = first.min(size - side);
        (start, (first - start) as u8)
    })
}

/// Some weights of a kernel that is transformed.
#[derive(Clone, Copy)]
struct KernelPart {
    /// Pixels on a side that are taken together.
    stride: usize,
    /// Floats of one pixel of a window.
    len: usize,
    /// Floats from one number of the transformed kernel to the next.
    number: usize,
}

/// - weights: (stride K, stride K, len); packed: for each of N x N numbers (stride, stride, len)
fn transform_weights<S: Simd, const K: usize, const N: usize>(
    simd: S,
    KernelPart { stride, len, number }: KernelPart,
    weights: &[f32],
    packed: &mut [f32],
) {
    simd.vectorize(
        #[inline(always)]
        || {
            let lanes = S::f32s::LEN;
            for (phase, at) in (0..stride * stride).flat_map(|phase| (0..len).step_by(lanes).map(move |at| (phase, at)))
            {
                let (row, column) = (phase / stride, phase % stride);
                let mut half = [[S::f32s::splat(simd, 0.0); K]; N];
                for x in 0..K {
                    let mut weights_of = [S::f32s::splat(simd, 0.0); K];
                    for y in 0..K {
                        let pixel = (y * stride + row) * stride * K + x * stride + column;
                        weights_of[y] = S::f32s::from_slice(simd, &weights[pixel * len + at..][..lanes]);
                    }
                    let numbers: [S::f32s; N] = widen(weights_of);
                    for y in 0..N {
                        half[y][x] = numbers[y];
                    }
                }
                for y in 0..N {
                    let numbers: [S::f32s; N] = widen(half[y]);
                    for x in 0..N {
                        numbers[x].store_slice(&mut packed[(y * N + x) * number + phase * len + at..][..lanes]);
                    }
                }
            }
        },
    );
}

/// A patch that is transformed, or was.
#[derive(Clone, Copy)]
struct Strides {
    channels: usize,
    /// Floats from one row of the image to the next.
    row: usize,
    /// Floats from one number of the transformed patch to the next.
    number: usize,
}

/// `Bᵀ d B` of one patch, for every channel.
///
/// - x: from the patch on; patches: from the tile's place on
fn transform_patch<S: Simd, const N: usize>(simd: S, strides: Strides, x: &[f32], patches: &mut [f32]) {
    let Strides { channels, row: row_stride, number } = strides;
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
                    let numbers = transforms::differences(inputs);
                    for row in 0..N {
                        half[row][column] = numbers[row];
                    }
                }
                for row in 0..N {
                    let numbers = transforms::differences(half[row]);
                    for column in 0..N {
                        let place = (row * N + column) * number + at;
                        numbers[column].store_slice(&mut patches[place..][..lanes]);
                    }
                }
            }
        },
    );
}
