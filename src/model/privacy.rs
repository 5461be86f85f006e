//! What a model tells of the examples it was trained on.

use super::Model;
use crate::accounting::Accountant;

impl Model {
    /// What the model's [differentially private](crate::privacy) trainings tell of each example: its
    /// [`epsilon`](Accountant::epsilon) is for all of them together. Model files and checkpoints keep it. It says nothing
    /// of trainings that are not private.
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// let model = Sequential::new([2]).add(Dense::new(1)).compile(Sgd::new(0.1), MeanSquaredError, [])?;
    /// assert_eq!(model.privacy().steps(), 0);
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    #[must_use]
    pub fn privacy(&self) -> &Accountant {
        &self.privacy
    }
}
