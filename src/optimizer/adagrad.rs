//! Adagrad.

use super::algorithm::Update;
use super::{LearningRate, check_epsilon, require};
use crate::error::Result;
use serde::{Deserialize, Serialize};

/// Adagrad, as [Keras' `Adagrad`](https://keras.io/api/optimizers/adagrad/), from
/// [Duchi and others, 2011](https://www.jmlr.org/papers/v12/duchi11a.html): steps are divided by the root of the sum of
/// all squares so far, so weights that change seldom change farther.
///
/// ```
/// use inkstone::{Adagrad, LearningRate};
/// let adagrad = Adagrad::default();
/// assert_eq!((adagrad.learning_rate, adagrad.initial_accumulator_value), (LearningRate::Constant(0.001), 0.1));
/// assert_eq!(Adagrad::new(0.1).epsilon(1e-5).epsilon, 1e-5);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Adagrad {
    /// How far steps go.
    pub learning_rate: LearningRate,
    /// Where the sums start.
    pub initial_accumulator_value: f32,
    /// What keeps the division finite.
    pub epsilon: f32,
}

impl Default for Adagrad {
    fn default() -> Self {
        Self { learning_rate: LearningRate::Constant(0.001), initial_accumulator_value: 0.1, epsilon: 1e-7 }
    }
}

impl Adagrad {
    /// Adagrad with this learning rate or schedule, and Keras' defaults for the rest.
    #[must_use]
    pub fn new(learning_rate: impl Into<LearningRate>) -> Self {
        Self { learning_rate: learning_rate.into(), ..Self::default() }
    }

    setters! {
        /// Sets where the sums start.
        initial_accumulator_value: f32,

        /// Sets what keeps the division finite.
        epsilon: f32,
    }

    pub(super) fn check(&self) -> Result<()> {
        let initial = self.initial_accumulator_value;
        require(initial.is_finite() && initial >= 0.0, "initial_accumulator_value", "finite and at least 0", initial)?;
        check_epsilon(self.epsilon)
    }

    pub(super) fn update(&self, rate: f32) -> Update {
        Update::Adagrad { rate, epsilon: self.epsilon }
    }
}
