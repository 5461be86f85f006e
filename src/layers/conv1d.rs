//! The convolution of sequences.

use super::conv2d::one_group;
use super::grouped::{Grouped, bytes_of_groups};
use super::names::name_setter;
use super::sliding::dilated_along;
use super::weight_settings::{glorot_uniform, kernel_and_bias, zeros};
use super::written::written;
use super::{
    ActivationFunction, Constraint, Describe, Initializer, Regularizer, Spec, checked, sequence, trained, with_bias,
};
use crate::kernels::patches::Dilated;
use crate::program::{Builder, Operand, WeightId, WeightSpec};
use crate::shape::{Padding, Shape, Window2d};
use serde::{Deserialize, Serialize};

/// A 1-D convolution, as [Keras' `Conv1D`](https://keras.io/api/layers/convolution_layers/convolution1d/).
///
/// - Input shape: (steps, channels). Output shape: (new steps, filters).
/// - Kernel: (kernel size, channels / groups, filters), Glorot uniform by default. Bias: (filters), zeros by default.
///
/// At `compile`, an input that is no sequence, or is shorter than the kernel, is an error that names the layer.
///
/// ```
/// use inkstone::prelude::*;
/// use inkstone::layers::SequencePadding::Causal;
/// let model = Sequential::new([100, 3])
///     .add(Conv1D::new(8, 5).strides(2).padding(Same).activation(Relu))
///     .add(Conv1D::new(4, 3).padding(Causal))
///     .compile(Adam::default(), MeanSquaredError, [])?;
/// assert_eq!(model.output_shape().axes(), [50, 4]);
/// assert_eq!(model.parameter_count(), 5 * 3 * 8 + 8 + 3 * 8 * 4 + 4);
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Conv1D {
    /// How many output channels.
    pub filters: usize,
    /// Steps of the kernel.
    pub kernel_size: usize,
    /// Steps from one output to the next.
    #[serde(default = "stride_of_one")]
    pub strides: usize,
    /// What happens at the ends.
    #[serde(default)]
    pub padding: SequencePadding,
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
    /// Steps from one tap of the kernel to the next.
    #[serde(default = "stride_of_one")]
    pub dilation_rate: usize,
    /// Into how many groups channels and filters are cut, each of which is convolved on its own.
    #[serde(default = "one_group")]
    pub groups: usize,
    /// Its name; `None` for one after its type.
    pub name: Option<String>,
}

/// What happens at the ends of a sequence in [`Conv1D`]: what [`Padding`] says of images, and `Causal`.
///
/// ```
/// use inkstone::layers::SequencePadding;
/// use inkstone::prelude::*;
/// assert_eq!(Conv1D::new(4, 3).padding(Same), Conv1D::new(4, 3).padding(SequencePadding::Same));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum SequencePadding {
    /// The window stays inside the sequence.
    #[default]
    #[serde(alias = "valid")]
    Valid,
    /// The sequence is padded evenly (one more at the end if need be), so that the output has `ceil(steps / stride)`
    /// steps.
    #[serde(alias = "same")]
    Same,
    /// The sequence is padded at its start alone, so that no output depends on later steps.
    #[serde(alias = "causal")]
    Causal,
}

impl From<Padding> for SequencePadding {
    fn from(padding: Padding) -> Self {
        match padding {
            Padding::Valid => Self::Valid,
            Padding::Same => Self::Same,
        }
    }
}

impl Conv1D {
    /// A convolution of `filters` filters of so many steps; stride 1, `valid` padding, linear, with a bias.
    #[must_use]
    pub fn new(filters: usize, kernel_size: usize) -> Self {
        Self {
            filters,
            kernel_size,
            strides: stride_of_one(),
            padding: SequencePadding::Valid,
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
            dilation_rate: stride_of_one(),
            groups: one_group(),
            name: None,
        }
    }

    setters! {
        /// Sets the steps from one output to the next.
        strides: usize,

        /// Sets the activation function.
        activation: ActivationFunction,

        /// Sets whether a bias is added for each filter.
        use_bias: bool,

        /// Sets the steps from one tap of the kernel to the next; only without strides.
        dilation_rate: usize,

        /// Sets into how many groups channels and filters are cut: a divisor of both.
        groups: usize,

        /// Sets whether training changes its weights, as Keras' `layer.trainable`.
        trainable: bool,
    }

    /// Sets what happens at the ends: `Valid` or `Same` of [`Padding`], or any [`SequencePadding`].
    #[must_use]
    pub fn padding(self, padding: impl Into<SequencePadding>) -> Self {
        Self { padding: padding.into(), ..self }
    }

