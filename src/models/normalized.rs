//! Networks with batch normalisation.

use crate::functional::{Functional, Input, Node};
use crate::layers::ActivationFunction::{Relu, Softmax};
use crate::layers::{Activation, Add, BatchNormalization, Conv2D, Dense, DepthwiseConv2D, GlobalAveragePooling2D};
use crate::sequential::Sequential;
use crate::shape::{Padding, Shape};

/// A residual network of fourteen layers with weights, the form of [He et al., 2015](https://arxiv.org/abs/1512.03385)
/// for CIFAR-10: a convolution, three stages of two blocks with 16, 32 and 64 filters, the mean of all pixels, a dense
/// layer. A block is two convolutions of 3 x 3, each with its batch normalisation, and a way past them, which has a
/// convolution of 1 x 1 where the stage changes the number of filters.
///
/// - input: (height, width, channels), any size
///
/// ```
/// use inkstone::models;
/// use inkstone::prelude::*;
/// let model = models::resnet14([28, 28, 1], 10)
///     .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy])?;
/// assert_eq!(model.parameter_count(), 176_090);
/// # Ok::<(), inkstone::Error>(())
/// ```
#[must_use]
pub fn resnet14(input: impl Into<Shape>, classes: usize) -> Functional {
    let input = Input::new(input);
    let x = relu(&normalized(&input, 16, (3, 3), 1));
    let blocks = [(16, 1), (16, 1), (32, 2), (32, 1), (64, 2), (64, 1)];
    let x = blocks.into_iter().fold(x, residual).apply(GlobalAveragePooling2D::new());
    Functional::new([&input], [&x.apply(Dense::new(classes).activation(Softmax))])
}

/// A block changes the number of filters where it has strides, and its shortcut with it.
fn residual(x: Node, (filters, stride): (usize, usize)) -> Node {
    let body = normalized(&relu(&normalized(&x, filters, (3, 3), stride)), filters, (3, 3), 1);
    let shortcut = if stride > 1 { normalized(&x, filters, (1, 1), stride) } else { x };
    relu(&Add::of([&body, &shortcut]))
}

fn normalized(x: &Node, filters: usize, size: (usize, usize), stride: usize) -> Node {
    x.apply(plain(filters, size, stride)).apply(BatchNormalization::new())
}

fn relu(x: &Node) -> Node {
    x.apply(Activation::new(Relu))
}

/// A convolution whose bias would be the normalisation's.
fn plain(filters: usize, size: (usize, usize), stride: usize) -> Conv2D {
    Conv2D::new(filters, size).strides((stride, stride)).padding(Padding::Same).use_bias(false)
}

/// A small network of depthwise-separable blocks, as [MobileNet](https://arxiv.org/abs/1704.04861): a convolution with
/// strides, five blocks with 32 to 128 filters, the mean of all pixels, a dense layer. A block is a convolution of each
/// channel by itself and one of 1 x 1 over all channels, each with batch normalisation and ReLU.
///
/// - input: (height, width, channels), any size
///
/// ```
/// use inkstone::models;
/// use inkstone::prelude::*;
/// let model = models::mobilenet([28, 28, 1], 10)
///     .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy])?;
/// assert_eq!(model.parameter_count(), 38_346);
/// # Ok::<(), inkstone::Error>(())
/// ```
#[must_use]
pub fn mobilenet(input: impl Into<Shape>, classes: usize) -> Sequential {
    let start = with_norm(Sequential::new(input).add(plain(16, (3, 3), 2)));
    let blocks = [(32, 1), (64, 2), (64, 1), (128, 2), (128, 1)];
    let x = blocks.into_iter().fold(start, |x, (filters, stride)| {
        let depthwise = DepthwiseConv2D::new((3, 3)).strides((stride, stride)).padding(Padding::Same).use_bias(false);
        with_norm(with_norm(x.add(depthwise)).add(plain(filters, (1, 1), 1)))
    });
    x.add(GlobalAveragePooling2D::new()).add(Dense::new(classes).activation(Softmax))
}

fn with_norm(x: Sequential) -> Sequential {
    x.add(BatchNormalization::new()).add(Activation::new(Relu))
}
