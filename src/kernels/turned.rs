//! The input gradients of a convolution without strides as a convolution themselves: of the outputs' gradients, with a
//! border of zeros, and the kernel turned by half a turn, filters and channels swapped.
//!
//! It takes as many multiplications for each input, border included, as the forward pass takes for an output; the way
//! over windows ([`super::conv2d_input_gradient_dense`]) takes none for the border. So it pays where
//! [`super::winograd`] takes fewer.

use super::activation::Elementwise;
use super::conv2d::{ConvLayout, Inputs, Outputs, blocks};
use super::conv2d_forward::conv2d_forward;
use super::padding::pad;
use super::winograd::Winograd;
use super::winograd::winograd_forward;
use crate::shape::Window2d;
use crate::simd::{Simd, SimdBase};

/// The layout of a convolution's input gradients.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Turned {
    /// The window on the outputs' gradients, with the border that they need.
    pub(crate) window: Window2d,
    /// The convolution of them: its channels are the filters, and the reverse.
    pub(crate) layout: ConvLayout,
}

impl Turned {
    /// The layout for a convolution on images of `channels` channels; `None` where it has strides.
    pub(crate) fn new(window: &Window2d, channels: usize, filters: usize) -> Option<Self> {
        let window = Self::window(window)?;
        Some(Self { layout: ConvLayout::new(&window, filters, channels, None), window })
    }

    /// The same where it takes far fewer multiplications. It does by Winograd's algorithm alone; without that no layout
    /// is made, whose lists take memory and time.
    pub(crate) fn where_it_pays(window: &Window2d, channels: usize, filters: usize) -> Option<Self> {
        Winograd::side_for(&Self::window(window)?, filters, channels, None)?;
        Self::new(window, channels, filters).filter(Self::pays)
    }

    fn window(window: &Window2d) -> Option<Window2d> {
        if window.strides != (1, 1) {
            return None;
        }
        // The border is as wide as the window, but for what the convolution's own border takes of it.
        let before = |size: usize, before: usize| (size - 1).checked_sub(before);
        let before = (before(window.size.0, window.before.0)?, before(window.size.1, window.before.1)?);
        let padded = (window.image.0 + window.size.0 - 1, window.image.1 + window.size.1 - 1);
        Some(Window2d { image: window.out, before, padded, out: window.image, ..*window })
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

    /// Writes the gradients of a chunk's inputs.
    ///
    /// - dy: (images, outputs, filters); packed: as [`Turned::pack`] makes it
    /// - bordered: room for [`Turned::bordered_len`]; scratch: for [`ConvLayout::scratch_len`]
    /// - dx: (images, height, width, channels)
    pub(crate) fn convolve<S: Simd>(
        &self,
        simd: S,
        dy: &[f32],
        packed: &[f32],
        bordered: &mut [f32],
        scratch: &mut [f32],
        dx: &mut [f32],
    ) {
        let Self { window, layout } = self;
        let images = dx.len() / (layout.outputs() * layout.filters);
        let dy = if window.pads() {
            let bordered = &mut bordered[..self.bordered_len(images)];
            pad(window, layout.run / window.size.1, images, dy, bordered);
            bordered
        } else {
            dy
        };
        let (linear, inputs) = (Elementwise::Linear, Inputs { images, x: dy, packed });
        let outputs = Outputs { y: dx, winners: &mut [] };
        match &layout.winograd {
            Some(winograd) => winograd_forward(simd, layout, winograd, linear, inputs, scratch, outputs),
            None => conv2d_forward(simd, layout, linear, inputs, scratch, outputs),
        }
    }

    /// Packs the kernel of the convolution whose gradients these are.
    ///
    /// - weights: (filters, kernel height, kernel width, channels)
    /// - packed: as [`ConvLayout::pack`] makes it of the turned kernel
    pub(crate) fn pack<S: Simd>(&self, simd: S, weights: &[f32], packed: &mut [f32]) {
        let (filters, channels) = (self.layout.run / self.window.size.1, self.layout.filters);
        let (direct, transformed) = packed.split_at_mut(self.layout.direct_packed_len());
        let window_len = weights.len() / filters;
        let mut rest = &mut direct[..];
        for (first, vectors) in blocks::<S>(channels) {
            let columns = vectors * S::f32s::LEN;
            let (block, after) = rest.split_at_mut((self.layout.window_len() + 1) * columns);
            rest = after;
            let used = columns.min(channels - first);
            // The last row holds the biases: zeros.
            for (row, packed) in block.chunks_exact_mut(columns).take(self.layout.window_len()).enumerate() {
                let (place, filter) = (row / filters, row % filters);
                let from = filter * window_len + window_len - (place + 1) * channels + first;
                packed[..used].copy_from_slice(&weights[from..][..used]);
            }
        }
        if let Some(winograd) = &self.layout.winograd {
            winograd.pack(simd, direct, transformed);
        }
    }
}
