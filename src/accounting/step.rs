//! One step of the Poisson-subsampled Gaussian: its privacy loss as a function of the noise, and the moments of that.

use std::f64::consts::PI;

/// How far below its maximum an integrand counts as zero, as a logarithm.
const NEGLIGIBLE: f64 = 50.0;
/// The most iterations of a search for a maximum.
const MOST_ITERATIONS: usize = 300;
/// The most points of an integral.
const MOST_POINTS: f64 = 2e4;

/// A step that samples each example with a probability, clips its gradient to the norm 1, and adds Gaussian noise.
///
/// What it tells about one example is one number, `z`, in standard deviations of the noise. Its distribution is N(0, 1)
/// without the example and `(1 - rate) N(0, 1) + rate N(1 / noise, 1)` with it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    /// The probability of an example, above 0.
    pub(super) rate: f64,
    /// The standard deviation of the noise, above 0.
    pub(super) noise: f64,
}

/// The outputs from `low` to `high`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Span {
    pub(super) low: f64,
    pub(super) high: f64,
}

/// All outputs.
pub(super) const ALL: Span = Span { low: f64::MIN, high: f64::MAX };

impl Step {
    /// The logarithm of the ratio of the density with the example to the density without it; rises with `z`.
    pub(super) fn log_ratio(&self, z: f64) -> f64 {
        let exponent = (z - 0.5 / self.noise) / self.noise;
        if self.rate == 1.0 {
            exponent
        } else if exponent < 30.0 {
            (self.rate * exponent.exp_m1()).ln_1p()
        } else {
            exponent + (self.rate + (1.0 - self.rate) * (-exponent).exp()).ln()
        }
    }

    /// The derivative of [`log_ratio`](Self::log_ratio); rises with `z`, from 0 to `1 / noise`.
    fn slope(&self, z: f64) -> f64 {
        let log_odds = self.rate.ln() - (-self.rate).ln_1p() + (z - 0.5 / self.noise) / self.noise;
        1.0 / ((-log_odds).exp() + 1.0) / self.noise
    }

    /// The inverse of [`log_ratio`](Self::log_ratio); minus infinity for values below all of its own.
    pub(super) fn z_of(&self, log_ratio: f64) -> f64 {
        let exponent = if self.rate == 1.0 {
            log_ratio
        } else if log_ratio < 1.0 {
            (log_ratio.exp_m1() / self.rate).max(-1.0).ln_1p()
        } else {
            log_ratio + (1.0 - (1.0 - self.rate) * (-log_ratio).exp()).ln() - self.rate.ln()
        };
        exponent * self.noise + 0.5 / self.noise
    }

    /// The logarithm of `exp(-z^2 / 2) ratio^power`.
    fn log_integrand(&self, power: f64, z: f64) -> f64 {
        -0.5 * z * z + power * self.log_ratio(z)
    }

    /// `ln E[ratio^power]` for the noise without the example, over the outputs in a range.
    pub(super) fn log_moment(&self, power: f64, within: Span) -> f64 {
        let (lower, upper) = self.maxima(power, within);
        let largest = self.log_integrand(power, lower).max(self.log_integrand(power, upper));
        let mut sum = 0.0;
        for Span { low, high } in self.support(power, largest - NEGLIGIBLE, within) {
            // Where nothing is cut off, the rule is exact to all digits: the integrand is analytic for imaginary parts
            // below pi times the noise.
            let width = if self.rate == 1.0 { 0.4 } else { (0.25 * self.noise).min(0.4) };
            let points = ((high - low) / width).ceil().clamp(1.0, MOST_POINTS);
            let width = (high - low) / points;
            let value = |point: usize| (self.log_integrand(power, low + width * point as f64) - largest).exp();
            let ends = 0.5 * (value(0) + value(points as usize));
            sum += width * (ends + (1..points as usize).map(value).sum::<f64>());
        }
        sum.ln() + largest - 0.5 * (2.0 * PI).ln()
    }

    /// Where in a range `exp(-z^2 / 2) ratio^power` may be more than `exp(level)`, which its maximum is: one part, or two.
    pub(super) fn support(&self, power: f64, level: f64, within: Span) -> Vec<Span> {
        let (lower, upper) = self.maxima(power, within);
        let above = |z: f64| self.log_integrand(power, z) >= level;
        // Where it falls below the level, between a point above and one below.
        let crossing = |mut inside: f64, mut outside: f64| {
            for _ in 0..40 {
                let middle = 0.5 * (inside + outside);
                *(if above(middle) { &mut inside } else { &mut outside }) = middle;
            }
            outside
        };
        // From a maximum outwards, or to the limit.
        let edge = |from: f64, limit: f64| {
            let (mut inside, mut step) = (from, 1.0);
            while inside != limit {
                let next = if limit < from { (inside - step).max(limit) } else { (inside + step).min(limit) };
                if !above(next) {
                    return crossing(inside, next);
                }
                inside = next;
                step *= 2.0;
            }
            limit
        };
        match (above(lower), above(upper)) {
            (true, false) => vec![Span { low: edge(lower, within.low), high: crossing(lower, upper) }],
            (false, true) => vec![Span { low: crossing(upper, lower), high: edge(upper, within.high) }],
            (true, true) | (false, false) => {
                let (low, high) = (edge(lower, within.low), edge(upper, within.high));
                let between = self.minimum(power, lower, upper);
                if above(between) {
                    return vec![Span { low, high }];
                }
                let (end, start) = (crossing(lower, between), crossing(upper, between));
                vec![Span { low, high: end }, Span { low: start, high }]
            }
        }
    }

