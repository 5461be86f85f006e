//! The weight gradients, where nearly all outputs have a gradient.

use super::transforms::{narrow_back, widen_back};
use super::{Strides, Tile, Winograd, apart};
use crate::kernels::conv2d::ConvLayout;
use crate::kernels::conv2d_weight_gradient_dense::add_products;
use crate::kernels::sum::SHORT;
use crate::simd::{Simd, SimdBase};

/// Floats of a group's transformed patches for one number: few are read again and again while they are near the core,
/// many are few passes over the sums.
const GROUP_FLOATS: usize = 1536;

/// Channels and filters from which on it pays.
const FEWEST_CHANNELS: usize = 32;

impl Winograd {
    /// Whether the weight gradients are found faster this way: not with so few channels or filters that the transforms
    /// take longer than the products save (28x28 images of 16 and 16: 20 us instead of 14, of 32 and 32: 32 instead of
    /// 57; one core of a Zen 5, 2026-11-26). And whether those of an image are short sums.
    pub(crate) fn suits_gradients(&self) -> bool {
        (self.channels / self.tiling.stride.pow(2)).min(self.product.filters) >= FEWEST_CHANNELS
            && self.tiles.len() <= SHORT
    }

    /// Tiles that are taken at a time.
    fn gradient_group(&self) -> usize {
        (GROUP_FLOATS / self.channels.max(self.product.filters)).clamp(32, 96)
    }

    /// Floats of scratch memory that the weight gradients need: sums, and a group's transformed patches and gradients.
    pub(crate) fn gradient_scratch_len(&self) -> usize {
        let (channels, filters, group) = (self.channels, self.product.filters, self.gradient_group());
        // Saturated on machines of 32 bits, whose memory it is more than.
        let parts = [channels.saturating_mul(filters), group.saturating_mul(channels), group.saturating_mul(filters)];
        self.tiling.numbers().saturating_mul(parts.into_iter().map(apart).fold(0, usize::saturating_add))
    }
}

/// `dw += dy * x[window]` for the images of a chunk. No pooling may be fused, and the sums of an
/// image must be short.
///
/// - x: (images, padded height, padded width, channels)
/// - dy: (images, outputs, filters)
/// - scratch: room for [`Winograd::gradient_scratch_len`]
/// - dw: (filters, window_len)
pub(crate) fn weight_gradients_winograd<S: Simd>(
    simd: S,
    layout: &ConvLayout,
    winograd: &Winograd,
    x: &[f32],
    dy: &[f32],
    scratch: &mut [f32],
    dw: &mut [f32],
) {
    // As many images at a time as are short sums together.
    let images = SHORT / winograd.tiles.len();
    let dy = dy.chunks(images * layout.windows.len() * layout.filters);
    for (x, dy) in x.chunks(images * layout.image_len).zip(dy) {
        match (winograd.tiling.side, winograd.tiling.taps) {
            (2, 3) => weight_gradients::<S, 3, 2, 4>(simd, layout, winograd, x, dy, scratch, dw),
            (_, 3) => weight_gradients::<S, 3, 3, 5>(simd, layout, winograd, x, dy, scratch, dw),
            (3, _) => weight_gradients::<S, 2, 3, 4>(simd, layout, winograd, x, dy, scratch, dw),
            (_, _) => weight_gradients::<S, 2, 4, 5>(simd, layout, winograd, x, dy, scratch, dw),
        }
    }
}

