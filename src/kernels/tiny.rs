//! Decides which numbers are as good as zero. Whatever is not fed any more, as the moments of a unit without gradients
//! or the state of a recurrent layer, shrinks until it is subnormal, and CPUs take 10 to 20 times as long for
//! arithmetic on subnormal numbers. What is flushed to zero here is so small that no weight could tell the difference.

/// Moments, averages and states below this are zero: far enough above the subnormal numbers that a product with a
/// learning rate or a decay is none either.
const TINY: f32 = 1e-30;

/// The smallest number whose square is not subnormal, and a little more.
const TINY_ROOT: f32 = 2e-19;

/// The value, or zero if it is tiny. NaN stays.
#[inline(always)]
pub(crate) fn flushed(value: f32) -> f32 {
    if value.abs() < TINY { 0.0 } else { value }
}

/// A value that is only looked at squared, or zero if its square would be subnormal.
#[inline(always)]
pub(super) fn flushed_root(value: f32) -> f32 {
    if value.abs() < TINY_ROOT { 0.0 } else { value }
}

/// The square of a gradient, or zero if it would be subnormal.
#[inline(always)]
pub(super) fn square(gradient: f32) -> f32 {
    let gradient = flushed_root(gradient);
    gradient * gradient
}

/// A mean of squares, or zero if it is tiny and what is divided by its root is zero too. Alone it must not become zero:
/// an optimizer without an epsilon would divide by it.
#[inline(always)]
pub(super) fn flushed_beside(mean_square: f32, divided: f32) -> f32 {
    if mean_square < TINY && divided == 0.0 { 0.0 } else { mean_square }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_tiny_becomes_zero() {
        assert_eq!([1e-31, -1e-31, 1e-29, 0.0].map(flushed), [0.0, 0.0, 1e-29, 0.0]);
        assert!(flushed(f32::NAN).is_nan() && square(f32::NAN).is_nan());
        assert_eq!([1e-19, -1e-19, 3.0].map(square), [0.0, 0.0, 9.0]);
        assert!(square(3e-19).is_normal());
        assert_eq!((flushed_beside(1e-31, 0.0), flushed_beside(1e-31, 1e-20)), (0.0, 1e-31));
    }
}
