//! Activation functions, as in [Keras](https://keras.io/api/layers/activations/). Their gradients take the outputs `y`,
//! not the inputs: that is all they need.

use super::require;
use crate::error::Result;
use ndarray::{ArrayD, ArrayViewD, Axis, Zip};

/// `max(x, 0)`, on any shape.
///
/// ```
/// use inkstone::ndarray::array;
/// let y = inkstone::ops::relu(array![-1.0, 0.0, 2.0].into_dyn().view());
/// assert_eq!(y, array![0.0, 0.0, 2.0].into_dyn());
/// ```
#[must_use]
pub fn relu(x: ArrayViewD<'_, f32>) -> ArrayD<f32> {
    x.mapv(|x| if x < 0.0 { 0.0 } else { x })
}

/// The gradient of [`relu`]: `dy` where `y > 0`, otherwise 0. All three have one shape.
///
/// # Errors
/// [`Error::Data`](crate::Error::Data) if `dy` does not have the shape of `y`.
///
/// ```
/// use inkstone::ndarray::array;
/// let dx = inkstone::ops::relu_backward(array![0.0, 2.0].into_dyn().view(), array![5.0, 5.0].into_dyn().view())?;
/// assert_eq!(dx, array![0.0, 5.0].into_dyn());
/// # Ok::<(), inkstone::Error>(())
/// ```
pub fn relu_backward(y: ArrayViewD<'_, f32>, dy: ArrayViewD<'_, f32>) -> Result<ArrayD<f32>> {
    elementwise("relu_backward", y, dy, |y, dy| if y > 0.0 { dy } else { 0.0 })
}

/// `1 / (1 + exp(-x))`, on any shape.
///
/// ```
/// use inkstone::ndarray::array;
/// assert_eq!(inkstone::ops::sigmoid(array![0.0].into_dyn().view()), array![0.5].into_dyn());
/// ```
#[must_use]
pub fn sigmoid(x: ArrayViewD<'_, f32>) -> ArrayD<f32> {
    x.mapv(|x| (1.0 / (1.0 + (-f64::from(x)).exp())) as f32)
}

/// The gradient of [`sigmoid`]: `dy * y * (1 - y)`. All three have one shape.
///
/// # Errors
/// [`Error::Data`](crate::Error::Data) if `dy` does not have the shape of `y`.
///
/// ```
/// use inkstone::ndarray::array;
/// let dx = inkstone::ops::sigmoid_backward(array![0.5].into_dyn().view(), array![4.0].into_dyn().view())?;
/// assert_eq!(dx, array![1.0].into_dyn());
/// # Ok::<(), inkstone::Error>(())
/// ```
pub fn sigmoid_backward(y: ArrayViewD<'_, f32>, dy: ArrayViewD<'_, f32>) -> Result<ArrayD<f32>> {
    elementwise("sigmoid_backward", y, dy, |y, dy| dy * y * (1.0 - y))
}

/// `tanh(x)`, on any shape.
///
/// ```
/// use inkstone::ndarray::array;
/// assert_eq!(inkstone::ops::tanh(array![0.0].into_dyn().view()), array![0.0].into_dyn());
/// ```
#[must_use]
pub fn tanh(x: ArrayViewD<'_, f32>) -> ArrayD<f32> {
    x.mapv(|x| f64::from(x).tanh() as f32)
}

/// The gradient of [`tanh`]: `dy * (1 - y * y)`. All three have one shape.
///
/// # Errors
/// [`Error::Data`](crate::Error::Data) if `dy` does not have the shape of `y`.
///
/// ```
/// use inkstone::ndarray::array;
/// let dx = inkstone::ops::tanh_backward(array![0.5].into_dyn().view(), array![4.0].into_dyn().view())?;
/// assert_eq!(dx, array![3.0].into_dyn());
/// # Ok::<(), inkstone::Error>(())
/// ```
pub fn tanh_backward(y: ArrayViewD<'_, f32>, dy: ArrayViewD<'_, f32>) -> Result<ArrayD<f32>> {
    elementwise("tanh_backward", y, dy, |y, dy| dy * (1.0 - y * y))
}

/// `exp(x) / sum(exp(x))` over the last axis; the largest value is subtracted first, so that nothing overflows.
///
/// ```
/// use inkstone::ndarray::array;
/// let y = inkstone::ops::softmax(array![[1000.0, 1000.0]].into_dyn().view());
/// assert_eq!(y, array![[0.5, 0.5]].into_dyn());
/// ```
#[must_use]
pub fn softmax(x: ArrayViewD<'_, f32>) -> ArrayD<f32> {
    let mut y = x.to_owned();
    if let Some(last) = x.ndim().checked_sub(1) {
        for mut lane in y.lanes_mut(Axis(last)) {
            let largest = lane.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let sum: f64 = lane.iter().map(|x| f64::from(x - largest).exp()).sum();
            lane.mapv_inplace(|x| (f64::from(x - largest).exp() / sum) as f32);
        }
    }
    y
}

/// The gradient of [`softmax`]: `y * (dy - sum(y * dy))`, the sum over the last axis. All three have one shape.
///
/// # Errors
/// [`Error::Data`](crate::Error::Data) if `dy` does not have the shape of `y`.
///
/// ```
/// use inkstone::ndarray::array;
/// let (y, dy) = (array![[0.5, 0.5]].into_dyn(), array![[1.0, 0.0]].into_dyn());
/// let dx = inkstone::ops::softmax_backward(y.view(), dy.view())?;
/// assert_eq!(dx, array![[0.25, -0.25]].into_dyn());
/// # Ok::<(), inkstone::Error>(())
/// ```
pub fn softmax_backward(y: ArrayViewD<'_, f32>, dy: ArrayViewD<'_, f32>) -> Result<ArrayD<f32>> {
    same_shape("softmax_backward", &y, &dy)?;
    let mut dx = dy.to_owned();
    if let Some(last) = y.ndim().checked_sub(1) {
        for (mut dx, y) in dx.lanes_mut(Axis(last)).into_iter().zip(y.lanes(Axis(last))) {
            let dot: f64 = dx.iter().zip(y).map(|(dy, y)| f64::from(*dy) * f64::from(*y)).sum();
            dx.zip_mut_with(&y, |dx, y| *dx = (f64::from(*y) * (f64::from(*dx) - dot)) as f32);
        }
    }
    Ok(dx)
}

fn elementwise(
    name: &str,
    y: ArrayViewD<'_, f32>,
    dy: ArrayViewD<'_, f32>,
    dx: impl Fn(f32, f32) -> f32,
) -> Result<ArrayD<f32>> {
    same_shape(name, &y, &dy)?;
    Ok(Zip::from(&y).and(&dy).map_collect(|y, dy| dx(*y, *dy)))
}

fn same_shape(name: &str, y: &ArrayViewD<'_, f32>, dy: &ArrayViewD<'_, f32>) -> Result<()> {
    require(y.shape() == dy.shape(), || format!("{name}: expected dy of {:?}, got {:?}", y.shape(), dy.shape()))
}