/// [`weight_gradients_winograd`] for one size of tiles, and images whose sums are short together.
fn weight_gradients<S: Simd, const K: usize, const M: usize, const N: usize>(
    simd: S,
    layout: &ConvLayout,
    winograd: &Winograd,
    x: &[f32],
    dy: &[f32],
    scratch: &mut [f32],
    dw: &mut [f32],
) {
    let (filters, channels, group) = (layout.filters, winograd.channels, winograd.gradient_group());
    let of_sums = apart(filters * channels);
    let of_patches = apart(group * channels);
    let out_columns = winograd.out_columns.unwrap_or(1);
    let of_gradients = Strides { channels: filters, row: out_columns * filters, number: apart(group * filters) };
    let (sums, scratch) = scratch.split_at_mut(N * N * of_sums);
    let (patches, gradients) = scratch.split_at_mut(N * N * of_patches);
    sums.fill(0.0);
    let images = dy.len() / (layout.windows.len() * filters);
    let tiles = images * winograd.tiles.len();
    for first in (0..tiles).step_by(group) {
        let count = group.min(tiles - first);
        for at in 0..count {
            let (image, place) = ((first + at) / winograd.tiles.len(), (first + at) % winograd.tiles.len());
            let tile = winograd.tiles[place];
            let x = &x[image * layout.image_len + tile.patch as usize..];
            winograd.transform_patch::<S, N>(simd, layout.row_stride, x, of_patches, &mut patches[at * channels..]);
            let dy = &dy[(image * layout.windows.len() + tile.output as usize) * filters..];
            transform_gradient::<S, M, N>(simd, of_gradients, tile, dy, &mut gradients[at * filters..]);
        }
        let numbers = patches.chunks_exact(of_patches).zip(gradients.chunks_exact(of_gradients.number));
        for ((patches, gradients), sums) in numbers.zip(sums.chunks_exact_mut(of_sums)) {
            add_products(simd, &winograd.product, patches, &gradients[..count * filters], sums);
        }
    }
    let stride = winograd.tiling.stride;
    add_back_transformed::<S, K, N>(simd, stride, channels, sums, &mut dw[..filters * layout.window_len()]);
}

/// `A dy Aᵀ` of one tile, for every filter; outputs that belong to other tiles count as zeros.
///
/// - dy: from the tile's first output on; gradients: from the tile's place on
fn transform_gradient<S: Simd, const M: usize, const N: usize>(
    simd: S,
    strides: Strides,
    tile: Tile,
    dy: &[f32],
    gradients: &mut [f32],
) {
    let Strides { channels: filters, row: row_stride, number } = strides;
    let (first_row, first_column) = (usize::from(tile.shared.0), usize::from(tile.shared.1));
    simd.vectorize(
        #[inline(always)]
        || {
            let (lanes, zero) = (S::f32s::LEN, S::f32s::splat(simd, 0.0));
            for at in (0..filters).step_by(lanes) {
                let mut half = [[zero; M]; N];
                for column in 0..M {
                    let mut outputs = [zero; M];
                    for row in 0..M {
                        if row >= first_row && column >= first_column {
                            let dy = &dy[row * row_stride + column * filters + at..];
                            outputs[row] = S::f32s::from_slice(simd, &dy[..lanes]);
                        }
                    }
                    let numbers: [S::f32s; N] = narrow_back(outputs);
                    for row in 0..N {
                        half[row][column] = numbers[row];
                    }
                }
                for row in 0..N {
                    let numbers: [S::f32s; N] = narrow_back(half[row]);
                    for column in 0..N {
                        let place = (row * N + column) * number + at;
                        numbers[column].store_slice(&mut gradients[place..][..lanes]);
                    }
                }
            }
        },
    );
}

/// Adds `Gᵀ sums G`.
///
/// - stride: pixels on a side that are taken together; channels: of all of them
/// - sums: (N x N, filters, channels); dw: (filters, stride K, stride K, channels of a pixel)
fn add_back_transformed<S: Simd, const K: usize, const N: usize>(
    simd: S,
    stride: usize,
    channels: usize,
    sums: &[f32],
    dw: &mut [f32],
) {
    simd.vectorize(
        #[inline(always)]
        || {
            let lanes = S::f32s::LEN;
            let (of_number, of_pixel) = (sums.len() / (N * N), channels / (stride * stride));
            for (filter, dw) in dw.chunks_exact_mut(K * K * channels).enumerate() {
                for at in (0..channels).step_by(lanes) {
                    let sums = &sums[filter * channels + at..];
                    let mut half = [[S::f32s::splat(simd, 0.0); N]; K];
                    for column in 0..N {
                        let mut numbers = [S::f32s::splat(simd, 0.0); N];
                        for row in 0..N {
                            let place = (row * N + column) * of_number;
                            numbers[row] = S::f32s::from_slice(simd, &sums[place..][..lanes]);
                        }
                        let rows: [S::f32s; K] = widen_back(numbers);
                        for row in 0..K {
                            half[row][column] = rows[row];
                        }
                    }
                    let (pixel, channel) = (at / of_pixel, at % of_pixel);
                    for row in 0..K {
                        let weights: [S::f32s; K] = widen_back(half[row]);
                        for column in 0..K {
                            let (y, x) = (row * stride + pixel / stride, column * stride + pixel % stride);
                            let dw = &mut dw[(y * stride * K + x) * of_pixel + channel..][..lanes];
                            (S::f32s::from_slice(simd, dw) + weights[column]).store_slice(dw);
                        }
                    }
                }
            }
        },
    );
}
