//! The tensor operations themselves, each with its gradient, on ndarray views: the readable reference.
//!
//! They are plain loops with sums in `f64`, written to be read and to be checked against. The engine does not run them;
//! its own kernels are tested against them. Images are (N, H, W, C), kernels Keras' (kernel height, kernel width,
//! channels, filters). The gradient of an operation with output `y` takes `dy`, the gradient of the loss with respect
//! to `y`.

mod activation;
mod conv2d;
mod cross_entropy;
mod dense;
mod max_pool2d;

pub use activation::{relu, relu_backward, sigmoid, sigmoid_backward, softmax, softmax_backward, tanh, tanh_backward};
pub use conv2d::{Conv2dGradients, conv2d, conv2d_backward};
pub use cross_entropy::sparse_categorical_crossentropy;
pub use dense::{DenseGradients, dense, dense_backward};
pub use max_pool2d::{max_pool2d, max_pool2d_backward};

use crate::error::{Error, Result};
use crate::shape::Window2d;

/// # Errors
/// [`Error::Data`] with this message unless `holds`.
fn require(holds: bool, message: impl FnOnce() -> String) -> Result<()> {
    if holds { Ok(()) } else { Err(Error::Data(message())) }
}

/// The pixel of the image that place (`ky`, `kx`) of window (`y`, `x`) lies on; `None` if that is padding.
fn pixel(window: &Window2d, (y, x): (usize, usize), (ky, kx): (usize, usize)) -> Option<(usize, usize)> {
    let row = (y * window.strides.0 + ky).checked_sub(window.before.0)?;
    let column = (x * window.strides.1 + kx).checked_sub(window.before.1)?;
    (row < window.image.0 && column < window.image.1).then_some((row, column))
}

/// All places of a grid, rows first.
fn places((rows, columns): (usize, usize)) -> impl Iterator<Item = (usize, usize)> {
    (0..rows).flat_map(move |row| (0..columns).map(move |column| (row, column)))
}
