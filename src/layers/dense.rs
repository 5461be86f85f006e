//! The fully connected layer.

use super::names::name_setter;
use super::weight_settings::{glorot_uniform, kernel_and_bias, zeros};
use super::written::written;
use super::{
    ActivationFunction, Constraint, Describe, Initializer, MaskRule, Regularizer, Spec, check_convolution, checked,
    trained, with_bias,
};
use crate::program::{Builder, Conv, Operand, WeightId, WeightSpec};
use crate::shape::{Padding, Shape, Window2d};
use serde::Deserialize;

/// `activation(x · kernel + bias)`, as [Keras' `Dense`](https://keras.io/api/layers/core_layers/dense/).
///
/// - Input shape: (features), or (steps, features) of a sequence, whose steps it works on one by one. Output shape:
///   (units), or (steps, units).
/// - Kernel: (features, units), Glorot uniform by default. Bias: (units), zeros by default.
///
/// At `compile`, an input that is neither is an error that names the layer.
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
#[derive(Clone, Debug, PartialEq, Deserialize)]
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
    /// Whether training changes its weights. What lies before the first layer that is trained has no backward pass.
    #[serde(default = "trained")]
    pub trainable: bool,
    /// How the first values of the kernel are drawn.
    #[serde(default = "glorot_uniform")]
    pub kernel_initializer: Initializer,
    /// How the first values of the bias are drawn.
    #[serde(default = "zeros")]
    pub bias_initializer: Initializer,
    /// What the kernel adds to the loss, if anything.
    pub kernel_regularizer: Option<Regularizer>,
    /// What the bias adds to the loss, if anything.
    pub bias_regularizer: Option<Regularizer>,
    /// What the output adds to the loss, summed over an example, if anything.
    pub activity_regularizer: Option<Regularizer>,
    /// What the kernel is brought to after each step, if anything.
    pub kernel_constraint: Option<Constraint>,
    /// What the bias is brought to after each step, if anything.
    pub bias_constraint: Option<Constraint>,
    /// Its name; `None` for one after its type.
    pub name: Option<String>,
}

impl Dense {
    /// A layer of `units` outputs, linear, with a bias.
    #[must_use]
    pub fn new(units: usize) -> Self {
        Self {
            units,
            activation: ActivationFunction::Linear,
            use_bias: true,
            trainable: true,
            kernel_initializer: Initializer::GlorotUniform,
            bias_initializer: Initializer::Zeros,
            kernel_regularizer: None,
            bias_regularizer: None,
            activity_regularizer: None,
            kernel_constraint: None,
            bias_constraint: None,
            name: None,
        }
    }

    setters! {
        /// Sets the activation function.
        activation: ActivationFunction,

        /// Sets whether a bias is added for each unit.
        use_bias: bool,
    }

    kernel_and_bias!();

    name_setter!();

    /// Sets whether training changes its weights, as Keras' `layer.trainable`.
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// let model = Sequential::new([4])
    ///     .add(Dense::new(3).activation(Relu).trainable(false))
    ///     .add(Dense::new(2).activation(Softmax))
    ///     .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [])?;
    /// let summary = model.summary().to_string();
    /// assert!(summary.contains("Trainable params: 8 ") && summary.contains("Non-trainable params: 15 "));
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    #[must_use]
    pub fn trainable(self, trainable: bool) -> Self {
        Self { trainable, ..self }
    }
}

written! {
    Dense {
        units, activation, use_bias, trainable;
        kernel_initializer = Initializer::GlorotUniform,
        bias_initializer = Initializer::Zeros,
        kernel_regularizer = None,
        bias_regularizer = None,
        activity_regularizer = None,
        kernel_constraint = None,
        bias_constraint = None,
        name = None,
    }
}

impl Describe for Dense {
    fn spec(&self, inputs: &[Shape]) -> Result<Spec, String> {
        let features = match *inputs[0].axes() {
            [features] | [_, features] => features,
            _ => return Err(format!("expects a vector, got {}: add `Flatten` before it", inputs[0])),
        };
        let output = checked(inputs[0].with_channels(self.units))?;
        let weights = self.kernel_and_bias(vec![features, self.units], self.units)?;
        let spec = Spec { output, weights };
        Ok(if self.trainable { spec } else { spec.frozen() })
    }

    fn activity_regularizer(&self) -> Option<Regularizer> {
        self.activity_regularizer
    }

    fn window_lists(&self) -> usize {
        1
    }

    fn trainable_mut(&mut self) -> Option<&mut bool> {
        Some(&mut self.trainable)
    }

    fn mask_rule(&self) -> MaskRule {
        MaskRule::Passes
    }

    /// It is a convolution with a window of one pixel: a vector is one, a sequence a row of them.
    fn lower(&self, builder: &mut Builder, inputs: &[Operand], weights: &[WeightId]) -> Result<Operand, String> {
        let (height, width, channels) = inputs[0].shape.as_image();
        let window = Window2d::new((height, width), (1, 1), (1, 1), Padding::Valid)?;
        check_convolution(&window, channels, self.units)?;
        let conv = Conv::new(window, channels, self.units, weights);
        let y = builder.conv(inputs[0], conv);
        let y = Operand { shape: inputs[0].shape.with_channels(self.units), ..y };
        Ok(self.activation.lower(builder, y))
    }
}
