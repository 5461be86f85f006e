//! Decides whether a monitored value improved.

use super::Training;
use crate::error::{Error, Result};
use crate::metrics::Direction;

/// Whether smaller or larger values are better.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// As the metric tells: losses and errors get smaller, accuracies and scores get larger. Not for values that a
    /// callback [logs](crate::callbacks::Training::log).
    #[default]
    Auto,
    /// Smaller is better.
    Min,
    /// Larger is better.
    Max,
}

/// A value out of the logs, and the best it has been.
#[derive(Clone, Debug)]
pub(super) struct Monitor {
    pub(super) name: String,
    pub(super) mode: Mode,
    /// The smallest change that counts as an improvement.
    pub(super) min_delta: f64,
    pub(super) best: Option<f64>,
    direction: Direction,
}

impl Monitor {
    pub(super) fn new(name: impl Into<String>, min_delta: f64) -> Self {
        Self { name: name.into(), mode: Mode::Auto, min_delta, best: None, direction: Direction::Down }
    }

    /// Looks up which way the value gets better, and forgets the best.
    ///
    /// # Errors
    /// [`Error::Callback`](crate::Error::Callback) if the logs will have no such value; [`Error::Setting`] if the
    /// smallest difference is no number.
    pub(super) fn begin(&mut self, training: &Training<'_>) -> Result<()> {
        check_number("min_delta", self.min_delta)?;
        let by_name = training.direction_of(&self.name)?;
        self.direction = match (self.mode, by_name) {
            (Mode::Min, _) => Direction::Down,
            (Mode::Max, _) => Direction::Up,
            (Mode::Auto, Some(direction)) => direction,
            (Mode::Auto, None) => {
                let name = &self.name;
                return Err(Error::Callback(format!(
                    "which way {name} gets better is not known, as a callback logs it: set the mode to `Mode::Min` or `Mode::Max`"
                )));
            }
        };
        self.best = None;
        Ok(())
    }

    /// Whether `value` is better than `other` by more than the smallest difference that counts. NaN never is.
    pub(super) fn is_better(&self, value: f64, other: f64) -> bool {
        match self.direction {
            Direction::Down => value + self.min_delta < other,
            Direction::Up => value - self.min_delta > other,
        }
    }

    /// The bits of the best value, which may be infinite.
    pub(super) fn best_bits(&self) -> Option<u64> {
        self.best.map(f64::to_bits)
    }

    /// Restores the best value.
    pub(super) fn set_best_bits(&mut self, bits: Option<u64>) {
        self.best = bits.map(f64::from_bits).filter(|best| !best.is_nan());
    }

    /// Whether this is the best so far, and keeps it if so: the first number is. NaN never is; in Keras a first NaN
    /// stays the best value for ever.
    pub(super) fn improves(&mut self, value: f64) -> bool {
        let better = match self.best {
            None => !value.is_nan(),
            Some(best) => self.is_better(value, best),
        };
        if better {
            self.best = Some(value);
        }
        better
    }
}

/// # Errors
/// [`Error::Setting`] if a setting is NaN.
pub(super) fn check_number(name: &'static str, value: f64) -> Result<()> {
    if value.is_nan() {
        return Err(Error::Setting { name, expected: "a number", received: value.to_string() });
    }
    Ok(())
}
