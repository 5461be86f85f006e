//! The convolution layer.

use super::grouped::{Grouped, bytes_of_groups};
use super::names::name_setter;
use super::sliding::dilated;
use super::weight_settings::{glorot_uniform, kernel_and_bias, zeros};
use super::written::written;
use super::{
    ActivationFunction, Constraint, Describe, Initializer, Regularizer, Spec, checked, image, trained, with_bias,
};
use crate::kernels::patches::Dilated;
use crate::program::{Builder, Operand, WeightId, WeightSpec};
use crate::shape::{Padding, Shape, Window2d};
use serde::Deserialize;

/// A 2-D convolution, as [Keras' `Conv2D`](https://keras.io/api/layers/convolution_layers/convolution2d/).
///
/// - Input shape: (height, width, channels). Output shape: (new height, new width, filters).
/// - Kernel: (kernel height, kernel width, channels, filters), Glorot uniform by default. Bias: (filters), zeros by
///   default.
///
/// At `compile`, an input that is no image, or is smaller than the kernel, is an error that names the layer.
///
/// ```
/// use inkstone::prelude::*;
/// let model = Sequential::new([28, 28, 1])
///     .add(Conv2D::new(8, (3, 3)).strides((2, 2)).padding(Same).activation(Relu))
///     .add(Flatten::new())
///     .add(Dense::new(10).activation(Softmax))
///     .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy])?;
/// assert!(model.summary().to_string().contains("(None, 14, 14, 8)"));
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Conv2D {
    /// How many output channels.
    pub filters: usize,
    /// Rows and columns of the kernel.
    pub kernel_size: (usize, usize),
    /// Rows and columns from one output to the next.
    #[serde(default = "strides_of_one")]
    pub strides: (usize, usize),
    /// What happens at the border.
    #[serde(default)]
    pub padding: Padding,
    /// The function of the output.
    #[serde(default)]
    pub activation: ActivationFunction,
    /// Whether a bias is added for each filter.
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
    /// Rows and columns from one tap of the kernel to the next.
    #[serde(default = "strides_of_one")]
    pub dilation_rate: (usize, usize),
    /// Into how many groups channels and filters are cut, each of which is convolved on its own.
    #[serde(default = "one_group")]
    pub groups: usize,
    /// Its name; `None` for one after its type.
    pub name: Option<String>,
}

impl Conv2D {
    /// A convolution of `filters` filters of this size; strides 1, `valid` padding, linear, with a bias.
    #[must_use]
    pub fn new(filters: usize, kernel_size: (usize, usize)) -> Self {
        Self {
            filters,
            kernel_size,
            strides: strides_of_one(),
            padding: Padding::Valid,
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
            dilation_rate: strides_of_one(),
            groups: one_group(),
            name: None,
        }
    }

    setters! {
        /// Sets the rows and columns from one output to the next.
        strides: (usize, usize),

        /// Sets what happens at the border.
        padding: Padding,

        /// Sets the activation function.
        activation: ActivationFunction,

        /// Sets whether a bias is added for each filter.
        use_bias: bool,

        /// Sets the rows and columns from one tap of the kernel to the next; only without strides.
        dilation_rate: (usize, usize),

        /// Sets into how many groups channels and filters are cut: a divisor of both.
        groups: usize,
    }

    kernel_and_bias!();

    name_setter!();

    /// The geometry on this input.
    pub(crate) fn window(&self, input: Shape) -> Result<Window2d, String> {
        self.dilated(input).map(|dilated| dilated.window)
    }

    /// The same with how the taps stand.
    pub(crate) fn dilated(&self, input: Shape) -> Result<Dilated, String> {
        dilated(input, self.kernel_size, self.dilation_rate, self.strides, self.padding)
    }

    fn grouped(&self, input: Shape, channels: usize) -> Result<Grouped, String> {
        Ok(Grouped { of: self.dilated(input)?, channels, filters: self.filters, groups: self.groups })
    }

    /// Sets whether training changes its weights, as Keras' `layer.trainable`.
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// let model = Sequential::new([3, 3, 1])
    ///     .add(Conv2D::new(3, (2, 2)).activation(Relu).trainable(false))
    ///     .add(Flatten::new())
    ///     .add(Dense::new(2).activation(Softmax))
    ///     .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [])?;
    /// let summary = model.summary().to_string();
    /// assert!(summary.contains("Trainable params: 26 ") && summary.contains("Non-trainable params: 15 "));
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    #[must_use]
    pub fn trainable(self, trainable: bool) -> Self {
        Self { trainable, ..self }
    }
}

pub(super) fn one_group() -> usize {
    1
}

pub(super) fn strides_of_one() -> (usize, usize) {
    (1, 1)
}

written! {
    Conv2D {
        filters, kernel_size, strides, padding, activation, use_bias, trainable;
        kernel_initializer = Initializer::GlorotUniform,
        bias_initializer = Initializer::Zeros,
        kernel_regularizer = None,
        bias_regularizer = None,
        activity_regularizer = None,
        kernel_constraint = None,
        bias_constraint = None,
        dilation_rate = strides_of_one(),
        groups = one_group(),
        name = None,
    }
}

impl Describe for Conv2D {
    fn spec(&self, inputs: &[Shape]) -> Result<Spec, String> {
        let (_, _, channels) = image(inputs[0])?;
        let (height, width) = self.window(inputs[0])?.out;
        let output = checked(Shape::from([height, width, self.filters]))?;
        let (kernel_height, kernel_width) = self.kernel_size;
        let channels = self.grouped(inputs[0], channels)?.channels_of_each(Some("DepthwiseConv2D"))?;
        let kernel = vec![kernel_height, kernel_width, channels, self.filters];
        let weights = self.kernel_and_bias(kernel, self.filters)?;
        let spec = Spec { output, weights };
        Ok(if self.trainable { spec } else { spec.frozen() })
    }

    fn activity_regularizer(&self) -> Option<Regularizer> {
        self.activity_regularizer
    }

    fn window_lists(&self) -> usize {
        self.groups
    }

    fn copied_bytes(&self) -> u64 {
        bytes_of_groups(self.groups)
    }

    fn trainable_mut(&mut self) -> Option<&mut bool> {
        Some(&mut self.trainable)
    }

    fn lower(&self, builder: &mut Builder, inputs: &[Operand], weights: &[WeightId]) -> Result<Operand, String> {
        let input = inputs[0];
        let y = self.grouped(input.shape, input.shape.channels())?.lower(builder, input, weights)?;
        Ok(self.activation.lower(builder, y))
    }
}
