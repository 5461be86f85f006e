//! The exponential and the functions made of it, for one value at a time: without calls, branches or tables, so that a
//! loop over them becomes vector instructions.
//!
//! They add, multiply, divide and select, in `f32` and in one order, and never fuse a multiplication with an addition:
//! a value gives the same bits on every instruction set, in the middle of a slice and in its tail. The polynomials for
//! `exp`, `tanh` and `ln_1p` are those of Cephes ([Moshier, 1989](https://www.netlib.org/cephes/)), that of the normal
//! distribution was fitted.

/// 1.5 * 2^23: the sum of it and a number up to 2^22 is rounded to a whole number, which stands in its last bits.
const ROUNDING: f32 = 12_582_912.0;
/// The upper bits of ln 2, times any exponent exact; and the rest.
const LN_2: [f32; 2] = [355.0 / 512.0, -2.121_944_4e-4];

/// 1 / sqrt(2 pi).
const DENSITY_AT_0: f32 = 0.398_942_3;
/// The ratio of the normal distribution's tail to `t` times its bell, by `t = 1 / (1 + 0.35 x)`; within 4e-8 of it.
const TAIL: [f32; 9] = [
    -0.029_157_925,
    0.144_031_14,
    -0.255_839_5,
    0.159_320_31,
    -0.023_212_79,
    0.105_552_69,
    0.119_821_24,
    0.139_863_52,
    0.139_621_3,
];

/// `n` and `exp(r) - 1`, where `x = n ln 2 + r` and `r` is at most half of ln 2.
///
/// - x: at most 2^20 either way
#[inline(always)]
fn reduced(x: f32) -> (i32, f32) {
    let rounded = x * std::f32::consts::LOG2_E + ROUNDING;
    let n = rounded - ROUNDING;
    let r = (x - n * LN_2[0]) - n * LN_2[1];
    let p = polynomial(r, [1.987_569_1e-4, 1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5]);
    (rounded.to_bits().wrapping_sub(ROUNDING.to_bits()).cast_signed(), p * (r * r) + r)
}

/// The value at `x` of a polynomial, whose coefficients begin with the highest.
#[inline(always)]
fn polynomial<const N: usize>(x: f32, coefficients: [f32; N]) -> f32 {
    let mut sum = coefficients[0];
    for coefficient in &coefficients[1..] {
        sum = sum * x + coefficient;
    }
    sum
}

/// 2^n, for -126..=127.
#[inline(always)]
fn power_of_2(n: i32) -> f32 {
    f32::from_bits(n.wrapping_add(127).cast_unsigned() << 23)
}

/// `x` between two bounds. Not `clamp`: NaN stays NaN.
#[inline(always)]
pub(super) fn between(low: f32, x: f32, high: f32) -> f32 {
    let x = if x < low { low } else { x };
    if x > high { high } else { x }
}

/// `e^x`, within 1 unit in the last place; subnormal, 0 or infinite where it is.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    let (n, p) = reduced(between(-105.0, x, 89.0));
    // In two factors: 2^128 and 2^-150 are no numbers of 32 bits.
    let half = n >> 1;
    (p + 1.0) * power_of_2(half) * power_of_2(n.wrapping_sub(half))
}

/// `e^x - 1` for `x` up to 0, within 2 units in the last place.
#[inline(always)]
pub(crate) fn exp_m1_below_0(x: f32) -> f32 {
    // From -18 on it is -1.
    let (n, p) = reduced(between(-40.0, x, 0.0));
    let power = power_of_2(n);
    p * power + (power - 1.0)
}

/// `ln(1 + x)` for `x` from 0 to 1, within 2 units in the last place.
#[inline(always)]
fn ln_1p_below_1(x: f32) -> f32 {
    // Above sqrt(2) - 1: ln 2 + ln((1 + x) / 2).
    // One selection, and products with it: several become a branch, and the loop no vectors.
    let large = if x > 0.414_213_57 { 1.0 } else { 0.0 };
    let f = (x - large) * (1.0 - 0.5 * large);
    let p = polynomial(
        f,
        [
            7.037_683_6e-2,
            -1.151_461e-1,
            1.167_699_9e-1,
            -1.242_014_1e-1,
            1.424_932_3e-1,
            -1.666_805_8e-1,
            2.000_071_5e-1,
            -2.499_999_4e-1,
            3.333_333e-1,
        ],
    );
    let square = f * f;
    let rest = p * (f * square) - 0.5 * square;
    f + (rest + large * LN_2[1]) + large * LN_2[0]
}

/// `1 / (1 + e^-x)`.
#[inline(always)]
pub(crate) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// The hyperbolic tangent.
#[inline(always)]
pub(crate) fn tanh(x: f32) -> f32 {
    let (size, square) = (x.abs(), x * x);
    let p = polynomial(square, [-5.704_988_7e-3, 2.063_909e-2, -5.373_971_6e-2, 1.333_144_2e-1, -3.333_328e-1]);
    let large = 1.0 - 2.0 / (exp(size + size) + 1.0);
    let found = if size < 0.625 { p * square * size + size } else { large };
    found.copysign(x)
}

/// `ln(1 + e^x)`.
#[inline(always)]
pub(crate) fn softplus(x: f32) -> f32 {
    let positive = if x < 0.0 { 0.0 } else { x };
    positive + ln_1p_below_1(exp(-x.abs()))
}

