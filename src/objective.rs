//! What one output of a model is trained for.

#[cfg(any(feature = "keras", feature = "onnx"))]
use crate::kernels::output::OutputFunction;
use crate::loss::Loss;
#[cfg(any(feature = "keras", feature = "onnx"))]
use crate::loss::{BinaryCrossentropy, MeanSquaredError, SparseCategoricalCrossentropy};
use crate::metrics::Metric;
#[cfg(any(feature = "keras", feature = "onnx"))]
use crate::shape::Shape;
use serde::{Deserialize, Serialize};

/// What one output of a model is trained for: its loss, how much that counts beside those of other outputs, and what is
/// measured beside it. [`Functional::compile_with`](crate::Functional::compile_with) takes one for each output.
///
/// ```
/// use inkstone::prelude::*;
/// let objective = Objective::new(MeanSquaredError).weight(0.5).metrics([Metric::MeanAbsoluteError]);
/// assert_eq!(objective.weight, 0.5);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Objective {
    /// What is minimised.
    pub loss: Loss,
    /// What the loss is multiplied by in the sum over all outputs; 1.
    pub weight: f32,
    /// What is measured.
    pub metrics: Vec<Metric>,
}

impl Objective {
    /// A loss of weight 1, and no metrics.
    #[must_use]
    pub fn new(loss: impl Into<Loss>) -> Self {
        Self { loss: loss.into(), weight: 1.0, metrics: Vec::new() }
    }

    /// What fits an output of this function and shape: for classes the cross-entropy with the accuracy, for probabilities
    /// theirs, and otherwise the mean squared error.
    #[cfg(any(feature = "keras", feature = "onnx"))]
    pub(crate) fn fitting(function: OutputFunction, shape: Shape) -> Self {
        match (function, shape.axes()) {
            (OutputFunction::Softmax, [_]) => {
                Self::new(SparseCategoricalCrossentropy::default()).metrics([Metric::Accuracy])
            }
            (OutputFunction::Sigmoid, _) => Self::new(BinaryCrossentropy::default()),
            (OutputFunction::Softmax | OutputFunction::Linear, _) => Self::new(MeanSquaredError),
        }
    }

    /// Sets what the loss is multiplied by in the sum over all outputs: finite and at least 0.
    #[must_use]
    pub fn weight(self, weight: f32) -> Self {
        Self { weight, ..self }
    }

    /// Sets what is measured.
    #[must_use]
    pub fn metrics(self, metrics: impl IntoIterator<Item = Metric>) -> Self {
        Self { metrics: metrics.into_iter().collect(), ..self }
    }
}
