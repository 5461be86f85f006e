//! What training minimises.

use crate::error::{Error, Result};
use crate::kernels::softmax::{argmax, cross_entropy};
use crate::plan::Plan;
use serde::{Deserialize, Serialize};

/// Any loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Loss {
    /// Cross-entropy against one class for each example.
    SparseCategoricalCrossentropy(SparseCategoricalCrossentropy),
}

/// Cross-entropy between a class for each example and the model's probabilities for all classes, as
/// [Keras' `SparseCategoricalCrossentropy`](https://keras.io/api/losses/probabilistic_losses/).
///
/// Together with the softmax before it, it is one numerically stable step: probabilities are never clipped.
///
/// ```
/// use inkstone::prelude::*;
/// // A model that gives logits says so in its loss; `predict` then gives logits as well.
/// let model = Sequential::new([784])
///     .add(Dense::new(10))
///     .compile(Sgd::default(), SparseCategoricalCrossentropy::default().from_logits(true), [Accuracy])?;
/// # assert_eq!(model.parameter_count(), 7850);
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SparseCategoricalCrossentropy {
    /// Whether the model's outputs are logits; otherwise they are probabilities, and the model ends with a softmax.
    pub from_logits: bool,
}

impl SparseCategoricalCrossentropy {
    /// Sets whether the model's outputs are logits.
    #[must_use]
    pub fn from_logits(self, from_logits: bool) -> Self {
        Self { from_logits }
    }
}

impl From<SparseCategoricalCrossentropy> for Loss {
    fn from(loss: SparseCategoricalCrossentropy) -> Self {
        Self::SparseCategoricalCrossentropy(loss)
    }
}

impl Loss {
    /// # Errors
    /// [`Error::Model`] if the model's last layer does not give what the loss takes.
    pub(crate) fn check(&self, plan: &Plan) -> Result<()> {
        let Self::SparseCategoricalCrossentropy(loss) = self;
        match (loss.from_logits, plan.softmax_output) {
            (false, true) | (true, false) => Ok(()),
            (false, false) => Err(Error::Model(
                "gives no probabilities, which SparseCategoricalCrossentropy expects: end it with \
                 `.activation(Softmax)`, or use `SparseCategoricalCrossentropy::default().from_logits(true)`"
                    .into(),
            )),
            (true, true) => Err(Error::Model(
                "ends with Softmax, but the loss expects logits: leave out Softmax, or leave out `from_logits(true)`"
                    .into(),
            )),
        }
    }
}

/// What a set of examples scored: sums, so that chunks can be added up.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Tally {
    /// The sum of the examples' losses.
    pub(crate) loss: f64,
    /// How many were classified right.
    pub(crate) correct: usize,
    /// How many there were.
    pub(crate) examples: usize,
}

impl Tally {
    /// Scores a chunk. With `gradients` (the shape of logits) the gradient of the loss times `scale` is written there.
    ///
    /// - logits: (examples, classes); labels: one for each example, each less than `classes`
    pub(crate) fn of_chunk(
        logits: &[f32],
        classes: usize,
        labels: impl Iterator<Item = usize>,
        mut gradients: Option<(&mut [f32], f32)>,
    ) -> Self {
        let mut tally = Self::default();
        for (index, (logits, label)) in logits.chunks_exact(classes).zip(labels).enumerate() {
            let gradient = gradients.as_mut().map(|(all, scale)| (&mut all[index * classes..][..classes], *scale));
            tally.loss += cross_entropy(logits, label, gradient);
            tally.correct += usize::from(argmax(logits) == label);
            tally.examples += 1;
        }
        tally
    }
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.loss += other.loss;
        self.correct += other.correct;
        self.examples += other.examples;
    }
}
