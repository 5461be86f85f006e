//! The smallest epsilon that some right guesses do not refute, by Steinke, Nasr and Jagielski, Privacy Auditing with One
//! (1) Training Run, 2023, <https://arxiv.org/abs/2305.08846>, appendix D.

/// More than any number of guesses refutes.
const MOST_EPSILON: f64 = 100.0;
/// How much too small a probability may be by rounding, of 100,000 guesses, with something to spare.
const ROUNDING: f64 = 1e-9;

/// Guesses on which canaries are in, each of which is in with the probability 1/2.
#[derive(Clone, Copy, Debug)]
pub(super) struct Guesses {
    /// Those that were drawn for.
    pub(super) canaries: usize,
    /// How many of them there was a guess on.
    pub(super) made: usize,
    pub(super) right: usize,
}

impl Guesses {
    /// How likely as many guesses or more are right, at most, if each canary is protected by (epsilon, delta).
    ///
    /// By epsilon alone a guess is right with the probability `1 / (1 + exp(-epsilon))` at most, whatever the other draws
    /// are; delta may add some more right guesses with a probability of `2 canaries delta` in all, shared by how many.
    fn probability(&self, epsilon: f64, delta: f64) -> f64 {
        let Self { canaries, made, right } = *self;
        if right == 0 {
            return 1.0;
        }
        let weights = binomial_weights(made, epsilon.exp());
        let total: f64 = weights.iter().sum();
        let beta = weights[right..].iter().sum::<f64>() / total;
        let (mut sum, mut alpha) = (0.0, 0.0_f64);
        for (before, weight) in weights[..right].iter().rev().enumerate() {
            sum += weight;
            alpha = alpha.max(sum / (before + 1) as f64);
        }
        ((beta + 2.0 * canaries as f64 * delta * alpha / total) * (1.0 + ROUNDING)).min(1.0)
    }

    /// A lower bound on the epsilon of each example, which is wrong with the probability `error` at most; 0 if the guesses
    /// refute nothing.
    ///
    /// Whatever is (epsilon, delta) private is so with every larger epsilon. So each epsilon that is refuted is a bound,
    /// and it does not matter where between refuted ones some are not.
    ///
    /// - copies: how many examples each canary stands for, which together have `copies` times the epsilon
    pub(super) fn bound(&self, copies: usize, delta: f64, error: f64) -> f64 {
        let copies = copies as f64;
        let is_refuted = |epsilon: f64| {
            let growth = if epsilon > 0.0 { (copies * epsilon).exp_m1() / epsilon.exp_m1() } else { copies };
            self.probability(copies * epsilon, delta * growth) < error
        };
        if !is_refuted(0.0) {
            return 0.0;
        }
        let (mut refuted, mut open) = (0.0, 1.0 / copies);
        while open * copies < MOST_EPSILON && is_refuted(open) {
            (refuted, open) = (open, 2.0 * open);
        }
        for _ in 0..50 {
            let middle = 0.5 * (refuted + open);
            *(if is_refuted(middle) { &mut refuted } else { &mut open }) = middle;
        }
        refuted
    }
}

/// Numbers in the ratio of the probabilities of 0 to `tries` successes, the largest 1: each is found from its neighbour,
/// outwards from the mode, so that no factorial is needed, and what becomes 0 is less than any number that counts.
///
/// - odds: of a success, `q / (1 - q)`
fn binomial_weights(tries: usize, odds: f64) -> Vec<f64> {
    let mut weights = vec![0.0; tries + 1];
    let mode = ((tries as f64 + 1.0) * (odds / (1.0 + odds))).min(tries as f64) as usize;
    let ratio = |of: usize| (tries - of + 1) as f64 / of as f64 * odds;
    weights[mode] = 1.0;
    for successes in mode + 1..=tries {
        weights[successes] = weights[successes - 1] * ratio(successes);
    }
    for successes in (0..mode).rev() {
        weights[successes] = weights[successes + 1] / ratio(successes + 1);
    }
    weights
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::fixture;

    /// Canaries, guesses, right ones, epsilon, delta, and the probability.
    #[derive(serde::Deserialize)]
    struct Probability(usize, usize, usize, f64, f64, f64);

    /// Canaries, guesses, right ones, copies, delta, error, and the bound.
    #[derive(serde::Deserialize)]
    struct Bound(usize, usize, usize, usize, f64, f64, f64);

    #[derive(serde::Deserialize)]
    struct Fixture {
        probabilities: Vec<Probability>,
        bounds: Vec<Bound>,
    }

    /// `tests/fixtures/make_canary_audit.py` made the numbers.
    #[test]
    fn probabilities_and_bounds_are_those_of_scipy() {
        let Some(file) = fixture("canary_audit.json") else { return };
        let fixture: Fixture = serde_json::from_str(&file).unwrap();
        assert!(fixture.probabilities.len() >= 200 && fixture.bounds.len() >= 100);
        for Probability(canaries, made, right, epsilon, delta, expected) in fixture.probabilities {
            let found = Guesses { canaries, made, right }.probability(epsilon, delta);
            let error = (found - expected).abs();
            assert!(
                error <= 1e-6 * expected + 1e-15,
                "{canaries}, {made}, {right}, {epsilon}, {delta:e}: {found:e}, expected {expected:e}"
            );
        }
        for Bound(canaries, made, right, copies, delta, error, expected) in fixture.bounds {
            let found = Guesses { canaries, made, right }.bound(copies, delta, error);
            assert!(
                found <= expected + 1e-6 && found >= expected - 1e-5,
                "{canaries}, {made}, {right}, {copies}, {delta:e}, {error}: {found}, expected {expected}"
            );
        }
    }

    #[test]
    fn guesses_that_are_all_right_have_the_bound_of_their_number() {
        // q^n is below 5 %.
        let q: f64 = 0.05_f64.powf(1.0 / 100.0);
        let expected = (q / (1.0 - q)).ln();
        let found = Guesses { canaries: 100, made: 100, right: 100 }.bound(1, 0.0, 0.05);
        assert!(found <= expected && found > expected - 1e-6, "{found}, expected {expected}");
        // Of four copies each a quarter.
        let of_four = Guesses { canaries: 100, made: 100, right: 100 }.bound(4, 0.0, 0.05);
        assert!((4.0 * of_four - found).abs() < 1e-6, "{of_four}");
    }

    #[test]
    fn guesses_as_by_a_coin_refute_nothing() {
        for made in [0, 2, 100, 100_000] {
            for copies in [1, 7] {
                assert_eq!(Guesses { canaries: 100_000, made, right: made / 2 }.bound(copies, 1e-5, 0.05), 0.0);
            }
        }
        // Nor do any with a delta that allows everything.
        assert_eq!(Guesses { canaries: 100, made: 100, right: 100 }.bound(1, 0.5, 0.05), 0.0);
    }

    #[test]
    fn the_most_guesses_and_the_least_errors_end() {
        let all = Guesses { canaries: 100_000, made: 100_000, right: 100_000 };
        let found = all.bound(1, 0.0, 1.0 - f64::EPSILON);
        assert!(found > 30.0 && found < 60.0, "{found}");
        assert!(all.bound(usize::MAX, 1e-300, 1e-17) < 1e-17);
    }
}
