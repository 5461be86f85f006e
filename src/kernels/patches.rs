//! Windows cut out of images side by side, and put back together: what dilated and transposed convolutions are made of
//! besides a product with a kernel.

use crate::shape::Window2d;

/// A window whose taps stand apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dilated {
    /// The geometry, with the size that the window reaches over.
    pub(crate) window: Window2d,
    /// Rows and columns of taps.
    pub(crate) taps: (usize, usize),
    /// Rows and columns from one tap to the next.
    pub(crate) dilation: (usize, usize),
}

impl Dilated {
    /// How far so many taps reach; `None` if that overflows.
    pub(crate) fn reach(taps: (usize, usize), dilation: (usize, usize)) -> Option<(usize, usize)> {
        let along = |taps: usize, dilation: usize| taps.checked_sub(1)?.checked_mul(dilation)?.checked_add(1);
        Some((along(taps.0, dilation.0)?, along(taps.1, dilation.1)?))
    }

    /// For each tap of each window inside the image: where its pixel is in the image, and where in the patches, both in
    /// pixels.
    fn each_pixel(&self, images: usize, mut with: impl FnMut(usize, usize)) {
        let Self { window, taps, dilation } = *self;
        let (height, width) = window.image;
        let (out_height, out_width) = window.out;
        for image in 0..images {
            for y in 0..out_height {
                for x in 0..out_width {
                    let patch = ((image * out_height + y) * out_width + x) * taps.0 * taps.1;
                    for (row, column) in (0..taps.0).flat_map(|row| (0..taps.1).map(move |column| (row, column))) {
                        let at_y = (y * window.strides.0 + row * dilation.0).checked_sub(window.before.0);
                        let at_x = (x * window.strides.1 + column * dilation.1).checked_sub(window.before.1);
                        if let (Some(at_y), Some(at_x)) = (at_y, at_x)
                            && at_y < height
                            && at_x < width
                        {
                            with((image * height + at_y) * width + at_x, patch + row * taps.1 + column);
                        }
                    }
                }
            }
        }
    }
}

/// Copies the pixels of each window side by side; what padding adds is zero.
///
/// - x: (images, H, W, channels); patches: (images, windows, taps, channels)
pub(crate) fn cut(of: &Dilated, channels: usize, images: usize, x: &[f32], patches: &mut [f32]) {
    patches.fill(0.0);
    of.each_pixel(images, |pixel, tap| {
        patches[tap * channels..][..channels].copy_from_slice(&x[pixel * channels..][..channels]);
    });
}

/// Adds the pixels of each patch to where [`cut`] has them from.
///
/// - patches: (images, windows, taps, channels); x: (images, H, W, channels)
pub(crate) fn put_back(of: &Dilated, channels: usize, images: usize, patches: &[f32], x: &mut [f32]) {
    of.each_pixel(images, |pixel, tap| {
        let values = &patches[tap * channels..][..channels];
        x[pixel * channels..][..channels].iter_mut().zip(values).for_each(|(x, value)| *x += value);
    });
}
