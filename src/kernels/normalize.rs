//! Normalization with numbers for each channel: moments, the normalization itself, and the gradients of both.
//!
//! A row of few channels would leave vectors empty. So several pixels make one row, whose positions stand for channels
//! again and again ([`row_len`]); what was summed for positions is summed for channels at the end.

use crate::simd::Simd;

/// The fewest values of a row that is not cut short for its channels.
const ROW: usize = 64;
/// The terms of one running sum.
const BLOCK_ROWS: usize = 256;

/// The values of one row: a multiple of the channels.
fn row_len(channels: usize) -> usize {
    if channels >= ROW {
        return channels;
    }
    let vectors = (1..=16).find(|repeats| (channels * repeats).is_multiple_of(16)).unwrap_or(1) * channels;
    vectors * ROW.div_ceil(vectors)
}

/// The floats of scratch memory that the functions of this file need.
pub(crate) const fn room_len(channels: usize) -> usize {
    // A row has at most 16 times as many values as there are channels, or twice ROW.
    let row = if channels >= ROW { channels } else { 16 * channels + 2 * ROW };
    5 * row
}

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
                block_mean.fill(0.0);
                for x in block.chunks_exact(row) {
                    block_mean.iter_mut().zip(x.iter().zip(origin)).for_each(|(sum, (x, origin))| *sum += x - origin);
                }
                block_mean.iter_mut().for_each(|sum| *sum /= rows);
                block_deviations.fill(0.0);
                for x in block.chunks_exact(row) {
                    let means = block_mean.iter().zip(origin);
                    for ((sum, (mean, origin)), x) in block_deviations.iter_mut().zip(means).zip(x) {
                        let deviation = x - origin - mean;
                        *sum += deviation * deviation;
                    }
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

/// What values are normalized with, for each channel.
#[derive(Clone, Copy)]
pub(crate) struct Scaling<'a> {
    pub(crate) mean: &'a [f32],
    pub(crate) scale: &'a [f32],
    pub(crate) offset: &'a [f32],
}

/// What follows a normalization.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    Nothing,
    Relu,
}

/// `y = (x - mean) * scale + offset`, and what follows.
///
/// - x, y: (pixels, channels)
pub(crate) fn normalize<S: Simd>(simd: S, of: Scaling<'_>, then: Then, x: &[f32], y: &mut [f32], room: &mut [f32]) {
    let row = row_len(of.mean.len()).min(x.len());
    let (mean, rest) = room.split_at_mut(row);
    let (scale, rest) = rest.split_at_mut(row);
    let offset = &mut rest[..row];
    repeat(of.mean, mean);
    repeat(of.scale, scale);
    repeat(of.offset, offset);
    simd.vectorize(
        #[inline(always)]
        || {
            for (x, y) in x.chunks(row).zip(y.chunks_mut(row)) {
                let numbers = mean.iter().zip(&*scale).zip(&*offset);
                let values = y.iter_mut().zip(x).zip(numbers);
                match then {
                    Then::Nothing => {
                        values.for_each(|((y, x), ((mean, scale), offset))| *y = (x - mean) * scale + offset)
                    }
                    // Not `max`: that would turn NaN, which must reach the loss, into 0.
                    Then::Relu => values.for_each(|((y, x), ((mean, scale), offset))| {
                        let value = (x - mean) * scale + offset;
                        *y = if value < 0.0 { 0.0 } else { value };
                    }),
                }
            }
        },
    );
}

/// Turns the gradient of what follows into that of the normalization's output, in place, and sums it up, plainly and
/// times the distance from the mean.
///
/// - x, y, dy: (pixels, channels); sums, products: (channels)
pub(crate) fn gradient_sums<S: Simd>(
    simd: S,
    then: Then,
    (x, y, dy): (&[f32], &[f32], &mut [f32]),
    mean: &[f32],
    (sums, products): (&mut [f32], &mut [f32]),
    room: &mut [f32],
) {
    let channels = mean.len();
    let row = row_len(channels).min(x.len());
    let (row_mean, rest) = room.split_at_mut(row);
    let (row_sums, rest) = rest.split_at_mut(row);
    let row_products = &mut rest[..row];
    repeat(mean, row_mean);
    sums.fill(0.0);
    products.fill(0.0);
    let block = row * BLOCK_ROWS;
    for ((x, y), dy) in x.chunks(block).zip(y.chunks(block)).zip(dy.chunks_mut(block)) {
        simd.vectorize(
            #[inline(always)]
            || {
                row_sums.fill(0.0);
                row_products.fill(0.0);
                for ((x, y), dy) in x.chunks(row).zip(y.chunks(row)).zip(dy.chunks_mut(row)) {
                    match then {
                        Then::Nothing => {}
                        Then::Relu => {
                            dy.iter_mut().zip(y).for_each(|(dy, y)| *dy = if *y > 0.0 { *dy } else { 0.0 });
                        }
                    }
                    let totals = row_sums.iter_mut().zip(row_products.iter_mut());
                    for ((x, dy), ((sum, product), mean)) in x.iter().zip(&*dy).zip(totals.zip(&*row_mean)) {
                        *sum += dy;
                        *product += dy * (x - mean);
                    }
                }
            },
        );
        fold(row_sums, sums);
        fold(row_products, products);
    }
}

/// Adds what was summed for positions to the sums of channels.
fn fold(rows: &[f32], sums: &mut [f32]) {
    for row in rows.chunks(sums.len()) {
        sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
    }
}

/// What turns the gradient of a normalized output into that of the input, for each channel.
#[derive(Clone, Copy)]
pub(crate) struct Correction<'a> {
    pub(crate) mean: &'a [f32],
    pub(crate) scale: &'a [f32],
    /// The mean of the gradients.
    pub(crate) offset: &'a [f32],
    /// What the distance from the mean is multiplied by.
    pub(crate) slope: &'a [f32],
}

/// `dy = scale * (dy - offset - slope * (x - mean))`, in place.
///
/// - x, dy: (pixels, channels)
pub(crate) fn correct_gradient<S: Simd>(simd: S, of: Correction<'_>, x: &[f32], dy: &mut [f32], room: &mut [f32]) {
    let row = row_len(of.mean.len()).min(x.len());
    let (mean, rest) = room.split_at_mut(row);
    let (scale, rest) = rest.split_at_mut(row);
    let (offset, rest) = rest.split_at_mut(row);
    let slope = &mut rest[..row];
    repeat(of.mean, mean);
    repeat(of.scale, scale);
    repeat(of.offset, offset);
    repeat(of.slope, slope);
    simd.vectorize(
        #[inline(always)]
        || {
            for (x, dy) in x.chunks(row).zip(dy.chunks_mut(row)) {
                let numbers = mean.iter().zip(&*scale).zip(offset.iter().zip(&*slope));
                for ((dy, x), ((mean, scale), (offset, slope))) in dy.iter_mut().zip(x).zip(numbers) {
                    *dy = scale * (*dy - offset - slope * (x - mean));
                }
            }
        },
    );
}

/// Writes the numbers of channels again and again.
fn repeat(channels: &[f32], row: &mut [f32]) {
    for part in row.chunks_mut(channels.len()) {
        part.copy_from_slice(&channels[..part.len()]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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

    #[test]
    fn rooms_are_large_enough() {
        for channels in 1..300 {
            assert!(5 * row_len(channels) <= room_len(channels), "{channels}");
            assert!(row_len(channels).is_multiple_of(channels), "{channels}");
        }
    }
}
