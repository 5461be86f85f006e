//! Which way a score gets better.

/// Whether less or more is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Less, as of losses and errors.
    Down,
    /// More, as of accuracies and scores.
    Up,
}
