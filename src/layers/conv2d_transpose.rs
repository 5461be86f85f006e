//! The transposed convolution layer.

use super::conv2d::strides_of_one;
use super::names::name_setter;
use super::weight_settings::{glorot_uniform, kernel_and_bias, zeros};
use super::written::written;
use super::{
    ActivationFunction, Constraint, Describe, Initializer, Regularizer, Spec, check_convolution, checked, image,
    trained, with_bias,
};
use crate::kernels::patches::Dilated;
use crate::program::plain::PutBack;
use crate::program::{Builder, Conv, Operand, StoredOrder, WeightId, WeightSpec};
use crate::shape::{MAX_ELEMENTS, Padding, Shape, Window2d};
use serde::Deserialize;

/// A transposed convolution: each pixel of the input puts a kernel's window into the output, as [Keras'
/// `Conv2DTranspose`](https://keras.io/api/layers/convolution_layers/convolution2d_transpose/). With strides it makes
/// images larger.
///
/// - Input shape: (height, width, channels). Output shape: (height * rows of the strides, width * columns, filters)
///   with `same` padding; with `valid`, larger by what of the last window reaches beyond.
/// - Kernel: (kernel height, kernel width, filters, channels), Glorot uniform by default. Bias: (filters), zeros by
///   default.
///
/// At `compile`, an input that is no image is an error that names the layer.
///
/// ```
/// use inkstone::prelude::*;
/// let model = Sequential::new([7, 7, 8])
///     .add(Conv2DTranspose::new(4, (3, 3)).strides((2, 2)).padding(Same))
///     .compile(Adam::default(), MeanSquaredError, [])?;
/// assert_eq!(model.output_shape().axes(), [14, 14, 4]);
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Conv2DTranspose {
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
    /// Whether training changes its weights.
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
    /// Rows and columns that the output is longer than its windows reach; `None` for what suits the padding.
    #[serde(default)]
    pub output_padding: Option<(usize, usize)>,
    /// Rows and columns from one tap of the kernel to the next.
    #[serde(default = "strides_of_one")]
    pub dilation_rate: (usize, usize),
    /// Its name; `None` for one after its type.
    pub name: Option<String>,
}

impl Conv2DTranspose {
    /// A transposed convolution of `filters` filters of this size; strides 1, `valid` padding, linear, with a bias.
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
            output_padding: None,
            dilation_rate: strides_of_one(),
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

        /// Sets whether training changes its weights.
        trainable: bool,

