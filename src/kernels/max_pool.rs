//! Max pooling: fused behind a convolution, or alone.

use super::conv2d::Outputs;
use super::finite::Sums;
use crate::shape::Window2d;
use crate::simd::{Select, Simd, SimdBase};

/// The maximum of each `pool` consecutive pixels.
///
/// - band: (outputs, pool, channels); sums: what they may be
/// - out: (outputs, channels); a winner is the first place of the maximum
pub(super) fn pool_band<S: Simd>(
    simd: S,
    band: &[f32],
    sums: Sums,
    pool: usize,
    channels: usize,
    out: &mut Outputs<'_>,
) {
    // With 2x2 as a constant the loop over places unrolls.
    match (pool, sums) {
        (4, Sums::Finite) => pool_places::<S, 4, false>(simd, band, pool, channels, out),
        (4, Sums::Any) => pool_places::<S, 4, true>(simd, band, pool, channels, out),
        _ => pool_places::<S, 0, true>(simd, band, pool, channels, out),
    }
}

/// Which lanes of a window's next values win. The last NaN does, as in PyTorch, so that it reaches the loss.
///
/// - NAN: whether there may be any
#[inline(always)]
pub(super) fn wins<S: Simd, const NAN: bool>(values: S::f32s, best: S::f32s) -> <S::f32s as SimdBase<S>>::Mask {
    let larger = values.simd_gt(best);
    if NAN { larger | !values.simd_eq(values) } else { larger }
}

/// [`pool_band`] with the number of places as a constant; 0 is any number.
fn pool_places<S: Simd, const POOL: usize, const NAN: bool>(
    simd: S,
    band: &[f32],
    pool: usize,
    channels: usize,
    out: &mut Outputs<'_>,
) {
    simd.vectorize(
        #[inline(always)]
        || {
            let lanes = S::f32s::LEN;
            let Outputs { y, winners } = out;
            let pool = if POOL == 0 { pool } else { POOL };
            let whole = channels - channels % lanes;
            for (pixel, (band, y)) in band.chunks_exact(pool * channels).zip(y.chunks_exact_mut(channels)).enumerate() {
                let winners =
                    if winners.is_empty() { &mut [][..] } else { &mut winners[pixel * channels..][..channels] };
                for start in (0..whole).step_by(lanes) {
                    let mut best = S::f32s::from_slice(simd, &band[start..][..lanes]);
                    let mut winner = S::u32s::splat(simd, 0);
                    for place in 1..pool {
                        let value = S::f32s::from_slice(simd, &band[place * channels + start..][..lanes]);
                        let larger = wins::<S, NAN>(value, best);
                        best = larger.select(value, best);
                        winner = larger.select(S::u32s::splat(simd, place as u32), winner);
                    }
                    best.store_slice(&mut y[start..][..lanes]);
                    if let Some(winners) = winners.get_mut(start..start + lanes) {
                        winner.store_slice(winners);
                    }
                }
                for channel in whole..channels {
                    let (mut best, mut winner) = (band[channel], 0);
                    for place in 1..pool {
                        let value = band[place * channels + channel];
                        if value > best || value.is_nan() {
                            (best, winner) = (value, place as u32);
                        }
                    }
                    y[channel] = best;
                    if let Some(to) = winners.get_mut(channel) {
                        *to = winner;
                    }
                }
            }
        },
    );
}

/// Where the windows of a pooling reach within the image, padding cut off: (rows, columns) of output (y, x).
pub(super) fn reach(window: &Window2d, y: usize, x: usize) -> (std::ops::Range<usize>, std::ops::Range<usize>) {
    let axis = |out: usize, stride: usize, before: usize, size: usize, image: usize| {
        let start = out * stride;
        start.saturating_sub(before)..(start + size - before).min(image)
    };
    (
        axis(y, window.strides.0, window.before.0, window.size.0, window.image.0),
        axis(x, window.strides.1, window.before.1, window.size.1, window.image.1),
    )
}

/// Max pooling on its own; windows may overlap, and padding never wins.
///
/// - x: (images, H, W, channels)
/// - out: (images, out H, out W, channels); winners: the same shape, the index in its image of the first maximum
pub(crate) fn max_pool_forward<S: Simd>(
    simd: S,
    window: &Window2d,
    channels: usize,
    x: &[f32],
    out: &mut [f32],
    winners: &mut [u32],
) {
    simd.vectorize(
        #[inline(always)]
        || {
            let image_len = window.image.0 * window.image.1 * channels;
            let pixels = window.out.0 * window.out.1;
            let outputs = out.chunks_exact_mut(channels).zip(winners.chunks_exact_mut(channels)).enumerate();
            for (pixel, (out, winners)) in outputs {
                let x = &x[pixel / pixels * image_len..][..image_len];
                let (rows, columns) = reach(window, pixel % pixels / window.out.1, pixel % window.out.1);
                let mut first = true;
                for row in rows {
                    for column in columns.clone() {
                        let start = (row * window.image.1 + column) * channels;
                        let values = x[start..][..channels].iter().zip(start as u32..);
                        for ((best, winner), (&value, index)) in out.iter_mut().zip(winners.iter_mut()).zip(values) {
                            let wins = first || value > *best || value.is_nan();
                            *best = if wins { value } else { *best };
                            *winner = if wins { index } else { *winner };
                        }
                        first = false;
                    }
                }
            }
        },
    );
}

/// Hands each output's gradient to the input that won.
///
/// - dy, winners: (images, outputs); dx: (images, image_len), added to
pub(crate) fn max_pool_backward(image_len: usize, outputs: usize, dy: &[f32], winners: &[u32], dx: &mut [f32]) {
    let images = dy.chunks_exact(outputs).zip(winners.chunks_exact(outputs)).zip(dx.chunks_exact_mut(image_len));
    for ((dy, winners), dx) in images {
        for (gradient, winner) in dy.iter().zip(winners) {
            dx[*winner as usize] += gradient;
        }
    }
}
