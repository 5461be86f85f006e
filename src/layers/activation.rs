//! Activation functions, as an argument of other layers and as a layer of their own.

use super::names::name_setter;
use super::written::written;
use super::{Describe, MaskRule, Spec};
use crate::kernels::activation::{Elementwise, SELU};
use crate::program::{Builder, Operand, WeightId};
use crate::shape::Shape;
use serde::{Deserialize, Serialize};

/// A function of a layer's output, as in [Keras](https://keras.io/api/layers/activations/).
///
/// In JSON each has Keras' name as well, as in `"leaky_relu"`. Where Keras has a function with arguments, this is the
/// function with Keras' defaults; the layers [`ReLU`](super::ReLU), [`LeakyReLU`](super::LeakyReLU) and
/// [`ELU`](super::ELU) take arguments.
///
/// ```
/// use inkstone::prelude::*;
/// let model = Sequential::new([2])
///     .add(Activation::new(Gelu))
///     .compile(Adam::default(), MeanSquaredError, [])?;
/// let outputs = model.predict_rows(&[[0.0, 1.0]])?;
/// assert!(outputs[[0, 0]] == 0.0 && (outputs[[0, 1]] - 0.841345).abs() < 1e-6);
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
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
    /// `max(x, 0)`, at most 6.
    #[serde(alias = "relu6")]
    Relu6,
    /// `x`, but `0.2 * x` below 0. Its gradient at 0 is 0.2. The layer [`LeakyReLU`](super::LeakyReLU) has a slope of
    /// 0.3 unless told otherwise, as Keras' has.
    #[serde(alias = "leaky_relu")]
    LeakyRelu,
    /// `x`, but `exp(x) - 1` below 0 ([Clevert et al., 2016](https://arxiv.org/abs/1511.07289)).
    #[serde(alias = "elu")]
    Elu,
    /// `1.0507 * x`, but `1.7581 * (exp(x) - 1)` below 0, which keeps mean 0 and variance 1 from layer to layer
    /// ([Klambauer et al., 2017](https://arxiv.org/abs/1706.02515)).
    #[serde(alias = "selu")]
    Selu,
    /// `x` times the probability that a standard normal number is less
    /// ([Hendrycks and Gimpel, 2016](https://arxiv.org/abs/1606.08415)): Keras' `gelu`.
    #[serde(alias = "gelu")]
    Gelu,
    /// `x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3))) / 2`, close to [`Gelu`](Self::Gelu): Keras'
    /// `gelu(x, approximate=True)`.
    #[serde(alias = "gelu_tanh")]
    GeluTanh,
    /// `x * sigmoid(x)`, also called swish ([Elfwing et al., 2017](https://arxiv.org/abs/1702.03118)).
    #[serde(alias = "silu", alias = "swish")]
    Silu,
    /// `x * tanh(softplus(x))` ([Misra, 2019](https://arxiv.org/abs/1908.08681)).
    #[serde(alias = "mish")]
    Mish,
    /// `ln(1 + exp(x))`.
    #[serde(alias = "softplus")]
    Softplus,
    /// `x / (1 + |x|)`.
    #[serde(alias = "softsign")]
    Softsign,
    /// `x / 6 + 0.5`, at least 0 and at most 1.
    #[serde(alias = "hard_sigmoid")]
    HardSigmoid,
    /// `exp(x)`.
    #[serde(alias = "exponential")]
    Exponential,
}

/// The slope of [`ActivationFunction::LeakyRelu`].
pub(crate) const LEAKY_RELU_SLOPE: f32 = 0.2;

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
        match self.elementwise() {
            Some(function) => builder.activate(x, function),
            None => builder.softmax(x),
        }
    }

    /// The function of each value; `None` for a softmax, which looks at all.
    pub(super) fn elementwise(self) -> Option<Elementwise> {
        Some(match self {
            Self::Linear => Elementwise::Linear,
            Self::Relu => Elementwise::Relu,
            Self::Sigmoid => Elementwise::Sigmoid,
            Self::Tanh => Elementwise::Tanh,
            Self::Softmax => return None,
            Self::Relu6 => Elementwise::CappedRelu { ceiling: 6.0 },
            Self::LeakyRelu => Elementwise::LeakyRelu { slope: LEAKY_RELU_SLOPE },
            Self::Elu => Elementwise::Elu { alpha: 1.0, scale: 1.0 },
            Self::Selu => Elementwise::Elu { alpha: SELU.0 as f32, scale: SELU.1 as f32 },
            Self::Gelu => Elementwise::Gelu,
            Self::GeluTanh => Elementwise::GeluTanh,
            Self::Silu => Elementwise::Silu,
            Self::Mish => Elementwise::Mish,
            Self::Softplus => Elementwise::Softplus,
            Self::Softsign => Elementwise::Softsign,
            Self::HardSigmoid => Elementwise::HardSigmoid,
            Self::Exponential => Elementwise::Exponential,
        })
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

    fn mask_rule(&self) -> MaskRule {
        MaskRule::Passes
    }

    fn lower(&self, builder: &mut Builder, inputs: &[Operand], _weights: &[WeightId]) -> Result<Operand, String> {
        Ok(self.function.lower(builder, inputs[0]))
    }
}
