//! An audit: which canaries a model seems to have seen, and what epsilon that refutes.

use super::bound::Guesses;
use serde::Serialize;
use std::fmt;

/// Of how many parts of the canaries an audit guesses at: all, and the half, the quarter and the eighth that it is surest of.
const PARTS: [usize; 4] = [1, 2, 4, 8];

/// A lower bound on the epsilon of a training, by [`Canaries::audit`](crate::privacy::Canaries::audit).
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct CanaryAudit {
    /// What epsilon exceeds, for one example; 0 if the audit shows nothing.
    pub epsilon: f64,
    /// The delta that it is for.
    pub delta: f64,
    /// The probability that the bound is true, at least.
    pub confidence: f64,
    /// How many canaries were drawn for.
    pub canaries: usize,
    /// How often each is among the examples if it is.
    pub copies: usize,
    /// On how many canaries the best guesses were made: all, or the part that the audit is surest of.
    pub guesses: usize,
    /// How many of these were right.
    pub right: usize,
}

impl CanaryAudit {
    /// - scores: how much each canary looks as if the model had seen it; `is_in`: whether it has
    pub(super) fn new(scores: &[f64], is_in: &[bool], copies: usize, (delta, confidence): (f64, f64)) -> Self {
        let canaries = scores.len();
        // The lowest first. Equals stay in their order, which nothing was drawn for.
        let mut order: Vec<usize> = (0..canaries).collect();
        order.sort_by(|a, b| scores[*a].total_cmp(&scores[*b]));
        // Each part has its share of the error, so that the best of them may be chosen.
        let error = (1.0 - confidence) / PARTS.len() as f64;
        let audit = |part: usize| {
            let of_side = canaries / part / 2;
            let right_out = order[..of_side].iter().filter(|canary| !is_in[**canary]).count();
            let right_in = order[canaries - of_side..].iter().filter(|canary| is_in[**canary]).count();
            let guesses = Guesses { canaries, made: 2 * of_side, right: right_out + right_in };
            let epsilon = guesses.bound(copies, delta, error);
            Self { epsilon, delta, confidence, canaries, copies, guesses: guesses.made, right: guesses.right }
        };
        let [all, parts @ ..] = PARTS.map(audit);
        parts.into_iter().fold(all, |best, part| if part.epsilon > best.epsilon { part } else { best })
    }
}

impl fmt::Display for CanaryAudit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { epsilon, delta, confidence, canaries, copies, guesses, right } = self;
        write!(
            f,
            "epsilon is at least {epsilon:.3} at delta {delta:e}, with {} % confidence: {right} of {guesses} guesses on \
             {canaries} canaries of {copies} copies were right",
            // 0.95 is 95, not 94.99999999999999.
            (confidence * 1e8).round() / 1e6
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Stream, stream};
    use rand::RngExt;

    fn drawn(count: usize, seed: u64) -> Vec<bool> {
        let mut random = stream(seed, Stream::Dataset);
        (0..count).map(|_| random.random::<bool>()).collect()
    }

    #[test]
    fn a_part_is_guessed_at_where_the_rest_is_not_known() {
        // An eighth has scores that tell.
        let is_in = drawn(800, 1);
        let mut random = stream(2, Stream::Dataset);
        let score = |(canary, is_in): (usize, &bool)| match (canary % 8, is_in) {
            (0, true) => 3.0,
            (0, false) => -3.0,
            _ => random.random::<f64>(),
        };
        let scores: Vec<f64> = is_in.iter().enumerate().map(score).collect();
        let found = CanaryAudit::new(&scores, &is_in, 1, (1e-6, 0.95));
        assert!(found.guesses == 100 && found.right > 90 && found.epsilon > 2.0, "{found}");
        assert!(found.to_string().contains("at delta 1e-6, with 95 % confidence"), "{found}");
    }

    /// At the confidence that was asked for: randomized response of each canary has a known epsilon.
    #[test]
    fn bounds_are_wrong_as_rarely_as_they_say() {
        for (epsilon, count) in [(0.5_f64, 200), (2.0, 50)] {
            let truth = 1.0 / (1.0 + (-epsilon).exp());
            let mut wrong = 0;
            for audit in 0..1000 {
                let is_in = drawn(count, audit);
                let mut random = stream(audit, Stream::Canaries);
                let told = |is_in: &bool| f64::from((random.random::<f64>() < truth) == *is_in);
                let scores: Vec<f64> = is_in.iter().map(told).collect();
                wrong += usize::from(CanaryAudit::new(&scores, &is_in, 1, (0.0, 0.8)).epsilon > epsilon);
            }
            assert!(wrong <= 200, "{wrong} of 1000 are wrong for {epsilon}");
            // But some are: a quarter of the error each, nearly.
            assert!(wrong >= 10, "{wrong} of 1000 are wrong for {epsilon}");
        }
    }

    #[test]
    fn canaries_that_are_too_few_show_nothing() {
        for count in [1, 2, 3, 4] {
            let is_in = drawn(count, 1);
            let scores: Vec<f64> = is_in.iter().map(|is_in| f64::from(*is_in)).collect();
            let found = CanaryAudit::new(&scores, &is_in, 1, (1e-5, 0.95));
            assert_eq!((found.epsilon, found.guesses), (0.0, count / 2 * 2));
        }
    }
}
