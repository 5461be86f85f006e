//! Cross-entropy over classes that exclude each other.

use super::{Gradient, Loss, Outcome};
use crate::data::Target;
use crate::kernels::softmax::{cross_entropy, soft_cross_entropy};
use serde::{Deserialize, Serialize};

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
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SparseCategoricalCrossentropy {
    /// Whether the model's outputs are logits; otherwise they are probabilities, and the model ends with a softmax.
    pub from_logits: bool,
    /// How much of the target is spread evenly over all classes, from 0 to 1. (Keras has it in
    /// `CategoricalCrossentropy` alone, PyTorch in both.)
    pub label_smoothing: f32,
}

/// Cross-entropy between a probability for each class, most often a one-hot row, and the model's probabilities, as
/// [Keras' `CategoricalCrossentropy`](https://keras.io/api/losses/probabilistic_losses/): `-sum(target * ln(output))`.
///
/// Together with the softmax before it, it is one numerically stable step: probabilities are never clipped.
///
/// ```
/// use inkstone::prelude::*;
/// use inkstone::data::to_categorical;
/// use inkstone::ndarray::Array4;
/// let mut model = Sequential::new([4])
///     .add(Dense::new(3).activation(Softmax))
///     .compile(Adam::default(), CategoricalCrossentropy::default().label_smoothing(0.1), [Accuracy])?;
/// let x = Array4::<f32>::zeros((2, 1, 1, 4));
/// // The untrained model finds all classes equally probable.
/// let loss = model.evaluate((&x, &to_categorical(&[0, 2], 3)?))?.loss;
/// assert!((loss - 3_f64.ln()).abs() < 1e-6);
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CategoricalCrossentropy {
    /// Whether the model's outputs are logits; otherwise they are probabilities, and the model ends with a softmax.
    pub from_logits: bool,
    /// How much of the target is spread evenly over all classes, from 0 to 1.
    pub label_smoothing: f32,
}

impl SparseCategoricalCrossentropy {
    setters! {
        /// Sets whether the model's outputs are logits.
        from_logits: bool,

        /// Sets how much of the target is spread evenly over all classes.
        label_smoothing: f32,
    }

    pub(super) fn of(&self, outcome: &Outcome<'_>, gradient: Option<Gradient<'_>>) -> f64 {
        match outcome.target {
            Target::Class(class) if self.label_smoothing == 0.0 => {
                cross_entropy(outcome.logits, class, gradient.map(|Gradient { dlogits, scale }| (dlogits, scale)))
            }
            Target::Class(_) | Target::Values(_) => smoothed(outcome, self.label_smoothing, gradient),
        }
    }
}

impl CategoricalCrossentropy {
    setters! {
        /// Sets whether the model's outputs are logits.
        from_logits: bool,

        /// Sets how much of the target is spread evenly over all classes.
        label_smoothing: f32,
    }

    pub(super) fn of(&self, outcome: &Outcome<'_>, gradient: Option<Gradient<'_>>) -> f64 {
        smoothed(outcome, self.label_smoothing, gradient)
    }
}

fn smoothed(outcome: &Outcome<'_>, label_smoothing: f32, gradient: Option<Gradient<'_>>) -> f64 {
    let classes = outcome.logits.len();
    let target =
        |class| outcome.target.value(class, classes) * (1.0 - label_smoothing) + label_smoothing / classes as f32;
    soft_cross_entropy(outcome.logits, target, gradient.map(|Gradient { dlogits, scale }| (dlogits, scale)))
}

impl From<SparseCategoricalCrossentropy> for Loss {
    fn from(loss: SparseCategoricalCrossentropy) -> Self {
        Self::SparseCategoricalCrossentropy(loss)
    }
}

impl From<CategoricalCrossentropy> for Loss {
    fn from(loss: CategoricalCrossentropy) -> Self {
        Self::CategoricalCrossentropy(loss)
    }
}
