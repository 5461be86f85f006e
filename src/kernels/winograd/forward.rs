//! The forward pass.

use super::products::{Each, Sizes, products};
use super::transforms::narrow;
use super::{GROUP, Winograd, apart};
use crate::kernels::activation::{Elementwise, activate};
use crate::kernels::conv2d::{ConvLayout, Inputs, Outputs, blocks};
use crate::kernels::finite::{Sums, sums_of};
use crate::kernels::max_pool::pool_band;
use crate::simd::{Simd, SimdBase};

impl Winograd {
    /// Floats of scratch memory: a group's transformed patches, their products, and outputs before pooling.
    pub(in crate::kernels) fn scratch_len(&self) -> usize {
        let group = |values: usize| GROUP.saturating_mul(values);
        // Saturated on machines of 32 bits, whose memory it is more than.
        let products = apart(group(self.channels)).saturating_add(apart(group(self.product.filters)));
        let outputs = group(self.tiling.side.pow(2) * self.product.filters);
        self.tiling.numbers().saturating_mul(products).saturating_add(outputs)
    }
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
    match (winograd.tiling.side, winograd.tiling.taps) {
        (2, 3) => forward::<S, 2, 4>(simd, layout, winograd, activation, inputs, scratch, outputs),
        (_, 3) => forward::<S, 3, 5>(simd, layout, winograd, activation, inputs, scratch, outputs),
        (3, _) => forward::<S, 3, 4>(simd, layout, winograd, activation, inputs, scratch, outputs),
        (_, _) => forward::<S, 4, 5>(simd, layout, winograd, activation, inputs, scratch, outputs),
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
    let (of_patches, of_sums) = (apart(GROUP * channels), apart(GROUP * filters));
    let (patches, scratch) = scratch.split_at_mut(N * N * of_patches);
    let (sums, scratch) = scratch.split_at_mut(N * N * of_sums);
    let tiles = images * winograd.tiles.len();
    let pooled = if winograd.out_columns.is_some() { Sums::Any } else { sums_of(simd, x, direct) };
    for first in (0..tiles).step_by(GROUP) {
        let count = GROUP.min(tiles - first);
        for tile in 0..count {
            let (image, place) = ((first + tile) / winograd.tiles.len(), (first + tile) % winograd.tiles.len());
            let x = &x[image * layout.image_len + winograd.tiles[place].patch as usize..];
            winograd.transform_patch::<S, N>(simd, layout.row_stride, x, of_patches, &mut patches[tile * channels..]);
        }
        let sizes = Sizes { channels, filters, tiles: count };
        let weights = Each { of: transformed, stride: winograd.product.packed_len() };
        let patches = Each { of: &*patches, stride: of_patches };
        products(simd, sizes, patches, weights, Each { of: sums, stride: of_sums });
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
                    let (image, place) = (tile / winograd.tiles.len(), tile % winograd.tiles.len());
                    let at = (image * layout.windows.len() + winograd.tiles[place].output as usize) * filters;
                    for (row, values) in values.chunks_exact(M * filters).enumerate() {
                        outputs.y[at + row * columns * filters..][..M * filters].copy_from_slice(values);
                    }
                }
            }
        }
    }
}

/// `Aᵀ m A` and the bias, for every tile and filter.
///
/// - direct: the packed weights, whose blocks end with the biases
/// - sums: for each of N x N numbers (GROUP, filters); band: (tiles, M x M, filters)
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
            let of_sums = sums.len() / (N * N);
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
                                let place = (row * N + column) * of_sums + tile * filters + at;
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
