//! Normalization with numbers for each channel, and its gradients.
//!
//! A row of few channels would leave vectors empty. So several pixels make one row, whose positions stand for channels
//! again and again ([`row_len`]); what was summed for positions is summed for channels at the end.

use super::columns::{in_columns, load, store};
use crate::simd::{Select, Simd, SimdBase};
use std::ops::Range;

/// The fewest values of a row that is not cut short for its channels.
const ROW: usize = 64;
/// The terms of one running sum.
pub(super) const BLOCK_ROWS: usize = 256;

/// The values of one row: a multiple of the channels.
pub(super) fn row_len(channels: usize) -> usize {
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
/// times the distance from the mean. Which outputs were cut off is found anew: to read them would take longer.
///
/// - x, dy: (pixels, channels); sums, products: (channels)
pub(crate) fn gradient_sums<S: Simd>(
    simd: S,
    of: Scaling<'_>,
    then: Then,
    (x, dy): (&[f32], &mut [f32]),
    (sums, products): (&mut [f32], &mut [f32]),
    room: &mut [f32],
) {
    let channels = of.mean.len();
    let row = row_len(channels).min(x.len());
    let (mean, rest) = room.split_at_mut(row);
    let (scale, rest) = rest.split_at_mut(row);
    let (offset, rest) = rest.split_at_mut(row);
    let (row_sums, rest) = rest.split_at_mut(row);
    let row_products = &mut rest[..row];
    repeat(of.mean, mean);
    repeat(of.scale, scale);
    repeat(of.offset, offset);
    sums.fill(0.0);
    products.fill(0.0);
    let of = Scaling { mean, scale, offset };
    let block = row * BLOCK_ROWS;
    for (x, dy) in x.chunks(block).zip(dy.chunks_mut(block)) {
        let totals = (&mut *row_sums, &mut *row_products);
        match then {
            Then::Nothing => gradient_sums_of_rows::<S, Nothing>(simd, of, x, dy, totals),
            Then::Relu => gradient_sums_of_rows::<S, Relu>(simd, of, x, dy, totals),
        }
        fold(row_sums, sums);
        fold(row_products, products);
    }
}

/// What follows, to the gradient.
trait Follower {
    /// The gradient of the normalization's output, of which it is known.
    fn turn<S: Simd>(simd: S, gradient: S::f32s, output: S::f32s) -> S::f32s;

    /// The same of one value.
    fn turn_one(gradient: f32, output: f32) -> f32;

    /// Writes gradients back if they are others.
    fn keep<S: Simd, const V: usize>(gradients: [S::f32s; V], dy: &mut [f32]);
}

struct Nothing;

impl Follower for Nothing {
    #[inline(always)]
    fn turn<S: Simd>(_simd: S, gradient: S::f32s, _output: S::f32s) -> S::f32s {
        gradient
    }

    fn turn_one(gradient: f32, _output: f32) -> f32 {
        gradient
    }

    #[inline(always)]
    fn keep<S: Simd, const V: usize>(_gradients: [S::f32s; V], _dy: &mut [f32]) {}
}

struct Relu;

impl Follower for Relu {
    #[inline(always)]
    fn turn<S: Simd>(simd: S, gradient: S::f32s, output: S::f32s) -> S::f32s {
        let zero = S::f32s::splat(simd, 0.0);
        output.simd_gt(zero).select(gradient, zero)
    }

    fn turn_one(gradient: f32, output: f32) -> f32 {
        if output > 0.0 { gradient } else { 0.0 }
    }

    #[inline(always)]
    fn keep<S: Simd, const V: usize>(gradients: [S::f32s; V], dy: &mut [f32]) {
        store::<S, V>(gradients, dy);
    }
}

/// The sums at each position of rows, of which the last may be short.
fn gradient_sums_of_rows<S: Simd, F: Follower>(
    simd: S,
    of: Scaling<'_>,
    x: &[f32],
    dy: &mut [f32],
    (sums, products): (&mut [f32], &mut [f32]),
) {
    let Scaling { mean, scale, offset } = of;
    let row = mean.len();
    simd.vectorize(
        #[inline(always)]
        || {
            let behind = in_columns!(S, row, |V, columns| {
                gradient_sums_of_columns::<S, V, F>(simd, of, columns, (x, dy), (sums, products));
            });
            sums[behind.clone()].fill(0.0);
            products[behind.clone()].fill(0.0);
            let short = x.len() - x.len() % row;
            for start in (0..x.len()).step_by(row) {
                let first = if start == short { 0 } else { behind.start };
                for column in first..row.min(x.len() - start) {
                    let (distance, dy) = (x[start + column] - mean[column], &mut dy[start + column]);
                    *dy = F::turn_one(*dy, distance * scale[column] + offset[column]);
                    sums[column] += *dy;
                    products[column] += *dy * distance;
                }
            }
        },
    );
}

/// The sums of `V` vectors of columns, over the rows that are whole.
#[inline(always)]
fn gradient_sums_of_columns<S: Simd, const V: usize, F: Follower>(
    simd: S,
    of: Scaling<'_>,
    columns: Range<usize>,
    (x, dy): (&[f32], &mut [f32]),
    (sums, products): (&mut [f32], &mut [f32]),
) {
    let zero = S::f32s::splat(simd, 0.0);
    let row = of.mean.len();
    let [mean, scale, offset] =
        [of.mean, of.scale, of.offset].map(|numbers| load::<S, V>(simd, &numbers[columns.clone()]));
    let (mut sum, mut product) = ([zero; V], [zero; V]);
    for (x, dy) in x.chunks_exact(row).zip(dy.chunks_exact_mut(row)) {
        let (x, dy) = (load::<S, V>(simd, &x[columns.clone()]), &mut dy[columns.clone()]);
        let mut gradient = load::<S, V>(simd, dy);
        for v in 0..V {
            let distance = x[v] - mean[v];
            gradient[v] = F::turn(simd, gradient[v], distance * scale[v] + offset[v]);
            sum[v] += gradient[v];
            product[v] += gradient[v] * distance;
        }
        F::keep::<S, V>(gradient, dy);
    }
    store::<S, V>(sum, &mut sums[columns.clone()]);
    store::<S, V>(product, &mut products[columns]);
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
pub(super) fn repeat(channels: &[f32], row: &mut [f32]) {
    for part in row.chunks_mut(channels.len()) {
        part.copy_from_slice(&channels[..part.len()]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{all_levels, dispatch};

    /// Which gradients pass is found anew: to the bit what the forward pass has cut off.
    #[test]
    fn gradients_pass_where_the_forward_pass_let_values_through_and_their_sums_are_those_of_f64() {
        for channels in [1, 3, 10, 16, 33, 64, 100] {
            for pixels in [1, 2, 7, 64, 777] {
                let value = |at: usize, salt: usize| ((at + salt) * 7919 % 1013) as f32 / 506.5 - 1.0;
                let mut x: Vec<f32> = (0..pixels * channels).map(|at| value(at, 0)).collect();
                let [mean, scale, offset]: [Vec<f32>; 3] =
                    [31, 77, 111].map(|salt| (0..channels).map(|at| value(at, salt)).collect());
                // The first pixels are at the edge, where a value becomes 0, and one unit in the last place beside it.
                for (at, x) in x.iter_mut().enumerate().take(3 * channels) {
                    let edge = mean[at % channels] - offset[at % channels] / scale[at % channels];
                    *x = [edge, edge.next_up(), edge.next_down()][at / channels];
                }
                if pixels > 3 {
                    x[3 * channels] = f32::NAN;
                }
                for (level, then) in
                    all_levels().into_iter().flat_map(|level| [(level, Then::Nothing), (level, Then::Relu)])
                {
                    let of = Scaling { mean: &mean, scale: &scale, offset: &offset };
                    let (mut y, mut dy) = (vec![9.0; x.len()], vec![1.0; x.len()]);
                    let (mut sums, mut products) = (vec![9.0; channels], vec![9.0; channels]);
                    let mut room = vec![0.0; room_len(channels)];
                    dispatch!(level, simd => {
                        normalize(simd, of, then, &x, &mut y, &mut room);
                        gradient_sums(simd, of, then, (&x, &mut dy), (&mut sums, &mut products), &mut room);
                    });
                    let what = format!("{level:?} {then:?}, {pixels} pixels of {channels} channels");
                    for (dy, y) in dy.iter().zip(&y) {
                        let expected = if then == Then::Nothing || *y > 0.0 { 1.0 } else { 0.0 };
                        assert_eq!(*dy, expected, "{what}: of {y}");
                    }
                    for channel in 0..channels {
                        let each = || dy.iter().zip(&x).skip(channel).step_by(channels);
                        let sum: f64 = each().map(|(dy, _)| f64::from(*dy)).sum();
                        let product: f64 = each().map(|(dy, x)| f64::from(*dy) * f64::from(x - mean[channel])).sum();
                        assert_eq!(f64::from(sums[channel]), sum, "{what}");
                        let error = (f64::from(products[channel]) - product).abs();
                        let both_nan = product.is_nan() && products[channel].is_nan();
                        assert!(both_nan || error <= 1e-5 * pixels as f64, "{what}: {error}");
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
