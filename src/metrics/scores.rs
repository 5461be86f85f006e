//! The numbers a run of examples scored.

use super::{Metric, unique_names};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The loss and the metrics of some examples.
///
/// It prints as Keras does: `accuracy: 0.9907 - loss: 0.0291`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// The mean loss of an example.
    pub loss: f64,
    /// The metrics given to `compile`, in that order; of a model with several outputs they are with the outputs.
    pub metrics: Vec<(Metric, f64)>,
    /// Of a model with several outputs what each scored; otherwise empty.
    #[serde(default)]
    pub outputs: Vec<OutputScores>,
}

/// What one of several outputs scored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OutputScores {
    /// The name of the layer that gives the output.
    pub name: String,
    /// The mean loss of an example, not weighted.
    pub loss: f64,
    /// Its metrics, in the order given to `compile`.
    pub metrics: Vec<(Metric, f64)>,
}

impl Scores {
    /// The scores of a model with one output.
    #[must_use]
    pub fn new(loss: f64, metrics: Vec<(Metric, f64)>) -> Self {
        Self { loss, metrics, outputs: Vec::new() }
    }

    /// All scores by their names, in Keras' order: the metrics, then the loss; for several outputs those of each, with
    /// its name in front, then the sum of the losses.
    pub fn named(&self) -> impl Iterator<Item = (String, f64)> {
        let metrics = self.metrics.iter().map(|(_, value)| *value);
        let outputs =
            self.outputs.iter().flat_map(|output| output.metrics.iter().map(|(_, value)| *value).chain([output.loss]));
        self.names().into_iter().zip(metrics.chain(outputs)).chain([("loss".to_owned(), self.loss)])
    }

    /// The value of this name, as in [`names`](Self::names), or `loss`. [`History::get`](crate::History::get) has those
    /// of all epochs.
    ///
    /// # Errors
    /// [`Error::Data`] with the names there are, if there is none of this name.
    ///
    /// ```
    /// use inkstone::{Metric, Scores};
    /// let scores = Scores::new(0.2, vec![(Metric::Accuracy, 0.94)]);
    /// assert_eq!(scores.get("accuracy")?, 0.94);
    /// let error = scores.get("auc").unwrap_err().to_string();
    /// assert_eq!(error, "the scores have no auc, they have accuracy, loss: give the metric to `compile`");
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn get(&self, name: &str) -> Result<f64> {
        self.named().find(|(known, _)| known == name).map(|(_, value)| value).ok_or_else(|| {
            let names: Vec<String> = self.named().map(|(name, _)| name).collect();
            Error::Data(format!(
                "the scores have no {name}, they have {}: give the metric to `compile`",
                names.join(", ")
            ))
        })
    }

    /// The accuracy, from 0 to 1.
    ///
    /// # Errors
    /// [`Error::Data`] if [`Metric::Accuracy`] was not given to `compile`.
    ///
    /// ```
    /// use inkstone::{Metric, Scores};
    /// assert_eq!(Scores::new(0.3, vec![(Metric::Accuracy, 0.9)]).accuracy()?, 0.9);
    /// assert_eq!(
    ///     Scores::new(0.3, vec![]).accuracy().unwrap_err().to_string(),
    ///     "the scores have no accuracy, they have loss: give the metric to `compile`"
    /// );
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn accuracy(&self) -> Result<f64> {
        self.get("accuracy")
    }

    /// Keras' names of the metrics, in that order, and of several outputs' losses; from the second of a name on with
    /// `_1`, `_2` and so on after it.
    ///
    /// ```
    /// use inkstone::Scores;
    /// use inkstone::metrics::{Metric, Recall};
    /// let metrics = vec![(Recall::new().class_id(0).into(), 0.9), (Recall::new().class_id(1).into(), 0.8)];
    /// let scores = Scores::new(0.3, metrics);
    /// assert_eq!(scores.names(), ["recall", "recall_1"]);
    /// assert_eq!(scores.to_string(), "recall: 0.9000 - recall_1: 0.8000 - loss: 0.3000");
    /// ```
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let names = |metrics: &[(Metric, f64)]| unique_names(metrics.iter().map(|(metric, _)| metric));
        let outputs = self.outputs.iter().flat_map(|OutputScores { name, metrics, .. }| {
            names(metrics).into_iter().chain(["loss".to_owned()]).map(move |score| format!("{name}_{score}"))
        });
        names(&self.metrics).into_iter().chain(outputs).collect()
    }
}

impl fmt::Display for Scores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scores = self.named().map(|(name, value)| format!("{name}: {value:.4}"));
        f.write_str(&scores.collect::<Vec<_>>().join(" - "))
    }
}
