//! The tensor operations themselves, each with its gradient, on ndarray views: the readable reference.
//!
//! They are plain loops with sums in `f64`, written to be read and to be checked against. The engine does not run them;
//! its own kernels are tested against them. Images are (N, H, W, C), kernels Keras' (kernel height, kernel width,
//! channels, filters); sequences are (N, steps, features). The gradient of an operation with output `y` takes `dy`, the
//! gradient of the loss with respect to `y`.

mod activation;
mod average_pool2d;
mod conv2d;
mod cross_entropy;
mod dense;
mod integer_conv2d;
mod max_pool2d;
mod rectifiers;
mod recurrent;
mod smooth;

pub use activation::{relu, relu_backward, sigmoid, sigmoid_backward, softmax, softmax_backward, tanh, tanh_backward};
pub use average_pool2d::{average_pool2d, average_pool2d_backward};
pub use conv2d::{Conv2dGradients, conv2d, conv2d_backward};
pub use cross_entropy::sparse_categorical_crossentropy;
pub use dense::{DenseGradients, dense, dense_backward};
pub use integer_conv2d::integer_conv2d;
pub use max_pool2d::{max_pool2d, max_pool2d_backward};
pub use rectifiers::{elu, elu_backward, rectified, rectified_backward, selu, selu_backward};
pub use recurrent::{
    RecurrentFunctions, RecurrentGradients, RecurrentInput, RecurrentOutput, RecurrentWeights, ResetGate,
    ScalarFunction, gru, gru_backward, lstm, lstm_backward, simple_rnn, simple_rnn_backward,
};
pub use smooth::{
    exponential, exponential_backward, gelu, gelu_backward, gelu_tanh, gelu_tanh_backward, hard_sigmoid,
    hard_sigmoid_backward, mish, mish_backward, silu, silu_backward, softplus, softplus_backward, softsign,
    softsign_backward,
};

use crate::error::{Error, Result};
use crate::shape::{Padding, Window2d};
use ndarray::{ArrayD, ArrayView, ArrayView4, ArrayViewD, Dimension, Zip};

/// # Errors
/// [`Error::Data`] with this message unless `holds`.
fn require(holds: bool, message: impl FnOnce() -> String) -> Result<()> {
    if holds { Ok(()) } else { Err(Error::Data(message())) }
}

/// A function of each value.
fn map(x: ArrayViewD<'_, f32>, function: impl Fn(f64) -> f64) -> ArrayD<f32> {
    x.mapv(|x| function(f64::from(x)) as f32)
}

/// `dy * derivative(x)`.
///
/// # Errors
/// [`Error::Data`] unless the gradient has the shape of `x`.
fn scaled(
    name: &str,
    x: ArrayViewD<'_, f32>,
    dy: ArrayViewD<'_, f32>,
    derivative: impl Fn(f64) -> f64,
) -> Result<ArrayD<f32>> {
    check_dy(name, x.raw_dim(), dy.view())?;
    Ok(Zip::from(&x).and(&dy).map_collect(|x, dy| (f64::from(*dy) * derivative(f64::from(*x))) as f32))
}

/// The windows of a pooling.
///
/// # Errors
/// [`Error::Data`] if x has an axis of zero, or the window does not fit.
fn pooling(
    name: &str,
    x: ArrayView4<'_, f32>,
    pool_size: (usize, usize),
    strides: (usize, usize),
    padding: Padding,
) -> Result<Window2d> {
    let (_, height, width, _) = x.dim();
    require(!x.is_empty(), || format!("{name}: every axis must be at least 1, got {:?} (N, H, W, C)", x.dim()))?;
    Window2d::new((height, width), pool_size, strides, padding)
        .map_err(|reason| Error::Data(format!("{name}: {reason}")))
}

/// # Errors
/// [`Error::Data`] unless the gradient of an output has the shape of that output.
fn check_dy<D: Dimension>(name: &str, expected: D::Pattern, dy: ArrayView<'_, f32, D>) -> Result<()> {
    require(dy.dim() == expected, || format!("{name}: expected dy of {expected:?}, got {:?}", dy.dim()))
}

/// Where a window lies on the image: each of its places (ky, kx) that is not padding, with the pixel (row, column)
/// under it, rows first. A window may be far larger than its image, so padding is never walked.
fn on_image(
    window: &Window2d,
    (y, x): (usize, usize),
) -> impl Iterator<Item = ((usize, usize), (usize, usize))> + use<> {
    let axis = |out: usize, stride: usize, before: usize, size: usize, image: usize| {
        let start = out * stride;
        let first = before.saturating_sub(start);
        let end = size.min((image + before).saturating_sub(start));
        (first..end).map(move |place| (place, start + place - before))
    };
    let rows = axis(y, window.strides.0, window.before.0, window.size.0, window.image.0);
    let columns = axis(x, window.strides.1, window.before.1, window.size.1, window.image.1);
    rows.flat_map(move |(ky, row)| columns.clone().map(move |(kx, column)| ((ky, kx), (row, column))))
}
