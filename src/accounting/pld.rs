//! Privacy loss distributions: epsilon by the distribution of the sum of the losses of all steps.

use super::discretize::{Direction, Grid, losses};
use super::losses::Losses;
use super::step::{Span, Step};

/// How much of epsilon each grid may add.
const TOLERANCE: f64 = 3e-6;
/// How much of the bound of epsilon it may add where nothing else is known yet.
const FIRST_TOLERANCE: f64 = 1e-4;
/// With less noise, losses are spread too far.
const LEAST_NOISE: f64 = 0.05;
/// The weight that all tails may have that are left out.
const TAILS: f64 = 1e-11;
/// The probability, as a part of delta, of losses that count as infinite.
const UNLIKELY: f64 = 1e-6;

/// An epsilon for a delta, a little too large and never too small; none where it would take too long, as with little noise.
pub(super) fn epsilon(steps: &[(Step, u64)], delta: f64) -> Option<f64> {
    if steps.iter().any(|(step, _)| step.noise < LEAST_NOISE) {
        return None;
    }
    let steps: Vec<(Step, u64)> = steps.iter().map(as_one).collect();
    let of = |direction| of_direction(&steps, direction, delta.ln());
    Some(of(Direction::Remove)?.max(of(Direction::Add)?))
}

/// Steps of all examples are one step with less noise.
fn as_one(&(step, count): &(Step, u64)) -> (Step, u64) {
    if step.rate < 1.0 { (step, count) } else { (Step { noise: step.noise / (count as f64).sqrt(), ..step }, 1) }
}

/// Steps with how often each is taken, and their outputs without those whose losses count as infinite.
type Steps = [(Step, u64, Span)];

/// What a distribution is made for: its tilt, and about the epsilon that is looked for.
#[derive(Clone, Copy, Debug)]
struct Aim {
    tilt: f64,
    epsilon: f64,
    /// How much of epsilon each grid may add.
    tolerance: f64,
}

/// Epsilon where the data sets differ in one direction.
fn of_direction(steps: &[(Step, u64)], direction: Direction, log_delta: f64) -> Option<f64> {
    let count: f64 = steps.iter().map(|(_, times)| *times as f64).sum();
    let log_unlikely = log_delta + UNLIKELY.ln() - count.ln();
    let steps: Vec<(Step, u64, Span)> =
        steps.iter().map(|(step, times)| (*step, *times, direction.likely(step, log_unlikely))).collect();
    let aim = first_aim(&steps, direction, log_delta)?;
    let found = with_aim(&steps, direction, aim, log_delta)?;
    if found == 0.0 {
        return Some(found);
    }
    // Where few losses are large, the bound is far off, and most of the weight lies where it says nothing of epsilon. At
    // the tilt whose moment bounds delta best it lies around epsilon.
    let tilt = lowest(|tilt| log_moment(&steps, direction, tilt) - tilt * found);
    let aim = Aim { tilt, epsilon: found, tolerance: TOLERANCE };
    Some(with_aim(&steps, direction, aim, log_delta).map_or(found, |again| again.min(found)))
}

/// Epsilon by a distribution with this tilt.
fn with_aim(steps: &Steps, direction: Direction, aim: Aim, log_delta: f64) -> Option<f64> {
    let Aim { tilt, epsilon, tolerance } = aim;
    // Where losses are bounded, the best tilt may be as large as can be.
    let tilt = tilt.min(10.0 / (tolerance * epsilon));
    let count: f64 = steps.iter().map(|(_, times, _)| *times as f64).sum();
    // A loss x above one point of the grid and y below the next adds about xy tilt (tilt + 1) / 2 to the logarithm of the
    // moment; and never more than the interval to epsilon.
    let interval_for = |losses: f64| {
        let error = tolerance * epsilon * losses / count;
        (12.0 * error / (tilt + 1.0)).sqrt().max(error)
    };
    let grid = Grid { tilt, interval: interval_for(1.0), tail: TAILS / count };
    let mut all = Losses::none(tilt, grid.interval);
    for (step, times, likely) in steps {
        let of_step = losses(step, direction, grid, *likely)?.repeated(*times, grid.tail, interval_for);
        all = all.compose(of_step, TAILS);
    }
    // What rounding may have taken from the masses, and what is unlikely.
    all.log_mass += count * 64.0 * f64::EPSILON + 1e-9;
    all.epsilon(log_delta + (-UNLIKELY).ln_1p(), 2.0 * epsilon)
}

/// The tilt whose moment bounds epsilon best, and that bound. Where it says that epsilon is 0, those of a smaller delta.
fn first_aim(steps: &Steps, direction: Direction, log_delta: f64) -> Option<Aim> {
    let smaller = (0..60).map(|turn| log_delta * 1.1_f64.powi(turn) - f64::from(turn));
    let mut aims = smaller.map(|log_delta| {
        let bound = |tilt: f64| {
            let log_moment = log_moment(steps, direction, tilt);
            (log_moment - log_delta - tilt.ln_1p()) / tilt - (1.0 / tilt).ln_1p()
        };
        let tilt = lowest(bound);
        Aim { tilt, epsilon: bound(tilt), tolerance: FIRST_TOLERANCE }
    });
    aims.find(|aim| aim.epsilon > 0.0).filter(|aim| aim.epsilon.is_finite())
}

