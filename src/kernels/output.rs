//! The function of a model's last layer. It is no step of the plan: a loss takes the values before it where that is
//! more exact, and predictions apply it.

use super::exp::sigmoid;
use super::softmax::{softmax, softmax_backward};

/// What turns the last step's values into the model's outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OutputFunction {
    /// None, or one that the last step has applied.
    Linear,
    /// Over all outputs: probabilities of classes that exclude each other.
    Softmax,
    /// On each output: probabilities of their own.
    Sigmoid,
}

impl OutputFunction {
    /// Applies the function in place.
    ///
    /// - values: (examples, outputs)
    pub(crate) fn apply(self, values: &mut [f32], outputs: usize) {
        match self {
            Self::Linear => {}
            Self::Softmax => softmax(values, outputs),
            Self::Sigmoid => values.iter_mut().for_each(|value| *value = sigmoid(*value)),
        }
    }

    /// Turns the gradient of the function's result into that of what it was applied to, in place.
    ///
    /// - y, dy: (outputs)
    pub(crate) fn backward(self, y: &[f32], dy: &mut [f32]) {
        match self {
            Self::Linear => {}
            Self::Softmax => softmax_backward(y, dy, y.len()),
            Self::Sigmoid => dy.iter_mut().zip(y).for_each(|(dy, y)| *dy *= y * (1.0 - y)),
        }
    }
}
