//! Activation functions, as an argument of other layers and as a layer of their own.

use super::Layer;
use serde::{Deserialize, Serialize};

/// A function of a layer's output, as in [Keras](https://keras.io/api/layers/activations/).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ActivationFunction {
    /// `x`: no activation.
    #[default]
    #[serde(alias = "linear")]
    Linear,
    /// `max(x, 0)`. Its gradient at 0 is 0.
    #[serde(alias = "relu")]
    Relu,
    /// `1 / (1 + exp(-x))`.
    #[serde(alias = "sigmoid")]
    Sigmoid,
    /// `tanh(x)`.
    #[serde(alias = "tanh")]
    Tanh,
    /// `exp(x) / sum(exp(x))` over the last axis: probabilities.
    #[serde(alias = "softmax")]
    Softmax,
}

/// An activation function as a layer of its own.
///
/// - Input shape: any. Output shape: the same.
///
/// ```
/// use inkstone::prelude::*;
/// // The same model as with `Dense::new(10).activation(Softmax)`, and the same speed.
/// let model = Sequential::new([784])
///     .add(Dense::new(10))
///     .add(Activation::new(Softmax))
///     .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy])?;
/// assert_eq!(model.parameter_count(), 7850);
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Activation {
    /// The function. In JSON it may have Keras' name, `activation`, too.
    #[serde(alias = "activation")]
    pub function: ActivationFunction,
}

impl Activation {
    /// A layer that applies `function`.
    #[must_use]
    pub fn new(function: ActivationFunction) -> Self {
        Self { function }
    }
}

impl From<Activation> for Layer {
    fn from(layer: Activation) -> Self {
        Self::Activation(layer)
    }
}
