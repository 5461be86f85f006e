//! The separable convolution layer.

use super::conv2d::strides_of_one;
use super::depthwise_conv2d::{bytes_of_taps, check_padded, depthwise_kernel, multiplied};
use super::names::name_setter;
use super::sliding::dilated;
use super::weight_settings::{activity_setter, glorot_uniform, weight, weight_setters, zeros};
use super::written::written;
use super::{
    ActivationFunction, Constraint, Describe, Initializer, Regularizer, Spec, check_convolution, checked, image,
    trained, with_bias,
};
use crate::kernels::patches::Dilated;
use crate::program::{Builder, Conv, Operand, WeightId, WeightSpec};
use crate::shape::{Padding, Shape, Window2d};
use serde::Deserialize;

/// A depthwise convolution and one of single pixels behind it, as [Keras'
/// `SeparableConv2D`](https://keras.io/api/layers/convolution_layers/separable_convolution2d/), from [Chollet,
/// 2016](https://arxiv.org/abs/1610.02357).
///
/// - Input shape: (height, width, channels). Output shape: (new height, new width, filters).
/// - Depthwise kernel: (kernel height, kernel width, channels, depth_multiplier); pointwise kernel: (1, 1, channels *
///   depth_multiplier, filters), both Glorot uniform by default. Bias: (filters), zeros by default.
///
/// At `compile`, an input that is no image, or is smaller than the kernel, is an error that names the layer.
///
/// ```
/// use inkstone::prelude::*;
/// let model = Sequential::new([28, 28, 8])
///     .add(SeparableConv2D::new(16, (3, 3)).padding(Same).activation(Relu))
///     .add(Flatten::new())
///     .add(Dense::new(10).activation(Softmax))
///     .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy])?;
/// assert_eq!(model.get_weight("separable_conv2d/pointwise_kernel")?.values.shape(), [1, 1, 8, 16]);
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct SeparableConv2D {
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
    /// How many outputs each channel has.
    #[serde(default = "one")]
    pub depth_multiplier: usize,
    /// The function of the output.
    #[serde(default)]
    pub activation: ActivationFunction,
    /// Whether a bias is added for each filter.
    #[serde(default = "with_bias")]
    pub use_bias: bool,
    /// Whether training changes its weights.
    #[serde(default = "trained")]
    pub trainable: bool,
    /// How the first values of the depthwise kernel are drawn.
    #[serde(default = "glorot_uniform")]
    pub depthwise_initializer: Initializer,
    /// How the first values of the pointwise kernel are drawn.
    #[serde(default = "glorot_uniform")]
    pub pointwise_initializer: Initializer,
    /// How the first values of the bias are drawn.
    #[serde(default = "zeros")]
    pub bias_initializer: Initializer,
    /// What the depthwise kernel adds to the loss, if anything.
    pub depthwise_regularizer: Option<Regularizer>,
    /// What the pointwise kernel adds to the loss, if anything.
    pub pointwise_regularizer: Option<Regularizer>,
    /// What the bias adds to the loss, if anything.
    pub bias_regularizer: Option<Regularizer>,
    /// What the output adds to the loss, summed over an example, if anything.
    pub activity_regularizer: Option<Regularizer>,
    /// What the depthwise kernel is brought to after each step, if anything.
    pub depthwise_constraint: Option<Constraint>,
    /// What the pointwise kernel is brought to after each step, if anything.
    pub pointwise_constraint: Option<Constraint>,
    /// What the bias is brought to after each step, if anything.
    pub bias_constraint: Option<Constraint>,
    /// Rows and columns from one tap of the kernel to the next.
    #[serde(default = "strides_of_one")]
    pub dilation_rate: (usize, usize),
    /// Its name; `None` for one after its type.
    pub name: Option<String>,
}

impl SeparableConv2D {
    /// A separable convolution of `filters` filters of this size; strides 1, `valid` padding, linear, with a bias.
    #[must_use]
    pub fn new(filters: usize, kernel_size: (usize, usize)) -> Self {
        Self {
            filters,
            kernel_size,
            strides: strides_of_one(),
            padding: Padding::Valid,
            depth_multiplier: 1,
            activation: ActivationFunction::Linear,
            use_bias: true,
            trainable: true,
            depthwise_initializer: Initializer::GlorotUniform,
            pointwise_initializer: Initializer::GlorotUniform,
            bias_initializer: Initializer::Zeros,
            depthwise_regularizer: None,
            pointwise_regularizer: None,
            bias_regularizer: None,
            activity_regularizer: None,
            depthwise_constraint: None,
            pointwise_constraint: None,
            bias_constraint: None,
            dilation_rate: strides_of_one(),
            name: None,
        }
    }

