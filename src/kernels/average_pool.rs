//! Average pooling: the mean of each window, without what padding adds.
//!
//! The simple version, which `ops::average_pool2d` is: for each window and channel, add up what is inside the image, and divide.
//! The changes made here:
//!
//! 1. As many channels as a vector has lanes are added at a time. Where a pixel has fewer, or some are left, the lanes
//!    behind them belong to the next pixel: forward, what is written there is written again by the next window, as
//!    windows are taken in their order; backward, zeros are added. At the end of a buffer, channels go one by one.
//! 2. Sums of very many pixels are found in `f64`.

use super::max_pool::reach;
use super::sum::SHORT;
use crate::shape::Window2d;
use crate::simd::Simd;
use std::ops::Range;

/// How many channels are summed at a time.
const LANES: usize = 16;

/// The mean of each window; windows may overlap.
///
/// - x: (images, H, W, channels); out: (images, out H, out W, channels)
pub(crate) fn average_pool_forward<S: Simd>(simd: S, window: &Window2d, channels: usize, x: &[f32], out: &mut [f32]) {
    let is_long = window.size.0.saturating_mul(window.size.1) > SHORT;
    simd.vectorize(
        #[inline(always)]
        || {
            for (pixel, inputs) in (0..).zip(windows(window, out.len() / channels)) {
                for first in (0..channels).step_by(LANES) {
                    let out = &mut out[pixel * channels + first..];
                    let means = match is_long {
                        true => long_means(&inputs, channels, first, x),
                        false => means(&inputs, channels, first, x),
                    };
                    let all = LANES.min(out.len());
                    match out.first_chunk_mut() {
                        Some(out) => *out = means,
                        None => out.copy_from_slice(&means[..all]),
                    }
                }
            }
        },
    );
}

/// The means of some channels from one on; what is not one of them may be any number.
#[inline(always)]
fn means(inputs: &Inputs, channels: usize, first: usize, x: &[f32]) -> [f32; LANES] {
    let mut sums = [0.0; LANES];
    if inputs.last() * channels + first + LANES <= x.len() {
        for start in inputs.pixels() {
            let values = &x[start * channels + first..][..LANES];
            (0..LANES).for_each(|lane| sums[lane] += values[lane]);
        }
    } else {
        let mut few = [0.0; LANES];
        for start in inputs.pixels() {
            few.iter_mut().zip(&x[start * channels + first..]).for_each(|(sum, value)| *sum += value);
        }
        sums = few;
    }
    let share = 1.0 / inputs.len() as f32;
    sums.map(|sum| sum * share)
}

/// The same of windows of many pixels, whose sums would lose digits as `f32`.
#[inline(always)]
fn long_means(inputs: &Inputs, channels: usize, first: usize, x: &[f32]) -> [f32; LANES] {
    let mut sums = [0.0_f64; LANES];
    for start in inputs.pixels() {
        let values = &x[start * channels + first..];
        sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += f64::from(*value));
    }
    sums.map(|sum| (sum / inputs.len() as f64) as f32)
}

/// Hands each output's gradient to the inputs of its window in equal shares.
///
/// - dy: (images, out H, out W, channels); dx: (images, H, W, channels), added to
pub(crate) fn average_pool_backward<S: Simd>(simd: S, window: &Window2d, channels: usize, dy: &[f32], dx: &mut [f32]) {
    simd.vectorize(
        #[inline(always)]
        || {
            for (dy, inputs) in dy.chunks_exact(channels).zip(windows(window, dy.len() / channels)) {
                let share = 1.0 / inputs.len() as f32;
                for (block, dy) in dy.chunks(LANES).enumerate() {
                    let mut shares = [0.0; LANES];
                    shares.iter_mut().zip(dy).for_each(|(to, gradient)| *to = gradient * share);
                    for start in inputs.pixels() {
                        let dx = &mut dx[start * channels + block * LANES..];
                        match dx.first_chunk_mut::<LANES>() {
                            Some(dx) => (0..LANES).for_each(|lane| dx[lane] += shares[lane]),
                            None => dx.iter_mut().zip(shares).for_each(|(dx, share)| *dx += share),
                        }
                    }
                }
            }
        },
    );
}

/// The inputs of one window.
struct Inputs {
    /// The first pixel of the image among those of all images.
    image: usize,
    width: usize,
    rows: Range<usize>,
    columns: Range<usize>,
}

impl Inputs {
    fn len(&self) -> usize {
        self.rows.len() * self.columns.len()
    }

    /// The place of the last one.
    #[inline(always)]
    fn last(&self) -> usize {
        self.image + (self.rows.end - 1) * self.width + self.columns.end - 1
    }

    /// Their places among the pixels of all images.
    #[inline(always)]
    fn pixels(&self) -> impl Iterator<Item = usize> {
        let Self { image, width, rows, columns } = self;
        rows.clone().flat_map(move |row| (image + row * width) + columns.start..(image + row * width) + columns.end)
    }
}

/// The inputs of each output of so many, in the order of the outputs.
#[inline(always)]
fn windows(window: &Window2d, outputs: usize) -> impl Iterator<Item = Inputs> {
    let ((height, width), (out_height, out_width)) = (window.image, window.out);
    let images = 0..outputs / (out_height * out_width);
    images.flat_map(move |image| {
        (0..out_height).flat_map(move |row| {
            (0..out_width).map(move |column| {
                let (rows, columns) = reach(window, row, column);
                Inputs { image: image * height * width, width, rows, columns }
            })
        })
    })
}
