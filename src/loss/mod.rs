//! Decides what training minimises: which outputs a loss takes, which targets, and one example's loss with its
//! gradient. What is summed over examples is `train`'s.

mod binary;
mod cross_entropy;
pub(crate) mod custom;
mod divergence;
mod regression;

pub use binary::BinaryCrossentropy;
pub use cross_entropy::{CategoricalCrossentropy, SparseCategoricalCrossentropy};
pub use custom::{AnyLoss, CustomLoss};
pub use divergence::KlDivergence;
pub use regression::{Huber, MeanAbsoluteError, MeanSquaredError};

use crate::data::{OrderedTargets, Target};
use crate::error::{Error, Result};
use crate::kernels::output::OutputFunction;
use crate::shape::Shape;
use serde::{Deserialize, Serialize};

/// Any loss.
///
/// Where an example has a class and no values, the class stands for its one-hot row, and for a model of one output it
/// is the value; so a [`Dataset`](crate::Dataset) goes with every loss.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Loss {
    /// Cross-entropy against one class for each example.
    SparseCategoricalCrossentropy(SparseCategoricalCrossentropy),
    /// Cross-entropy against a probability for each class.
    CategoricalCrossentropy(CategoricalCrossentropy),
    /// Cross-entropy of each output by itself against 0 or 1.
    BinaryCrossentropy(BinaryCrossentropy),
    /// Squares of differences.
    MeanSquaredError(MeanSquaredError),
    /// Differences without their signs.
    MeanAbsoluteError(MeanAbsoluteError),
    /// Squares of small differences, large ones as they are.
    Huber(Huber),
    /// How much a probability for each class differs from that of the target.
    KlDivergence(KlDivergence),
    /// A [loss of a user's own](CustomLoss).
    Custom(AnyLoss),
}

/// One example, as a loss sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outcome<'a> {
    /// What the last step gave, before the model's output function: (outputs).
    pub(crate) logits: &'a [f32],
    /// What the model gives: (outputs).
    pub(crate) outputs: &'a [f32],
    /// What leads from the first to the second.
    pub(crate) function: OutputFunction,
    pub(crate) target: Target<'a>,
}

/// Where the gradient of an example's loss with respect to its logits goes, times a factor.
#[derive(Debug)]
pub(crate) struct Gradient<'a> {
    pub(crate) dlogits: &'a mut [f32],
    pub(crate) scale: f32,
}

/// What a cross-entropy expects a model to end with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expects {
    Logits,
    Probabilities,
}

/// What a loss can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Range {
    /// Any numbers.
    Numbers,
    /// Numbers from 0 to 1.
    Probabilities,
}

impl Loss {
    /// Its name, as in `MeanSquaredError`.
    #[must_use]
    pub fn kind(&self) -> &str {
        match self {
            Self::SparseCategoricalCrossentropy(_) => "SparseCategoricalCrossentropy",
            Self::CategoricalCrossentropy(_) => "CategoricalCrossentropy",
            Self::BinaryCrossentropy(_) => "BinaryCrossentropy",
            Self::MeanSquaredError(_) => "MeanSquaredError",
            Self::MeanAbsoluteError(_) => "MeanAbsoluteError",
            Self::Huber(_) => "Huber",
            Self::KlDivergence(_) => "KlDivergence",
            Self::Custom(loss) => loss.name(),
        }
    }

    /// # Errors
    /// [`Error::Model`] if a model that ends with this function does not give what the loss takes, [`Error::Setting`]
    /// for a number that makes no sense.
    pub(crate) fn check(&self, function: OutputFunction) -> Result<()> {
        let expects = |from_logits| if from_logits { Expects::Logits } else { Expects::Probabilities };
        match self {
            Self::SparseCategoricalCrossentropy(loss) => {
                check_smoothing(loss.label_smoothing)?;
                self.check_function(function, OutputFunction::Softmax, expects(loss.from_logits))
            }
            Self::CategoricalCrossentropy(loss) => {
                check_smoothing(loss.label_smoothing)?;
                self.check_function(function, OutputFunction::Softmax, expects(loss.from_logits))
            }
            Self::BinaryCrossentropy(loss) => {
                check_smoothing(loss.label_smoothing)?;
                self.check_function(function, OutputFunction::Sigmoid, expects(loss.from_logits))
            }
            Self::KlDivergence(_) => self.check_function(function, OutputFunction::Softmax, Expects::Probabilities),
            Self::Huber(huber) => huber.check(),
            Self::Custom(loss) => loss.check(),
            Self::MeanSquaredError(_) | Self::MeanAbsoluteError(_) => Ok(()),
        }
    }