    setters! {
        /// Sets the rows and columns from one output to the next.
        strides: (usize, usize),

        /// Sets what happens at the border.
        padding: Padding,

        /// Sets how many outputs each channel has.
        depth_multiplier: usize,

        /// Sets the activation function.
        activation: ActivationFunction,

        /// Sets whether a bias is added for each filter.
        use_bias: bool,

        /// Sets whether training changes its weights.
        trainable: bool,

        /// Sets the rows and columns from one tap of the kernel to the next; only without strides.
        dilation_rate: (usize, usize),
    }

    weight_setters!("the depthwise kernel": depthwise_initializer, depthwise_regularizer, depthwise_constraint);
    weight_setters!("the pointwise kernel": pointwise_initializer, pointwise_regularizer, pointwise_constraint);
    weight_setters!("the bias": bias_initializer, bias_regularizer, bias_constraint);

    activity_setter!();

    name_setter!();

    /// The geometry on this input.
    pub(crate) fn dilated(&self, input: Shape) -> Result<Dilated, String> {
        dilated(input, self.kernel_size, self.dilation_rate, self.strides, self.padding)
    }
}

fn one() -> usize {
    1
}

written! {
    SeparableConv2D {
        filters, kernel_size, strides, padding, depth_multiplier, activation, use_bias, trainable;
        depthwise_initializer = Initializer::GlorotUniform,
        pointwise_initializer = Initializer::GlorotUniform,
        bias_initializer = Initializer::Zeros,
        depthwise_regularizer = None,
        pointwise_regularizer = None,
        bias_regularizer = None,
        activity_regularizer = None,
        depthwise_constraint = None,
        pointwise_constraint = None,
        bias_constraint = None,
        dilation_rate = strides_of_one(),
        name = None,
    }
}

impl Describe for SeparableConv2D {
    fn spec(&self, inputs: &[Shape]) -> Result<Spec, String> {
        let (_, _, channels) = image(inputs[0])?;
        let between = multiplied(channels, self.depth_multiplier)?;
        let dilated = self.dilated(inputs[0])?;
        let (height, width) = dilated.window.out;
        checked(Shape::from([height, width, between]))?;
        let output = checked(Shape::from([height, width, self.filters]))?;
        check_padded(&dilated, between)?;
        let depthwise = depthwise_kernel("depthwise_kernel", self.kernel_size, channels, self.depth_multiplier);
        let pointwise = WeightSpec::kernel("pointwise_kernel", vec![1, 1, between, self.filters]);
        let mut weights = vec![weight!(self, depthwise, depthwise), weight!(self, pointwise, pointwise)];
        if self.use_bias {
            weights.push(weight!(self, WeightSpec::zeros("bias", vec![self.filters]), bias));
        }
        let spec = Spec { output, weights };
        Ok(if self.trainable { spec } else { spec.frozen() })
    }

    fn activity_regularizer(&self) -> Option<Regularizer> {
        self.activity_regularizer
    }

    fn window_lists(&self) -> usize {
        1
    }

    fn copied_bytes(&self) -> u64 {
        bytes_of_taps(self.kernel_size)
    }

    fn trainable_mut(&mut self) -> Option<&mut bool> {
        Some(&mut self.trainable)
    }

    fn lower(&self, builder: &mut Builder, inputs: &[Operand], weights: &[WeightId]) -> Result<Operand, String> {
        let dilated = self.dilated(inputs[0].shape)?;
        let x = builder.depthwise(inputs[0], dilated, self.depth_multiplier, &weights[..1]);
        let (window, channels) =
            (Window2d::new(dilated.window.out, (1, 1), (1, 1), Padding::Valid)?, x.shape.channels());
        check_convolution(&window, channels, self.filters)?;
        let conv = Conv::new(window, channels, self.filters, &weights[1..]);
        let y = builder.conv(x, conv);
        Ok(self.activation.lower(builder, y))
    }
}
