//! Precision, recall and F1 of each class, and their averages, from the confusion matrix.

use ndarray::{ArrayView2, Axis};
use serde::Serialize;

/// Precision, recall and F1 score of a class, or averages of them, as scikit-learn's
/// [`precision_recall_fscore_support`](https://scikit-learn.org/stable/modules/generated/sklearn.metrics.precision_recall_fscore_support.html)
/// with `zero_division=0`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ClassScores {
    /// The part of the examples predicted as this class that are of it; 0 if there are none.
    pub precision: f64,
    /// The part of the class' examples that are predicted as it; 0 if there are none.
    pub recall: f64,
    /// The harmonic mean of the two; 0 if the class has no examples and is never predicted.
    pub f1_score: f64,
    /// How many examples are of the class; for an average, how many there are.
    pub support: usize,
}

/// All classes' scores.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Scores {
    pub(super) classes: Vec<ClassScores>,
    pub(super) accuracy: f64,
    pub(super) macro_average: ClassScores,
    pub(super) micro_average: ClassScores,
    pub(super) weighted_average: ClassScores,
}

impl Scores {
    /// The scores of at least one example.
    pub(super) fn new(counts: ArrayView2<'_, usize>) -> Self {
        let (of_class, predicted) = (counts.sum_axis(Axis(1)), counts.sum_axis(Axis(0)));
        let score = |class: usize| {
            let right = counts[[class, class]];
            ClassScores {
                precision: ratio(right, predicted[class]),
                recall: ratio(right, of_class[class]),
                f1_score: ratio(2 * right, of_class[class] + predicted[class]),
                support: of_class[class],
            }
        };
        let classes: Vec<ClassScores> = (0..of_class.len()).map(score).collect();
        let support = of_class.sum();
        let average = |weight: &dyn Fn(&ClassScores) -> f64| {
            let weights: f64 = classes.iter().map(weight).sum();
            let mean = |of: fn(&ClassScores) -> f64| {
                classes.iter().map(|scores| of(scores) * weight(scores)).sum::<f64>() / weights
            };
            ClassScores {
                precision: mean(|scores| scores.precision),
                recall: mean(|scores| scores.recall),
                f1_score: mean(|scores| scores.f1_score),
                support,
            }
        };
        let accuracy = ratio(counts.diag().sum(), support);
        let macro_average = average(&|_| 1.0);
        let weighted_average = average(&|scores| scores.support as f64);
        let micro_average = ClassScores { precision: accuracy, recall: accuracy, f1_score: accuracy, support };
        Self { classes, accuracy, macro_average, micro_average, weighted_average }
    }
}

fn ratio(part: usize, of: usize) -> f64 {
    if of == 0 { 0.0 } else { part as f64 / of as f64 }
}
