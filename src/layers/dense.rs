//! The fully connected layer.

use super::{ActivationFunction, Layer, checked, with_bias};
use crate::shape::Shape;
use serde::{Deserialize, Serialize};

/// `activation(x · kernel + bias)`, as [Keras' `Dense`](https://keras.io/api/layers/core_layers/dense/).
///
/// - Input shape: (features). Output shape: (units).
/// - Kernel: (features, units), Glorot uniform. Bias: (units), zeros.
///
/// At `compile`, an input that is no vector is an error that names the layer.
///
/// ```
/// use inkstone::prelude::*;
/// let model = Sequential::new([784])
///     .add(Dense::new(64).activation(Relu))
///     .add(Dense::new(10).activation(Softmax))
///     .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy])?;
/// assert_eq!(model.parameter_count(), 784 * 64 + 64 + 64 * 10 + 10);
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Dense {
    /// How many outputs.
    pub units: usize,
    /// The function of the output.
    #[serde(default)]
    pub activation: ActivationFunction,
    /// Whether a bias is added for each unit.
    #[serde(default = "with_bias")]
    pub use_bias: bool,
}

impl Dense {
    /// A layer of `units` outputs, linear, with a bias.
    #[must_use]
    pub fn new(units: usize) -> Self {
        Self { units, activation: ActivationFunction::Linear, use_bias: true }
    }

    /// Sets the activation function.
    #[must_use]
    pub fn activation(self, activation: ActivationFunction) -> Self {
        Self { activation, ..self }
    }

    /// Sets whether a bias is added for each unit.
    #[must_use]
    pub fn use_bias(self, use_bias: bool) -> Self {
        Self { use_bias, ..self }
    }

    pub(super) fn output_shape(&self, input: Shape) -> Result<Shape, String> {
        match input {
            Shape::Vector(_) => checked(Shape::Vector(self.units)),
            Shape::Image { .. } => Err(format!("expects a vector, got {input}: add `Flatten` before it")),
        }
    }
}

impl From<Dense> for Layer {
    fn from(layer: Dense) -> Self {
        Self::Dense(layer)
    }
}
