//! Rectified and exponential linear units. Their gradients take the inputs `x`.

use super::{map, scaled};
use crate::error::Result;
use ndarray::{ArrayD, ArrayViewD};

/// `x` above the threshold, but at most `max_value`; `negative_slope * (x - threshold)` up to it. On any shape.
///
/// ```
/// use inkstone::ndarray::array;
/// let y = inkstone::ops::rectified(array![-1.0, 2.0, 7.0].into_dyn().view(), 0.5, Some(6.0), 1.0);
/// assert_eq!(y, array![-1.0, 2.0, 6.0].into_dyn());
/// ```
#[must_use]
pub fn rectified(x: ArrayViewD<'_, f32>, negative_slope: f32, max_value: Option<f32>, threshold: f32) -> ArrayD<f32> {
    let (slope, threshold) = (f64::from(negative_slope), f64::from(threshold));
    let ceiling = max_value.map_or(f64::INFINITY, f64::from);
    map(x, |x| if x > threshold { x.min(ceiling) } else { slope * (x - threshold) })
}

/// The gradient of [`rectified`], of the shape of `x`.
///
/// # Errors
/// [`Error::Data`](crate::Error::Data) if `dy` does not have the shape of `x`.
///
/// ```
/// use inkstone::ndarray::array;
/// let (x, dy) = (array![-1.0, 2.0, 7.0].into_dyn(), array![4.0, 4.0, 4.0].into_dyn());
/// let dx = inkstone::ops::rectified_backward(x.view(), 0.5, Some(6.0), 1.0, dy.view())?;
/// assert_eq!(dx, array![2.0, 4.0, 0.0].into_dyn());
/// # Ok::<(), inkstone::Error>(())
/// ```
pub fn rectified_backward(
    x: ArrayViewD<'_, f32>,
    negative_slope: f32,
    max_value: Option<f32>,
    threshold: f32,
    dy: ArrayViewD<'_, f32>,
) -> Result<ArrayD<f32>> {
    let (slope, threshold) = (f64::from(negative_slope), f64::from(threshold));
    let ceiling = max_value.map_or(f64::INFINITY, f64::from);
    let above = |x: f64| if x < ceiling { 1.0 } else { 0.0 };
    scaled("rectified_backward", x, dy, |x| if x > threshold { above(x) } else { slope })
}

/// `x`, but `alpha * (exp(x) - 1)` below 0, on any shape.
///
/// ```
/// use inkstone::ndarray::array;
/// let y = inkstone::ops::elu(array![-100.0, 0.0, 2.0].into_dyn().view(), 0.5);
/// assert_eq!(y, array![-0.5, 0.0, 2.0].into_dyn());
/// ```
#[must_use]
pub fn elu(x: ArrayViewD<'_, f32>, alpha: f32) -> ArrayD<f32> {
    let alpha = f64::from(alpha);
    map(x, |x| if x > 0.0 { x } else { alpha * x.exp_m1() })
}

/// The gradient of [`elu`], of the shape of `x`.
///
/// # Errors
/// [`Error::Data`](crate::Error::Data) if `dy` does not have the shape of `x`.
///
/// ```
/// use inkstone::ndarray::array;
/// let (x, dy) = (array![-200.0, 0.0, 2.0].into_dyn(), array![4.0, 4.0, 4.0].into_dyn());
/// let dx = inkstone::ops::elu_backward(x.view(), 0.5, dy.view())?;
/// assert_eq!(dx, array![0.0, 2.0, 4.0].into_dyn());
/// # Ok::<(), inkstone::Error>(())
/// ```
pub fn elu_backward(x: ArrayViewD<'_, f32>, alpha: f32, dy: ArrayViewD<'_, f32>) -> Result<ArrayD<f32>> {
    let alpha = f64::from(alpha);
    scaled("elu_backward", x, dy, |x| if x > 0.0 { 1.0 } else { alpha * x.exp() })
}

/// The numbers of [`selu`]: `alpha`, `scale`.
const SELU: (f64, f64) = (1.673_263_242_354_377_2, 1.050_700_987_355_480_5);

/// `scale * x`, but `scale * alpha * (exp(x) - 1)` below 0, with SELU's numbers, on any shape.
///
/// ```
/// use inkstone::ndarray::array;
/// let y = inkstone::ops::selu(array![0.0, 2.0].into_dyn().view());
/// assert_eq!(y, array![0.0, 2.101402].into_dyn());
/// ```
#[must_use]
pub fn selu(x: ArrayViewD<'_, f32>) -> ArrayD<f32> {
    map(x, |x| SELU.1 * if x > 0.0 { x } else { SELU.0 * x.exp_m1() })
}

/// The gradient of [`selu`], of the shape of `x`.
///
/// # Errors
/// [`Error::Data`](crate::Error::Data) if `dy` does not have the shape of `x`.
///
/// ```
/// use inkstone::ndarray::array;
/// let (x, dy) = (array![0.0, 2.0].into_dyn(), array![0.0, 1.0].into_dyn());
/// let dx = inkstone::ops::selu_backward(x.view(), dy.view())?;
/// assert_eq!(dx, array![0.0, 1.050701].into_dyn());
/// # Ok::<(), inkstone::Error>(())
/// ```
pub fn selu_backward(x: ArrayViewD<'_, f32>, dy: ArrayViewD<'_, f32>) -> Result<ArrayD<f32>> {
    scaled("selu_backward", x, dy, |x| SELU.1 * if x > 0.0 { 1.0 } else { SELU.0 * x.exp() })
}
