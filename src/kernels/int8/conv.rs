//! Convolutions on bytes, with bias, max pooling and ReLU in the same sweep. A dense layer is one on images of one
//! pixel.

#[cfg(target_arch = "x86_64")]
use super::avx2;
use super::finish::{Sums, finish};
use super::pack::{Block, GROUP, Int8Kernel, LANES, MAX_COLUMNS, groups};
use super::portable;
#[cfg(target_arch = "x86_64")]
use super::vnni;
use crate::kernels::conv2d::ConvLayout;
use crate::simd::Simd;

/// The most pixels of a tile.
pub(super) const MAX_PIXELS: usize = 12;

/// Where outputs go: (images, outputs, filters).
pub(crate) enum Output<'a> {
    /// As bytes with this zero point. What lies below the lowest byte becomes it, so behind a ReLU the zero point is 0.
    Bytes { y: &'a mut [u8], zero_point: u8 },
    /// As what they stand for.
    Floats { y: &'a mut [f32] },
}

/// What the microkernels read.
pub(super) struct Tile<'a> {
    /// (images, padded height, padded width, channels), and a few bytes more.
    pub(super) x: &'a [u8],
    pub(super) rows: usize,
    /// Groups of bytes in a row of the window.
    pub(super) groups: usize,
    /// Bytes from one row to the next.
    pub(super) row_stride: usize,
    /// (rows, groups, vectors * lanes, bytes of a group).
    pub(super) weights: &'a [i8],
    /// (vectors * lanes).
    pub(super) biases: &'a [i32],
    pub(super) vectors: usize,
}

/// The sums that the outputs of one layer need at a time.
pub(crate) fn band_len(layout: &ConvLayout) -> usize {
    layout.pool * MAX_PIXELS * MAX_COLUMNS
}

/// Computes `activation(max_pool(x * weights + bias))` for `images` images.
///
/// - x: (images, padded height, padded width, channels), and a few bytes more, of any value
/// - band: room for [`band_len`] sums
pub(crate) fn conv<S: Simd>(
    simd: S,
    layout: &ConvLayout,
    kernel: &Int8Kernel,
    (images, x): (usize, &[u8]),
    band: &mut [i32],
    mut output: Output<'_>,
) {
    let (per_image, pool) = (layout.windows.len(), layout.pool);
    let pixels = images * per_image;
    for block in kernel.blocks(layout) {
        let Block { first_filter, vectors, weights, biases, multipliers } = block;
        let columns = vectors * LANES;
        let tile_pixels = tile_pixels(vectors);
        // Whole pooling windows in whole tiles.
        let band_pixels = if tile_pixels.is_multiple_of(pool) { tile_pixels } else { pool * tile_pixels };
        let tile = Tile {
            x,
            rows: layout.rows,
            groups: groups(layout),
            row_stride: layout.row_stride,
            weights,
            biases,
            vectors,
        };
        let mut windows_of_images = (0..images).flat_map(|image| {
            let base = image * layout.image_len;
            layout.windows.iter().map(move |window| base + *window as usize)
        });
        for start in (0..pixels).step_by(band_pixels) {
            let count = band_pixels.min(pixels - start);
            for done in (0..count).step_by(tile_pixels) {
                let some = tile_pixels.min(count - done);
                let mut windows = [0; MAX_PIXELS];
                windows[..some].iter_mut().zip(&mut windows_of_images).for_each(|(to, window)| *to = window);
                // What a tile lacks repeats its last pixel.
                let last = windows[some - 1];
                windows[some..].fill(last);
                products(simd, &tile, &windows, some, &mut band[done * columns..]);
            }
            let sums = Sums { sums: &band[..count * columns], columns, pool, multipliers };
            finish(simd, sums, (start / pool, layout.filters, first_filter), &mut output);
        }
    }
}

/// Pixels of a tile of so many vectors of filters: as many as 32 registers hold beside weights and inputs.
fn tile_pixels(vectors: usize) -> usize {
    match vectors {
        4 => 6,
        3 => 8,
        _ => MAX_PIXELS,
    }
}

/// The sums of `pixels` pixels: (pixels, vectors * lanes). Behind them, up to a whole tile, anything may be written.
fn products<S: Simd>(simd: S, tile: &Tile<'_>, windows: &[usize; MAX_PIXELS], pixels: usize, sums: &mut [i32]) {
    #[cfg(target_arch = "x86_64")]
    {
        if let Some(avx512) = simd.level().as_avx512() {
            return vnni::products(avx512, tile, windows, pixels, sums);
        }
        if let Some(avx2) = simd.level().as_avx2() {
            return avx2::products(avx2, tile, &windows[..pixels], sums);
        }
    }
    portable::products(simd, tile, &windows[..pixels], sums);
}

impl<'a> Tile<'a> {
    /// A row of a window that starts here.
    #[inline(always)]
    pub(super) fn window_row(&self, window: usize, row: usize) -> &'a [[u8; GROUP]] {
        let bytes = &self.x[window + row * self.row_stride..][..self.groups * GROUP];
        &bytes.as_chunks().0[..self.groups]
    }

    /// The weights of a row of the window.
    #[inline(always)]
    pub(super) fn row_weights(&self, row: usize) -> &'a [i8] {
        let len = self.groups * self.vectors * LANES * GROUP;
        &self.weights[row * len..][..len]
    }
}