    /// # Errors
    /// [`Error::Model`] if the loss compares classes, and an output of this shape has none.
    pub(crate) fn check_shape(&self, output: Shape) -> Result<()> {
        let compares_classes = match self {
            Self::SparseCategoricalCrossentropy(_) | Self::CategoricalCrossentropy(_) | Self::KlDivergence(_) => true,
            Self::BinaryCrossentropy(_)
            | Self::MeanSquaredError(_)
            | Self::MeanAbsoluteError(_)
            | Self::Huber(_)
            | Self::Custom(_) => false,
        };
        if compares_classes && output.axes().len() > 1 {
            return Err(Error::Model(format!(
                "ends with an output of {output}, but {} expects a vector with a value for each class: end it with `Flatten` and \
                 `Dense`, or use a loss of numbers, such as MeanSquaredError",
                self.kind()
            )));
        }
        Ok(())
    }

    fn check_function(&self, found: OutputFunction, wanted: OutputFunction, expects: Expects) -> Result<()> {
        let kind = self.kind();
        let (found_name, wanted_name) = (name(found), name(wanted));
        let problem = match (expects, found) {
            (Expects::Logits, OutputFunction::Linear) => return Ok(()),
            (Expects::Logits, OutputFunction::Softmax | OutputFunction::Sigmoid) if found == wanted => format!(
                "ends with {found_name}, but the loss expects logits: leave out {found_name}, or leave out \
                 `from_logits(true)`"
            ),
            (Expects::Logits, OutputFunction::Softmax | OutputFunction::Sigmoid) => {
                format!("ends with {found_name}, but the loss expects logits: leave out {found_name}")
            }
            (Expects::Probabilities, _) if found == wanted => return Ok(()),
            (Expects::Probabilities, OutputFunction::Linear) => format!(
                "gives no probabilities, which {kind} expects: end it with `.activation({wanted_name})`{}",
                if self.takes_logits() {
                    format!(", or use `{kind}::default().from_logits(true)`")
                } else {
                    String::new()
                }
            ),
            (Expects::Probabilities, OutputFunction::Softmax | OutputFunction::Sigmoid) => format!(
                "ends with {found_name}, but {kind} expects {wanted_name}: end it with `.activation({wanted_name})`"
            ),
        };
        Err(Error::Model(problem))
    }

    /// Whether it can be told to expect logits.
    fn takes_logits(&self) -> bool {
        match self {
            Self::SparseCategoricalCrossentropy(_) | Self::CategoricalCrossentropy(_) | Self::BinaryCrossentropy(_) => {
                true
            }
            Self::MeanSquaredError(_)
            | Self::MeanAbsoluteError(_)
            | Self::Huber(_)
            | Self::KlDivergence(_)
            | Self::Custom(_) => false,
        }
    }

    /// What turns logits into what metrics see: the model's own function, or where that is left to the loss, the loss'.
    pub(crate) fn output_function(&self, function: OutputFunction) -> OutputFunction {
        match self {
            Self::SparseCategoricalCrossentropy(loss) if loss.from_logits => OutputFunction::Softmax,
            Self::CategoricalCrossentropy(loss) if loss.from_logits => OutputFunction::Softmax,
            Self::BinaryCrossentropy(loss) if loss.from_logits => OutputFunction::Sigmoid,
            Self::SparseCategoricalCrossentropy(_)
            | Self::CategoricalCrossentropy(_)
            | Self::BinaryCrossentropy(_)
            | Self::MeanSquaredError(_)
            | Self::MeanAbsoluteError(_)
            | Self::Huber(_)
            | Self::KlDivergence(_)
            | Self::Custom(_) => function,
        }
    }

    /// Whether [`Outcome::outputs`] is read; otherwise it may be empty.
    pub(crate) fn needs_outputs(&self) -> bool {
        match self {
            Self::SparseCategoricalCrossentropy(_)
            | Self::CategoricalCrossentropy(_)
            | Self::BinaryCrossentropy(_)
            | Self::KlDivergence(_) => false,
            Self::MeanSquaredError(_) | Self::MeanAbsoluteError(_) | Self::Huber(_) | Self::Custom(_) => true,
        }
    }

