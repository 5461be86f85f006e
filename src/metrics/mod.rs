//! What is measured beside the loss: the metrics that [`compile`](crate::Sequential::compile) takes, with Keras' names,
//! arguments, defaults and meanings. What is said of a finished model, class by class, is in
//! [`evaluation`](crate::evaluation).
//!
//! Metrics with arguments are small structs with builders. [`metrics!`](crate::metrics!) makes a list of different
//! ones:
//!
//! ```
//! use inkstone::prelude::*;
//! let model = Sequential::new([28, 28, 1])
//!     .add(Flatten::new())
//!     .add(Dense::new(10).activation(Softmax))
//!     .compile(
//!         Adam::default(),
//!         SparseCategoricalCrossentropy::default(),
//!         metrics![Accuracy, TopKCategoricalAccuracy::new(3), Recall::new().class_id(7)],
//!     )?;
//! # assert_eq!(model.parameter_count(), 7850);
//! # Ok::<(), inkstone::Error>(())
//! ```
//!
//! Losses that Keras also has as metrics are metrics here, by the same names:
//!
//! ```
//! use inkstone::prelude::*;
//! use inkstone::ndarray::array;
//! let model = Sequential::new([2])
//!     .add(Dense::new(1))
//!     .compile(Adam::default(), MeanSquaredError, metrics![MeanAbsoluteError, MeanSquaredError])?;
//! let scores = model.evaluate((&array![[0.0, 0.0], [0.0, 0.0]], &[3.0, -1.0]))?;
//! assert_eq!(scores.to_string(), "mean_absolute_error: 2.0000 - mean_squared_error: 5.0000 - loss: 5.0000");
//! # Ok::<(), inkstone::Error>(())
//! ```
//!
//! Targets may be classes or a value for each output: a class counts as its one-hot row, and for a model of one output
//! as the value 0 or 1 that is wanted. Keras has a metric of its own for each of the two (`SparseCategoricalAccuracy`,
//! ...); these take both.

mod accuracy;
mod auc;
mod cells;
pub(crate) mod custom;
mod direction;
mod f1_score;
mod meaning;
mod means;
mod precision_recall;
mod scores;
mod state;
#[cfg(test)]
mod tests;

pub use accuracy::{BinaryAccuracy, TopKCategoricalAccuracy};
pub use auc::Auc;
pub use custom::{AnyMetric, CustomMetric};
pub use direction::Direction;
pub use f1_score::{Average, F1Score};
pub use precision_recall::{Precision, Recall};
pub use scores::{OutputScores, Scores};
pub(crate) use state::MetricState;

use crate::data::Target;
use crate::error::{Error, Result};
use crate::loss::{
    BinaryCrossentropy, CategoricalCrossentropy, MeanAbsoluteError, MeanSquaredError, SparseCategoricalCrossentropy,
};
use accuracy::PlainAccuracy;
use means::Mean;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fmt;

/// Something measured beside the loss, as in [Keras](https://keras.io/api/metrics/).
///
/// ```
/// use inkstone::Metric;
/// use inkstone::metrics::Auc;
/// assert_eq!(Metric::Accuracy.name(), "accuracy");
/// assert_eq!(Metric::from(Auc::new()).name(), "auc");
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Metric {
    /// The part of the examples that are right, from 0 to 1, as Keras' `"accuracy"`: for several outputs those whose
    /// class has the highest output, the first of equals; for one output those on the right side of 0.5.
    Accuracy,
    /// How many outputs are on the right side of a threshold.
    BinaryAccuracy(BinaryAccuracy),
    /// How many classes are among the likeliest.
    TopKCategoricalAccuracy(TopKCategoricalAccuracy),
    /// How much of what is found is right.
    Precision(Precision),
    /// How much of what is right is found.
    Recall(Recall),
    /// Precision and recall in one number.
    F1Score(F1Score),
    /// The area under the ROC curve.
    Auc(Auc),
    /// The log loss of probabilities that are scaled to sum 1 and kept 1e-7 away from 0 and 1, as
    /// [Keras' `CategoricalCrossentropy`](https://keras.io/api/metrics/probabilistic_metrics/).
    CategoricalCrossentropy,
    /// The log loss of each output on its own, kept 1e-7 away from 0 and 1; the mean over outputs, as
    /// [Keras' `BinaryCrossentropy`](https://keras.io/api/metrics/probabilistic_metrics/).
    BinaryCrossentropy,
    /// The mean square of the difference between output and target, over all outputs.
    MeanSquaredError,
    /// The mean difference between output and target, without its sign, over all outputs.
    MeanAbsoluteError,
    /// A [metric of a user's own](CustomMetric).
    Custom(AnyMetric),
}

/// The most sums that a model's metrics may keep: 8 MB for each part of the work.
const MAX_SUMS: usize = 1 << 20;

/// How a metric adds up: what `MetricState` asks of each.
///
/// All that is kept are sums, so that parts of a data set can be added up: whole numbers, exact up to 2^53, or sums of
/// errors.
trait Measure: fmt::Debug {
    /// Keras' name for it.
    fn name(&self) -> &str;

    /// # Errors
    /// [`Error::Setting`] for an argument that makes no sense for a model with this many outputs.
    fn check(&self, outputs: usize) -> Result<()>;

    /// Whether it needs probabilities; otherwise the order of the outputs is all that counts, and logits do as well.
    fn needs_probabilities(&self, outputs: usize) -> bool;

    /// How many sums it keeps.
    fn sums(&self, outputs: usize) -> usize;

