//! The fully connected operation.

use super::{check_dy, require};
use crate::error::Result;
use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};

/// The gradients of [`dense`].
#[derive(Clone, Debug, PartialEq)]
pub struct DenseGradients {
    /// With respect to the input: (N, features).
    pub dx: Array2<f32>,
    /// With respect to the kernel: (features, units).
    pub dw: Array2<f32>,
    /// With respect to the bias: (units).
    pub db: Array1<f32>,
}

/// `x · kernel + bias`, what [Keras' `Dense`](https://keras.io/api/layers/core_layers/dense/) computes before its
/// activation.
///
/// - x: (N, features); kernel: (features, units); bias: (units); returns (N, units)
///
/// # Errors
/// [`Error::Data`](crate::Error::Data) if the shapes do not fit each other.
///
/// ```
/// use inkstone::ops;
/// use inkstone::ndarray::array;
/// let y = ops::dense(array![[1.0, 2.0]].view(), array![[1.0], [10.0]].view(), Some(array![0.5].view()))?;
/// assert_eq!(y, array![[21.5]]);
/// # Ok::<(), inkstone::Error>(())
/// ```
pub fn dense(
    x: ArrayView2<'_, f32>,
    kernel: ArrayView2<'_, f32>,
    bias: Option<ArrayView1<'_, f32>>,
) -> Result<Array2<f32>> {
    let units = kernel.dim().1;
    check(x, kernel)?;
    if let Some(bias) = bias {
        require(bias.len() == units, || {
            format!("dense: expected a bias for each of {units} units, got {}", bias.len())
        })?;
    }
    let mut y = product(x, kernel);
    if let Some(bias) = bias {
        y += &bias;
    }
    Ok(y)
}

/// The gradients of [`dense`].
///
/// - x: (N, features); kernel: (features, units); dy: (N, units)
///
/// # Errors
/// As [`dense`], and [`Error::Data`](crate::Error::Data) if `dy` does not have the shape of the output.
///
/// ```
/// use inkstone::ops;
/// use inkstone::ndarray::array;
/// let gradients = ops::dense_backward(array![[1.0, 2.0]].view(), array![[3.0], [4.0]].view(), array![[10.0]].view())?;
/// assert_eq!((gradients.dx, gradients.dw), (array![[30.0, 40.0]], array![[10.0], [20.0]]));
/// assert_eq!(gradients.db, array![10.0]);
/// # Ok::<(), inkstone::Error>(())
/// ```
pub fn dense_backward(
    x: ArrayView2<'_, f32>,
    kernel: ArrayView2<'_, f32>,
    dy: ArrayView2<'_, f32>,
) -> Result<DenseGradients> {
    check(x, kernel)?;
    check_dy("dense_backward", (x.dim().0, kernel.dim().1), dy)?;
    Ok(DenseGradients { dx: product(dy, kernel.t()), dw: product(x.t(), dy), db: dy.sum_axis(Axis(0)) })
}

/// The matrix product, summed in `f64`.
fn product(a: ArrayView2<'_, f32>, b: ArrayView2<'_, f32>) -> Array2<f32> {
    Array2::from_shape_fn((a.dim().0, b.dim().1), |(i, j)| {
        let terms = a.row(i).into_iter().zip(b.column(j)).map(|(a, b)| f64::from(*a) * f64::from(*b));
        terms.sum::<f64>() as f32
    })
}

fn check(x: ArrayView2<'_, f32>, kernel: ArrayView2<'_, f32>) -> Result<()> {
    require(x.dim().1 == kernel.dim().0, || {
        format!("dense: the kernel expects {} features, got an input of {:?} (N, features)", kernel.dim().0, x.dim())
    })
}
