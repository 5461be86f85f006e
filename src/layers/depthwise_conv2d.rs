//! The depthwise convolution layer.

use super::conv2d::strides_of_one;
use super::names::name_setter;
use super::sliding::dilated;
use super::weight_settings::{activity_setter, glorot_uniform, weight, weight_setters, zeros};
use super::written::written;
use super::{
    ActivationFunction, Constraint, Describe, Initializer, Regularizer, Spec, checked, image, trained, with_bias,
};
use crate::kernels::patches::Dilated;
use crate::program::{Builder, Operand, StoredOrder, WeightId, WeightSpec};
use crate::shape::{MAX_ELEMENTS, Padding, Shape};
use serde::Deserialize;

/// Convolves each channel on its own, as [Keras'
/// `DepthwiseConv2D`](https://keras.io/api/layers/convolution_layers/depthwise_convolution2d/).
///
/// - Input shape: (height, width, channels). Output shape: (new height, new width, channels * depth_multiplier).
/// - Kernel: (kernel height, kernel width, channels, depth_multiplier), Glorot uniform by default. Bias: (channels *
///   depth_multiplier), zeros by default.
///
/// At `compile`, an input that is no image, or is smaller than the kernel, is an error that names the layer.
///
/// ```
/// use inkstone::prelude::*;
/// let model = Sequential::new([28, 28, 8])
///     .add(DepthwiseConv2D::new((3, 3)).padding(Same))
///     .add(Flatten::new())
///     .add(Dense::new(10).activation(Softmax))
///     .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy])?;
/// assert_eq!(model.get_weight("depthwise_conv2d/kernel")?.values.shape(), [3, 3, 8, 1]);
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct DepthwiseConv2D {
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
    /// How the first values of the kernel are drawn.
    #[serde(default = "glorot_uniform")]
    pub depthwise_initializer: Initializer,
    /// How the first values of the bias are drawn.
    #[serde(default = "zeros")]
    pub bias_initializer: Initializer,
    /// What the kernel adds to the loss, if anything.
    pub depthwise_regularizer: Option<Regularizer>,
    /// What the bias adds to the loss, if anything.
    pub bias_regularizer: Option<Regularizer>,
    /// What the output adds to the loss, summed over an example, if anything.
    pub activity_regularizer: Option<Regularizer>,
    /// What the kernel is brought to after each step, if anything.
    pub depthwise_constraint: Option<Constraint>,
    /// What the bias is brought to after each step, if anything.
    pub bias_constraint: Option<Constraint>,
    /// Rows and columns from one tap of the kernel to the next.
    #[serde(default = "strides_of_one")]
    pub dilation_rate: (usize, usize),
    /// Its name; `None` for one after its type.
    pub name: Option<String>,
}

impl DepthwiseConv2D {
    /// A depthwise convolution of this size; strides 1, `valid` padding, linear, with a bias.
    #[must_use]
    pub fn new(kernel_size: (usize, usize)) -> Self {
        Self {
            kernel_size,
            strides: strides_of_one(),
            padding: Padding::Valid,
            depth_multiplier: 1,
            activation: ActivationFunction::Linear,
            use_bias: true,
            trainable: true,
            depthwise_initializer: Initializer::GlorotUniform,
            bias_initializer: Initializer::Zeros,
            depthwise_regularizer: None,
            bias_regularizer: None,
            activity_regularizer: None,
            depthwise_constraint: None,
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

    weight_setters!("the kernel": depthwise_initializer, depthwise_regularizer, depthwise_constraint);
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
    DepthwiseConv2D {
        kernel_size, strides, padding, depth_multiplier, activation, use_bias, trainable;
        depthwise_initializer = Initializer::GlorotUniform,
        bias_initializer = Initializer::Zeros,
        depthwise_regularizer = None,
        bias_regularizer = None,
        activity_regularizer = None,
        depthwise_constraint = None,
        bias_constraint = None,
        dilation_rate = strides_of_one(),
        name = None,
    }
}

/// The kernel of a depthwise convolution: Keras' shape is the engine's order.
pub(super) fn depthwise_kernel(
    name: &'static str,
    (rows, columns): (usize, usize),
    channels: usize,
    multiplier: usize,
) -> WeightSpec {
    let kernel = WeightSpec::kernel(name, vec![rows, columns, channels, multiplier]);
    WeightSpec { stored: StoredOrder::AsShaped, ..kernel }
}

/// How many channels come out.
pub(super) fn multiplied(channels: usize, multiplier: usize) -> Result<usize, String> {
    let outputs = channels.checked_mul(multiplier).filter(|outputs| (1..=MAX_ELEMENTS).contains(outputs));
    outputs.ok_or_else(|| format!("expects a depth_multiplier of at least 1 and not too large, got {multiplier}"))
}

/// About as many bytes as the lists of where taps read take in a plan.
pub(super) fn bytes_of_taps((rows, columns): (usize, usize)) -> u64 {
    /// Two entries of two numbers for each tap, and once more two while they are sorted.
    const OF_A_TAP: u64 = 6 * size_of::<usize>() as u64;
    (rows as u64).saturating_mul(columns as u64).saturating_mul(OF_A_TAP)
}

/// Whether a padded input with as many channels as there are outputs is no larger than a tensor may be.
pub(super) fn check_padded(of: &Dilated, channels: usize) -> Result<(), String> {
    let (rows, columns) = of.window.padded;
    match rows.checked_mul(columns).and_then(|pixels| pixels.checked_mul(channels)) {
        Some(padded) if padded <= MAX_ELEMENTS => Ok(()),
        Some(_) | None => Err(format!("needs an input padded to more than {MAX_ELEMENTS} values")),
    }
}

impl Describe for DepthwiseConv2D {
    fn spec(&self, inputs: &[Shape]) -> Result<Spec, String> {
        let (_, _, channels) = image(inputs[0])?;
        let outputs = multiplied(channels, self.depth_multiplier)?;
        let dilated = self.dilated(inputs[0])?;
        let (height, width) = dilated.window.out;
        let output = checked(Shape::from([height, width, outputs]))?;
        check_padded(&dilated, outputs)?;
        let kernel = depthwise_kernel("kernel", self.kernel_size, channels, self.depth_multiplier);
        let mut weights = vec![weight!(self, kernel, depthwise)];
        if self.use_bias {
            weights.push(weight!(self, WeightSpec::zeros("bias", vec![outputs]), bias));
        }
        let spec = Spec { output, weights };
        Ok(if self.trainable { spec } else { spec.frozen() })
    }

    fn activity_regularizer(&self) -> Option<Regularizer> {
        self.activity_regularizer
    }

    fn copied_bytes(&self) -> u64 {
        bytes_of_taps(self.kernel_size)
    }

    fn trainable_mut(&mut self) -> Option<&mut bool> {
        Some(&mut self.trainable)
    }

    fn lower(&self, builder: &mut Builder, inputs: &[Operand], weights: &[WeightId]) -> Result<Operand, String> {
        let dilated = self.dilated(inputs[0].shape)?;
        let y = builder.depthwise(inputs[0], dilated, self.depth_multiplier, weights);
        Ok(self.activation.lower(builder, y))
    }
}
