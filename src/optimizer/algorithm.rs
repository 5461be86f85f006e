//! The algorithms side by side: which there are, what each keeps from step to step, which kernel takes its step.

use super::{Adagrad, Adam, LearningRate, Lion, Nadam, Optimizer, RmsProp, Sgd};
use crate::error::Result;
use crate::kernels::adagrad::adagrad_update;
use crate::kernels::adam::{AdamStep, adam_update, amsgrad_update};
use crate::kernels::lion::{LionStep, lion_update};
use crate::kernels::nadam::{NadamStep, nadam_update};
use crate::kernels::rms_prop::{
    RmsPropStep, rms_prop_centered_momentum_update, rms_prop_centered_update, rms_prop_momentum_update, rms_prop_update,
};
use crate::kernels::sgd::{Lookahead, momentum_update, sgd_update};
use crate::simd::Simd;
use serde::{Deserialize, Serialize};

/// The most buffers that an algorithm keeps.
pub(super) const MAX_BUFFERS: usize = 3;

/// How an optimizer finds its steps.
///
/// ```
/// use inkstone::{Adam, Algorithm, Optimizer};
/// assert_eq!(Optimizer::from(Adam::default()).algorithm, Algorithm::Adam(Adam::default()));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Algorithm {
    /// Adaptive moments; [`AdamW`](crate::AdamW) too.
    Adam(Adam),
    /// Gradient descent.
    Sgd(Sgd),
    /// Divided by a running mean of squares.
    RmsProp(RmsProp),
    /// Divided by the sum of all squares.
    Adagrad(Adagrad),
    /// Adam with a look ahead.
    Nadam(Nadam),
    /// The direction alone.
    Lion(Lion),
}

impl Algorithm {
    pub(super) fn learning_rate(&self) -> &LearningRate {
        match self {
            Self::Adam(adam) => &adam.learning_rate,
            Self::Sgd(sgd) => &sgd.learning_rate,
            Self::RmsProp(rms_prop) => &rms_prop.learning_rate,
            Self::Adagrad(adagrad) => &adagrad.learning_rate,
            Self::Nadam(nadam) => &nadam.learning_rate,
            Self::Lion(lion) => &lion.learning_rate,
        }
    }

    pub(super) fn learning_rate_mut(&mut self) -> &mut LearningRate {
        match self {
            Self::Adam(adam) => &mut adam.learning_rate,
            Self::Sgd(sgd) => &mut sgd.learning_rate,
            Self::RmsProp(rms_prop) => &mut rms_prop.learning_rate,
            Self::Adagrad(adagrad) => &mut adagrad.learning_rate,
            Self::Nadam(nadam) => &mut nadam.learning_rate,
            Self::Lion(lion) => &mut lion.learning_rate,
        }
    }

    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for a number that makes no sense.
    pub(super) fn check(&self) -> Result<()> {
        self.learning_rate().check()?;
        match self {
            Self::Adam(adam) => adam.check(),
            Self::Sgd(sgd) => sgd.check(),
            Self::RmsProp(rms_prop) => rms_prop.check(),
            Self::Adagrad(adagrad) => adagrad.check(),
            Self::Nadam(nadam) => nadam.check(),
            Self::Lion(lion) => lion.check(),
        }
    }

    /// The buffers it keeps, by Keras' names; those it does not need are `None`.
    pub(super) fn buffers(&self) -> [Option<&'static str>; MAX_BUFFERS] {
        match self {
            Self::Adam(adam) => [Some("momentum"), Some("velocity"), adam.amsgrad.then_some("velocity_hat")],
            Self::Sgd(sgd) => [(sgd.momentum != 0.0).then_some("momentum"), None, None],
            Self::RmsProp(rms_prop) => [
                Some("velocity"),
                (rms_prop.momentum != 0.0).then_some("momentum"),
                rms_prop.centered.then_some("average_gradient"),
            ],
            Self::Adagrad(_) => [Some("accumulator"), None, None],
            Self::Nadam(_) => [Some("momentum"), Some("velocity"), None],
            Self::Lion(_) => [Some("momentum"), None, None],
        }
    }

