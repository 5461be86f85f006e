//! A distribution of the privacy loss, on a grid, with weights that are tilted to large losses: how it is composed, made
//! coarser, and read.

use super::convolution::convolve;

/// The most values of a distribution.
pub(super) const MOST_VALUES: usize = 1 << 19;
/// With fewer values, a distribution's grid stays as fine as it is.
const FEW_VALUES: usize = 4096;

/// A distribution of the privacy loss: the probability of the loss `index * interval` is `exp(log_mass - tilt * loss)`
/// times its weight.
///
/// The tilt puts most of the weight where the losses are that decide about delta, so that weights that round to
/// nothing say nothing, however small delta is.
#[derive(Clone, Debug)]
pub(super) struct Losses {
    pub(super) tilt: f64,
    pub(super) interval: f64,
    /// The index of the first weight.
    pub(super) first: i64,
    /// They sum up to 1.
    pub(super) weights: Vec<f64>,
    pub(super) log_mass: f64,
    /// At most as much weight was left out or lost to rounding.
    pub(super) lost: f64,
}

impl Losses {
    /// The loss that is always 0.
    pub(super) fn none(tilt: f64, interval: f64) -> Self {
        Self { tilt, interval, first: 0, weights: vec![1.0], log_mass: 0.0, lost: 0.0 }
    }

    /// The distribution of the sum of a loss of each. Both have one tilt; the finer grid becomes the coarser one, which
    /// must be it doubled some times. Leaves out tails of this weight.
    pub(super) fn compose(mut self, mut other: Self, tail: f64) -> Self {
        while self.interval < other.interval {
            self = self.coarser();
        }
        while other.interval < self.interval {
            other = other.coarser();
        }
        let (weights, error) = convolve(&self.weights, &other.weights);
        let mut composed = Self {
            first: self.first + other.first,
            weights,
            log_mass: self.log_mass + other.log_mass,
            lost: self.lost + other.lost + self.lost * other.lost + error,
            ..self
        };
        // In the tails there is nothing but rounding.
        composed.trim(tail.max(error));
        while composed.weights.len() > MOST_VALUES {
            composed = composed.coarser();
        }
        composed
    }

    /// Leaves out as much of each end as has this weight, and scales what is left.
    pub(super) fn trim(&mut self, tail: f64) {
        let upper = within(self.weights.iter().rev(), tail);
        self.weights.truncate((self.weights.len() - upper).max(1));
        let lower = within(self.weights.iter(), tail).min(self.weights.len() - 1);
        self.weights.drain(..lower);
        self.first += lower as i64;
        self.lost += 2.0 * tail;
        self.scale();
    }

    /// Scales the weights to a sum of 1.
    pub(super) fn scale(&mut self) {
        let sum: f64 = self.weights.iter().sum();
        self.log_mass += sum.ln();
        self.lost /= sum;
        for weight in &mut self.weights {
            *weight /= sum;
        }
    }

    /// On a grid of twice the interval: a loss between two points becomes both, with the probabilities that change
    /// neither its own nor that of the neighbouring data set ([Doroshenko et al.,
    /// 2022](https://arxiv.org/abs/2207.04380)). No delta becomes smaller.
    fn coarser(self) -> Self {
        let interval = self.interval;
        let down = (-self.tilt * interval).exp() / (1.0 + interval.exp());
        let up = (self.tilt * interval).exp() / (1.0 + (-interval).exp());
        let first = self.first.div_euclid(2);
        let last = self.first + self.weights.len() as i64 - 1;
        let mut weights = vec![0.0; ((last + 1).div_euclid(2) - first + 1) as usize];
        for (index, weight) in (self.first..).zip(&self.weights) {
            let place = (index.div_euclid(2) - first) as usize;
            if index.rem_euclid(2) == 0 {
                weights[place] += weight;
            } else {
                weights[place] += weight * down;
                weights[place + 1] += weight * up;
            }
        }
        let mut coarser = Self { interval: 2.0 * interval, first, weights, ..self };
        coarser.scale();
        coarser
    }

    /// The distribution of the sum of so many losses: by squaring. `interval_for` tells how coarse the grid may be for sums
    /// of some losses; `tail` is the weight that one loss may leave out.
    pub(super) fn repeated(self, times: u64, tail: f64, interval_for: impl Fn(f64) -> f64) -> Self {
        let mut sum = Self::none(self.tilt, self.interval);
        let mut power = self;
        let mut left = times;
        let mut losses = 1.0;
        loop {
            if left % 2 == 1 {
                sum = sum.compose(power.clone(), tail * losses);
            }
            left /= 2;
            if left == 0 {
                return sum;
            }
            while power.weights.len() > FEW_VALUES && 2.0 * power.interval <= interval_for(losses) {
                power = power.coarser();
            }
            power = power.clone().compose(power, tail * losses);
            losses *= 2.0;
        }
    }