    /// The minimum of `exp(-z^2 / 2) ratio^power` between two maxima.
    fn minimum(&self, power: f64, lower: f64, upper: f64) -> f64 {
        let (mut falling, mut rising) = (lower, upper);
        for _ in 0..60 {
            let middle = 0.5 * (falling + rising);
            *(if power * self.slope(middle) < middle { &mut falling } else { &mut rising }) = middle;
        }
        rising
    }

    /// The maxima of `exp(-z^2 / 2) ratio^power` in a range: the lower and the upper one, or two sides of the one that
    /// there is. It rises to the left of the first, and falls to the right of the second.
    fn maxima(&self, power: f64, within: Span) -> (f64, f64) {
        let (lower, upper) = if self.rate == 1.0 {
            (power / self.noise, power / self.noise)
        } else if power <= 0.0 {
            // The derivative falls.
            let (mut low, mut high) = (power / self.noise, 0.0);
            for _ in 0..MOST_ITERATIONS {
                let middle = 0.5 * (low + high);
                *(if power * self.slope(middle) > middle { &mut low } else { &mut high }) = middle;
            }
            (low, high)
        } else {
            // An iterated rising function comes to a fixed point from one side.
            let iterate = |mut z: f64| {
                for _ in 0..MOST_ITERATIONS {
                    let next = power * self.slope(z);
                    if (next - z).abs() < 1e-3 {
                        break;
                    }
                    z = next;
                }
                z
            };
            (iterate(0.0), iterate(power / self.noise))
        };
        (lower.clamp(within.low, within.high), upper.clamp(within.low, within.high))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_are_found_from_their_losses() {
        for (rate, noise) in [(1.0, 0.3), (0.5, 1.0), (1e-3, 0.7), (1e-9, 5.0), (0.999, 1e3)] {
            let step = Step { rate, noise };
            for z in [-1.0, 0.0, 1.0, 8.0, 30.0] {
                let found = step.z_of(step.log_ratio(z));
                // Far below, the ratio hardly changes.
                let precision = 1e-15 * (noise / step.slope(z)).max(1.0) / noise.min(1.0);
                assert!((found - z).abs() <= 10.0 * precision + 1e-12, "{rate}, {noise}: {found}, expected {z}");
            }
        }
        assert_eq!(Step { rate: 0.5, noise: 1.0 }.z_of(-1.0), f64::NEG_INFINITY);
    }

    #[test]
    fn moments_are_those_of_the_binomial_theorem() {
        for (rate, noise) in [(0.5, 1.0), (0.01, 0.8), (0.3, 0.05), (0.1, 20.0), (1e-4, 0.4)] {
            let step = Step { rate, noise };
            // E[ratio^2] and E[ratio^3], of terms (1 - q)^(n - k) q^k exp(k (k - 1) / (2 sigma^2)).
            let power = |k: f64| k * (k - 1.0) / (2.0 * noise * noise);
            let second = (rate * rate * power(2.0).exp_m1()).ln_1p();
            let third =
                (3.0 * (1.0 - rate) * rate * rate * power(2.0).exp_m1() + rate.powi(3) * power(3.0).exp_m1()).ln_1p();
            for (order, expected) in [(0.0, 0.0), (1.0, 0.0), (2.0, second), (3.0, third)] {
                let found = step.log_moment(order, ALL);
                let error = (found - expected).abs();
                assert!(
                    !expected.is_finite() || error < 1e-9 + 1e-12 * expected,
                    "{rate}, {noise}, {order}: {found}, {expected}"
                );
            }
        }
        let gaussian = Step { rate: 1.0, noise: 2.0 };
        assert!((gaussian.log_moment(5.5, ALL) - 5.5 * 4.5 / 8.0).abs() < 1e-12);
        assert!((gaussian.log_moment(-5.5, ALL) - 5.5 * 6.5 / 8.0).abs() < 1e-12);
    }

    #[test]
    fn two_maxima_far_apart_have_two_parts() {
        let step = Step { rate: 1e-3, noise: 0.05 };
        let (low, high) = step.maxima(8.0, ALL);
        assert!(low.abs() < 0.1 && (high - 160.0).abs() < 0.1);
        let level = step.log_integrand(8.0, low) - 10.0;
        let parts = step.support(8.0, level, ALL);
        assert_eq!(parts.len(), 2, "{parts:?}");
        for part in &parts {
            assert!((part.low..part.high).contains(&low) || (part.low..part.high).contains(&high));
        }
        for z in (-200..2400).map(|tenth| f64::from(tenth) / 10.0) {
            let inside = parts.iter().any(|part| (part.low..part.high).contains(&z));
            assert!(inside || step.log_integrand(8.0, z) < level, "{z}");
        }
        // Within a range there may be one alone.
        assert_eq!(step.support(8.0, level, Span { low: -50.0, high: 10.0 }).len(), 1);
    }
}
