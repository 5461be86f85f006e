//! Gradient descent.

use super::algorithm::Update;
use super::{LearningRate, require};
use crate::error::Result;
use crate::kernels::sgd::Lookahead;
use serde::{Deserialize, Serialize};

/// Gradient descent, with momentum and Nesterov's look ahead if wanted, as
/// [Keras' `SGD`](https://keras.io/api/optimizers/sgd/).
///
/// ```
/// use inkstone::{LearningRate, Sgd};
/// let sgd = Sgd::default();
/// assert_eq!((sgd.learning_rate, sgd.momentum, sgd.nesterov), (LearningRate::Constant(0.01), 0.0, false));
/// assert!(Sgd::new(0.1).momentum(0.9).nesterov(true).nesterov);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sgd {
    /// How far steps go.
    pub learning_rate: LearningRate,
    /// How much of the velocity stays from step to step; 0 for none.
    pub momentum: f32,
    /// Whether a step looks ahead along its velocity.
    pub nesterov: bool,
}

impl Default for Sgd {
    fn default() -> Self {
        Self { learning_rate: LearningRate::Constant(0.01), momentum: 0.0, nesterov: false }
    }
}

impl Sgd {
    /// Gradient descent with this learning rate or schedule, without momentum.
    #[must_use]
    pub fn new(learning_rate: impl Into<LearningRate>) -> Self {
        Self { learning_rate: learning_rate.into(), ..Self::default() }
    }

    setters! {
        /// Sets how much of the velocity stays from step to step.
        momentum: f32,

        /// Sets whether a step looks ahead along its velocity; without momentum it changes nothing.
        nesterov: bool,
    }

    pub(super) fn check(&self) -> Result<()> {
        require((0.0..=1.0).contains(&self.momentum), "momentum", "from 0 to 1", self.momentum)
    }

    pub(super) fn update(&self, rate: f32) -> Update {
        if self.momentum == 0.0 {
            return Update::Sgd { rate };
        }
        let lookahead = if self.nesterov { Lookahead::Nesterov } else { Lookahead::None };
        Update::Momentum { rate, momentum: self.momentum, lookahead }
    }
}
