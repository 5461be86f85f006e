//! The numbers that callbacks see.

use crate::metrics::Scores;
use std::fmt;

/// Losses and metrics by their names, as Keras' `logs`: of a batch the means of the epoch so far, as in `accuracy` and
/// `loss`; of an epoch those of the validation data too, as in `val_accuracy` and `val_loss`.
///
/// It prints as Keras does: `accuracy: 0.9907 - loss: 0.0291`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Logs(Vec<(String, f64)>);

/// Whether validation data is evaluated after each epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Validates {
    No,
    Yes,
}

impl Logs {
    /// The value of this name, if there is one.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<f64> {
        self.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// All names with their values, in Keras' order: metrics, loss, and those of the validation data.
    pub fn iter(&self) -> impl Iterator<Item = (&str, f64)> {
        self.0.iter().map(|(name, value)| (name.as_str(), *value))
    }

    /// The names that logs of an epoch have.
    pub(crate) fn names(scores: &[String], validates: Validates) -> Vec<String> {
        let prefixes = match validates {
            Validates::No => &[""][..],
            Validates::Yes => &["", "val_"],
        };
        prefixes.iter().flat_map(|prefix| scores.iter().map(move |name| format!("{prefix}{name}"))).collect()
    }

    /// Adds these scores, with a prefix before each name.
    pub(crate) fn add(&mut self, prefix: &str, scores: &Scores) {
        self.0.extend(scores.named().map(|(name, value)| (format!("{prefix}{name}"), value)));
    }

    /// Sets one value, appended if the name is new.
    pub(crate) fn put(&mut self, name: &str, value: f64) {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, present)) => *present = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    /// Sets the values of the existing names, in order.
    pub(crate) fn set(&mut self, values: impl Iterator<Item = f64>) {
        self.0.iter_mut().zip(values).for_each(|((_, old), new)| *old = new);
    }

    /// Logs of these names, without values yet.
    pub(crate) fn without_values(names: Vec<String>) -> Self {
        Self(names.into_iter().map(|name| (name, f64::NAN)).collect())
    }
}

#[cfg(test)]
impl Logs {
    /// Logs of just this.
    pub(crate) fn of(name: &str, value: f64) -> Self {
        Self(vec![(name.to_owned(), value)])
    }
}

impl fmt::Display for Logs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (name, value)) in self.iter().enumerate() {
            let dash = if place == 0 { "" } else { " - " };
            // As Keras: small numbers keep their digits.
            if value == 0.0 || value.abs() > 1e-3 || !value.is_finite() {
                write!(f, "{dash}{name}: {value:.4}")?;
            } else {
                write!(f, "{dash}{name}: {value:.4e}")?;
            }
        }
        Ok(())
    }
}