    /// What the buffers hold before the first step.
    pub(super) fn initial_value(&self) -> f32 {
        match self {
            Self::Adagrad(adagrad) => adagrad.initial_accumulator_value,
            Self::Adam(_) | Self::Sgd(_) | Self::RmsProp(_) | Self::Nadam(_) | Self::Lion(_) => 0.0,
        }
    }

    /// The numbers of a step; `step` counts from 1.
    pub(super) fn update(&self, step: u64, rate: f32, momentum_product: &mut f64) -> Update {
        match self {
            Self::Adam(adam) => adam.update(step, rate),
            Self::Sgd(sgd) => sgd.update(rate),
            Self::RmsProp(rms_prop) => rms_prop.update(rate),
            Self::Adagrad(adagrad) => adagrad.update(rate),
            Self::Nadam(nadam) => nadam.update(step, rate, momentum_product),
            Self::Lion(lion) => lion.update(rate),
        }
    }
}

macro_rules! algorithms {
    ($($name:ident),*) => {
        $(
            impl From<$name> for Algorithm {
                fn from(algorithm: $name) -> Self {
                    Self::$name(algorithm)
                }
            }

            impl From<$name> for Optimizer {
                fn from(algorithm: $name) -> Self {
                    Algorithm::from(algorithm).into()
                }
            }
        )*
    };
}

algorithms!(Adam, Sgd, RmsProp, Adagrad, Nadam, Lion);

/// One step of an algorithm: its kernel, with the numbers that are the same for every parameter.
#[derive(Clone, Copy, Debug)]
pub(super) enum Update {
    Adam(AdamStep),
    AmsGrad(AdamStep),
    Sgd { rate: f32 },
    Momentum { rate: f32, momentum: f32, lookahead: Lookahead },
    RmsProp(RmsPropStep),
    RmsPropMomentum(RmsPropStep),
    RmsPropCentered(RmsPropStep),
    RmsPropCenteredMomentum(RmsPropStep),
    Adagrad { rate: f32, epsilon: f32 },
    Nadam(NadamStep),
    Lion(LionStep),
}

impl Update {
    /// Whether a parameter without a gradient stays as it is, and all that is kept of it.
    pub(super) fn keeps_what_has_no_gradient(self) -> bool {
        match self {
            Self::Sgd { .. } | Self::Adagrad { .. } => true,
            Self::Adam(_)
            | Self::AmsGrad(_)
            | Self::Momentum { .. }
            | Self::RmsProp(_)
            | Self::RmsPropMomentum(_)
            | Self::RmsPropCentered(_)
            | Self::RmsPropCenteredMomentum(_)
            | Self::Nadam(_)
            | Self::Lion(_) => false,
        }
    }

    /// Updates a stretch of parameters and of the buffers.
    pub(super) fn run<S: Simd>(self, simd: S, g: &[f32], w: &mut [f32], buffers: [&mut [f32]; MAX_BUFFERS]) {
        let [first, second, third] = buffers;
        match self {
            Self::Adam(step) => adam_update(simd, step, g, w, first, second),
            Self::AmsGrad(step) => amsgrad_update(simd, step, g, w, [first, second, third]),
            Self::Sgd { rate } => sgd_update(simd, rate, g, w),
            Self::Momentum { rate, momentum, lookahead } => {
                momentum_update(simd, rate, momentum, lookahead, g, w, first)
            }
            Self::RmsProp(step) => rms_prop_update(simd, step, g, w, first),
            Self::RmsPropMomentum(step) => rms_prop_momentum_update(simd, step, g, w, first, second),
            Self::RmsPropCentered(step) => rms_prop_centered_update(simd, step, g, w, first, third),
            Self::RmsPropCenteredMomentum(step) => {
                rms_prop_centered_momentum_update(simd, step, g, w, [first, second, third]);
            }
            Self::Adagrad { rate, epsilon } => adagrad_update(simd, rate, epsilon, g, w, first),
            Self::Nadam(step) => nadam_update(simd, step, g, w, first, second),
            Self::Lion(step) => lion_update(simd, step, g, w, first),
        }
    }
}