/// The distribution function of the standard normal distribution and its density.
#[inline(always)]
pub(crate) fn normal(x: f32) -> (f32, f32) {
    let size = x.abs();
    let bell = exp(-0.5 * size * size);
    let t = 1.0 / (1.0 + 0.35 * size);
    // What lies beyond `size`: it keeps its digits however little it is.
    let tail = t * bell * polynomial(t, TAIL);
    (if x < 0.0 { tail } else { 1.0 - tail }, bell * DENSITY_AT_0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every so many of all numbers of 32 bits, and those around which something may change.
    fn numbers() -> impl Iterator<Item = f32> {
        let edges =
            [0.0, 1e-45, 1e-38, 0.414, 0.625, 1.0, 17.3, 18.0, 40.0, 87.3, 88.7, 88.8, 89.0, 103.9, 104.0, 1e30];
        let edges = edges.into_iter().chain([f32::MIN_POSITIVE, f32::MAX, f32::INFINITY]);
        let edges = edges.flat_map(|edge: f32| [edge.next_down(), edge, edge.next_up()]);
        let edges = edges.flat_map(|edge| [edge, -edge]).filter(|edge| !edge.is_nan());
        let some = (0..=u32::MAX).step_by(2003).map(f32::from_bits).filter(|x| !x.is_nan());
        some.chain((-10_000..=10_000).map(|x| x as f32 * 0.01)).chain(edges)
    }

    /// The largest error of `found`, in units of the last place of `exact`; infinite where only one is.
    fn worst(found: impl Fn(f32) -> f32, exact: impl Fn(f64) -> f64, of: impl Fn(f32) -> bool) -> (f64, f32) {
        let error = |x: f32| {
            let (found, exact) = (found(x), exact(f64::from(x)));
            let rounded = exact as f32;
            if found == rounded {
                return 0.0;
            }
            let size = rounded.abs();
            let unit = f64::from(size) - f64::from(size.next_down());
            (f64::from(found) - exact).abs() / unit.max(f64::from(f32::from_bits(1)))
        };
        let errors = numbers().filter(|x| of(*x)).map(|x| (error(x), x));
        errors.fold((0.0, 0.0), |worst, each| if each.0 > worst.0 { each } else { worst })
    }

    #[track_caller]
    fn assert_within(units: f64, (error, at): (f64, f32)) {
        assert!(error <= units, "{error} units in the last place at {at:e}, expected at most {units}");
    }

    #[test]
    fn exponentials_are_exact_to_the_last_place_over_all_numbers() {
        assert_within(1.0, worst(exp, f64::exp, |_| true));
        assert_within(2.0, worst(exp_m1_below_0, f64::exp_m1, |x| x <= 0.0));
        assert_eq!([exp(f32::INFINITY), exp(f32::NEG_INFINITY), exp(0.0)], [f32::INFINITY, 0.0, 1.0]);
        assert!(exp(-100.0) > 0.0 && exp(-100.0) < f32::MIN_POSITIVE, "a subnormal number");
    }

    #[test]
    fn what_is_made_of_them_is_nearly_as_exact() {
        assert_within(2.0, worst(ln_1p_below_1, f64::ln_1p, |x| (0.0..=1.0).contains(&x)));
        // Further out 1 + e^-x is infinite.
        assert_within(3.0, worst(sigmoid, |x| 1.0 / (1.0 + (-x).exp()), |x| x > -88.0));
        assert_within(3.0, worst(tanh, f64::tanh, |_| true));
        assert_within(3.0, worst(softplus, |x| x.max(0.0) + (-x.abs()).exp().ln_1p(), |_| true));
        assert_eq!([sigmoid(f32::NEG_INFINITY), sigmoid(f32::INFINITY)], [0.0, 1.0]);
        assert_eq!([softplus(f32::NEG_INFINITY), softplus(f32::INFINITY)], [0.0, f32::INFINITY]);
        assert!(tanh(-0.0).is_sign_negative());
    }

    /// Its tail too, which `1 + erf` would lose.
    #[test]
    fn the_normal_distribution_is_that_of_the_tables() {
        for (x, cumulative) in [
            (0.0, 0.5),
            (0.5, 0.691_462_461_274_013),
            (1.0, 0.841_344_746_068_543),
            (2.0, 0.977_249_868_051_821),
            (-0.1, 0.460_172_162_722_971),
            (-1.0, 0.158_655_253_931_457),
            (-3.0, 1.349_898_031_630_09e-3),
            (-6.0, 9.865_876_450_376_98e-10),
            (-12.0, 1.776_482_112_077_68e-33),
        ] {
            let (found, density) = normal(x);
            let expected_density = (-0.5 * f64::from(x).powi(2)).exp() / std::f64::consts::TAU.sqrt();
            for (found, expected) in [(found, cumulative), (density, expected_density)] {
                assert!((f64::from(found) / expected - 1.0).abs() < 5e-7, "at {x}: {found:e}, expected {expected:e}");
            }
        }
        assert_eq!([normal(f32::NEG_INFINITY).0, normal(f32::INFINITY).0], [0.0, 1.0]);
    }

    #[test]
    fn nan_stays_nan() {
        for function in [exp, exp_m1_below_0, sigmoid, tanh, softplus, |x| normal(x).0, |x| normal(x).1] {
            assert!(function(f32::NAN).is_nan());
        }
    }
}
