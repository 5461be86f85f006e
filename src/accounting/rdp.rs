//! Rényi differential privacy: bounds of the divergences of a step at fixed orders, and the epsilon that they give.

use super::erfc::log_erfc;
use super::step::{ALL, Step};
use std::f64::consts::{LN_2, SQRT_2};

/// The most terms of a series.
const MOST_TERMS: u32 = 1000;
/// Moments whose logarithms are smaller are not found as sums with 1, whose rounding would show.
const SMALLEST_BY_SUM: f64 = 1e-9;

/// The orders, those of Google's dp-accounting: 1.1 to 10.9 by 0.1, 11 to 63, 128, 256, 512, 1024.
fn orders() -> impl Iterator<Item = f64> {
    let tenths = (1..100).map(|tenth| 1.0 + f64::from(tenth) / 10.0);
    tenths.chain((11..64).map(f64::from)).chain([128.0, 256.0, 512.0, 1024.0])
}

/// The smallest epsilon that the divergences of these steps, each with how often it is taken, give for a delta.
pub(super) fn epsilon(steps: &[(Step, u64)], delta: f64) -> f64 {
    let of_order = |order: f64| {
        let total: f64 = steps.iter().map(|(step, count)| divergence(step, order) * *count as f64).sum();
        converted(order, total, delta)
    };
    orders().map(of_order).fold(f64::INFINITY, f64::min).max(0.0)
}

/// The epsilon of a mechanism with this Rényi divergence ([Canonne et al., 2020](https://arxiv.org/abs/2004.00010),
/// proposition 12).
fn converted(order: f64, divergence: f64, delta: f64) -> f64 {
    if delta * delta + (-divergence).exp_m1() > 0.0 {
        // The total variation is at most sqrt(1 - exp(-divergence)).
        return 0.0;
    }
    divergence + (-1.0 / order).ln_1p() - (delta.ln() + order.ln()) / (order - 1.0)
}

/// A bound of the Rényi divergence of one step at an order above 1, in both directions ([Mironov et al.,
/// 2019](https://arxiv.org/abs/1908.10530)).
pub(super) fn divergence(step: &Step, order: f64) -> f64 {
    if step.rate == 1.0 {
        return order / (2.0 * step.noise * step.noise);
    }
    if order.fract() == 0.0 {
        return log_moment(step, order) / (order - 1.0);
    }
    // The logarithm of a moment is convex in the order.
    let (below, above) = (order.floor(), order.ceil());
    let between = (above - order) * log_moment(step, below) + (order - below) * log_moment(step, above);
    // Where a series does not converge, dp-accounting leaves the order out, so that epsilon leaps.
    let by_sum = log_moment_by_series(step, order).unwrap_or_else(|| step.log_moment(order, ALL) + SMALLEST_BY_SUM);
    if by_sum > SMALLEST_BY_SUM { by_sum.min(between) / (order - 1.0) } else { between / (order - 1.0) }
}

/// `ln E[ratio^order]` of a whole order. `E[ratio^n] - 1` is the sum over k of `C(n, k) (1 - q)^(n - k) q^k (exp(k (k -
/// 1) / (2 sigma^2)) - 1)`, whose terms are not negative, so that it is exact however small it is.
fn log_moment(step: &Step, order: f64) -> f64 {
    let (log_rate, log_rest) = (step.rate.ln(), (-step.rate).ln_1p());
    let mut log_choose = order.ln();
    let mut excess = f64::NEG_INFINITY;
    for k in 2..=order as u32 {
        let k = f64::from(k);
        log_choose += (order - k + 1.0).ln() - k.ln();
        let exponent = k * (k - 1.0) / (2.0 * step.noise * step.noise);
        excess = log_add(excess, log_choose + k * log_rate + (order - k) * log_rest + log_exp_m1(exponent));
    }
    log_add(excess, 0.0)
}

/// A bound of `ln E[ratio^order]` of a fractional order: two series, for the outputs on both sides of where the two parts
/// of the mixture are equal. As dp-accounting does, it adds up the terms without their signs, which costs little:
/// alternating terms begin behind the order. None if it does not converge.
fn log_moment_by_series(step: &Step, order: f64) -> Option<f64> {
    let Step { rate, noise } = *step;
    let (log_rate, log_rest) = (rate.ln(), (-rate).ln_1p());
    let equal = noise * noise * (log_rest - log_rate) + 0.5;
    let mut log_choose: f64 = 0.0;
    let mut total = f64::NEG_INFINITY;
    let mut last = (f64::NEG_INFINITY, f64::NEG_INFINITY);
    for term in 0..MOST_TERMS {
        let i = f64::from(term);
        let j = order - i;
        let half = |i: f64, j: f64, from: f64| {
            let log_tail = log_erfc(from / (SQRT_2 * noise)) - LN_2;
            log_choose + i * log_rate + j * log_rest + i * (i - 1.0) / (2.0 * noise * noise) + log_tail
        };
        let now = (half(i, j, i - equal), half(j, i, equal - j));
        total = log_add(total, log_add(now.0, now.1));
        if now.0 < last.0 && now.1 < last.1 && now.0.max(now.1) < total - 30.0 {
            return Some(total);
        }
        last = now;
        log_choose += j.abs().ln() - (i + 1.0).ln();
    }
    None
}

