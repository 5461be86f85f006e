//! The privacy loss of one step on a grid: no delta is smaller than the step's own.

use super::losses::{Losses, MOST_VALUES};
use super::step::{Span, Step};
use std::f64::consts::{LN_2, PI};

/// Which of two neighbouring data sets was trained on.
#[derive(Clone, Copy, Debug)]
pub(super) enum Direction {
    /// The one with the example: the other has it removed.
    Remove,
    /// The one without: the other has it added.
    Add,
}

impl Direction {
    /// The privacy loss of an output.
    fn loss(self, step: &Step, z: f64) -> f64 {
        match self {
            Self::Remove => step.log_ratio(z),
            Self::Add => -step.log_ratio(z),
        }
    }

    /// The outputs with losses between two.
    fn outputs(self, step: &Step, losses: (f64, f64)) -> (f64, f64) {
        match self {
            Self::Remove => (step.z_of(losses.0), step.z_of(losses.1)),
            Self::Add => (step.z_of(-losses.1), step.z_of(-losses.0)),
        }
    }

    /// The outputs without those that have the largest losses, which have at most this probability.
    pub(super) fn likely(self, step: &Step, log_probability: f64) -> Span {
        // The tail of the normal distribution is at most exp(-x^2 / 2) / 2.
        let tail = |x: f64| if x > 0.0 { -0.5 * x * x - LN_2 } else { 0.0 };
        let (mut inside, mut outside) = (0.0, 2.0 * (-log_probability).max(1.0).sqrt() + 2.0 + 1.0 / step.noise);
        for _ in 0..60 {
            let middle = 0.5 * (inside + outside);
            let at_most = match self {
                Self::Remove => tail(middle).max(step.rate.ln() + tail(middle - 1.0 / step.noise)) + LN_2,
                Self::Add => tail(middle),
            };
            *(if at_most > log_probability { &mut inside } else { &mut outside }) = middle;
        }
        match self {
            Self::Remove => Span { low: f64::MIN, high: outside },
            Self::Add => Span { low: -outside, high: f64::MAX },
        }
    }

    /// The power of the ratio whose mean is `E[exp(tilt * loss)]`.
    pub(super) fn power(self, tilt: f64) -> f64 {
        match self {
            Self::Remove => tilt + 1.0,
            Self::Add => -tilt,
        }
    }
}

/// How a distribution is made discrete.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grid {
    pub(super) tilt: f64,
    pub(super) interval: f64,
    /// The weight that may be left out at each end.
    pub(super) tail: f64,
}

/// Nodes and weights of Gauss and Legendre's rule of four points.
const NODES: [(f64, f64); 4] = [
    (-0.861_136_311_594_052_6, 0.347_854_845_137_453_85),
    (-0.339_981_043_584_856_26, 0.652_145_154_862_546_1),
    (0.339_981_043_584_856_26, 0.652_145_154_862_546_1),
    (0.861_136_311_594_052_6, 0.347_854_845_137_453_85),
];

/// The losses of one step, but for outputs outside of a range and for this weight. A loss between two points of the grid
/// becomes both, with the probabilities that change neither its own nor that of the neighbouring data set: [Doroshenko et
/// al., 2022](https://arxiv.org/abs/2207.04380), who call it "connect the dots". The interval is doubled until there are
/// few enough. None where it would take too many outputs.
pub(super) fn losses(step: &Step, direction: Direction, grid: Grid, within: Span) -> Option<Losses> {
    let Grid { tilt, mut interval, tail } = grid;
    let power = direction.power(tilt);
    let log_moment = step.log_moment(power, within);
    // Beyond `reach` the integrand falls faster than a geometric series.
    let reach = power.abs() / step.noise + 101.0;
    let level = log_moment + 0.5 * (2.0 * PI).ln() + (0.1 * tail / reach).ln();
    let support = step.support(power, level, within);
    let (low, high) = (support[0].low, support[support.len() - 1].high);
    let farthest = low.abs().max(high.abs()).max(10.0);
    let width = if step.rate == 1.0 { 1.0 / farthest } else { (0.1 * step.noise).min(1.0 / farthest) };
    if support.iter().map(|part| (part.high - part.low) / width).sum::<f64>() > MOST_VALUES as f64 {
        return None;
    }
    let ends = (direction.loss(step, low), direction.loss(step, high));
    let (lowest, highest) = (ends.0.min(ends.1), ends.0.max(ends.1));
    while highest - lowest > (MOST_VALUES / 2) as f64 * interval {
        interval *= 2.0;
    }
    let (first, last) = ((lowest / interval).floor(), (highest / interval).ceil());
    let are_exact = first.abs().max(last.abs()) < 1e12;
    if !are_exact {
        return None;
    }
    let mut weights = vec![0.0; (last - first) as usize + 2];
    let log_scale = -0.5 * (2.0 * PI).ln() - log_moment;
    let up = (tilt * interval).exp();
    let whole = -(-interval).exp_m1();
    for index in 0..weights.len() - 1 {
        let loss = (first + index as f64) * interval;
        let cell = direction.outputs(step, (loss, loss + interval));
        for part in &support {
            let (low, high) = (cell.0.max(part.low), cell.1.min(part.high));
            if low >= high {
                continue;
            }
            let panels = ((high - low) / width).ceil().max(1.0);
            let half = 0.5 * (high - low) / panels;
            for panel in 0..panels as usize {
                for (node, factor) in NODES {
                    let z = low + half * (2.0 * panel as f64 + 1.0 + node);
                    let ratio = step.log_ratio(z);
                    let (density, its_loss) = match direction {
                        Direction::Remove => (-0.5 * z * z + ratio, ratio),
                        Direction::Add => (-0.5 * z * z, -ratio),
                    };
                    let weight = half * factor * (density + tilt * loss + log_scale).exp();
                    let share = (-(loss - its_loss).exp_m1() / whole).clamp(0.0, 1.0);
                    weights[index] += weight * (1.0 - share);
                    weights[index + 1] += weight * share * up;
                }
            }
        }
    }
    let mut losses = Losses { tilt, interval, first: first as i64, weights, log_mass: log_moment, lost: tail };
    losses.scale();
    losses.trim(tail);
    Some(losses)
}