/// `ln E[exp(tilt * loss)]` of the sum of the losses of all steps.
fn log_moment(steps: &Steps, direction: Direction, tilt: f64) -> f64 {
    let power = direction.power(tilt);
    steps.iter().map(|(step, times, likely)| *times as f64 * step.log_moment(power, *likely)).sum()
}

/// The tilt where a function that falls and then rises is lowest: by golden section of the logarithm.
fn lowest(function: impl Fn(f64) -> f64) -> f64 {
    let function = |log_tilt: f64| {
        let value = function(log_tilt.exp());
        if value.is_nan() { f64::INFINITY } else { value }
    };
    let golden = 0.5 * (5.0_f64.sqrt() - 1.0);
    let (mut low, mut high) = (1e-9_f64.ln(), 1e12_f64.ln());
    let (mut left, mut right) = (high - golden * (high - low), low + golden * (high - low));
    let (mut at_left, mut at_right) = (function(left), function(right));
    while high - low > 0.02 {
        if at_left <= at_right {
            (high, right, at_right) = (right, left, at_left);
            left = high - golden * (high - low);
            at_left = function(left);
        } else {
            (low, left, at_left) = (left, right, at_right);
            right = low + golden * (high - low);
            at_right = function(right);
        }
    }
    if at_left <= at_right { left.exp() } else { right.exp() }
}

#[cfg(test)]
mod tests {
    use super::super::erfc::log_erfc;
    use super::super::step::ALL;
    use super::*;
    use std::f64::consts::SQRT_2;

    /// The exact delta of one step ([Balle and Wang, 2018](https://arxiv.org/abs/1805.06530), and its mixture).
    fn delta(step: &Step, epsilon: f64) -> f64 {
        let above = |z: f64| 0.5 * log_erfc(z / SQRT_2).exp();
        let with = |z: f64| (1.0 - step.rate) * above(z) + step.rate * above(z - 1.0 / step.noise);
        let z = step.z_of(epsilon);
        let removed = with(z) - epsilon.exp() * above(z);
        let z = step.z_of(-epsilon);
        removed.max(1.0 - above(z) - epsilon.exp() * (1.0 - with(z)))
    }

    #[test]
    fn epsilon_of_one_step_is_the_exact_one_a_little_rounded_up() {
        for (rate, noise) in [(1.0, 0.5), (1.0, 5.0), (0.5, 1.0), (0.9, 0.3), (0.01, 0.5), (0.1, 3.0), (1e-3, 0.7)] {
            for target in [1e-6, 1e-5, 1e-3] {
                let step = Step { rate, noise };
                let found = epsilon(&[(step, 1)], target).unwrap();
                assert!(delta(&step, found) <= target, "{rate}, {noise}, {target}: {found}");
                let is_least = found == 0.0 || delta(&step, found * 0.9999) > target;
                assert!(is_least, "{rate}, {noise}, {target}: {found}");
            }
        }
    }

    #[test]
    fn steps_of_all_examples_are_one_with_less_noise() {
        let step = |noise| Step { rate: 1.0, noise };
        let many = epsilon(&[(step(8.0), 16), (step(8.0), 48)], 1e-6).unwrap();
        let one = step(1.0);
        assert!(delta(&one, many) <= 1e-6 && delta(&one, many * 0.9999) > 1e-6);
    }

    #[test]
    fn steps_in_two_parts_are_as_private_as_in_one() {
        let step = |rate| Step { rate, noise: 0.9 };
        let whole = epsilon(&[(step(0.01), 1000)], 1e-5).unwrap();
        let parts = epsilon(&[(step(0.01), 437), (step(0.01 * (1.0 + 1e-9)), 563)], 1e-5).unwrap();
        assert!((parts / whole - 1.0).abs() < 1e-4, "{parts}, expected {whole}");
    }

    #[test]
    fn the_bound_of_gaussian_noise_is_between_the_exact_one_and_the_usual_one() {
        for noise in [0.1, 1.0, 1e4] {
            let steps = [(Step { rate: 1.0, noise }, 1, ALL)];
            let bound = first_aim(&steps, Direction::Remove, 1e-5_f64.ln()).unwrap().epsilon;
            assert!(bound > epsilon(&[(steps[0].0, 1)], 1e-5).unwrap());
            // By the usual conversion, whose best tilt is known.
            assert!(bound <= 0.5 / (noise * noise) + (2.0 * 1e5_f64.ln()).sqrt() / noise);
        }
    }
}
