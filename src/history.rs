//! What a training run leaves behind: one record an epoch.

use crate::metrics::Scores;
use serde::{Deserialize, Serialize};

/// What [`fit`](crate::Model::fit) returns, as Keras' `History`.
///
/// ```
/// use inkstone::{Epoch, History, Metric, Scores};
/// let scores = Scores { loss: 0.2, metrics: vec![(Metric::Accuracy, 0.94)] };
/// let epoch = Epoch { training: scores, validation: None, learning_rate: 0.001, seconds: 1.5 };
/// let history = History { epochs: vec![epoch] };
/// assert_eq!(history.losses(), [0.2]);
/// assert_eq!(history.get("accuracy"), [0.94]);
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
    /// The learning rate of the epoch's first step.
    pub learning_rate: f32,
    /// Wall time of the epoch with its validation.
    pub seconds: f64,
}

impl History {
    /// The values of this name, one for each epoch that has one, as Keras' `history.history[name]`: `loss`, `val_loss`,
    /// `accuracy`, `val_accuracy`, `learning_rate`, and so on.
    #[must_use]
    pub fn get(&self, name: &str) -> Vec<f64> {
        self.epochs.iter().filter_map(|epoch| epoch.get(name)).collect()
    }

    /// The names that [`get`](Self::get) has values for.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let Some(epoch) = self.epochs.first() else { return Vec::new() };
        let validation =
            epoch.validation.iter().flat_map(|scores| scores.named().map(|(name, _)| format!("val_{name}")));
        let training = epoch.training.named().map(|(name, _)| name);
        training.chain(validation).chain(["learning_rate".to_owned()]).collect()
    }

    /// The training loss of each epoch.
    #[must_use]
    pub fn losses(&self) -> Vec<f64> {
        self.epochs.iter().map(|epoch| epoch.training.loss).collect()
    }
}

impl Epoch {
    fn get(&self, name: &str) -> Option<f64> {
        if name == "learning_rate" {
            return Some(self.learning_rate.into());
        }
        let (scores, name) = match name.strip_prefix("val_") {
            Some(name) => (self.validation.as_ref()?, name),
            None => (&self.training, name),
        };
        scores.named().find(|(known, _)| known == name).map(|(_, value)| value)
    }
}