    /// The geometry on this input, as an image of one row.
    pub(crate) fn dilated(&self, input: Shape) -> Result<Dilated, String> {
        let dilated = |padding| dilated_along(input, self.kernel_size, self.dilation_rate, self.strides, padding);
        match self.padding {
            SequencePadding::Valid => dilated(Padding::Valid),
            SequencePadding::Same => dilated(Padding::Same),
            SequencePadding::Causal => {
                // It checks the sizes; the kernel may be longer than the sequence.
                let checked = dilated(Padding::Same)?;
                let (_, steps) = checked.window.image;
                let before = checked.window.size.1 - 1;
                let out = (steps - 1) / self.strides + 1;
                let padded = (1, steps + before);
                let window = Window2d { before: (0, before), padded, out: (1, out), ..checked.window };
                Ok(Dilated { window, ..checked })
            }
        }
    }

    fn grouped(&self, input: Shape) -> Result<Grouped, String> {
        let (_, channels) = sequence(input)?;
        Ok(Grouped { of: self.dilated(input)?, channels, filters: self.filters, groups: self.groups })
    }

    kernel_and_bias!();

    name_setter!();
}

written! {
    Conv1D {
        filters, kernel_size, strides, padding, activation, use_bias, trainable;
        kernel_initializer = Initializer::GlorotUniform,
        bias_initializer = Initializer::Zeros,
        kernel_regularizer = None,
        bias_regularizer = None,
        activity_regularizer = None,
        kernel_constraint = None,
        bias_constraint = None,
        dilation_rate = stride_of_one(),
        groups = one_group(),
        name = None,
    }
}

fn stride_of_one() -> usize {
    1
}

impl Describe for Conv1D {
    fn spec(&self, inputs: &[Shape]) -> Result<Spec, String> {
        let grouped = self.grouped(inputs[0])?;
        let (_, steps) = grouped.of.window.out;
        let output = checked(Shape::from([steps, self.filters]))?;
        let kernel = vec![self.kernel_size, grouped.channels_of_each(None)?, self.filters];
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

    /// It is a convolution of images of one row, whose kernel lies in memory alike.
    fn lower(&self, builder: &mut Builder, inputs: &[Operand], weights: &[WeightId]) -> Result<Operand, String> {
        let x = inputs[0];
        let y = self.grouped(x.shape)?.lower(builder, x, weights)?;
        let y = Operand { shape: self.spec(&[x.shape])?.output, ..y };
        Ok(self.activation.lower(builder, y))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causal_windows_end_at_their_step() {
        let window =
            |conv: Conv1D, steps| conv.padding(SequencePadding::Causal).dilated([steps, 1].into()).unwrap().window;
        let strided = window(Conv1D::new(1, 3).strides(2), 5);
        assert_eq!((strided.out, strided.before, strided.padded), ((1, 3), (0, 2), (1, 7)));
        let longer = window(Conv1D::new(1, 4), 2);
        assert_eq!((longer.out, longer.before, longer.padded), ((1, 2), (0, 3), (1, 5)));
        let dilated = window(Conv1D::new(1, 3).dilation_rate(2), 5);
        assert_eq!((dilated.out, dilated.before, dilated.padded), ((1, 5), (0, 4), (1, 9)));
    }

    #[test]
    fn what_cannot_be_convolved_is_refused_with_a_reason() {
        let refused = |conv: Conv1D, input: Shape| conv.spec(&[input]).unwrap_err();
        let error = refused(Conv1D::new(2, 3), Shape::from([4]));
        assert_eq!(error, "expects a sequence (steps, features), got (4): use `Reshape` before it");
        let error = refused(Conv1D::new(2, 7), Shape::from([4, 1]));
        assert!(error.starts_with("cannot work on (4, 1): a window of 7 steps is longer than"), "{error}");
        let error = refused(Conv1D::new(2, 0).padding(SequencePadding::Causal), Shape::from([4, 1]));
        assert!(error.contains("must be at least 1"), "{error}");
        let error = refused(Conv1D::new(2, 3).dilation_rate(0), Shape::from([4, 1]));
        assert_eq!(error, "expects a dilation_rate of at least 1, got 0");
        let error = refused(Conv1D::new(2, 3).dilation_rate(2).strides(3), Shape::from([9, 1]));
        assert_eq!(error, "expects strides or a dilation_rate other than 1, not both, got 3 and 2");
        let error = refused(Conv1D::new(2, 3).dilation_rate(usize::MAX), Shape::from([9, 1]));
        assert!(error.starts_with("reaches too far with a kernel_size of 3 and"), "{error}");
        let error = refused(Conv1D::new(4, 3).groups(3), Shape::from([9, 3]));
        assert_eq!(error, "expects groups that divide its 3 channels and 4 filters, got 3");
        let error = refused(Conv1D::new(2048, 1).groups(2048), Shape::from([1, 2048]));
        assert_eq!(error, "expects at most 1024 groups, got 2048");
    }
}
