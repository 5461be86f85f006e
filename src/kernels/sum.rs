//! Sums, in an order that nothing but the batch and the model decide.
//!
//! A running sum of `n` numbers in `f32` loses up to `n` roundings, and where the numbers are alike the roundings are
//! too. So no running sum takes more than [`SHORT`] terms (of rows, twice as many): longer sums are cut into blocks of
//! [`BLOCK`], whose sums are added with what their additions lost ([`add_compensated`]), or in `f64`.

use crate::simd::{Simd, SimdBase};

/// The most terms of one running sum.
pub(crate) const SHORT: usize = 1024;
/// The terms of one block of a longer sum.
pub(crate) const BLOCK: usize = 256;

/// How many terms one running sum takes of a sum of so many: all, or a block.
pub(crate) fn terms_at_once(terms: usize) -> usize {
    if terms <= SHORT { terms.max(1) } else { BLOCK }
}

/// `sum += value`, where `lost` is what the additions so far have lost ([Kahan,
/// 1965](https://doi.org/10.1145/363707.363723)). With nothing lost yet it is the plain addition.
#[inline(always)]
pub(crate) fn add_compensated<S: Simd>(value: S::f32s, sum: S::f32s, lost: &mut S::f32s) -> S::f32s {
    let value = value - *lost;
    let total = sum + value;
    *lost = (total - sum) - value;
    total
}

/// `sums += values` of any number of sums, where `lost` is what the additions so far have lost.
pub(crate) fn add_all_compensated<S: Simd>(simd: S, values: &[f32], sums: &mut [f32], lost: &mut [f32]) {
    simd.vectorize(
        #[inline(always)]
        || {
            let sums = values.iter().zip(sums).zip(lost);
            sums.for_each(|((value, sum), lost)| add_one_compensated(*value, sum, lost));
        },
    );
}

/// The same of one sum.
#[inline(always)]
pub(crate) fn add_one_compensated(value: f32, sum: &mut f32, lost: &mut f32) {
    let value = value - *lost;
    let total = *sum + value;
    *lost = (total - *sum) - value;
    *sum = total;
}

/// The sum of any number of values: in runs of [`BLOCK`], whose sums are added in `f64`.
pub(crate) fn long_sum(values: impl Iterator<Item = f32>) -> f32 {
    let (mut total, mut run, mut terms) = (0.0_f64, 0.0_f32, 0);
    for value in values {
        if terms == BLOCK {
            total += f64::from(run);
            (run, terms) = (0.0, 0);
        }
        run += value;
        terms += 1;
    }
    (total + f64::from(run)) as f32
}

/// `sums += values`.
pub(crate) fn add<S: Simd>(simd: S, values: &[f32], sums: &mut [f32]) {
    simd.vectorize(
        #[inline(always)]
        || sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value),
    );
}

/// `sums += factor * values`.
#[cfg(feature = "privacy")]
pub(crate) fn add_scaled<S: Simd>(simd: S, factor: f32, values: &[f32], sums: &mut [f32]) {
    simd.vectorize(
        #[inline(always)]
        || sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += factor * value),
    );
}

/// `sums += rows`, summed over the rows.
///
/// - rows: (any number, sums)
pub(crate) fn add_rows<S: Simd>(simd: S, rows: &[f32], sums: &mut [f32]) {
    let columns = sums.len();
    if columns == 0 {
        return;
    }
    if rows.len() / columns > 2 * SHORT {
        return add_many_rows(simd, rows, sums);
    }
    simd.vectorize(
        #[inline(always)]
        || {
            let lanes = S::f32s::LEN;
            let whole = columns - columns % lanes;
            for start in (0..whole).step_by(lanes) {
                let sums = &mut sums[start..start + lanes];
                let mut sum = S::f32s::from_slice(simd, sums);
                for row in rows.chunks_exact(columns) {
                    sum += S::f32s::from_slice(simd, &row[start..][..lanes]);
                }
                sum.store_slice(sums);
            }
            for start in whole..columns {
                sums[start] += rows.iter().skip(start).step_by(columns).sum::<f32>();
            }
        },
    );
}

/// [`add_rows`] in `f64`.
fn add_many_rows<S: Simd>(simd: S, rows: &[f32], sums: &mut [f32]) {
    let rows = rows.chunks_exact(sums.len());
    simd.vectorize(
        #[inline(always)]
        || sum_rows(rows, sums, |sum, total| *sum = (f64::from(*sum) + total) as f32),
    );
}

/// Adds rows up in `f64`, in their order, a few columns at a time.
///
/// - rows: each at least as long as `to`; put: makes of a column's total what `to` gets
#[inline(always)]
pub(crate) fn sum_rows<'a>(rows: impl Iterator<Item = &'a [f32]> + Clone, to: &mut [f32], put: impl Fn(&mut f32, f64)) {
    const COLUMNS: usize = 32;
    for (start, to) in (0..).step_by(COLUMNS).zip(to.chunks_mut(COLUMNS)) {
        let mut totals = [0.0_f64; COLUMNS];
        for row in rows.clone() {
            let row = &row[start..][..to.len()];
            totals.iter_mut().zip(row).for_each(|(total, value)| *total += f64::from(*value));
        }
        to.iter_mut().zip(totals).for_each(|(to, total)| put(to, total));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{all_levels, dispatch};

    #[test]
    fn sums_of_many_rows_are_exact_to_the_last_bit() {
        for columns in [1, 3, 33] {
            let rows = vec![0.3_f32; columns * 100_003];
            let exact = (f64::from(0.3_f32) * 100_003.0) as f32;
            for level in all_levels() {
                let mut sums = vec![0.0; columns];
                dispatch!(level, simd => add_rows(simd, &rows, &mut sums));
                assert!(sums.iter().all(|sum| *sum == exact), "{level:?}: {sums:?}, expected {exact}");
            }
        }
    }

    #[test]
    fn a_short_sum_is_a_running_one_and_a_long_one_loses_nothing() {
        let values = || (0..256).map(|n| 1.0 / (n as f32 + 1.0));
        assert_eq!(long_sum(values()), values().sum::<f32>());
        let long = long_sum(std::iter::repeat_n(0.3, 1 << 20));
        assert!((f64::from(long) / (f64::from(0.3_f32) * f64::from(1 << 20)) - 1.0).abs() < 2e-7, "{long}");
    }
}
