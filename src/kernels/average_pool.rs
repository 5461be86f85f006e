//! Average pooling: the mean of each window, without what padding adds.

use super::max_pool::reach;
use super::sum::SHORT;
use crate::shape::Window2d;
use crate::simd::Simd;

/// How many channels of a long window are summed at a time.
const LANES: usize = 16;

/// The mean of each window; windows may overlap.
///
/// - x: (images, H, W, channels); out: (images, out H, out W, channels)
pub(crate) fn average_pool_forward<S: Simd>(simd: S, window: &Window2d, channels: usize, x: &[f32], out: &mut [f32]) {
    simd.vectorize(
        #[inline(always)]
        || {
            if window.size.0.saturating_mul(window.size.1) > SHORT {
                return long_means(window, channels, x, out);
            }
            for (pixel, out) in out.chunks_exact_mut(channels).enumerate() {
                out.fill(0.0);
                let share = 1.0
                    / each_input(window, channels, pixel, |start| {
                        out.iter_mut().zip(&x[start..]).for_each(|(sum, value)| *sum += value);
                    }) as f32;
                out.iter_mut().for_each(|sum| *sum *= share);
            }
        },
    );
}

/// The mean of windows of many pixels, whose sums would lose digits as `f32`.
#[inline(always)]
fn long_means(window: &Window2d, channels: usize, x: &[f32], out: &mut [f32]) {
    for (pixel, out) in out.chunks_exact_mut(channels).enumerate() {
        for (block, out) in out.chunks_mut(LANES).enumerate() {
            let mut sums = [0.0_f64; LANES];
            let count = each_input(window, channels, pixel, |start| {
                let values = &x[start + block * LANES..][..out.len()];
                sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += f64::from(*value));
            });
            out.iter_mut().zip(sums).for_each(|(mean, sum)| *mean = (sum / count as f64) as f32);
        }
    }
}

/// Hands each output's gradient to the inputs of its window in equal shares.
///
/// - dy: (images, out H, out W, channels); dx: (images, H, W, channels), added to
pub(crate) fn average_pool_backward<S: Simd>(simd: S, window: &Window2d, channels: usize, dy: &[f32], dx: &mut [f32]) {
    simd.vectorize(
        #[inline(always)]
        || {
            for (pixel, dy) in dy.chunks_exact(channels).enumerate() {
                let share = 1.0 / each_input(window, channels, pixel, |_| {}) as f32;
                each_input(window, channels, pixel, |start| {
                    dx[start..].iter_mut().zip(dy).for_each(|(dx, gradient)| *dx += gradient * share);
                });
            }
        },
    );
}

/// Calls `visit` with where each input pixel of an output's window starts; returns how many there are.
///
/// - pixel: the output's index among those of all images
#[inline(always)]
fn each_input(window: &Window2d, channels: usize, pixel: usize, mut visit: impl FnMut(usize)) -> usize {
    let ((height, width), (out_height, out_width)) = (window.image, window.out);
    let (image, output) = (pixel / (out_height * out_width), pixel % (out_height * out_width));
    let (rows, columns) = reach(window, output / out_width, output % out_width);
    let count = rows.len() * columns.len();
    for row in rows {
        for column in columns.clone() {
            visit(((image * height + row) * width + column) * channels);
        }
    }
    count
}
