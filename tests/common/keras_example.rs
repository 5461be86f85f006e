//! The network of the Keras MNIST example. A file of its own, as few tests need it.

use inkstone::prelude::*;

/// The network, not compiled yet.
pub(crate) fn keras_example() -> Sequential {
    Sequential::new([28, 28, 1])
        .add(Conv2D::new(32, (3, 3)).activation(Relu))
        .add(MaxPooling2D::new((2, 2)))
        .add(Conv2D::new(64, (3, 3)).activation(Relu))
        .add(MaxPooling2D::new((2, 2)))
        .add(Conv2D::new(64, (3, 3)).activation(Relu))
        .add(Flatten::new())
        .add(Dense::new(64).activation(Relu))
        .add(Dense::new(10).activation(Softmax))
}
