//! Networks to start from, described and not compiled: well-known ones, small enough for a CPU.
//!
//! | function | what it is | parameters for MNIST |
//! | --- | --- | --- |
//! | [`lenet5`] | LeCun's network of 1998 | 61,706 |
//! | [`keras_example`] | the convolutional network of Keras' tutorials | 93,322 |
//! | [`resnet14`] | a small residual network with batch normalisation | 176,090 |
//! | [`mobilenet`] | depthwise-separable blocks | 38,346 |
//!
//! They are plain descriptions: give one a seed, apply it in a graph, or read its source and write your own.
//!
//! ```
//! use inkstone::models;
//! use inkstone::prelude::*;
//! let model = models::lenet5([28, 28, 1], 10)
//!     .seed(42)
//!     .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy])?;
//! assert_eq!(model.output_shape().to_string(), "(10)");
//! # Ok::<(), inkstone::Error>(())
//! ```

mod normalized;

pub use normalized::{mobilenet, resnet14};

use crate::layers::ActivationFunction::{Relu, Softmax, Tanh};
use crate::layers::{AveragePooling2D, Conv2D, Dense, Flatten, MaxPooling2D};
use crate::sequential::Sequential;
use crate::shape::{Padding, Shape};

/// LeNet-5 as it is built today ([LeCun et al., 1998](http://yann.lecun.com/exdb/publis/pdf/lecun-98.pdf)): two
/// convolutions of 5 x 5 with average poolings, three dense layers, tanh; but a softmax in the place of distances to
/// drawn letters, and all channels read all channels. Images of 28 x 28 get a border of 2, to be the paper's 32 x 32.
///
/// - input: (height, width, channels), at least 12 x 12
///
/// ```
/// use inkstone::models;
/// use inkstone::prelude::*;
/// let model = models::lenet5([28, 28, 1], 10)
///     .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy])?;
/// assert_eq!(model.parameter_count(), 61_706);
/// # Ok::<(), inkstone::Error>(())
/// ```
#[must_use]
pub fn lenet5(input: impl Into<Shape>, classes: usize) -> Sequential {
    Sequential::new(input)
        .add(Conv2D::new(6, (5, 5)).padding(Padding::Same).activation(Tanh))
        .add(AveragePooling2D::new((2, 2)))
        .add(Conv2D::new(16, (5, 5)).activation(Tanh))
        .add(AveragePooling2D::new((2, 2)))
        .add(Flatten::new())
        .add(Dense::new(120).activation(Tanh))
        .add(Dense::new(84).activation(Tanh))
        .add(Dense::new(classes).activation(Softmax))
}

/// The network of [TensorFlow's tutorial](https://www.tensorflow.org/tutorials/images/cnn) with Keras: three
/// convolutions of 3 x 3 with max poolings between them, two dense layers. It is the crate's front page.
///
/// - input: (height, width, channels), at least 18 x 18
///
/// ```
/// use inkstone::models;
/// use inkstone::prelude::*;
/// let model = models::keras_example([28, 28, 1], 10)
///     .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy])?;
/// assert_eq!(model.parameter_count(), 93_322);
/// # Ok::<(), inkstone::Error>(())
/// ```
#[must_use]
pub fn keras_example(input: impl Into<Shape>, classes: usize) -> Sequential {
    Sequential::new(input)
        .add(Conv2D::new(32, (3, 3)).activation(Relu))
        .add(MaxPooling2D::new((2, 2)))
        .add(Conv2D::new(64, (3, 3)).activation(Relu))
        .add(MaxPooling2D::new((2, 2)))
        .add(Conv2D::new(64, (3, 3)).activation(Relu))
        .add(Flatten::new())
        .add(Dense::new(64).activation(Relu))
        .add(Dense::new(classes).activation(Softmax))
}
