//! 3x3 convolutions in fewer multiplications: Winograd's F(2x2, 3x3) and F(3x3, 3x3), as in
//! [Lavin and Gray, 2015](https://arxiv.org/abs/1509.09308).
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
//!
//! `M` is the side of a tile's outputs, `N = M + 2` that of its numbers.
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

/// The layout of a convolution that goes this way.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Winograd {
    /// Outputs on a side of a tile: 2 or 3.
    side: usize,
    channels: usize,
    tiles: Vec<Tile>,
    /// Columns of the output, and so of the image less 2. `None` with pooling: there the tiles are in the order of the
    /// pooled outputs.
    out_columns: Option<usize>,
    /// One of the matrix products as a convolution: a transformed patch is a pixel, its window 1x1.
    product: ConvLayout,
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
    /// The layout, if this way suits the convolution: 3x3, no strides, whole vectors of channels and filters, and room
    /// for a tile.
    pub(super) fn new(
        window: &Window2d,
        channels: usize,
        filters: usize,
        pool: Option<&Window2d>,
        windows: &[u32],
    ) -> Option<Self> {
        let side = Self::side_for(window, channels, filters, pool)?;
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
        Some(Self { side, channels, tiles, out_columns: pool.is_none().then_some(window.out.1), product })
    }

    /// Outputs on a side of a tile, where this way suits the convolution: what takes fewer multiplications.
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
        let (rows, columns) = window.out;
        match pool {
            Some(pool) => (pool.size == (2, 2)).then_some(2),
            None => [2, 3]
                .into_iter()
                .filter(|side| rows.min(columns) >= *side)
                .min_by_key(|side| rows.div_ceil(*side) * columns.div_ceil(*side) * numbers(*side)),
        }
    }

    /// Outputs on a side of a tile.
    #[cfg(test)]
    pub(super) fn side(&self) -> usize {
        self.side
    }

    /// Places of the lists of tiles and windows.
    pub(super) fn list_len(&self) -> usize {
        self.tiles.len() * size_of::<Tile>() / size_of::<u32>() + self.product.windows.len()
    }

    /// Multiplications for one image, one channel and one filter.
    pub(super) fn multiplications(&self) -> usize {
        self.tiles.len() * numbers(self.side)
    }

    /// Floats of transformed weights.
    pub(super) fn packed_len(&self) -> usize {
        numbers(self.side) * self.product.packed_len()
    }

    /// Transforms the weights, `G w Gᵀ` for every channel and filter.
    ///
    /// - direct: the weights as [`super::pack`] makes them; packed: for each number as `pack` makes a 1x1 kernel, with
    ///   zero biases
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

/// Numbers in a transformed patch of tiles with that side, and matrix products.
fn numbers(side: usize) -> usize {
    (side + 2).pow(2)
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
