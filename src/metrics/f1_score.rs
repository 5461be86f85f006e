//! The F1 score, from sums of its own for each class.

use super::{Measure, require};
use crate::data::Target;
use crate::error::Result;
use serde::{Deserialize, Serialize};

/// What Keras adds to a divisor.
const EPSILON: f64 = 1e-7;

/// The harmonic mean of precision and recall, averaged over classes, as
/// [Keras' `F1Score`](https://keras.io/api/metrics/f_score_metrics/#f1score-class). The scores of each class, Keras'
/// `average=None`, are in the [report on a model](crate::Model::evaluate_report).
///
/// ```
/// use inkstone::metrics::{Average, F1Score};
/// assert_eq!(F1Score::new().average(Average::Weighted).threshold, None);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct F1Score {
    /// How classes become one number; macro. (Keras' default is no average.)
    pub average: Average,
    /// What an output must exceed to be found. If it is not set, it is 0.5 for a model whose outputs are probabilities
    /// that do not exclude each other (a sigmoid, or the logits of [`BinaryCrossentropy`](crate::BinaryCrossentropy)),
    /// as in [`Precision`](super::Precision); for other models an example's highest output is found, and those that
    /// equal it. (Keras finds the highest of all models.)
    pub threshold: Option<f32>,
}

/// How the scores of classes become one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Average {
    /// The mean over classes, each as important as the others.
    #[default]
    Macro,
    /// The score of all classes' counts added up.
    Micro,
    /// The mean over classes, each as important as it is frequent among the targets.
    Weighted,
}

impl F1Score {
    /// The mean over classes; what is found depends on the model, as [`threshold`](Self#structfield.threshold) says.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how classes become one number.
    #[must_use]
    pub fn average(self, average: Average) -> Self {
        Self { average, ..self }
    }

    /// Sets what an output must exceed to be found: above 0, at most 1.
    #[must_use]
    pub fn threshold(self, threshold: f32) -> Self {
        Self { threshold: Some(threshold), ..self }
    }
}

/// Sums: for each class what was found and right, found and wrong, and missed.
impl Measure for F1Score {
    fn name(&self) -> &str {
        "f1_score"
    }

    fn check(&self, _outputs: usize) -> Result<()> {
        let threshold = self.threshold.unwrap_or(1.0);
        let name = "threshold of F1Score";
        require(threshold > 0.0 && threshold <= 1.0, name, "above 0 and at most 1", || threshold.to_string())
    }

    fn needs_probabilities(&self, _outputs: usize) -> bool {
        true
    }

    fn sums(&self, outputs: usize) -> usize {
        3 * outputs
    }

    fn update(&self, sums: &mut [f64], probabilities: &[f32], target: Target<'_>) {
        let highest = probabilities.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        for (output, (sums, probability)) in sums.chunks_exact_mut(3).zip(probabilities).enumerate() {
            let target = f64::from(target.value(output, probabilities.len()));
            let found = match self.threshold {
                Some(threshold) => *probability > threshold,
                // As in Keras: where all outputs are 0, none is found.
                None => *probability >= highest && probability.abs() > 1e-9,
            };
            if found {
                sums[0] += target;
                sums[1] += 1.0 - target;
            } else {
                sums[2] += target;
            }
        }
    }

    fn value(&self, sums: &[f64]) -> f64 {
        let classes = sums.chunks_exact(3);
        match self.average {
            Average::Macro => classes.clone().map(f1).sum::<f64>() / classes.len() as f64,
            Average::Micro => f1(&[0, 1, 2].map(|place| classes.clone().map(|sums| sums[place]).sum())),
            Average::Weighted => {
                let support = |sums: &[f64]| sums[0] + sums[2];
                let all: f64 = classes.clone().map(support).sum();
                classes.map(|sums| f1(sums) * support(sums) / (all + EPSILON)).sum()
            }
        }
    }
}

/// The score of what was found and right, found and wrong, and missed.
fn f1(sums: &[f64]) -> f64 {
    let precision = sums[0] / (sums[0] + sums[1] + EPSILON);
    let recall = sums[0] / (sums[0] + sums[2] + EPSILON);
    2.0 * precision * recall / (precision + recall + EPSILON)
}
