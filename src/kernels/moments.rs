//! The moments of each channel, for a normalization over a batch.

use super::columns::{in_columns, load, store};
use super::normalize::{BLOCK_ROWS, repeat, row_len};
use crate::simd::{Simd, SimdBase};
use std::ops::Range;

/// The moments of the values of each channel.
///
/// They are found of what differs from the first pixel, so that values far from zero lose no digits.
///
/// - x: (pixels, channels); mean, deviations: (channels), the mean and the sum of the squares of what differs from it
pub(crate) fn moments<S: Simd>(simd: S, x: &[f32], mean: &mut [f32], deviations: &mut [f32], room: &mut [f32]) {
    let channels = mean.len();
    let row = row_len(channels);
    let (head, tail) = x.split_at(x.len() - x.len() % row);
    let (origin, room) = room.split_at_mut(row);
    let (of_rows, rest) = room.split_at_mut(2 * row);
    let (row_mean, row_deviations) = of_rows.split_at_mut(row);
    repeat(&x[..channels], origin);
    let rows = moments_of_rows(simd, (head, origin), row_mean, row_deviations, rest);
    mean.fill(0.0);
    deviations.fill(0.0);
    let mut count = 0.0;
    for (row_mean, row_deviations) in row_mean.chunks_exact(channels).zip(row_deviations.chunks_exact(channels)) {
        merge(simd, (mean, deviations, &mut count), (row_mean, row_deviations, rows));
    }
    let (row_mean, row_deviations) = (&mut row_mean[..channels], &mut row_deviations[..channels]);
    let rows = moments_of_rows(simd, (tail, &origin[..channels]), row_mean, row_deviations, rest);
    merge(simd, (mean, deviations, &mut count), (row_mean, row_deviations, rows));
    mean.iter_mut().zip(&*origin).for_each(|(mean, origin)| *mean += origin);
}

/// The moments of what differs from the origin at each position of rows; returns how many rows there are.
fn moments_of_rows<S: Simd>(
    simd: S,
    (x, origin): (&[f32], &[f32]),
    mean: &mut [f32],
    deviations: &mut [f32],
    room: &mut [f32],
) -> f32 {
    let row = mean.len();
    let (block_mean, rest) = room.split_at_mut(row);
    let block_deviations = &mut rest[..row];
    mean.fill(0.0);
    deviations.fill(0.0);
    let mut count = 0.0;
    for block in x.chunks(row * BLOCK_ROWS) {
        let rows = (block.len() / row) as f32;
        simd.vectorize(
            #[inline(always)]
            || {
                let to = (&mut *block_mean, &mut *block_deviations);
                let behind = in_columns!(S, row, |V, columns| {
                    moments_of_columns::<S, V>(simd, (block, origin), rows, columns, (to.0, to.1));
                });
                for column in behind {
                    let values = || block.chunks_exact(row).map(|x| x[column] - origin[column]);
                    let mean = values().fold(0.0, |sum, value| sum + value) / rows;
                    let deviations = values().fold(0.0, |sum, value| sum + (value - mean) * (value - mean));
                    (to.0[column], to.1[column]) = (mean, deviations);
                }
            },
        );
        merge(simd, (mean, deviations, &mut count), (block_mean, block_deviations, rows));
    }
    count
}

/// Takes the moments of further values up ([Chan, Golub and LeVeque,
/// 1983](https://doi.org/10.1080/00031305.1983.10483115)).
fn merge<S: Simd>(
    simd: S,
    (mean, deviations, count): (&mut [f32], &mut [f32], &mut f32),
    (other_mean, other_deviations, other): (&[f32], &[f32], f32),
) {
    if other == 0.0 {
        return;
    }
    let total = *count + other;
    let (share, factor) = (other / total, *count * other / total);
    simd.vectorize(
        #[inline(always)]
        || {
            let own = mean.iter_mut().zip(deviations);
            for ((mean, deviations), (other_mean, other)) in own.zip(other_mean.iter().zip(other_deviations)) {
                let delta = other_mean - *mean;
                *mean += delta * share;
                *deviations += other + delta * delta * factor;
            }
        },
    );
    *count = total;
}

/// The moments of `V` vectors of columns.
#[inline(always)]
fn moments_of_columns<S: Simd, const V: usize>(
    simd: S,
    (x, origin): (&[f32], &[f32]),
    rows: f32,
    columns: Range<usize>,
    (to_mean, to_deviations): (&mut [f32], &mut [f32]),
) {
    let zero = S::f32s::splat(simd, 0.0);
    let (row, origin) = (origin.len(), load::<S, V>(simd, &origin[columns.clone()]));
    let (mut mean, mut deviations) = ([zero; V], [zero; V]);
    for x in x.chunks_exact(row) {
        let x = load::<S, V>(simd, &x[columns.clone()]);
        for v in 0..V {
            mean[v] += x[v] - origin[v];
        }
    }
    for v in 0..V {
        mean[v] /= rows;
    }
    for x in x.chunks_exact(row) {
        let x = load::<S, V>(simd, &x[columns.clone()]);
        for v in 0..V {
            let deviation = x[v] - origin[v] - mean[v];
            deviations[v] += deviation * deviation;
        }
    }
    store::<S, V>(mean, &mut to_mean[columns.clone()]);
    store::<S, V>(deviations, &mut to_deviations[columns]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::normalize::room_len;
    use crate::simd::{all_levels, dispatch};

    #[test]
    fn moments_are_those_of_f64_far_from_zero_too() {
        for channels in [1, 3, 10, 16, 33, 64, 100] {
            for pixels in [1, 2, 7, 64, 777] {
                let value = |at: usize| (at * 7919 % 1013) as f32 / 1013.0 + 1000.0 * (at % channels) as f32;
                let x: Vec<f32> = (0..pixels * channels).map(value).collect();
                for level in all_levels() {
                    let (mut mean, mut deviations) = (vec![9.0; channels], vec![9.0; channels]);
                    let mut room = vec![0.0; room_len(channels)];
                    dispatch!(level, simd => moments(simd, &x, &mut mean, &mut deviations, &mut room));
                    for channel in 0..channels {
                        let values = || x.iter().skip(channel).step_by(channels).map(|x| f64::from(*x));
                        let exact = values().sum::<f64>() / pixels as f64;
                        let squares = values().map(|x| (x - exact).powi(2)).sum::<f64>();
                        let what = format!("{level:?}, {pixels} pixels of {channels} channels, {channel}");
                        assert!((f64::from(mean[channel]) - exact).abs() <= 1e-6 * exact.abs().max(1.0), "{what}");
                        let error = (f64::from(deviations[channel]) - squares).abs();
                        assert!(error <= 1e-3 * squares + 1e-6 * exact.abs(), "{what}: {error} of {squares}");
                    }
                }
            }
        }
    }
}
