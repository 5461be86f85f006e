//! Average pooling, as plain loops.

use super::{check_dy, on_image, pooling};
use crate::error::Result;
use crate::shape::Padding;
use ndarray::{Array4, ArrayView4};

/// The mean of each window, without what padding adds, as
/// [Keras' `AveragePooling2D`](https://keras.io/api/layers/pooling_layers/average_pooling2d/).
///
/// - x: (N, H, W, C); returns (N, out H, out W, C)
///
/// # Errors
/// [`Error::Data`](crate::Error::Data) if x has an axis of zero, or the window does not fit.
///
/// ```
/// use inkstone::{Padding, ops};
/// use inkstone::ndarray::Array4;
/// let x = Array4::from_shape_fn((1, 2, 2, 1), |(_, y, x, _)| (y * 2 + x) as f32);
/// assert_eq!(ops::average_pool2d(x.view(), (2, 2), (2, 2), Padding::Valid)?[[0, 0, 0, 0]], 1.5);
/// # Ok::<(), inkstone::Error>(())
/// ```
pub fn average_pool2d(
    x: ArrayView4<'_, f32>,
    pool_size: (usize, usize),
    strides: (usize, usize),
    padding: Padding,
) -> Result<Array4<f32>> {
    let window = pooling("average_pool2d", x, pool_size, strides, padding)?;
    let (count, _, _, channels) = x.dim();
    Ok(Array4::from_shape_fn((count, window.out.0, window.out.1, channels), |(n, y, out_x, c)| {
        let pixels = || on_image(&window, (y, out_x));
        let sum: f64 = pixels().map(|(_, (row, column))| f64::from(x[[n, row, column, c]])).sum();
        (sum / pixels().count() as f64) as f32
    }))
}

/// The gradient of [`average_pool2d`] with respect to its input: each output's gradient goes to the pixels of its
/// window in equal shares.
///
/// - x: (N, H, W, C); dy: (N, out H, out W, C); returns the shape of x
///
/// # Errors
/// As [`average_pool2d`], and [`Error::Data`](crate::Error::Data) if `dy` does not have the shape of the output.
///
/// ```
/// use inkstone::{Padding, ops};
/// use inkstone::ndarray::Array4;
/// let (x, dy) = (Array4::zeros((1, 2, 2, 1)), Array4::ones((1, 1, 1, 1)));
/// let dx = ops::average_pool2d_backward(x.view(), dy.view(), (2, 2), (2, 2), Padding::Valid)?;
/// assert!(dx.iter().all(|share| *share == 0.25));
/// # Ok::<(), inkstone::Error>(())
/// ```
pub fn average_pool2d_backward(
    x: ArrayView4<'_, f32>,
    dy: ArrayView4<'_, f32>,
    pool_size: (usize, usize),
    strides: (usize, usize),
    padding: Padding,
) -> Result<Array4<f32>> {
    let window = pooling("average_pool2d", x, pool_size, strides, padding)?;
    check_dy("average_pool2d_backward", (x.dim().0, window.out.0, window.out.1, x.dim().3), dy)?;
    let mut dx = Array4::<f64>::zeros(x.dim());
    for ((n, y, out_x, c), gradient) in dy.indexed_iter() {
        let pixels = || on_image(&window, (y, out_x));
        let share = f64::from(*gradient) / pixels().count() as f64;
        pixels().for_each(|(_, (row, column))| dx[[n, row, column, c]] += share);
    }
    Ok(dx.mapv(|value| value as f32))
}
