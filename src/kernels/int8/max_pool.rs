//! Max pooling of bytes where it is not fused behind a convolution.

use crate::kernels::max_pool::reach;
use crate::shape::Window2d;
use crate::simd::Simd;

/// The maximum of each window; padding never wins.
///
/// - x: (images, H, W, channels); out: (images, out H, out W, channels)
pub(crate) fn max_pool<S: Simd>(simd: S, window: &Window2d, channels: usize, x: &[u8], out: &mut [u8]) {
    simd.vectorize(
        #[inline(always)]
        || {
            let image_len = window.image.0 * window.image.1 * channels;
            let pixels = window.out.0 * window.out.1;
            for (pixel, out) in out.chunks_exact_mut(channels).enumerate() {
                let x = &x[pixel / pixels * image_len..][..image_len];
                let (rows, columns) = reach(window, pixel % pixels / window.out.1, pixel % window.out.1);
                // No byte is less.
                out.fill(0);
                for row in rows {
                    for column in columns.clone() {
                        let x = &x[(row * window.image.1 + column) * channels..][..channels];
                        out.iter_mut().zip(x).for_each(|(best, x)| *best = (*best).max(*x));
                    }
                }
            }
        },
    );
}
