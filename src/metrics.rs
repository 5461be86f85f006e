//! What is measured beside the loss, and the numbers a run of examples scored.

use crate::data::Target;
use crate::kernels::softmax::argmax;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Something measured beside the loss, as in [Keras](https://keras.io/api/metrics/).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Metric {
    /// The part of the examples whose class has the highest probability, from 0 to 1.
    Accuracy,
}

impl Metric {
    /// Keras' name for it, as in logs and histories.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Accuracy => "accuracy",
        }
    }
}

/// Which way a score gets better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Down,
    Up,
}

impl Direction {
    /// The direction of the score with this name.
    pub(crate) fn of(name: &str) -> Self {
        if name == "loss" { Self::Down } else { Self::Up }
    }
}

/// What a metric has gathered from some examples.
#[derive(Clone, Debug)]
pub(crate) struct MetricState {
    outputs: usize,
    correct: usize,
    examples: usize,
}

impl MetricState {
    pub(crate) fn new(_metric: Metric, outputs: usize) -> Self {
        Self { outputs, correct: 0, examples: 0 }
    }

    pub(crate) fn needs_probabilities(&self) -> bool {
        self.outputs == 1
    }

    pub(crate) fn reset(&mut self) {
        (self.correct, self.examples) = (0, 0);
    }

    pub(crate) fn update(&mut self, probabilities: &[f32], target: Target<'_>) {
        let right = match (probabilities, target) {
            ([probability], _) => (*probability > 0.5) == (target.value(0, 1) > 0.5),
            (_, Target::Class(class)) => argmax(probabilities) == class,
            (_, Target::Values(values)) => argmax(probabilities) == argmax(values),
        };
        self.correct += usize::from(right);
        self.examples += 1;
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.correct += other.correct;
        self.examples += other.examples;
    }

    pub(crate) fn value(&self) -> f64 {
        self.correct as f64 / self.examples as f64
    }
}

/// The loss and the metrics of some examples.
///
/// It prints as Keras does: `accuracy: 0.9907 - loss: 0.0291`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// The mean loss of an example.
    pub loss: f64,
    /// The metrics given to `compile`, in that order.
    pub metrics: Vec<(Metric, f64)>,
}

impl Scores {
    /// All scores by their names, in Keras' order: the metrics, then the loss.
    pub fn named(&self) -> impl Iterator<Item = (String, f64)> {
        let metrics = self.metrics.iter().map(|(metric, value)| (metric.name().to_owned(), *value));
        metrics.chain([("loss".to_owned(), self.loss)])
    }

    /// The value of a metric, if it was given to `compile`.
    #[must_use]
    pub fn get(&self, metric: Metric) -> Option<f64> {
        self.metrics.iter().find(|(measured, _)| *measured == metric).map(|(_, value)| *value)
    }

    /// The accuracy, from 0 to 1; NaN if [`Metric::Accuracy`] was not given to `compile`.
    #[must_use]
    pub fn accuracy(&self) -> f64 {
        self.get(Metric::Accuracy).unwrap_or(f64::NAN)
    }

    /// As [`fmt::Display`], with a prefix before each name.
    pub(crate) fn line(&self, prefix: &str) -> String {
        let metrics = self.metrics.iter().map(|(metric, value)| format!("{prefix}{}: {value:.4} - ", metric.name()));
        format!("{}{prefix}loss: {:.4}", metrics.collect::<String>(), self.loss)
    }
}

impl fmt::Display for Scores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line(""))
    }
}
