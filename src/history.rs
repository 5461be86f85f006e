//! The record of a training, epoch by epoch.

use crate::error::{Error, Result};
use crate::metrics::Scores;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What [`fit`](crate::Model::fit) returns, as Keras' `History`.
///
/// ```
/// use inkstone::{Epoch, History, Metric, Scores};
/// let scores = Scores::new(0.2, vec![(Metric::Accuracy, 0.94)]);
/// let epoch = Epoch { training: scores, validation: None, learning_rate: 0.001, seconds: 1.5, logged: Vec::new() };
/// let history = History { epochs: vec![epoch] };
/// assert_eq!(history.losses(), [0.2]);
/// assert_eq!(history.get("accuracy")?, [0.94]);
/// assert_eq!(history.to_csv(), "epoch,accuracy,loss,learning_rate,seconds\n0,0.94,0.2,0.001,1.5\n");
/// let table = history.to_string();
/// assert_eq!(table.lines().next(), Some("epoch  accuracy    loss  learning_rate"));
/// assert_eq!(table.lines().nth(1), Some("    1    0.9400  0.2000         0.0010"));
/// # Ok::<(), inkstone::Error>(())
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
    /// What callbacks [logged](crate::callbacks::Training::log) in the epoch, by names.
    #[serde(default)]
    pub logged: Vec<(String, f64)>,
}

impl History {
    /// The values of this name, one for each epoch that has one, as Keras' `history.history[name]`: `loss`, `val_loss`,
    /// `accuracy`, `val_accuracy`, `learning_rate`, and so on. A history without epochs has no values of any name.
    ///
    /// # Errors
    /// [`Error::Data`] with the names there are, if no epoch has such a value.
    ///
    /// ```
    /// use inkstone::{Epoch, History, Scores};
    /// let training = Scores::new(0.2, vec![]);
    /// let epoch = Epoch { training, validation: None, learning_rate: 0.001, seconds: 1.5, logged: vec![] };
    /// assert_eq!(
    ///     History { epochs: vec![epoch] }.get("accuracy").unwrap_err().to_string(),
    ///     "the history has no accuracy, it has loss, learning_rate"
    /// );
    /// ```
    pub fn get(&self, name: &str) -> Result<Vec<f64>> {
        let values: Vec<f64> = self.epochs.iter().filter_map(|epoch| epoch.get(name)).collect();
        if values.is_empty() && !self.epochs.is_empty() {
            return Err(Error::Data(format!("the history has no {name}, it has {}", self.names().join(", "))));
        }
        Ok(values)
    }

    /// The names that [`get`](Self::get) has values for.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let Some(epoch) = self.epochs.first() else { return Vec::new() };
        let validation =
            epoch.validation.iter().flat_map(|scores| scores.named().map(|(name, _)| format!("val_{name}")));
        let training = epoch.training.named().map(|(name, _)| name);
        let mut names: Vec<String> = training.chain(validation).collect();
        for (name, _) in self.epochs.iter().flat_map(|epoch| &epoch.logged) {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        names.push("learning_rate".to_owned());
        names
    }

    /// A line for each epoch, from 0, with its values and its seconds, under a line of their names: what a spreadsheet
    /// reads. Values have all of their digits; `NA` stands for one that an epoch does not have.
    /// [`CsvLogger`](crate::callbacks::CsvLogger) writes a file while the model trains.
    #[must_use]
    pub fn to_csv(&self) -> String {
        let names = self.names();
        let header = ["epoch"].into_iter().chain(names.iter().map(String::as_str)).chain(["seconds"]);
        let mut text = header.collect::<Vec<_>>().join(",") + "\n";
        for (number, epoch) in self.epochs.iter().enumerate() {
            text += &number.to_string();
            for name in &names {
                text += ",";
                // As it was set, not as the nearest f64.
                text += &match name.as_str() {
                    "learning_rate" => epoch.learning_rate.to_string(),
                    name => epoch.get(name).map_or("NA".to_owned(), |value| value.to_string()),
                };
            }
            text += &format!(",{}\n", epoch.seconds);
        }
        text
    }

    /// The epsilon after each epoch of a [private training](crate::privacy), of all of the model's private trainings so
    /// far; none of another.
    #[must_use]
    pub fn epsilon(&self) -> Vec<f64> {
        self.get("epsilon").unwrap_or_default()
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
        if let Some((_, value)) = self.logged.iter().find(|(known, _)| known == name) {
            return Some(*value);
        }
        let (scores, name) = match name.strip_prefix("val_") {
            Some(name) => (self.validation.as_ref()?, name),
            None => (&self.training, name),
        };
        scores.named().find(|(known, _)| known == name).map(|(_, value)| value)
    }
}

/// A table of the epochs, counted from 1 as [`fit`](crate::Model::fit) prints them.
impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.names();
        let mut rows = vec![["epoch".to_owned()].into_iter().chain(names.iter().cloned()).collect::<Vec<_>>()];
        for (number, epoch) in self.epochs.iter().enumerate() {
            let values = names.iter().map(|name| match epoch.get(name) {
                // As `Logs`: small numbers keep their digits.
                Some(value) if value != 0.0 && value.abs() < 1e-3 => format!("{value:.4e}"),
                Some(value) => format!("{value:.4}"),
                None => "-".to_owned(),
            });
            rows.push([(number + 1).to_string()].into_iter().chain(values).collect());
        }
        let widths: Vec<usize> =
            (0..=names.len()).map(|column| rows.iter().map(|row| row[column].len()).max().unwrap_or(0)).collect();
        for row in &rows {
            let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:>width$}")).collect();
            writeln!(f, "{}", cells.join("  "))?;
        }
        Ok(())
    }
}
