//! The input gradients of a convolution as a convolution themselves: of the outputs' gradients, with a border of zeros,
//! and the kernel turned by half a turn, filters and channels swapped.
//!
//! It takes as many multiplications for each input, border included, as the forward pass takes for an output; the way
//! over windows ([`super::conv2d_input_gradient_dense`]) takes none for the border. So it pays where
//! [`super::winograd`] takes fewer.
//!
//! With strides of two it gives the gradients of 2x2 inputs at a time, as so many more channels, which then go to their
//! pixels.

use super::activation::Elementwise;
use super::conv2d::{ConvLayout, Inputs, Outputs, blocks};
use super::conv2d_forward::conv2d_forward;
use super::padding::pad;
use super::winograd::{Tiling, winograd_forward};
use crate::shape::Window2d;
use crate::simd::{Simd, SimdBase};

/// The layout of a convolution's input gradients.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Turned {
    /// The window on the outputs' gradients, with the border that they need.
    pub(crate) window: Window2d,
    /// The convolution of them: its channels are the filters, and the reverse.
    pub(crate) layout: ConvLayout,
    /// Where its outputs go, if the convolution has strides.
    spread: Option<Spread>,
}

/// Inputs that are found together: 2x2 pixels, or what the image has of them.
#[derive(Clone, Debug, PartialEq)]
struct Spread {
    /// Rows and columns of the image.
    image: (usize, usize),
    /// Those of the first pixels that are not in the image.
    before: (usize, usize),
    channels: usize,
}

/// Rows and columns of pixels that are found together where there are strides.
const STRIDE: usize = 2;

impl Turned {
    /// The layout for a convolution on images of `channels` channels; `None` where it has other strides than one, or two
    /// with a kernel of even sides, and where a border is as wide as a window.
    pub(crate) fn new(window: &Window2d, channels: usize, filters: usize) -> Option<Self> {
        let (turned, stride) = Self::window(window)?;
        let layout = ConvLayout::new(&turned, filters, stride * stride * channels, None);
        let before = (window.before.0 % STRIDE, window.before.1 % STRIDE);
        let spread = (stride > 1).then_some(Spread { image: window.image, before, channels });
        Some(Self { layout, window: turned, spread })
    }

    /// The same where it takes far fewer multiplications. It does by Winograd's algorithm alone; without that no layout
    /// is made, whose lists take memory and time.
    pub(crate) fn where_it_pays(window: &Window2d, channels: usize, filters: usize) -> Option<Self> {
        let (turned, stride) = Self::window(window)?;
        Tiling::of(&turned, filters, stride * stride * channels, None)?;
        Self::new(window, channels, filters).filter(Self::pays)
    }

    /// The window on the outputs' gradients, and the rows and columns of pixels that each place gives.
    fn window(window: &Window2d) -> Option<(Window2d, usize)> {
        let stride = match window.strides {
            (1, 1) => 1,
            (STRIDE, STRIDE) if window.size.0.is_multiple_of(STRIDE) && window.size.1.is_multiple_of(STRIDE) => STRIDE,
            _ => return None,
        };
        // The border is as wide as the window, but for what the convolution's own border takes of it.
        let axis = |size: usize, before: usize, image: usize| {
            let places = (before + image).div_ceil(stride) - before / stride;
            Some((size / stride, (size / stride - 1).checked_sub(before / stride)?, places))
        };
        let (rows, top, out_rows) = axis(window.size.0, window.before.0, window.image.0)?;
        let (columns, left, out_columns) = axis(window.size.1, window.before.1, window.image.1)?;
        let padded = (out_rows + rows - 1, out_columns + columns - 1);
        // Windows that lie in the border altogether.
        if padded.0 < top + window.out.0 || padded.1 < left + window.out.1 {
            return None;
        }
        let (size, before, out) = ((rows, columns), (top, left), (out_rows, out_columns));
        Some((Window2d { image: window.out, size, strides: (1, 1), before, padded, out }, stride))
    }

    /// Whether the gradients take far fewer multiplications this way than over the windows of the convolution.
    fn pays(&self) -> bool {
        let windows = self.window.image.0 * self.window.image.1 * self.window.size.0 * self.window.size.1;
        self.layout.winograd.as_ref().is_some_and(|winograd| 4 * winograd.multiplications() <= 3 * windows)
    }

    /// Floats of the outputs' gradients of so many images with their border.
    pub(crate) fn bordered_len(&self, images: usize) -> usize {
        images * self.layout.image_len
    }

    /// Floats of what the convolution of so many images gives: with strides, before it goes to its pixels.
    pub(crate) fn gradients_len(&self, images: usize) -> usize {
        images * self.layout.outputs() * self.layout.filters
    }

