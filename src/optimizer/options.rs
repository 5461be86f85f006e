//! An optimizer: an algorithm, with the options that all of them share.

use super::{Algorithm, BuiltOptimizer, LearningRate, require};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// Any optimizer: an [`Algorithm`] such as [`Adam`](crate::Adam), with Keras' options for all of them, which
/// [`OptimizerOptions`] sets.
///
/// ```
/// use inkstone::prelude::*;
/// use inkstone::Optimizer;
/// let optimizer: Optimizer = Adam::new(0.01).global_clipnorm(1.0).use_ema(true);
/// assert_eq!((optimizer.global_clipnorm, optimizer.use_ema, optimizer.ema_momentum), (Some(1.0), true, 0.99));
/// assert_eq!(optimizer.learning_rate().at(0), 0.01);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Optimizer {
    /// How it finds its steps.
    pub algorithm: Algorithm,
    /// The most that the norm of one variable's gradient may be; without a bound if it is `None`.
    pub clipnorm: Option<f32>,
    /// The most that an element of a gradient may be, and its opposite the least.
    pub clipvalue: Option<f32>,
    /// The most that the norm of all gradients together may be.
    pub global_clipnorm: Option<f32>,
    /// What each step takes from the weights, times the learning rate; nothing if it is `None`.
    pub weight_decay: Option<f32>,
    /// Whether it keeps a moving average of the weights; false.
    pub use_ema: bool,
    /// How much of that average stays from step to step; 0.99.
    pub ema_momentum: f32,
    /// After every how many steps the average replaces the weights; only when training ends if it is `None`.
    pub ema_overwrite_frequency: Option<u64>,
}

impl From<Algorithm> for Optimizer {
    fn from(algorithm: Algorithm) -> Self {
        Self {
            algorithm,
            clipnorm: None,
            clipvalue: None,
            global_clipnorm: None,
            weight_decay: None,
            use_ema: false,
            ema_momentum: 0.99,
            ema_overwrite_frequency: None,
        }
    }
}

impl Optimizer {
    /// How far its steps go.
    #[must_use]
    pub fn learning_rate(&self) -> &LearningRate {
        self.algorithm.learning_rate()
    }

    /// Sets how far its steps go from now on.
    ///
    /// # Errors
    /// [`Error::Setting`] if the rate is negative, NaN or infinite, or if the optimizer follows a schedule: then, as in
    /// Keras, there is nothing to be set. The optimizer stays as it was.
    ///
    /// ```
    /// use inkstone::{Adam, CosineDecay, Optimizer};
    /// let mut optimizer = Optimizer::from(Adam::new(0.01));
    /// optimizer.set_learning_rate(0.001)?;
    /// assert_eq!(optimizer.learning_rate().at(0), 0.001);
    /// let error = Optimizer::from(Adam::new(CosineDecay::new(0.01, 100))).set_learning_rate(0.001).unwrap_err();
    /// let expected = "learning_rate must be a number to be set later, not a schedule, got CosineDecay";
    /// assert_eq!(error.to_string(), expected);
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn set_learning_rate(&mut self, rate: f32) -> Result<()> {
        let new = LearningRate::Constant(rate);
        new.check()?;
        match self.algorithm.learning_rate_mut() {
            LearningRate::Constant(present) => *present = rate,
            schedule @ (LearningRate::PiecewiseConstantDecay(_)
            | LearningRate::ExponentialDecay(_)
            | LearningRate::CosineDecay(_)
            | LearningRate::OneCycle(_)
            | LearningRate::WarmUp(_)) => {
                let expected = "a number to be set later, not a schedule";
                return Err(Error::Setting { name: "learning_rate", expected, received: schedule.name().into() });
            }
        }
        Ok(())
    }

    /// Keras' names of what it keeps for each parameter, in the order of
    /// [`OptimizerState::named`](super::OptimizerState::named).
    pub(crate) fn kept(&self) -> impl Iterator<Item = &'static str> {
        self.algorithm.buffers().into_iter().flatten().chain(self.use_ema.then_some("average"))
    }

    /// Whether it reads all gradients before its step, which takes a pass over them.
    pub(crate) fn clips_by_norm(&self) -> bool {
        self.clipnorm.is_some() || self.global_clipnorm.is_some()
    }

    /// # Errors
    /// [`Error::Setting`] for a number that makes no sense, or more than one way of clipping.
    pub(crate) fn check(&self) -> Result<()> {
        self.algorithm.check()?;
        let clips =
            [("clipnorm", self.clipnorm), ("clipvalue", self.clipvalue), ("global_clipnorm", self.global_clipnorm)];
        let set = || clips.into_iter().filter_map(|(name, bound)| Some((name, bound?)));
        for (name, bound) in set() {
            require(bound.is_finite() && bound > 0.0, name, "finite and more than 0", bound)?;
        }
        if set().count() > 1 {
            let received = set().map(|(name, bound)| format!("{name} {bound}")).collect::<Vec<_>>().join(" and ");
            let expected = "only one of clipnorm, clipvalue and global_clipnorm";
            return Err(Error::Setting { name: "clipping", expected, received });
        }
        if let Some(decay) = self.weight_decay {
            require(decay.is_finite() && decay >= 0.0, "weight_decay", "finite and at least 0", decay)?;
        }
        require((0.0..=1.0).contains(&self.ema_momentum), "ema_momentum", "from 0 to 1", self.ema_momentum)?;
        require(self.ema_overwrite_frequency != Some(0), "ema_overwrite_frequency", "at least 1", 0)
    }
}

