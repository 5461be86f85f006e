//! Metrics that are the mean of something over examples: log losses and errors.

use super::cells::ratio;
use super::{Measure, require};
use crate::data::Target;
use crate::error::Result;
use crate::kernels::sum::long_sum;

/// How far from 0 and 1 Keras keeps a probability before its logarithm is taken.
const EPSILON: f32 = 1e-7;

/// What is averaged. Sums: of the examples' values, and how many there are.
#[derive(Clone, Copy, Debug)]
pub(super) enum Mean {
    CategoricalCrossentropy,
    BinaryCrossentropy,
    SquaredError,
    AbsoluteError,
}

impl Measure for Mean {
    fn name(&self) -> &str {
        match self {
            Self::CategoricalCrossentropy => "categorical_crossentropy",
            Self::BinaryCrossentropy => "binary_crossentropy",
            Self::SquaredError => "mean_squared_error",
            Self::AbsoluteError => "mean_absolute_error",
        }
    }

    fn check(&self, outputs: usize) -> Result<()> {
        match self {
            Self::CategoricalCrossentropy => require(
                outputs > 1,
                "metric",
                "BinaryCrossentropy for a model of one output, which alone is always probability 1",
                || "CategoricalCrossentropy".into(),
            ),
            Self::BinaryCrossentropy | Self::SquaredError | Self::AbsoluteError => Ok(()),
        }
    }

    fn needs_probabilities(&self, _outputs: usize) -> bool {
        true
    }

    fn sums(&self, _outputs: usize) -> usize {
        2
    }

    fn update(&self, sums: &mut [f64], probabilities: &[f32], target: Target<'_>) {
        let outputs = probabilities.len();
        let cells = probabilities.iter().enumerate();
        let cells = cells.map(|(output, probability)| (*probability, target.value(output, outputs)));
        let mean = |values: &mut dyn Iterator<Item = f64>| values.sum::<f64>() / outputs as f64;
        sums[0] += match self {
            Self::CategoricalCrossentropy => {
                let all = long_sum(probabilities.iter().copied());
                cells.filter(|(_, target)| *target != 0.0).map(|(p, target)| -f64::from(target) * ln(p / all)).sum()
            }
            Self::BinaryCrossentropy => mean(&mut cells.map(|(p, target)| {
                let p = p.clamp(EPSILON, 1.0 - EPSILON);
                -f64::from(target) * ln(p) - f64::from(1.0 - target) * ln(1.0 - p)
            })),
            Self::SquaredError => mean(&mut cells.map(|(p, target)| (f64::from(p) - f64::from(target)).powi(2))),
            Self::AbsoluteError => mean(&mut cells.map(|(p, target)| (f64::from(p) - f64::from(target)).abs())),
        };
        sums[1] += 1.0;
    }

    fn value(&self, sums: &[f64]) -> f64 {
        ratio(sums[0], sums[1])
    }
}

/// The logarithm of a probability that is kept away from 0 and 1.
fn ln(probability: f32) -> f64 {
    f64::from(probability.clamp(EPSILON, 1.0 - EPSILON)).ln()
}