/// `ln(exp(x) + exp(y))`.
fn log_add(x: f64, y: f64) -> f64 {
    let (small, large) = (x.min(y), x.max(y));
    if small == f64::NEG_INFINITY { large } else { large + (small - large).exp().ln_1p() }
}

/// `ln(exp(x) - 1)`.
fn log_exp_m1(x: f64) -> f64 {
    if x < 30.0 { x.exp_m1().ln() } else { x + (-(-x).exp()).ln_1p() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::fixture;

    /// Of dp-accounting 0.6.0.
    const ORDERS: [f64; 9] = [1.5, 2.0, 2.5, 3.0, 4.0, 8.0, 16.0, 32.0, 64.0];

    #[test]
    fn divergences_are_those_of_dp_accounting() {
        let expected = [
            5.141639618e-6,
            6.449425094e-6,
            8.065179085e-6,
            9.680448562e-6,
            1.291569418e-5,
            2.589912301e-5,
            5.207209701e-5,
            1.052636066e-4,
            2.152091616e-4,
        ];
        let step = Step { rate: 0.01, noise: 4.0 };
        for (order, expected) in ORDERS.into_iter().zip(expected) {
            let found = divergence(&step, order);
            assert!((found / expected - 1.0).abs() < 1e-9, "{order}: {found:e}, expected {expected:e}");
        }
        let expected = [
            1.771325221e-5,
            2.339577601e-5,
            2.936054930e-5,
            3.536769897e-5,
            4.753335236e-5,
            9.834106178e-5,
            0.7918914328,
            7.590188346,
            20.90274078,
        ];
        let step = Step { rate: 256.0 / 60_000.0, noise: 1.1 };
        for (order, expected) in ORDERS.into_iter().zip(expected) {
            let found = divergence(&step, order);
            assert!((found / expected - 1.0).abs() < 1e-7, "{order}: {found:e}, expected {expected:e}");
        }
    }

    /// Sampling rate, noise multiplier, and the divergence at each of some orders.
    #[derive(serde::Deserialize)]
    struct Of(f64, f64, [(f64, f64); 11]);

    #[derive(serde::Deserialize)]
    struct Fixture {
        mechanisms: Vec<Of>,
    }

    /// `tests/fixtures/make_privacy.py` made the numbers.
    #[test]
    fn divergences_of_random_mechanisms_are_those_of_dp_accounting() {
        let Some(file) = fixture("privacy_divergences.json") else { return };
        let fixture: Fixture = serde_json::from_str(&file).unwrap();
        assert_eq!(fixture.mechanisms.len(), 100);
        for Of(rate, noise, divergences) in fixture.mechanisms {
            for (order, expected) in divergences {
                let found = divergence(&Step { rate, noise }, order);
                // Its series of fractional orders are bounds, which may be far off; ours are never above them.
                let least = if order.fract() == 0.0 { expected * (1.0 - 1e-6) } else { 0.0 };
                let is_near = found >= least && found <= expected * (1.0 + 1e-6);
                assert!(is_near, "{rate}, {noise}, {order}: {found:e}, expected {expected:e}");
            }
        }
    }

    /// The values of dp-accounting's own test.
    #[test]
    fn divergences_of_fifty_steps_are_those_of_google() {
        let step = Step { rate: 0.01, noise: 2.5 };
        for (order, expected) in [
            (1.5, 6.70579741e-4),
            (2.5, 1.08548710e-3),
            (5.0, 2.18075656e-3),
            (50.0, 2.38460375e-2),
            (100.0, 1.67416308e2),
        ] {
            let found = 50.0 * divergence(&step, order);
            assert!((found / expected - 1.0).abs() < 1e-8, "{order}: {found:e}, expected {expected:e}");
        }
    }

    #[test]
    fn no_divergence_is_below_the_exact_one_and_none_falls_with_the_order() {
        for (rate, noise) in [(0.5, 1.0), (0.01, 0.8), (0.2636, 15.84), (0.1, 0.3), (0.7, 0.05), (1e-3, 1.5)] {
            let step = Step { rate, noise };
            for order in orders().filter(|order| *order < 20.0) {
                let exact = step.log_moment(order, ALL) / (order - 1.0);
                let found = divergence(&step, order);
                assert!(found > exact - 1e-13 - 1e-12 * exact, "{rate}, {noise}, {order}: {found:e}, exact {exact:e}");
            }
        }
        // However small it is.
        let tiny = divergence(&Step { rate: 1e-9, noise: 10.0 }, 2.5);
        assert!(tiny > 1.25e-20 * 0.99 && tiny < 2e-20, "{tiny:e}");
    }

    #[test]
    fn epsilon_by_the_total_variation_is_zero() {
        assert_eq!(epsilon(&[(Step { rate: 1e-6, noise: 10.0 }, 1)], 1e-2), 0.0);
    }
}
