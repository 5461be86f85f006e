//! Decides whether a value that is watched got better.

use super::Training;
use crate::error::Result;
use crate::metrics::Direction;

/// Which way a value gets better.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// As its name tells: losses and errors get smaller, accuracies and scores get larger.
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
    /// What counts as better only if it is more than this.
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
    /// [`Error::Callback`](crate::Error::Callback) if the logs will have no such value.
    pub(super) fn begin(&mut self, training: &Training<'_>) -> Result<()> {
        let by_name = training.direction_of(&self.name)?;
        self.direction = match self.mode {
            Mode::Auto => by_name,
            Mode::Min => Direction::Down,
            Mode::Max => Direction::Up,
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

    /// Takes the best value up again.
    pub(super) fn set_best_bits(&mut self, bits: Option<u64>) {
        self.best = bits.map(f64::from_bits);
    }

    /// Whether this is the best so far, and keeps it if so. As in Keras, the first value is, whatever it is; so after a
    /// NaN nothing is better.
    pub(super) fn improves(&mut self, value: f64) -> bool {
        let better = match self.best {
            None => true,
            Some(best) => self.is_better(value, best),
        };
        if better {
            self.best = Some(value);
        }
        better
    }
}
