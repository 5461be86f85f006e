//! Smooth activation functions, and what comes close to them. Their gradients take the inputs `x`.

use super::{map, scaled};
use crate::error::Result;
use ndarray::{ArrayD, ArrayViewD};
use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI, PI, TAU};

/// `x` times the probability that a standard normal number is less, on any shape.
///
/// ```
/// use inkstone::ndarray::array;
/// let y = inkstone::ops::gelu(array![0.0, 100.0].into_dyn().view());
/// assert_eq!(y, array![0.0, 100.0].into_dyn());
/// ```
#[must_use]
pub fn gelu(x: ArrayViewD<'_, f32>) -> ArrayD<f32> {
    map(x, |x| x * cumulative(x))
}

/// The gradient of [`gelu`], of the shape of `x`.
///
/// # Errors
/// [`Error::Data`](crate::Error::Data) if `dy` does not have the shape of `x`.
///
/// ```
/// use inkstone::ndarray::array;
/// let (x, dy) = (array![0.0, 100.0].into_dyn(), array![4.0, 4.0].into_dyn());
/// let dx = inkstone::ops::gelu_backward(x.view(), dy.view())?;
/// assert_eq!(dx, array![2.0, 4.0].into_dyn());
/// # Ok::<(), inkstone::Error>(())
/// ```
pub fn gelu_backward(x: ArrayViewD<'_, f32>, dy: ArrayViewD<'_, f32>) -> Result<ArrayD<f32>> {
    scaled("gelu_backward", x, dy, |x| cumulative(x) + x * (-0.5 * x * x).exp() / TAU.sqrt())
}

/// `x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3))) / 2`, on any shape.
///
/// ```
/// use inkstone::ndarray::array;
/// let y = inkstone::ops::gelu_tanh(array![0.0, 100.0].into_dyn().view());
/// assert_eq!(y, array![0.0, 100.0].into_dyn());
/// ```
#[must_use]
pub fn gelu_tanh(x: ArrayViewD<'_, f32>) -> ArrayD<f32> {
    map(x, |x| x * gate(x))
}

/// The gradient of [`gelu_tanh`], of the shape of `x`.
///
/// # Errors
/// [`Error::Data`](crate::Error::Data) if `dy` does not have the shape of `x`.
///
/// ```
/// use inkstone::ndarray::array;
/// let (x, dy) = (array![0.0, 100.0].into_dyn(), array![4.0, 4.0].into_dyn());
/// let dx = inkstone::ops::gelu_tanh_backward(x.view(), dy.view())?;
/// assert_eq!(dx, array![2.0, 4.0].into_dyn());
/// # Ok::<(), inkstone::Error>(())
/// ```
pub fn gelu_tanh_backward(x: ArrayViewD<'_, f32>, dy: ArrayViewD<'_, f32>) -> Result<ArrayD<f32>> {
    scaled("gelu_tanh_backward", x, dy, |x| {
        let slope = (2.0 / PI).sqrt() * (1.0 + 3.0 * 0.044_715 * x * x);
        gate(x) + x * 2.0 * gate(x) * (1.0 - gate(x)) * slope
    })
}

/// `x / (1 + exp(-x))`, on any shape.
///
/// ```
/// use inkstone::ndarray::array;
/// let y = inkstone::ops::silu(array![0.0, 100.0].into_dyn().view());
/// assert_eq!(y, array![0.0, 100.0].into_dyn());
/// ```
#[must_use]
pub fn silu(x: ArrayViewD<'_, f32>) -> ArrayD<f32> {
    map(x, |x| x * logistic(x))
}

