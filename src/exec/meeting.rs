//! Where the chunks of a batch meet: what each has gathered at a step that normalizes over the batch becomes what they
//! have together, in the order of the chunks, in `f64`.

use super::workspace::Workspace;
use crate::plan::{Plan, Step};
use crate::program::Plain;
use crate::program::plain::{BatchNorm, Statistics};
use std::ops::Range;

/// The way a batch goes through a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Forward,
    Backward,
}

/// What the chunks of a batch have together at one step.
#[derive(Clone, Debug)]
pub(crate) struct Meeting {
    step: usize,
    /// Pixels of one example.
    pixels: usize,
    /// Pixels of all chunks so far.
    count: f64,
    /// Forward: means; backward: sums of gradients, and their means once all are there.
    first: Vec<f64>,
    /// Forward: sums of squared deviations; backward: those of products with the distance from the mean.
    second: Vec<f64>,
    /// What the moving statistics take up.
    mean: Vec<f32>,
    variance: Vec<f32>,
}

impl Meeting {
    /// The meetings of a plan, in the order of its phases.
    pub(crate) fn all(plan: &Plan) -> Vec<Self> {
        let meeting = |step: usize| {
            let channels = norm(plan, step).channels;
            let pixels = plan.lengths[plan.steps[step].writes.0] / channels;
            let zeros = || vec![0.0; channels];
            Self {
                step,
                pixels,
                count: 0.0,
                first: zeros(),
                second: zeros(),
                mean: vec![0.0; channels],
                variance: vec![0.0; channels],
            }
        };
        plan.meetings().map(meeting).collect()
    }

    /// Starts anew.
    pub(crate) fn open(&mut self) {
        self.count = 0.0;
        self.first.fill(0.0);
        self.second.fill(0.0);
    }

    /// How many channels it has.
    pub(crate) fn channels(&self) -> usize {
        self.first.len()
    }

    /// What a chunk has gathered: means and sums of squared deviations, or sums of gradients and of products.
    pub(crate) fn gathered<'w>(
        &self,
        plan: &Plan,
        direction: Direction,
        workspace: &'w mut Workspace,
    ) -> [&'w mut [f32]; 2] {
        let kept = norm(plan, self.step).kept(&mut workspace.saved[self.step].floats);
        match direction {
            Direction::Forward => kept.forward,
            Direction::Backward => kept.backward,
        }
    }

    /// Takes up what a chunk of so many images has gathered.
    pub(crate) fn take_up(
        &mut self,
        direction: Direction,
        [first, second]: [impl Iterator<Item = f32>; 2],
        images: usize,
    ) {
        let count = (images * self.pixels) as f64;
        let total = self.count + count;
        let own = self.first.iter_mut().zip(&mut self.second).zip(first.zip(second));
        match direction {
            Direction::Forward => {
                for ((mean, sum), (chunk_mean, chunk_sum)) in own {
                    let delta = f64::from(chunk_mean) - *mean;
                    *mean += delta * count / total;
                    *sum += f64::from(chunk_sum) + delta * delta * self.count * count / total;
                }
            }
            Direction::Backward => {
                for ((sum, product), (chunk_sum, chunk_product)) in own {
                    *sum += f64::from(chunk_sum);
                    *product += f64::from(chunk_product);
                }
            }
        }
        self.count = total;
    }

    /// Makes what all chunks have gathered the batch's moments, or the means of its gradients.
    pub(crate) fn close(&mut self, direction: Direction) {
        match direction {
            Direction::Forward => {
                self.mean.iter_mut().zip(&self.first).for_each(|(mean, first)| *mean = *first as f32);
                let count = self.count;
                let variances = self.variance.iter_mut().zip(&self.second);
                variances.for_each(|(variance, sum)| *variance = (*sum / count) as f32);
            }
            Direction::Backward => {
                let count = self.count;
                self.first.iter_mut().chain(&mut self.second).for_each(|sum| *sum /= count);
            }
        }
    }

    /// Writes to a chunk what all have together.
    pub(crate) fn share(&self, plan: &Plan, direction: Direction, workspace: &mut Workspace) {
        let norm = norm(plan, self.step);
        let kept = norm.kept(&mut workspace.saved[self.step].floats);
        let [mean, reciprocal] = kept.forward;
        match direction {
            Direction::Forward => {
                mean.copy_from_slice(&self.mean);
                let of = |variance: &f32| 1.0 / (variance + norm.epsilon).sqrt();
                reciprocal.iter_mut().zip(&self.variance).for_each(|(to, variance)| *to = of(variance));
            }
            Direction::Backward => {
                let [offset, slope] = kept.backward;
                offset.iter_mut().zip(&self.first).for_each(|(offset, mean)| *offset = *mean as f32);
                for ((slope, mean), reciprocal) in slope.iter_mut().zip(&self.second).zip(reciprocal.iter()) {
                    *slope = *mean as f32 * reciprocal * reciprocal;
                }
            }
        }
    }

    /// The moving statistics take up the batch's.
    ///
    /// - flat: all weights
    pub(crate) fn update_state(&self, plan: &Plan, flat: &mut [f32]) {
        for (place, values, share) in self.shares(plan) {
            let moving = flat[place].iter_mut().zip(values);
            moving.for_each(|(moving, value)| *moving = *moving * (1.0 - share) + value * share);
        }
    }

    /// The same, to be done later.
    pub(crate) fn state_update(&self, plan: &Plan) -> StateUpdate {
        let part = |(place, values, share): (Range<usize>, &[f32], f32)| {
            (place, 1.0 - share, values.iter().map(|value| value * share).collect())
        };
        StateUpdate { parts: self.shares(plan).map(part).collect() }
    }

    /// For each of the moving statistics: its place, the batch's values, and how much those count.
    fn shares(&self, plan: &Plan) -> impl Iterator<Item = (Range<usize>, &[f32], f32)> {
        let norm = norm(plan, self.step);
        let weights = norm.weights(&plan.steps[self.step].weights);
        let share = match norm.statistics {
            Statistics::Batch { momentum } => 1.0 - momentum,
            Statistics::Moving => 0.0,
        };
        let both = [(weights.mean, &self.mean), (weights.variance, &self.variance)];
        both.map(|(place, values)| (place.range.clone(), &values[..], share)).into_iter()
    }
}

/// What becomes of the moving statistics of one step.
#[derive(Clone, Debug)]
pub(crate) struct StateUpdate {
    /// For each weight: its place, what it is multiplied by, and what is added.
    parts: Vec<(Range<usize>, f32, Vec<f32>)>,
}

impl StateUpdate {
    /// Another update of the same step comes after this one.
    pub(crate) fn then(&mut self, next: &Self) {
        for ((_, factor, summands), (_, next_factor, next_summands)) in self.parts.iter_mut().zip(&next.parts) {
            *factor *= next_factor;
            let pairs = summands.iter_mut().zip(next_summands);
            pairs.for_each(|(summand, next)| *summand = *summand * next_factor + next);
        }
    }

    /// - flat: all weights
    pub(crate) fn apply(&self, flat: &mut [f32]) {
        for (place, factor, summands) in &self.parts {
            let moving = flat[place.clone()].iter_mut().zip(summands);
            moving.for_each(|(moving, summand)| *moving = *moving * factor + summand);
        }
    }
}

/// The normalization that is a plan's step.
fn norm(plan: &Plan, step: usize) -> &BatchNorm {
    match &plan.steps[step].step {
        Step::Plain(Plain::BatchNorm(norm)) => norm,
        Step::Plain(_) | Step::Conv(_) => unreachable!("only normalizations over a batch meet"),
    }
}
