//! The convolution.

use super::{check_dy, on_image, require};
use crate::error::{Error, Result};
use crate::shape::{Padding, Window2d};
use ndarray::{Array1, Array4, ArrayView1, ArrayView4};

/// The gradients of [`conv2d`].
#[derive(Clone, Debug, PartialEq)]
pub struct Conv2dGradients {
    /// With respect to the input: (N, H, W, C).
    pub dx: Array4<f32>,
    /// With respect to the kernel: (kernel height, kernel width, C, filters).
    pub dw: Array4<f32>,
    /// With respect to the bias: (filters).
    pub db: Array1<f32>,
}

/// The convolution of images with a kernel, as [Keras' `conv`](https://keras.io/api/ops/nn/): at each place of the
/// window the sum of inputs times weights, for every filter.
///
/// - x: (N, H, W, C); kernel: (kernel height, kernel width, C, filters); bias: (filters)
/// - returns (N, out H, out W, filters)
///
/// # Errors
/// [`Error::Data`] if the shapes do not fit each other, an axis is zero, or the kernel is larger than the image.
///
/// ```
/// use inkstone::{Padding, ops};
/// use inkstone::ndarray::Array4;
/// let (x, kernel) = (Array4::ones((1, 4, 4, 2)), Array4::ones((3, 3, 2, 5)));
/// let y = ops::conv2d(x.view(), kernel.view(), None, (1, 1), Padding::Valid)?;
/// assert_eq!(y.dim(), (1, 2, 2, 5));
/// assert_eq!(y[[0, 0, 0, 0]], 18.0);
/// # Ok::<(), inkstone::Error>(())
/// ```
pub fn conv2d(
    x: ArrayView4<'_, f32>,
    kernel: ArrayView4<'_, f32>,
    bias: Option<ArrayView1<'_, f32>>,
    strides: (usize, usize),
    padding: Padding,
) -> Result<Array4<f32>> {
    let window = geometry(x, kernel, strides, padding)?;
    let (count, _, _, channels) = x.dim();
    let filters = kernel.dim().3;
    if let Some(bias) = bias {
        require(bias.len() == filters, || {
            format!("conv2d: expected a bias for each of {filters} filters, got {}", bias.len())
        })?;
    }
    Ok(Array4::from_shape_fn((count, window.out.0, window.out.1, filters), |(n, y, out_x, f)| {
        let mut sum = bias.map_or(0.0, |bias| f64::from(bias[f]));
        for ((ky, kx), (row, column)) in on_image(&window, (y, out_x)) {
            for c in 0..channels {
                sum += f64::from(x[[n, row, column, c]]) * f64::from(kernel[[ky, kx, c, f]]);
            }
        }
        sum as f32
    }))
}

/// The gradients of [`conv2d`].
///
/// - x: (N, H, W, C); kernel: (kernel height, kernel width, C, filters); dy: (N, out H, out W, filters)
///
/// # Errors
/// As [`conv2d`], and [`Error::Data`] if `dy` does not have the shape of the output.
///
/// ```
/// use inkstone::{Padding, ops};
/// use inkstone::ndarray::Array4;
/// let (x, kernel) = (Array4::ones((1, 4, 4, 1)), Array4::ones((3, 3, 1, 1)));
/// let dy = Array4::ones((1, 2, 2, 1));
/// let gradients = ops::conv2d_backward(x.view(), kernel.view(), dy.view(), (1, 1), Padding::Valid)?;
/// assert_eq!(gradients.db[0], 4.0);
/// assert_eq!(gradients.dx[[0, 1, 1, 0]], 4.0);
/// # Ok::<(), inkstone::Error>(())
/// ```
pub fn conv2d_backward(
    x: ArrayView4<'_, f32>,
    kernel: ArrayView4<'_, f32>,
    dy: ArrayView4<'_, f32>,
    strides: (usize, usize),
    padding: Padding,
) -> Result<Conv2dGradients> {
    let window = geometry(x, kernel, strides, padding)?;
    let (count, _, _, channels) = x.dim();
    check_dy("conv2d_backward", (count, window.out.0, window.out.1, kernel.dim().3), dy)?;
    let mut dx = Array4::<f64>::zeros(x.dim());
    let mut dw = Array4::<f64>::zeros(kernel.dim());
    let mut db = Array1::<f64>::zeros(kernel.dim().3);
    for (place, gradient) in dy.indexed_iter() {
        let (n, y, out_x, f) = place;
        let gradient = f64::from(*gradient);
        db[f] += gradient;
        for ((ky, kx), (row, column)) in on_image(&window, (y, out_x)) {
            for c in 0..channels {
                dx[[n, row, column, c]] += gradient * f64::from(kernel[[ky, kx, c, f]]);
                dw[[ky, kx, c, f]] += gradient * f64::from(x[[n, row, column, c]]);
            }
        }
    }
    Ok(Conv2dGradients {
        dx: dx.mapv(|value| value as f32),
        dw: dw.mapv(|value| value as f32),
        db: db.mapv(|value| value as f32),
    })
}

fn geometry(
    x: ArrayView4<'_, f32>,
    kernel: ArrayView4<'_, f32>,
    strides: (usize, usize),
    padding: Padding,
) -> Result<Window2d> {
    let ((_, height, width, channels), (rows, columns, expected, filters)) = (x.dim(), kernel.dim());
    require(channels == expected, || {
        format!("conv2d: the kernel expects {expected} channels, got an input of {:?} (N, H, W, C)", x.dim())
    })?;
    require(!x.is_empty() && filters > 0, || {
        format!("conv2d: every axis must be at least 1, got an input of {:?} and {filters} filters", x.dim())
    })?;
    Window2d::new((height, width), (rows, columns), strides, padding)
        .map_err(|reason| Error::Data(format!("conv2d: {reason}")))
}
