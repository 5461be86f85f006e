//! Decides which class a model's outputs stand for, and for which models that is a meaningful question.

use super::Scoring;
use crate::error::{Error, Result};
use crate::kernels::exp::sigmoid;
use crate::kernels::output::OutputFunction;
use crate::kernels::softmax::argmax;
use crate::plan::Plan;
use serde::{Deserialize, Serialize};

/// How one example's outputs, as `predict` returns them, become a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Decision {
    /// The class with the highest output, the first of equals: of probabilities, and of logits.
    Highest,
    /// 1 if the only output, a probability, is above one half.
    Probability,
    /// 1 if the probability that the only output, a logit, stands for is above one half.
    Logit,
    /// There is no class: the outputs are values of their own.
    Undecided(Undecided),
}

/// Why outputs stand for no class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Undecided {
    /// Outputs of a regression.
    Numbers,
    /// Several probabilities, each of its own yes or no.
    SeveralLabels,
    /// The model has several outputs.
    SeveralOutputs,
    /// The softmax of a single output, which is always 1.
    AlwaysOne,
}

impl Decision {
    /// The decision of a model whose last layer applies the plan's function, and whose loss and metrics see the
    /// scoring's.
    pub(crate) fn new(plan: &Plan, scoring: &Scoring) -> Self {
        if plan.heads.len() > 1 {
            return Self::Undecided(Undecided::SeveralOutputs);
        }
        match (scoring.head().function(), plan.output_len(0)) {
            (OutputFunction::Softmax, 1) => Self::Undecided(Undecided::AlwaysOne),
            (OutputFunction::Softmax, _) => Self::Highest,
            (OutputFunction::Sigmoid, 1) if plan.head().function == OutputFunction::Sigmoid => Self::Probability,
            (OutputFunction::Sigmoid, 1) => Self::Logit,
            (OutputFunction::Sigmoid, _) => Self::Undecided(Undecided::SeveralLabels),
            (OutputFunction::Linear, _) => Self::Undecided(Undecided::Numbers),
        }
    }

    /// # Errors
    /// [`Error::Model`] if the outputs stand for no class.
    pub(crate) fn check(self) -> Result<()> {
        let problem = match self {
            Self::Highest | Self::Probability | Self::Logit => return Ok(()),
            Self::Undecided(Undecided::Numbers) => {
                "gives numbers, not probabilities of classes: call `predict`, which returns the numbers"
            }
            Self::Undecided(Undecided::SeveralLabels) => {
                "gives several probabilities that do not exclude each other, so an example may have any number of labels: call \
                 `predict`, and compare each output with a threshold, such as 0.5 (0 for logits)"
            }
            Self::Undecided(Undecided::SeveralOutputs) => {
                "has several outputs: call `predict_all`, and take the class of each output that has one"
            }
            Self::Undecided(Undecided::AlwaysOne) => {
                "ends with the softmax of a single output, which is always 1: end it with `Dense::new(1).activation(Sigmoid)` and \
                 BinaryCrossentropy, or with an output for each class"
            }
        };
        Err(Error::Model(problem.into()))
    }

    /// The class of one example's outputs; 0 if there is none, which [`Self::check`] tells.
    ///
    /// - y: (outputs), as `predict` returns them
    pub(crate) fn class(self, y: &[f32]) -> usize {
        match (self, y) {
            (Self::Probability, [probability]) => usize::from(*probability > 0.5),
            // As metrics see it, so that accuracy counts just these classes.
            (Self::Logit, [logit]) => usize::from(sigmoid(*logit) > 0.5),
            (Self::Highest | Self::Probability | Self::Logit, _) => argmax(y),
            (Self::Undecided(_), _) => 0,
        }
    }
}