    /// Adds one example.
    fn update(&self, sums: &mut [f64], probabilities: &[f32], target: Target<'_>);

    /// Its value; 0 where Keras divides nothing by nothing.
    fn value(&self, sums: &[f64]) -> f64;
}

impl Metric {
    fn measure(&self) -> &dyn Measure {
        match self {
            Self::Accuracy => &PlainAccuracy,
            Self::BinaryAccuracy(metric) => metric,
            Self::TopKCategoricalAccuracy(metric) => metric,
            Self::Precision(metric) => metric,
            Self::Recall(metric) => metric,
            Self::F1Score(metric) => metric,
            Self::Auc(metric) => metric,
            Self::CategoricalCrossentropy => &Mean::CategoricalCrossentropy,
            Self::BinaryCrossentropy => &Mean::BinaryCrossentropy,
            Self::MeanSquaredError => &Mean::SquaredError,
            Self::MeanAbsoluteError => &Mean::AbsoluteError,
            Self::Custom(metric) => metric,
        }
    }

    /// Keras' name for it, as in logs and histories. Where a metric is measured twice, [`Scores::names`] tells them
    /// apart.
    #[must_use]
    pub fn name(&self) -> &str {
        self.measure().name()
    }

    /// Which way it gets better.
    pub(crate) fn direction(&self) -> Direction {
        match self {
            Self::Accuracy
            | Self::BinaryAccuracy(_)
            | Self::TopKCategoricalAccuracy(_)
            | Self::Precision(_)
            | Self::Recall(_)
            | Self::F1Score(_)
            | Self::Auc(_) => Direction::Up,
            Self::CategoricalCrossentropy
            | Self::BinaryCrossentropy
            | Self::MeanSquaredError
            | Self::MeanAbsoluteError => Direction::Down,
            Self::Custom(metric) => metric.direction(),
        }
    }

    /// How many sums it keeps, once it has been checked.
    pub(crate) fn sums(&self, outputs: usize) -> usize {
        self.measure().sums(outputs)
    }

    /// The check of all metrics of a model: those of each output, and how many values that has.
    ///
    /// # Errors
    /// [`Error::Setting`] for an argument that makes no sense for a model with this many outputs, or if all together
    /// would keep more than 2^20 sums.
    pub(crate) fn check_all<'m>(of_outputs: impl Iterator<Item = (&'m [Self], usize)> + Clone) -> Result<()> {
        of_outputs.clone().try_for_each(|(metrics, len)| metrics.iter().try_for_each(|metric| metric.check(len)))?;
        let sums = of_outputs.flat_map(|(metrics, len)| metrics.iter().map(move |metric| metric.measure().sums(len)));
        let sums = sums.fold(0, usize::saturating_add);
        require(sums <= MAX_SUMS, "metrics", "metrics that keep at most 1048576 sums together", || sums.to_string())
    }

    /// # Errors
    /// [`Error::Setting`] for an argument that makes no sense for a model with this many outputs.
    pub(crate) fn check(&self, outputs: usize) -> Result<()> {
        self.measure().check(outputs)
    }
}

/// The names of metrics in a log: Keras' names, and from the second of a name on with `_1`, `_2` and so on after it.
pub(crate) fn unique_names<'a>(metrics: impl Iterator<Item = &'a Metric>) -> Vec<String> {
    let mut seen: HashMap<&str, usize> = HashMap::new();
    let unique = metrics.map(|metric| {
        let name = metric.name();
        let before = seen.entry(name).or_default();
        *before += 1;
        if *before == 1 { name.to_owned() } else { format!("{name}_{}", *before - 1) }
    });
    unique.collect()
}

/// The check of one argument.
fn require(holds: bool, name: &'static str, expected: &'static str, received: impl FnOnce() -> String) -> Result<()> {
    if holds { Ok(()) } else { Err(Error::Setting { name, expected, received: received() }) }
}

macro_rules! into_metric {
    ($($metric:ident),*) => {$(
        impl From<$metric> for Metric {
            fn from(metric: $metric) -> Self {
                Self::$metric(metric)
            }
        }
    )*};
}
into_metric!(BinaryAccuracy, TopKCategoricalAccuracy, Precision, Recall, F1Score, Auc);

/// Losses that Keras has as metrics too. Metrics see probabilities and the targets as they are, whatever a loss makes
/// of logits and smoothed labels.
macro_rules! loss_as_metric {
    ($($loss:ident => $metric:ident),*) => {$(
        impl From<$loss> for Metric {
            /// The metric of this name, which has no settings: those of the loss are left behind.
            fn from(_: $loss) -> Self {
                Self::$metric
            }
        }
    )*};
}
loss_as_metric!(
    MeanSquaredError => MeanSquaredError,
    MeanAbsoluteError => MeanAbsoluteError,
    BinaryCrossentropy => BinaryCrossentropy,
    CategoricalCrossentropy => CategoricalCrossentropy,
    SparseCategoricalCrossentropy => CategoricalCrossentropy
);

/// An array of [`Metric`]s out of different metrics, for [`compile`](crate::Sequential::compile).
///
/// ```
/// use inkstone::metrics;
/// use inkstone::metrics::{Auc, Metric};
/// let metrics = metrics![Metric::Accuracy, Auc::new()];
/// assert_eq!(metrics, [Metric::Accuracy, Metric::Auc(Auc::new())]);
/// assert_eq!(metrics![], []);
/// ```
#[macro_export]
macro_rules! metrics {
    ($($metric:expr),* $(,)?) => {{
        let metrics: [$crate::Metric; _] = [$($crate::Metric::from($metric)),*];
        metrics
    }};
}