    /// Whether the convolution gives the gradients as they lie in the images.
    pub(crate) fn is_in_place(&self) -> bool {
        self.spread.is_none()
    }

    /// Finds the gradients of a chunk's inputs.
    ///
    /// - dy: (images, outputs, filters); packed: as [`Turned::pack`] makes it
    /// - bordered: room for [`Turned::bordered_len`]; scratch: for [`ConvLayout::scratch_len`]
    /// - gradients: [`Turned::gradients_len`]; as (images, height, width, channels), unless [`Turned::for_each_part`]
    ///   says where they belong
    pub(crate) fn convolve<S: Simd>(
        &self,
        simd: S,
        dy: &[f32],
        packed: &[f32],
        bordered: &mut [f32],
        scratch: &mut [f32],
        gradients: &mut [f32],
    ) {
        let Self { window, layout, .. } = self;
        let images = gradients.len() / (layout.outputs() * layout.filters);
        let dy = if window.pads() {
            let bordered = &mut bordered[..self.bordered_len(images)];
            pad(window, layout.run / window.size.1, images, dy, bordered);
            bordered
        } else {
            dy
        };
        let (linear, inputs) = (Elementwise::Linear, Inputs { images, x: dy, packed });
        let outputs = Outputs { y: gradients, winners: &mut [] };
        match &layout.winograd {
            Some(winograd) => winograd_forward(simd, layout, winograd, linear, inputs, scratch, outputs),
            None => conv2d_forward(simd, layout, linear, inputs, scratch, outputs),
        }
    }

    /// Tells of the gradients of each pixel, or of all in one, where they belong in the images, and what they are.
    ///
    /// - gradients: as [`Turned::convolve`] finds them
    pub(crate) fn for_each_part(&self, gradients: &[f32], mut with: impl FnMut(usize, &[f32])) {
        let Some(Spread { image: (height, width), before, channels }) = self.spread else { return with(0, gradients) };
        let row_len = self.window.out.1 * self.layout.filters;
        let image_len = self.window.out.0 * row_len;
        for (image, gradients) in gradients.chunks_exact(image_len).enumerate() {
            for y in 0..height {
                let (row, phase) = ((before.0 + y) / STRIDE, (before.0 + y) % STRIDE);
                let gradients = &gradients[row * row_len..][..row_len];
                for x in 0..width {
                    let (column, in_row) = ((before.1 + x) / STRIDE, (before.1 + x) % STRIDE);
                    let from = column * self.layout.filters + (phase * STRIDE + in_row) * channels;
                    with(((image * height + y) * width + x) * channels, &gradients[from..][..channels]);
                }
            }
        }
    }

    /// Packs the kernel of the convolution whose gradients these are.
    ///
    /// - weights: (filters, kernel height, kernel width, channels)
    /// - packed: as [`ConvLayout::pack`] makes it of the turned kernel
    pub(crate) fn pack<S: Simd>(&self, simd: S, weights: &[f32], packed: &mut [f32]) {
        let (size, all) = (self.window.size, self.layout.filters);
        let filters = self.layout.run / size.1;
        let (stride, channels) = self.spread.as_ref().map_or((1, all), |spread| (STRIDE, spread.channels));
        let (direct, transformed) = packed.split_at_mut(self.layout.direct_packed_len());
        let window_len = weights.len() / filters;
        let mut rest = &mut direct[..];
        for (first, vectors) in blocks::<S>(all) {
            let columns = vectors * S::f32s::LEN;
            let (block, after) = rest.split_at_mut((self.layout.window_len() + 1) * columns);
            rest = after;
            let end = all.min(first + columns);
            // The last row holds the biases: zeros.
            for (row, packed) in block.chunks_exact_mut(columns).take(self.layout.window_len()).enumerate() {
                let (place, filter) = (row / filters, row % filters);
                let (y, x) = (size.0 - 1 - place / size.1, size.1 - 1 - place % size.1);
                let mut at = first;
                while at < end {
                    // Of one of the pixels that are found together.
                    let (phase, channel) = (at / channels, at % channels);
                    let len = (channels - channel).min(end - at);
                    let pixel = (y * stride + phase / stride) * stride * size.1 + x * stride + phase % stride;
                    let from = filter * window_len + pixel * channels + channel;
                    packed[at - first..][..len].copy_from_slice(&weights[from..][..len]);
                    at += len;
                }
            }
        }
        if let Some(winograd) = &self.layout.winograd {
            winograd.pack(simd, direct, transformed);
        }
    }
}
