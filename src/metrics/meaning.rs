//! Decides which metrics mean something for a model and its targets. What does not is refused: a number without a
//! meaning would look like any other.

use super::{F1Score, Metric};
use crate::data::{OrderedTargets, Target};
use crate::error::{Error, Result};
use crate::kernels::output::OutputFunction;

/// How far the values of a target may be from adding up to 1: rounding of a thousand small ones.
const SUM_TOLERANCE: f32 = 1e-3;

/// What a metric compares outputs with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TargetKind {
    /// One class for each example.
    Class,
    /// Yes or no for each output.
    YesOrNo,
    /// Any values.
    Numbers,
}

impl Metric {
    /// Its type, as programs write it.
    fn kind(&self) -> &str {
        match self {
            Self::Accuracy => "Accuracy",
            Self::BinaryAccuracy(_) => "BinaryAccuracy",
            Self::TopKCategoricalAccuracy(_) => "TopKCategoricalAccuracy",
            Self::Precision(_) => "Precision",
            Self::Recall(_) => "Recall",
            Self::F1Score(_) => "F1Score",
            Self::Auc(_) => "Auc",
            Self::CategoricalCrossentropy => "CategoricalCrossentropy",
            Self::BinaryCrossentropy => "BinaryCrossentropy",
            Self::MeanSquaredError => "MeanSquaredError",
            Self::MeanAbsoluteError => "MeanAbsoluteError",
            Self::Custom(_) => self.name(),
        }
    }

    /// The metric with what it leaves to the model: an F1 score of outputs that do not exclude each other has a
    /// threshold, as precision and recall have.
    pub(crate) fn for_outputs(&self, function: OutputFunction) -> Self {
        if let (Self::F1Score(F1Score { threshold: None, average }), OutputFunction::Sigmoid) = (self, function) {
            return Self::F1Score(F1Score { threshold: Some(0.5), average: *average });
        }
        self.clone()
    }

    /// The check of a model's metrics against what it gives: outputs of this function.
    ///
    /// # Errors
    /// [`Error::Model`] for a metric whose value would say nothing.
    pub(crate) fn check_function(&self, function: OutputFunction, outputs: usize) -> Result<()> {
        let linear = function == OutputFunction::Linear;
        let meaningless = match self.for_outputs(function) {
            Self::Accuracy => linear && outputs == 1,
            Self::TopKCategoricalAccuracy(_) => outputs == 1,
            Self::Precision(metric) => linear && metric.thresholds.is_none() && metric.top_k.is_none(),
            Self::Recall(metric) => linear && metric.thresholds.is_none() && metric.top_k.is_none(),
            Self::F1Score(metric) => outputs == 1 && metric.threshold.is_none(),
            Self::Auc(_) | Self::CategoricalCrossentropy | Self::BinaryCrossentropy => linear,
            Self::BinaryAccuracy(_) | Self::MeanSquaredError | Self::MeanAbsoluteError | Self::Custom(_) => false,
        };
        if !meaningless {
            return Ok(());
        }
        let kind = self.kind();
        let threshold = match self {
            Self::TopKCategoricalAccuracy(_) => {
                let problem = "has one output, which is always the highest: measure Accuracy instead of";
                return Err(Error::Model(format!("{problem} {kind}")));
            }
            Self::Accuracy => ", or set a threshold for the numbers: `BinaryAccuracy::new().threshold(0.5)`",
            Self::Precision(_) | Self::Recall(_) => ", or set `thresholds` for the numbers",
            Self::F1Score(_) => ", or set `threshold` for the numbers",
            Self::Auc(_)
            | Self::CategoricalCrossentropy
            | Self::BinaryCrossentropy
            | Self::BinaryAccuracy(_)
            | Self::MeanSquaredError
            | Self::MeanAbsoluteError
            | Self::Custom(_) => "",
        };
        Err(Error::Model(format!(
            "gives numbers, but the metric {kind} expects probabilities: measure MeanAbsoluteError or MeanSquaredError, or end the \
             model with `.activation(Sigmoid)` or `.activation(Softmax)`{threshold}"
        )))
    }

