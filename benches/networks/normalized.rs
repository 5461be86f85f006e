//! Networks with batch normalisation.

use inkstone::prelude::*;

/// Fourteen layers with weights: a convolution, three stages of two residual blocks, a dense layer.
pub fn resnet(input: &Node) -> Node {
    let x = relu(&conv(input, 16, (3, 3), 1));
    let blocks = [(16, 1), (16, 1), (32, 2), (32, 1), (64, 2), (64, 1)];
    blocks.into_iter().fold(x, residual).apply(GlobalAveragePooling2D::new())
}

/// Depthwise-separable blocks.
pub fn mobilenet(input: &Node) -> Node {
    let x = relu(&conv(input, 16, (3, 3), 2));
    let blocks = [(32, 1), (64, 2), (64, 1), (128, 2), (128, 1)];
    blocks.into_iter().fold(x, separable).apply(GlobalAveragePooling2D::new())
}

fn relu(x: &Node) -> Node {
    x.apply(Activation::new(Relu))
}

fn conv(x: &Node, filters: usize, size: (usize, usize), stride: usize) -> Node {
    let conv = Conv2D::new(filters, size).strides((stride, stride)).padding(Same).use_bias(false);
    x.apply(conv).apply(BatchNormalization::new())
}

/// A block changes the number of filters where it has strides, and its shortcut with it.
fn residual(x: Node, (filters, stride): (usize, usize)) -> Node {
    let body = conv(&relu(&conv(&x, filters, (3, 3), stride)), filters, (3, 3), 1);
    let shortcut = if stride > 1 { conv(&x, filters, (1, 1), stride) } else { x };
    relu(&Add::of([&body, &shortcut]))
}

fn separable(x: Node, (filters, stride): (usize, usize)) -> Node {
    let depthwise = DepthwiseConv2D::new((3, 3)).strides((stride, stride)).padding(Same).use_bias(false);
    let x = relu(&x.apply(depthwise).apply(BatchNormalization::new()));
    relu(&conv(&x, filters, (1, 1), 1))
}
