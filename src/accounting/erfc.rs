//! The complementary error function, as a logarithm.

use std::f64::consts::{LN_2, PI};

/// Below, erf is a series that converges fast; above, erfc a continued fraction.
const BOUNDARY: f64 = 2.0;

/// `ln(erfc(x))`, to thirteen digits.
pub(super) fn log_erfc(x: f64) -> f64 {
    if x < -BOUNDARY {
        // erfc(x) = 2 - erfc(-x).
        LN_2 + (-0.5 * log_erfc(-x).exp()).ln_1p()
    } else if x < BOUNDARY {
        // erf(x) = 2 x / sqrt(pi) exp(-x^2) (1 + 2 x^2 / 3 + (2 x^2)^2 / (3 * 5) + ...), without cancellation.
        let (mut term, mut sum) = (1.0, 1.0);
        for odd in (3..120).step_by(2) {
            term *= 2.0 * x * x / f64::from(odd);
            sum += term;
        }
        (-(2.0 * x / PI.sqrt() * (-x * x).exp() * sum)).ln_1p()
    } else {
        // erfc(x) sqrt(pi) exp(x^2) = 1 / (x + 1/2 / (x + 2/2 / (x + 3/2 / (x + ...)))).
        let fraction = (1..120).rev().fold(x, |below, k| x + 0.5 * f64::from(k) / below);
        -x * x - 0.5 * PI.ln() - fraction.ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_those_of_mpmath() {
        for (x, expected) in [
            (-30.0, LN_2),
            (-3.0, 0.6931361352504468),
            (-0.5, 0.4190391477755596),
            (0.0, 0.0),
            (1e-3, -0.0011290158896213548),
            (1.0, -1.8496055099332485),
            (1.999, -5.360524027545017),
            (2.001, -5.369360349189935),
            (5.0, -27.200889545537434),
            (40.0, -1604.2615566532736),
            (1e6, -1_000_000_000_014.388),
        ] {
            let found = log_erfc(x);
            assert!((found - expected).abs() <= 1e-12 * expected.abs().max(1e-3), "{x}: {found}, expected {expected}");
        }
    }
}