    /// The check of targets against a metric of a model with outputs of this function.
    ///
    /// # Errors
    /// [`Error::Data`] for targets that the metric cannot count.
    pub(crate) fn check_targets(
        &self,
        targets: &OrderedTargets<'_>,
        function: OutputFunction,
        outputs: usize,
    ) -> Result<()> {
        let fault = match (self.for_outputs(function).wanted(function, outputs), targets) {
            (TargetKind::Numbers, _) | (TargetKind::Class, OrderedTargets::Classes(_)) => None,
            (TargetKind::YesOrNo, OrderedTargets::Classes(_)) if outputs > 1 => None,
            (
                TargetKind::YesOrNo,
                OrderedTargets::Classes(_) | OrderedTargets::Values(_) | OrderedTargets::Images(_),
            ) => {
                let yes_or_no = |target: Target<'_>| match target {
                    Target::Class(class) => class <= 1,
                    Target::Values(values) => values.iter().all(|value| *value == 0.0 || *value == 1.0),
                };
                first(targets, yes_or_no).map(|index| (index, "targets of 0 or 1"))
            }
            (TargetKind::Class, OrderedTargets::Values(_) | OrderedTargets::Images(_)) => {
                let class = |target: Target<'_>| match target {
                    Target::Class(_) => true,
                    Target::Values(values) => {
                        let sum: f32 = values.iter().sum();
                        values.iter().all(|value| *value >= 0.0) && (sum - 1.0).abs() <= SUM_TOLERANCE
                    }
                };
                first(targets, class).map(|index| (index, "targets of one class, such as one-hot rows"))
            }
        };
        let Some((index, expected)) = fault else { return Ok(()) };
        let received = match targets.rows().at(index, &mut Vec::new()) {
            Target::Class(class) => class.to_string(),
            Target::Values(values) => shown(values),
        };
        Err(Error::Data(format!(
            "the metric {} expects {expected}, got {received} at index {index}: for several labels an example measure \
             BinaryAccuracy, Precision, Recall or F1Score, for numbers MeanAbsoluteError or MeanSquaredError",
            self.kind()
        )))
    }

    fn wanted(&self, function: OutputFunction, outputs: usize) -> TargetKind {
        let softmax = function == OutputFunction::Softmax;
        match self {
            // A softmax is trained towards one class, or probabilities of which the highest is meant.
            Self::Accuracy | Self::TopKCategoricalAccuracy(_) if softmax => TargetKind::Numbers,
            Self::Accuracy if outputs == 1 => TargetKind::YesOrNo,
            Self::Accuracy | Self::TopKCategoricalAccuracy(_) => TargetKind::Class,
            Self::F1Score(_) if softmax => TargetKind::Numbers,
            Self::F1Score(F1Score { threshold: None, .. }) => TargetKind::Class,
            Self::BinaryAccuracy(_) | Self::Precision(_) | Self::Recall(_) | Self::F1Score(_) | Self::Auc(_) => {
                TargetKind::YesOrNo
            }
            Self::CategoricalCrossentropy
            | Self::BinaryCrossentropy
            | Self::MeanSquaredError
            | Self::MeanAbsoluteError
            | Self::Custom(_) => TargetKind::Numbers,
        }
    }
}

/// The first target that is not as it should be.
fn first(targets: &OrderedTargets<'_>, holds: impl Fn(Target<'_>) -> bool) -> Option<usize> {
    let (rows, mut row) = (targets.rows(), Vec::new());
    (0..targets.len()).find(|index| !holds(rows.at(*index, &mut row)))
}

/// The first few values of a target.
fn shown(values: &[f32]) -> String {
    const SHOWN: usize = 5;
    let first: Vec<String> = values.iter().take(SHOWN).map(f32::to_string).collect();
    format!("[{}{}]", first.join(", "), if values.len() > SHOWN { ", ..." } else { "" })
}