        /// Sets the rows and columns from one tap of the kernel to the next; only without strides.
        dilation_rate: (usize, usize),
    }

    kernel_and_bias!();

    name_setter!();

    /// Sets the rows and columns that the output is longer than its windows reach: less than the strides.
    #[must_use]
    pub fn output_padding(self, output_padding: (usize, usize)) -> Self {
        Self { output_padding: Some(output_padding), ..self }
    }

    /// The geometry on the output, whose windows are the pixels of the input.
    pub(crate) fn dilated(&self, input: Shape) -> Result<Dilated, String> {
        let (height, width, _) = image(input)?;
        if self.dilation_rate != (1, 1) && self.strides != (1, 1) {
            return Err(format!(
                "expects strides or a dilation_rate other than (1, 1), not both, got {:?} and {:?}",
                self.strides, self.dilation_rate
            ));
        }
        let size = Dilated::reach(self.kernel_size, self.dilation_rate);
        let given = self.output_padding;
        let rows = |size: (usize, usize)| {
            self.axis(height, size.0, self.strides.0, self.dilation_rate.0, given.map(|given| given.0))
        };
        let columns = |size: (usize, usize)| {
            self.axis(width, size.1, self.strides.1, self.dilation_rate.1, given.map(|given| given.1))
        };
        let (size, (rows, top), (columns, left)) = size
            .and_then(|size| Some((size, rows(size)?, columns(size)?)))
            .ok_or_else(|| format!(
                "expects a kernel_size, strides and a dilation_rate of at least (1, 1) that are not too large, and an \
                 output_padding below the strides, got {:?}, {:?}, {:?} and {given:?}",
                self.kernel_size, self.strides, self.dilation_rate
            ))?;
        let reach = |count: usize, stride: usize, size: usize| (count - 1) * stride + size;
        let (image, before) = ((rows, columns), (top, left));
        let padded = (
            reach(height, self.strides.0, size.0).max(top + rows),
            reach(width, self.strides.1, size.1).max(left + columns),
        );
        let window = Window2d { image, size, strides: self.strides, before, padded, out: (height, width) };
        Ok(Dilated { window, taps: self.kernel_size, dilation: self.dilation_rate })
    }

    /// Of so many pixels along an axis: how long the output is, and how much of the first window is before it. As Keras
    /// has it, which asks what a convolution with the same padding would have been given.
    fn axis(
        &self,
        pixels: usize,
        size: usize,
        stride: usize,
        dilation: usize,
        given: Option<usize>,
    ) -> Option<(usize, usize)> {
        let is_sound = |number: usize| (1..=MAX_ELEMENTS).contains(&number);
        if !is_sound(size) || !is_sound(stride) || dilation == 0 || given.is_some_and(|given| given >= stride) {
            return None;
        }
        let starts = (pixels - 1).checked_mul(stride)?;
        let (len, cut) = match (self.padding, given) {
            (Padding::Valid, given) => {
                (starts.checked_add(size)?.checked_add(given.unwrap_or(size.max(stride) - size))?, 0)
            }
            (Padding::Same, None) => {
                let padding = (stride + size - 2).div_ceil(2).min(size - 1);
                (pixels.checked_mul(stride)?, size - 1 - padding)
            }
            (Padding::Same, Some(given)) => {
                let padding = (size + size % 2 + given).saturating_sub(2).div_ceil(2).min(size - 1);
                (starts.checked_add(size % 2 + given)?, size - 1 - padding)
            }
        };
        (1..=MAX_ELEMENTS).contains(&len).then_some((len, cut))
    }
}

written! {
    Conv2DTranspose {
        filters, kernel_size, strides, padding, activation, use_bias, trainable;
        kernel_initializer = Initializer::GlorotUniform,
        bias_initializer = Initializer::Zeros,
        kernel_regularizer = None,
        bias_regularizer = None,
        activity_regularizer = None,
        kernel_constraint = None,
        bias_constraint = None,
        output_padding = None,
        dilation_rate = strides_of_one(),
        name = None,
    }
}

impl Describe for Conv2DTranspose {
    fn spec(&self, inputs: &[Shape]) -> Result<Spec, String> {
        let (_, _, channels) = image(inputs[0])?;
        let (height, width) = self.dilated(inputs[0])?.window.image;
        let output = checked(Shape::from([height, width, self.filters]))?;
        let (rows, columns) = self.kernel_size;
        let mut weights = self.kernel_and_bias(vec![rows, columns, self.filters, channels], self.filters)?;
        // Each row of patches reads all channels: Keras' shape is the engine's order.
        weights[0].stored = StoredOrder::AsShaped;
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

    /// Each pixel times the kernel makes a patch; patches are added up where they overlap.
    fn lower(&self, builder: &mut Builder, inputs: &[Operand], weights: &[WeightId]) -> Result<Operand, String> {
        let of = self.dilated(inputs[0].shape)?;
        let (pixels, channels) = (of.window.out, inputs[0].shape.channels());
        let window = Window2d::new(pixels, (1, 1), (1, 1), Padding::Valid)?;
        let patch = of.taps.0.checked_mul(of.taps.1).and_then(|taps| taps.checked_mul(self.filters));
        let patches = patch.map(|patch| Shape::from([pixels.0, pixels.1, patch]));
        let filters = patches.filter(|patches| patches.len().is_some()).and(patch);
        let filters = filters.ok_or_else(|| format!("needs more than {MAX_ELEMENTS} values for its windows"))?;
        check_convolution(&window, channels, filters)?;
        let conv = Conv::new(window, channels, filters, &weights[..1]);
        let patches = builder.conv(inputs[0], conv);
        let (height, width) = of.window.image;
        let output = Shape::from([height, width, self.filters]);
        let put_back = PutBack { of, channels: self.filters };
        let y = builder.weighted(put_back, &[patches], &weights[1..], output);
        Ok(self.activation.lower(builder, y))
    }
}