    /// # Errors
    /// [`Error::Data`] if targets are not what the loss can compare this many outputs with.
    pub(crate) fn check_targets(&self, targets: &OrderedTargets<'_>, outputs: usize) -> Result<()> {
        self.check_values(targets, outputs)?;
        match self {
            Self::Custom(loss) => {
                let (rows, mut row) = (targets.rows(), Vec::new());
                (0..targets.len()).try_for_each(|index| loss.check_target(index, rows.at(index, &mut row), outputs))
            }
            Self::SparseCategoricalCrossentropy(_)
            | Self::CategoricalCrossentropy(_)
            | Self::BinaryCrossentropy(_)
            | Self::MeanSquaredError(_)
            | Self::MeanAbsoluteError(_)
            | Self::Huber(_)
            | Self::KlDivergence(_) => Ok(()),
        }
    }

    fn check_values(&self, targets: &OrderedTargets<'_>, outputs: usize) -> Result<()> {
        let outside = |value: f32| !(0.0..=1.0).contains(&value);
        let (dim, first_outside): (_, &dyn Fn() -> _) = match targets {
            OrderedTargets::Classes(classes) => return self.check_classes(classes, outputs),
            OrderedTargets::Values(rows) => (rows.dim(), &|| rows.find(outside)),
            OrderedTargets::Images(images) => (images.dim(), &|| images.find(outside)),
        };
        if dim.1 != outputs {
            return Err(Error::Data(format!("targets must have a value for each output, (N, {outputs}), got {dim:?}")));
        }
        match self.range() {
            None => Err(Error::Data(format!(
                "SparseCategoricalCrossentropy expects a class for each example, got targets of {dim:?}: give the classes as \
                 `usize`, or use CategoricalCrossentropy"
            ))),
            Some(Range::Numbers) => Ok(()),
            Some(Range::Probabilities) => match first_outside() {
                None => Ok(()),
                Some((place, value)) => Err(Error::Data(format!(
                    "{} expects targets from 0 to 1, got {value} at {place:?} (N, outputs)",
                    self.kind()
                ))),
            },
        }
    }

    fn check_classes(&self, classes: &[usize], outputs: usize) -> Result<()> {
        let limit = match (self.range(), outputs) {
            (Some(Range::Numbers), 1) => return Ok(()),
            (Some(Range::Probabilities), 1) => 2,
            (None | Some(Range::Numbers | Range::Probabilities), _) => outputs,
        };
        match classes.iter().position(|class| *class >= limit) {
            None => Ok(()),
            Some(index) => Err(Error::Data(format!(
                "labels must be from 0 to {}, as the model has {outputs} output{}, got {} at index {index}",
                limit - 1,
                if outputs == 1 { "" } else { "s" },
                classes[index]
            ))),
        }
    }

    /// Which values a target may have; `None` if it has to be a class.
    fn range(&self) -> Option<Range> {
        match self {
            Self::SparseCategoricalCrossentropy(_) => None,
            Self::CategoricalCrossentropy(_) | Self::BinaryCrossentropy(_) | Self::KlDivergence(_) => {
                Some(Range::Probabilities)
            }
            Self::MeanSquaredError(_) | Self::MeanAbsoluteError(_) | Self::Huber(_) | Self::Custom(_) => {
                Some(Range::Numbers)
            }
        }
    }

    /// The loss of one example; its gradient is written to where `gradient` says.
    pub(crate) fn of(&self, outcome: &Outcome<'_>, gradient: Option<Gradient<'_>>) -> f64 {
        match self {
            Self::SparseCategoricalCrossentropy(loss) => loss.of(outcome, gradient),
            Self::CategoricalCrossentropy(loss) => loss.of(outcome, gradient),
            Self::BinaryCrossentropy(loss) => loss.of(outcome, gradient),
            Self::MeanSquaredError(_) => regression::mean_squared_error(outcome, gradient),
            Self::MeanAbsoluteError(_) => regression::mean_absolute_error(outcome, gradient),
            Self::Huber(huber) => huber.of(outcome, gradient),
            Self::KlDivergence(_) => divergence::kl_divergence(outcome, gradient),
            Self::Custom(loss) => loss.of(outcome, gradient),
        }
    }
}

fn name(function: OutputFunction) -> &'static str {
    match function {
        OutputFunction::Linear => "Linear",
        OutputFunction::Softmax => "Softmax",
        OutputFunction::Sigmoid => "Sigmoid",
    }
}

/// # Errors
/// [`Error::Setting`] unless it is from 0 to 1.
fn check_smoothing(label_smoothing: f32) -> Result<()> {
    if (0.0..=1.0).contains(&label_smoothing) {
        return Ok(());
    }
    Err(Error::Setting { name: "label_smoothing", expected: "from 0 to 1", received: label_smoothing.to_string() })
}