/// The options that every optimizer has, with Keras' names; setting one makes an algorithm an [`Optimizer`]. And its
/// use on parameters of one's own: [`build`](Self::build).
///
/// ```
/// use inkstone::prelude::*;
/// let optimizer = Sgd::new(0.1).momentum(0.9).clipvalue(0.5).weight_decay(1e-4);
/// assert_eq!((optimizer.clipvalue, optimizer.weight_decay), (Some(0.5), Some(1e-4)));
/// ```
pub trait OptimizerOptions: Into<Optimizer> {
    /// Sets the most that the norm of one variable's gradient may be: a gradient with a larger one is scaled down to
    /// it.
    #[must_use]
    fn clipnorm(self, clipnorm: f32) -> Optimizer {
        Optimizer { clipnorm: Some(clipnorm), ..self.into() }
    }

    /// Sets the most that an element of a gradient may be, and its opposite the least.
    #[must_use]
    fn clipvalue(self, clipvalue: f32) -> Optimizer {
        Optimizer { clipvalue: Some(clipvalue), ..self.into() }
    }

    /// Sets the most that the norm of all gradients together may be: if it is larger, all are scaled down by one
    /// factor.
    #[must_use]
    fn global_clipnorm(self, global_clipnorm: f32) -> Optimizer {
        Optimizer { global_clipnorm: Some(global_clipnorm), ..self.into() }
    }

    /// Sets what each step takes from the weights, times the learning rate, before it follows the gradient. As in Keras
    /// it works on all of them, biases too.
    #[must_use]
    fn weight_decay(self, weight_decay: f32) -> Optimizer {
        Optimizer { weight_decay: Some(weight_decay), ..self.into() }
    }

    /// Sets whether a moving average of the weights is kept, an "exponential moving average". When
    /// [`fit`](crate::Model::fit) ends, the model gets it as its weights.
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// let mut average = Sgd::new(1.0).use_ema(true).ema_momentum(0.75).build([1])?;
    /// let mut weight = [0.0];
    /// average.apply(&[-1.0], &mut weight)?; // The weight is 1, and so is its average.
    /// average.apply(&[-4.0], &mut weight)?; // The weight is 5, and its average 0.75 * 1 + 0.25 * 5.
    /// average.finalize_variable_values(&mut weight)?;
    /// assert_eq!(weight, [2.0]);
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    #[must_use]
    fn use_ema(self, use_ema: bool) -> Optimizer {
        Optimizer { use_ema, ..self.into() }
    }

    /// Sets how much of the average stays from step to step.
    #[must_use]
    fn ema_momentum(self, ema_momentum: f32) -> Optimizer {
        Optimizer { ema_momentum, ..self.into() }
    }

    /// Sets after every how many steps the average replaces the weights while training goes on.
    #[must_use]
    fn ema_overwrite_frequency(self, ema_overwrite_frequency: u64) -> Optimizer {
        Optimizer { ema_overwrite_frequency: Some(ema_overwrite_frequency), ..self.into() }
    }

    /// Makes the optimizer ready for parameters of one's own: variables of these lengths, which lie one after the other
    /// in one slice. [`clipnorm`](Self::clipnorm) is the only option for which it matters where one ends.
    ///
    /// # Errors
    /// [`Error::Setting`] for a setting that makes no sense, [`Error::Data`] for more elements than memory can have.
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// // The lowest point of (x - 3)^2 + (y + 1)^2.
    /// let mut optimizer = Adam::new(0.1).build([2])?;
    /// let mut point = [0.0, 0.0];
    /// for _ in 0..500 {
    ///     let gradient = [2.0 * (point[0] - 3.0), 2.0 * (point[1] + 1.0)];
    ///     optimizer.apply(&gradient, &mut point)?;
    /// }
    /// assert!((point[0] - 3.0).abs() < 1e-3 && (point[1] + 1.0).abs() < 1e-3);
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    fn build(self, lengths: impl IntoIterator<Item = usize>) -> Result<BuiltOptimizer> {
        BuiltOptimizer::new(self.into(), lengths)
    }
}

impl<T: Into<Optimizer>> OptimizerOptions for T {}