    /// `ln` of an upper bound of delta at this epsilon.
    fn log_delta(&self, epsilon: f64) -> f64 {
        let from = ((epsilon / self.interval).floor() as i64 - self.first).max(0) as usize;
        let weights = self.weights.iter().enumerate().skip(from);
        let above = weights.map(|(index, weight)| {
            let beyond = (self.first + index as i64) as f64 * self.interval - epsilon;
            if beyond > 0.0 { weight * (-self.tilt * beyond).exp() * -(-beyond).exp_m1() } else { 0.0 }
        });
        // The most that a unit of weight adds to delta, wherever it is.
        let most = if self.tilt > 0.0 { -self.tilt * (1.0 / self.tilt).ln_1p() - self.tilt.ln_1p() } else { 0.0 };
        self.log_mass - self.tilt * epsilon + (above.sum::<f64>() + self.lost * most.exp()).ln()
    }

    /// The smallest epsilon whose delta is at most this, rounded up; none if it is above `most`.
    pub(super) fn epsilon(&self, log_delta: f64, most: f64) -> Option<f64> {
        if self.log_delta(0.0) <= log_delta {
            return Some(0.0);
        }
        let (mut low, mut high) = (0.0, most);
        let reached = self.log_delta(high) <= log_delta;
        if !reached {
            // Or it is NaN.
            return None;
        }
        for _ in 0..60 {
            let middle = 0.5 * (low + high);
            if self.log_delta(middle) <= log_delta {
                high = middle;
            } else {
                low = middle;
            }
            if high - low <= 1e-9 * high {
                break;
            }
        }
        Some(high)
    }
}

/// How many weights, from the first on, sum up to at most this.
fn within<'a>(weights: impl Iterator<Item = &'a f64>, most: f64) -> usize {
    let mut sum = 0.0;
    weights
        .take_while(|weight| {
            sum += **weight;
            sum <= most
        })
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The probabilities of a distribution with its training data, and with the neighbouring data.
    fn masses(losses: &Losses) -> (f64, f64) {
        let mut masses = (0.0, 0.0);
        for (index, weight) in (losses.first..).zip(&losses.weights) {
            let loss = index as f64 * losses.interval;
            let probability = (losses.log_mass - losses.tilt * loss).exp() * weight;
            masses = (masses.0 + probability, masses.1 + probability * (-loss).exp());
        }
        masses
    }

    fn some(first: i64) -> Losses {
        let weights = [0.1, 0.2, 0.05, 0.4, 0.25].to_vec();
        Losses { tilt: 3.0, interval: 0.3, first, weights, log_mass: 0.7, lost: 0.0 }
    }

    #[test]
    fn a_coarser_grid_keeps_both_masses_and_makes_no_delta_smaller() {
        for first in [-4, -3, 0, 1] {
            let fine = some(first);
            let coarse = fine.clone().coarser();
            let (before, after) = (masses(&fine), masses(&coarse));
            assert!((before.0 / after.0 - 1.0).abs() < 1e-14 && (before.1 / after.1 - 1.0).abs() < 1e-14);
            assert!((coarse.weights.iter().sum::<f64>() - 1.0).abs() < 1e-15);
            for epsilon in [0.0, 0.1, 0.3, 0.5, 0.6, 0.8, 1.0] {
                assert!(coarse.log_delta(epsilon) >= fine.log_delta(epsilon) - 1e-14, "{first}, {epsilon}");
            }
        }
    }

    #[test]
    fn masses_multiply_and_losses_add_up() {
        let one = some(-2);
        let three = one.clone().repeated(3, 0.0, |_| 0.3);
        let (first, third) = (masses(&one), masses(&three));
        assert!((first.0.powi(3) / third.0 - 1.0).abs() < 1e-12 && (first.1.powi(3) / third.1 - 1.0).abs() < 1e-12);
        assert_eq!((three.first, three.weights.len()), (-6, 13));
        assert!((three.weights[0] - 0.001).abs() < 1e-12 && three.lost < 1e-12);
    }

    #[test]
    fn delta_is_that_of_its_definition_and_epsilon_its_inverse() {
        let losses = some(-2);
        let probability = |index: i64| {
            let loss = index as f64 * 0.3;
            (0.7 - 3.0 * loss).exp() * losses.weights[(index + 2) as usize]
        };
        // Of the losses 0.3 and 0.6.
        let at = 0.2_f64;
        let delta = probability(1) * (1.0 - (at - 0.3).exp()) + probability(2) * (1.0 - (at - 0.6).exp());
        assert!((losses.log_delta(at) - delta.ln()).abs() < 1e-12);
        let found = losses.epsilon(delta.ln(), 5.0).unwrap();
        assert!(found >= at && found - at < 1e-8);
        assert_eq!(losses.epsilon(-1e9, 0.5), None);
        // What was lost may be anywhere, so delta is larger.
        let lossy = Losses { lost: 1e-3, ..losses.clone() };
        assert!(lossy.log_delta(at) > losses.log_delta(at));
        assert!(lossy.epsilon(delta.ln(), 5.0).unwrap() > found);
    }

    #[test]
    fn tails_that_are_left_out_count_as_lost() {
        let mut losses = some(0);
        losses.trim(0.12);
        assert_eq!((losses.first, losses.weights.len()), (1, 4));
        assert!((losses.lost - 0.24 / 0.9).abs() < 1e-15);
    }
}
