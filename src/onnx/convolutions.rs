//! Decides which ONNX operators convolutions become.

use super::graph::{Operator, Value, weight};
use super::layers::{CHECKED, Call};
use super::message::{Attribute, Tensor};
use crate::kernels::patches::Dilated;
use crate::layers::{Conv2D, Conv2DTranspose, DepthwiseConv2D, SeparableConv2D};
use crate::model::Weight;
use crate::shape::Shape;

impl Call<'_> {
    pub(super) fn convolution(&mut self, conv: &Conv2D, x: &Value, input: Shape) -> Value {
        let of = conv.dilated(input).expect(CHECKED);
        let attributes = sliding(&of).into_iter().chain([Attribute::int("group", conv.groups as i64)]);
        let operator =
            Operator::new("Conv").with_weights(self.kernel_and_bias([3, 2, 0, 1])).with_attributes(attributes);
        let y = self.on_channels_first(x, operator);
        self.activate(&y, conv.activation)
    }

    pub(super) fn depthwise(&mut self, conv: &DepthwiseConv2D, x: &Value, input: Shape) -> Value {
        let of = conv.dilated(input).expect(CHECKED);
        let kernel = depthwise_kernel(self.weights[0]);
        let weights: Vec<Tensor> =
            [kernel].into_iter().chain(self.weights[1..].iter().map(|bias| weight(bias))).collect();
        let attributes = sliding(&of).into_iter().chain([Attribute::int("group", input.channels() as i64)]);
        let operator = Operator::new("Conv").with_weights(weights).with_attributes(attributes);
        let y = self.on_channels_first(x, operator);
        self.activate(&y, conv.activation)
    }

    pub(super) fn separable(&mut self, conv: &SeparableConv2D, x: &Value, input: Shape) -> Value {
        let of = conv.dilated(input).expect(CHECKED);
        let attributes = sliding(&of).into_iter().chain([Attribute::int("group", input.channels() as i64)]);
        let depthwise =
            Operator::new("Conv").with_weights([depthwise_kernel(self.weights[0])]).with_attributes(attributes);
        let x = self.builder.channels_first(x, &self.name);
        let x = self.builder.push(format!("{}/depthwise", self.name), depthwise, &[&x], x.layout);
        let pointwise = turned(self.weights[1], [3, 2, 0, 1]);
        let bias = self.weights[2..].iter().map(|bias| weight(bias));
        let weights: Vec<Tensor> = [pointwise].into_iter().chain(bias).collect();
        let attributes = [Attribute::ints("kernel_shape", [1, 1])];
        let y = self.on_channels_first(&x, Operator::new("Conv").with_weights(weights).with_attributes(attributes));
        self.activate(&y, conv.activation)
    }

    pub(super) fn transposed(&mut self, conv: &Conv2DTranspose, x: &Value, input: Shape) -> Value {
        let of = conv.dilated(input).expect(CHECKED);
        let Dilated { window, taps, dilation } = of;
        // How far the windows reach, less what is cut off before and behind; or what is added behind.
        let along = |pixels: usize, stride: usize, size: usize, before: usize, len: usize| {
            let rest = (pixels - 1) * stride + size - before;
            (rest.saturating_sub(len), len.saturating_sub(rest))
        };
        let rows = along(window.out.0, window.strides.0, window.size.0, window.before.0, window.image.0);
        let columns = along(window.out.1, window.strides.1, window.size.1, window.before.1, window.image.1);
        let attributes = [
            Attribute::ints("kernel_shape", [taps.0, taps.1]),
            Attribute::ints("strides", [window.strides.0, window.strides.1]),
            Attribute::ints("dilations", [dilation.0, dilation.1]),
            Attribute::ints("pads", [window.before.0, window.before.1, rows.0, columns.0]),
            Attribute::ints("output_padding", [rows.1, columns.1]),
        ];
        let weights = self.kernel_and_bias([3, 2, 0, 1]);
        let operator = Operator::new("ConvTranspose").with_weights(weights).with_attributes(attributes);
        let y = self.on_channels_first(x, operator);
        self.activate(&y, conv.activation)
    }

    /// The layer's kernel with its axes in this order, and its bias if it has one.
    fn kernel_and_bias(&self, order: [usize; 4]) -> Vec<Tensor> {
        let bias = self.weights[1..].iter().map(|bias| weight(bias));
        [turned(self.weights[0], order)].into_iter().chain(bias).collect()
    }
}

/// A kernel with its axes in this order.
fn turned(weight: &Weight, order: [usize; 4]) -> Tensor {
    let turned = weight.values.view().permuted_axes(&order[..]);
    Tensor::new(&weight.name, turned.shape(), &turned)
}

/// A depthwise kernel, (kernel height, kernel width, channels, multiplier) made (outputs, 1, kernel height, kernel
/// width).
fn depthwise_kernel(weight: &Weight) -> Tensor {
    let turned = weight.values.view().permuted_axes(&[2, 3, 0, 1][..]);
    let shape = turned.shape();
    Tensor::new(&weight.name, &[shape[0] * shape[1], 1, shape[2], shape[3]], &turned)
}

/// A window's size, strides, dilation and padding. Padding is written in numbers, as sizes are known, and as ONNX' word
/// for TensorFlow's way, `SAME_UPPER`, is deprecated.
fn sliding(Dilated { window, taps, dilation }: &Dilated) -> Vec<Attribute> {
    let after =
        (window.padded.0 - window.image.0 - window.before.0, window.padded.1 - window.image.1 - window.before.1);
    vec![
        Attribute::ints("kernel_shape", [taps.0, taps.1]),
        Attribute::ints("strides", [window.strides.0, window.strides.1]),
        Attribute::ints("dilations", [dilation.0, dilation.1]),
        Attribute::ints("pads", [window.before.0, window.before.1, after.0, after.1]),
    ]
}
