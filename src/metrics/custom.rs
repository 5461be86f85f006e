//! Metrics of users' own types.

use super::{Direction, Measure, Metric};
use crate::data::Target;
use crate::error::{Error, Result};
use crate::user_object::{Constructor, UserObject};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fmt::Debug;

/// A metric of your own. A type that implements it goes into [`compile`](crate::Sequential::compile) as the crate's
/// metrics do; logs, histories, callbacks and checkpoints have its values under its [`NAME`](Self::NAME), and files
/// have its serde form.
///
/// It keeps sums. An example is added to them by [`update`](Self::update), the sums of the parts of a data set are
/// added up, and [`value`](Self::value) makes one number of them, for all of what a mean, a ratio or a matrix of counts
/// can tell.
///
/// Threads call it at the same time, each with sums of its own. A panic unwinds through `fit`, and leaves the model as
/// it was after the last step.
///
/// To read a file with such a metric, [`CustomObjects`](crate::custom::CustomObjects) names its type.
///
/// ```
/// use inkstone::custom::{CustomMetric, Direction, Target};
/// use inkstone::prelude::*;
/// use serde::{Deserialize, Serialize};
///
/// /// The part of the outputs that are closer to their targets than `tolerance`.
/// #[derive(Debug, Serialize, Deserialize)]
/// struct Within {
///     tolerance: f32,
/// }
///
/// impl CustomMetric for Within {
///     const NAME: &'static str = "within";
///
///     fn direction(&self) -> Direction {
///         Direction::Up
///     }
///
///     fn sums(&self, _outputs: usize) -> usize {
///         2
///     }
///
///     fn update(&self, sums: &mut [f64], outputs: &[f32], target: Target<'_>) {
///         for (output, value) in outputs.iter().enumerate() {
///             let is_close = (value - target.value(output, outputs.len())).abs() < self.tolerance;
///             sums[0] += f64::from(u8::from(is_close));
///             sums[1] += 1.0;
///         }
///     }
///
///     fn value(&self, sums: &[f64]) -> f64 {
///         sums[0] / sums[1]
///     }
/// }
///
/// let within = Within { tolerance: 0.1 };
/// let model = Sequential::new([1]).add(Dense::new(1)).compile(Sgd::default(), MeanSquaredError, metrics![within])?;
/// // The model gives 0 for 0.
/// let scores = model.evaluate((&[[0.0], [0.0]], &[0.05, 2.0]))?;
/// assert_eq!(scores.get("within")?, 0.5);
/// # Ok::<(), inkstone::Error>(())
/// ```
pub trait CustomMetric: Serialize + DeserializeOwned + Debug + Send + Sync + 'static {
    /// The name in logs and histories, and in files.
    const NAME: &'static str;

    /// Which way it gets better: what [`EarlyStopping`](crate::callbacks::EarlyStopping) and others that monitor it go
    /// by.
    fn direction(&self) -> Direction;

    /// How many sums it keeps for a model of this many outputs, always the same for equal arguments.
    fn sums(&self, outputs: usize) -> usize;

    /// Adds one example to the sums, which start as 0.
    ///
    /// - outputs: (outputs), as [`predict`](crate::Model::predict) gives them; probabilities too where the model leaves
    ///   it to the loss to make some of its logits
    fn update(&self, sums: &mut [f64], outputs: &[f32], target: Target<'_>);

    /// Its value, given the sums of all examples. Of no example it is shown too, so NaN is better than a panic.
    fn value(&self, sums: &[f64]) -> f64;
}

/// What the engine calls.
pub(crate) trait ErasedMetric: Debug + Send + Sync {
    fn direction(&self) -> Direction;
    fn sums(&self, outputs: usize) -> usize;
    fn update(&self, sums: &mut [f64], outputs: &[f32], target: Target<'_>);
    fn value(&self, sums: &[f64]) -> f64;
    /// What makes others of its type.
    fn constructor(&self) -> (&'static str, Constructor<dyn ErasedMetric>);
}

impl<T: CustomMetric> ErasedMetric for T {
    fn direction(&self) -> Direction {
        CustomMetric::direction(self)
    }

    fn sums(&self, outputs: usize) -> usize {
        CustomMetric::sums(self, outputs)
    }

    fn update(&self, sums: &mut [f64], outputs: &[f32], target: Target<'_>) {
        CustomMetric::update(self, sums, outputs, target);
    }

    fn value(&self, sums: &[f64]) -> f64 {
        CustomMetric::value(self, sums)
    }

    fn constructor(&self) -> (&'static str, Constructor<dyn ErasedMetric>) {
        (T::NAME, constructor::<T>())
    }
}

/// What makes metrics of a type.
pub(crate) fn constructor<T: CustomMetric>() -> Constructor<dyn ErasedMetric> {
    |config| UserObject::from_config::<T>(T::NAME, config, |metric| Box::new(metric))
}

/// Any [`CustomMetric`], as a [`Metric`] holds it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AnyMetric(pub(crate) UserObject<dyn ErasedMetric>);

impl<T: CustomMetric> From<T> for Metric {
    fn from(metric: T) -> Self {
        Self::Custom(AnyMetric(UserObject::new(T::NAME, metric, |metric| Box::new(metric))))
    }
}

impl AnyMetric {
    /// Which way it gets better; `Down` while its type is not known.
    pub(super) fn direction(&self) -> Direction {
        self.0.object().map_or(Direction::Down, ErasedMetric::direction)
    }

    fn object(&self) -> &dyn ErasedMetric {
        self.0.object().expect("`compile` refuses a metric whose type is not known")
    }
}

impl Measure for AnyMetric {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn check(&self, _outputs: usize) -> Result<()> {
        match self.0.check("metric") {
            Ok(_) => Ok(()),
            Err(problem) => Err(Error::Model(format!("has a metric that {problem}"))),
        }
    }

    fn needs_probabilities(&self, _outputs: usize) -> bool {
        true
    }

    fn sums(&self, outputs: usize) -> usize {
        self.object().sums(outputs)
    }

    fn update(&self, sums: &mut [f64], probabilities: &[f32], target: Target<'_>) {
        self.object().update(sums, probabilities, target);
    }

    fn value(&self, sums: &[f64]) -> f64 {
        self.object().value(sums)
    }
}