/// The gradient of [`silu`], of the shape of `x`.
///
/// # Errors
/// [`Error::Data`](crate::Error::Data) if `dy` does not have the shape of `x`.
///
/// ```
/// use inkstone::ndarray::array;
/// let (x, dy) = (array![0.0, 100.0].into_dyn(), array![4.0, 4.0].into_dyn());
/// let dx = inkstone::ops::silu_backward(x.view(), dy.view())?;
/// assert_eq!(dx, array![2.0, 4.0].into_dyn());
/// # Ok::<(), inkstone::Error>(())
/// ```
pub fn silu_backward(x: ArrayViewD<'_, f32>, dy: ArrayViewD<'_, f32>) -> Result<ArrayD<f32>> {
    scaled("silu_backward", x, dy, |x| logistic(x) * (1.0 + x * (1.0 - logistic(x))))
}

/// `x * tanh(ln(1 + exp(x)))`, on any shape.
///
/// ```
/// use inkstone::ndarray::array;
/// let y = inkstone::ops::mish(array![0.0, 100.0].into_dyn().view());
/// assert_eq!(y, array![0.0, 100.0].into_dyn());
/// ```
#[must_use]
pub fn mish(x: ArrayViewD<'_, f32>) -> ArrayD<f32> {
    map(x, |x| x * log_of_sum(x).tanh())
}

/// The gradient of [`mish`], of the shape of `x`.
///
/// # Errors
/// [`Error::Data`](crate::Error::Data) if `dy` does not have the shape of `x`.
///
/// ```
/// use inkstone::ndarray::array;
/// let (x, dy) = (array![0.0, 100.0].into_dyn(), array![4.0, 4.0].into_dyn());
/// let dx = inkstone::ops::mish_backward(x.view(), dy.view())?;
/// assert_eq!(dx, array![2.4, 4.0].into_dyn());
/// # Ok::<(), inkstone::Error>(())
/// ```
pub fn mish_backward(x: ArrayViewD<'_, f32>, dy: ArrayViewD<'_, f32>) -> Result<ArrayD<f32>> {
    scaled("mish_backward", x, dy, |x| {
        let tanh = log_of_sum(x).tanh();
        tanh + x * (1.0 - tanh * tanh) * logistic(x)
    })
}

/// `ln(1 + exp(x))`, on any shape.
///
/// ```
/// use inkstone::ndarray::array;
/// let y = inkstone::ops::softplus(array![0.0, 100.0].into_dyn().view());
/// assert_eq!(y, array![0.6931472, 100.0].into_dyn());
/// ```
#[must_use]
pub fn softplus(x: ArrayViewD<'_, f32>) -> ArrayD<f32> {
    map(x, log_of_sum)
}

/// The gradient of [`softplus`], of the shape of `x`.
///
/// # Errors
/// [`Error::Data`](crate::Error::Data) if `dy` does not have the shape of `x`.
///
/// ```
/// use inkstone::ndarray::array;
/// let (x, dy) = (array![0.0, 100.0].into_dyn(), array![4.0, 4.0].into_dyn());
/// let dx = inkstone::ops::softplus_backward(x.view(), dy.view())?;
/// assert_eq!(dx, array![2.0, 4.0].into_dyn());
/// # Ok::<(), inkstone::Error>(())
/// ```
pub fn softplus_backward(x: ArrayViewD<'_, f32>, dy: ArrayViewD<'_, f32>) -> Result<ArrayD<f32>> {
    scaled("softplus_backward", x, dy, logistic)
}

/// `x / (1 + |x|)`, on any shape.
///
/// ```
/// use inkstone::ndarray::array;
/// let y = inkstone::ops::softsign(array![-1.0, 0.0].into_dyn().view());
/// assert_eq!(y, array![-0.5, 0.0].into_dyn());
/// ```
#[must_use]
pub fn softsign(x: ArrayViewD<'_, f32>) -> ArrayD<f32> {
    map(x, |x| x / (1.0 + x.abs()))
}

