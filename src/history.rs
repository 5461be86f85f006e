//! What a training run leaves behind: one record an epoch.

use crate::metrics::Scores;
use serde::{Deserialize, Serialize};

/// What [`fit`](crate::Model::fit) returns, as Keras' `History`.
///
/// ```
/// use inkstone::{Epoch, History, Metric, Scores};
/// let scores = Scores { loss: 0.2, metrics: vec![(Metric::Accuracy, 0.94)] };
/// let history = History { epochs: vec![Epoch { training: scores, validation: None, seconds: 1.5 }] };
/// assert_eq!(history.losses(), [0.2]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// The epochs, in order.
    pub epochs: Vec<Epoch>,
}

/// One epoch of a [`History`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// Means over the epoch's batches, measured while the weights changed.
    pub training: Scores,
    /// Scores on the validation data after the epoch, if there were any.
    pub validation: Option<Scores>,
    /// Wall time of the epoch with its validation.
    pub seconds: f64,
}

impl History {
    /// The training loss of each epoch.
    #[must_use]
    pub fn losses(&self) -> Vec<f64> {
        self.epochs.iter().map(|epoch| epoch.training.loss).collect()
    }
}
