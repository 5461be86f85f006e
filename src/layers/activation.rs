//! Activation functions, as an argument of other layers and as a layer of their own.

use super::names::name_setter;
use super::written::written;
use super::{Describe, Spec};
use crate::kernels::activation::Elementwise;
use crate::program::{Builder, Operand, WeightId};
use crate::shape::Shape;
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
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Activation {
    /// The function. In JSON it may have Keras' name, `activation`, too.
    #[serde(alias = "activation")]
    pub function: ActivationFunction,
    /// Its name; `None` for one after its type.
    pub name: Option<String>,
}

impl Activation {
    /// A layer that applies `function`.
    #[must_use]
    pub fn new(function: ActivationFunction) -> Self {
        Self { function, name: None }
    }

    name_setter!();
}

impl ActivationFunction {
    /// The function of `x`, in a program.
    pub(super) fn lower(self, builder: &mut Builder, x: Operand) -> Operand {
        match self {
            Self::Linear => builder.activate(x, Elementwise::Linear),
            Self::Relu => builder.activate(x, Elementwise::Relu),
            Self::Sigmoid => builder.activate(x, Elementwise::Sigmoid),
            Self::Tanh => builder.activate(x, Elementwise::Tanh),
            Self::Softmax => builder.softmax(x),
        }
    }
}

written! {
    Activation {
        function;
        name = None,
    }
}

impl Describe for Activation {
    fn spec(&self, inputs: &[Shape]) -> Result<Spec, String> {
        Ok(Spec::of_shape(inputs[0]))
    }

    fn lower(&self, builder: &mut Builder, inputs: &[Operand], _weights: &[WeightId]) -> Result<Operand, String> {
        Ok(self.function.lower(builder, inputs[0]))
    }
}
