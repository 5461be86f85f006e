//! Windows cut out of images side by side, and put back together: what dilated and transposed convolutions are made of
//! besides a product with a kernel.

use crate::shape::Window2d;
use crate::simd::Simd;

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

    /// For each run of a window's pixels inside the image that lie side by side there and in the patch: where it starts
    /// in the image, where in the patches, and how long it is, all in pixels.
    #[inline(always)]
    fn each_run(&self, images: usize, mut with: impl FnMut(usize, usize, usize)) {
        let Self { window, taps, dilation } = *self;
        let (height, width) = window.image;
        let (out_height, out_width) = window.out;
        // Taps that stand apart are runs of one.
        let at_once = if dilation.1 == 1 { taps.1 } else { 1 };
        for place in 0..images * out_height * out_width {
            let (x, y, image) = (place % out_width, place / out_width % out_height, place / out_width / out_height);
            for row in 0..taps.0 {
                let at_y = (y * window.strides.0 + row * dilation.0).checked_sub(window.before.0);
                let Some(at_y) = at_y.filter(|at_y| *at_y < height) else { continue };
                let of_row = (place * taps.0 + row) * taps.1;
                for column in (0..taps.1).step_by(at_once) {
                    // In columns of the padded image.
                    let start = x * window.strides.1 + column * dilation.1;
                    let inside = start.max(window.before.1)..(start + at_once).min(window.before.1 + width);
                    if !inside.is_empty() {
                        let pixel = (image * height + at_y) * width + inside.start - window.before.1;
                        with(pixel, of_row + column + inside.start - start, inside.len());
                    }
                }
            }
        }
    }
}

/// Copies the pixels of each window side by side; what padding adds is zero.
///
/// - x: (images, H, W, channels); patches: (images, windows, taps, channels)
pub(crate) fn cut<S: Simd>(simd: S, of: &Dilated, channels: usize, images: usize, x: &[f32], patches: &mut [f32]) {
    patches.fill(0.0);
    simd.vectorize(
        #[inline(always)]
        || {
            of.each_run(images, |pixel, tap, count| {
                let to = &mut patches[tap * channels..][..count * channels];
                to.iter_mut().zip(&x[pixel * channels..]).for_each(|(to, x)| *to = *x);
            });
        },
    );
}

/// Adds the pixels of each patch to where [`cut`] has them from.
///
/// - patches: (images, windows, taps, channels); x: (images, H, W, channels)
pub(crate) fn put_back<S: Simd>(simd: S, of: &Dilated, channels: usize, images: usize, patches: &[f32], x: &mut [f32]) {
    simd.vectorize(
        #[inline(always)]
        || {
            of.each_run(images, |pixel, tap, count| {
                let values = &patches[tap * channels..][..count * channels];
                x[pixel * channels..][..values.len()].iter_mut().zip(values).for_each(|(x, value)| *x += value);
            });
        },
    );
}
