//! RMSprop.

use super::algorithm::Update;
use super::{LearningRate, check_epsilon, require};
use crate::error::Result;
use crate::kernels::rms_prop::RmsPropStep;
use serde::{Deserialize, Serialize};

/// RMSprop, as [Keras' `RMSprop`](https://keras.io/api/optimizers/rmsprop/), from
/// [Hinton's lecture, 2012](https://www.cs.toronto.edu/~tijmen/csc321/slides/lecture_slides_lec6.pdf): steps are
/// divided by the root of a running mean of the gradients' squares.
///
/// ```
/// use inkstone::{LearningRate, RmsProp};
/// let rms_prop = RmsProp::default();
/// assert_eq!((rms_prop.learning_rate, rms_prop.rho, rms_prop.momentum), (LearningRate::Constant(0.001), 0.9, 0.0));
/// assert!(RmsProp::new(0.01).momentum(0.9).centered(true).centered);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RmsProp {
    /// How far steps go.
    pub learning_rate: LearningRate,
    /// How much of the running mean stays from step to step.
    pub rho: f32,
    /// How much of the velocity stays from step to step; 0 for none.
    pub momentum: f32,
    /// What keeps the division finite.
    pub epsilon: f32,
    /// Whether steps are divided by the root of the variance instead of the mean square.
    pub centered: bool,
}

impl Default for RmsProp {
    fn default() -> Self {
        let learning_rate = LearningRate::Constant(0.001);
        Self { learning_rate, rho: 0.9, momentum: 0.0, epsilon: 1e-7, centered: false }
    }
}

impl RmsProp {
    /// RMSprop with this learning rate or schedule, and Keras' defaults for the rest.
    #[must_use]
    pub fn new(learning_rate: impl Into<LearningRate>) -> Self {
        Self { learning_rate: learning_rate.into(), ..Self::default() }
    }

    setters! {
        /// Sets how much of the running mean stays from step to step.
        rho: f32,

        /// Sets how much of the velocity stays from step to step.
        momentum: f32,

        /// Sets what keeps the division finite.
        epsilon: f32,

        /// Sets whether steps are divided by the root of the variance instead of the mean square.
        centered: bool,
    }

    pub(super) fn check(&self) -> Result<()> {
        require((0.0..1.0).contains(&self.rho), "rho", "at least 0 and less than 1", self.rho)?;
        require((0.0..=1.0).contains(&self.momentum), "momentum", "from 0 to 1", self.momentum)?;
        check_epsilon(self.epsilon)
    }

    pub(super) fn update(&self, rate: f32) -> Update {
        let step = RmsPropStep { rate, rho: self.rho, momentum: self.momentum, epsilon: self.epsilon };
        match (self.centered, self.momentum == 0.0) {
            (false, true) => Update::RmsProp(step),
            (false, false) => Update::RmsPropMomentum(step),
            (true, true) => Update::RmsPropCentered(step),
            (true, false) => Update::RmsPropCenteredMomentum(step),
        }
    }
}
