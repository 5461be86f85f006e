//! What is measured beside the loss, and the numbers a run of examples scored.

use crate::loss::Tally;
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

    fn value(self, tally: &Tally) -> f64 {
        match self {
            Self::Accuracy => tally.correct as f64 / tally.examples as f64,
        }
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
    pub(crate) fn new(tally: &Tally, metrics: &[Metric]) -> Self {
        Self {
            loss: tally.loss / tally.examples as f64,
            metrics: metrics.iter().map(|metric| (*metric, metric.value(tally))).collect(),
        }
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
