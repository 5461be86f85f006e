//! Decides cheaply that no sum of a convolution can be NaN, so that its pooling need not look for NaN.

use crate::simd::Simd;

/// Inputs and weights up to this size have sums of products far below the largest `f32`, in whatever order they are
/// added, however many there are, and in Winograd's transforms too.
const MODERATE: f32 = 1e12;

/// What the sums of a convolution may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sums {
    /// Numbers, and no infinity.
    Finite,
    /// NaN as well.
    Any,
}

/// What sums of products of `x` and `weights` may be, by their sizes.
pub(super) fn sums_of<S: Simd>(simd: S, x: &[f32], weights: &[f32]) -> Sums {
    let moderate = |values: &[f32]| {
        simd.vectorize(
            #[inline(always)]
            // Not `all`, which would stop at the first, and so look at one value at a time.
            || values.iter().fold(true, |moderate, value| moderate & (value.abs() <= MODERATE)),
        )
    };
    if moderate(weights) && moderate(x) { Sums::Finite } else { Sums::Any }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{all_levels, dispatch};

    /// One value anywhere decides, among the weights and among the inputs.
    #[test]
    fn one_value_that_is_not_moderate_is_found() {
        for (level, value) in all_levels()
            .into_iter()
            .flat_map(|level| [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 2e12, -2e12].map(|value| (level, value)))
        {
            let found = |x: &[f32], weights: &[f32]| dispatch!(level, simd => sums_of(simd, x, weights));
            for place in [0, 1, 15, 16, 99, 100] {
                let mut values = vec![-1e12; 101];
                assert_eq!(found(&values, &[1.0, 0.0]), Sums::Finite);
                values[place] = value;
                assert_eq!(found(&values, &[1.0]), Sums::Any);
                assert_eq!(found(&[1.0], &values), Sums::Any);
            }
        }
    }
}