/// The gradient of [`softsign`], of the shape of `x`.
///
/// # Errors
/// [`Error::Data`](crate::Error::Data) if `dy` does not have the shape of `x`.
///
/// ```
/// use inkstone::ndarray::array;
/// let (x, dy) = (array![-1.0, 0.0].into_dyn(), array![4.0, 4.0].into_dyn());
/// let dx = inkstone::ops::softsign_backward(x.view(), dy.view())?;
/// assert_eq!(dx, array![1.0, 4.0].into_dyn());
/// # Ok::<(), inkstone::Error>(())
/// ```
pub fn softsign_backward(x: ArrayViewD<'_, f32>, dy: ArrayViewD<'_, f32>) -> Result<ArrayD<f32>> {
    scaled("softsign_backward", x, dy, |x| 1.0 / (1.0 + x.abs()).powi(2))
}

/// `x / 6 + 0.5`, at least 0 and at most 1, on any shape.
///
/// ```
/// use inkstone::ndarray::array;
/// let y = inkstone::ops::hard_sigmoid(array![0.0, 4.0].into_dyn().view());
/// assert_eq!(y, array![0.5, 1.0].into_dyn());
/// ```
#[must_use]
pub fn hard_sigmoid(x: ArrayViewD<'_, f32>) -> ArrayD<f32> {
    map(x, |x| ((x + 3.0) / 6.0).clamp(0.0, 1.0))
}

/// The gradient of [`hard_sigmoid`], of the shape of `x`.
///
/// # Errors
/// [`Error::Data`](crate::Error::Data) if `dy` does not have the shape of `x`.
///
/// ```
/// use inkstone::ndarray::array;
/// let (x, dy) = (array![0.0, 4.0].into_dyn(), array![6.0, 6.0].into_dyn());
/// let dx = inkstone::ops::hard_sigmoid_backward(x.view(), dy.view())?;
/// assert_eq!(dx, array![1.0, 0.0].into_dyn());
/// # Ok::<(), inkstone::Error>(())
/// ```
pub fn hard_sigmoid_backward(x: ArrayViewD<'_, f32>, dy: ArrayViewD<'_, f32>) -> Result<ArrayD<f32>> {
    scaled("hard_sigmoid_backward", x, dy, |x| if x.abs() < 3.0 { 1.0 / 6.0 } else { 0.0 })
}

/// `exp(x)`, on any shape.
///
/// ```
/// use inkstone::ndarray::array;
/// let y = inkstone::ops::exponential(array![0.0].into_dyn().view());
/// assert_eq!(y, array![1.0].into_dyn());
/// ```
#[must_use]
pub fn exponential(x: ArrayViewD<'_, f32>) -> ArrayD<f32> {
    map(x, f64::exp)
}

/// The gradient of [`exponential`], of the shape of `x`.
///
/// # Errors
/// [`Error::Data`](crate::Error::Data) if `dy` does not have the shape of `x`.
///
/// ```
/// use inkstone::ndarray::array;
/// let (x, dy) = (array![0.0].into_dyn(), array![4.0].into_dyn());
/// let dx = inkstone::ops::exponential_backward(x.view(), dy.view())?;
/// assert_eq!(dx, array![4.0].into_dyn());
/// # Ok::<(), inkstone::Error>(())
/// ```
pub fn exponential_backward(x: ArrayViewD<'_, f32>, dy: ArrayViewD<'_, f32>) -> Result<ArrayD<f32>> {
    scaled("exponential_backward", x, dy, f64::exp)
}

fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn log_of_sum(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

fn gate(x: f64) -> f64 {
    (1.0 + ((2.0 / PI).sqrt() * (x + 0.044_715 * x.powi(3))).tanh()) / 2.0
}

/// The distribution function of the standard normal distribution.
fn cumulative(x: f64) -> f64 {
    (1.0 + erf(x * FRAC_1_SQRT_2)) / 2.0
}

/// The error function, by [its series of positive terms](https://dlmf.nist.gov/7.6#E2).
fn erf(x: f64) -> f64 {
    if x.abs() > 6.0 {
        return x.signum();
    }
    let (mut term, mut sum) = (x, x);
    for n in 1..200 {
        term *= 2.0 * x * x / f64::from(2 * n + 1);
        sum += term;
    }
    FRAC_2_SQRT_PI * (-x * x).exp() * sum
}
