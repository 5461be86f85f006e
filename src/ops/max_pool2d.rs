//! Max pooling.

use super::{check_dy, on_image, pooling};
use crate::error::Result;
use crate::shape::{Padding, Window2d};
use ndarray::{Array4, ArrayView4};

/// The largest value of each window, channel by channel, as [Keras' `max_pool`](https://keras.io/api/ops/nn/). Padding
/// never wins.
///
/// - x: (N, H, W, C); returns (N, out H, out W, C)
///
/// # Errors
/// [`Error::Data`](crate::Error::Data) if an axis is zero or the window is larger than the image.
///
/// ```
/// use inkstone::{Padding, ops};
/// use inkstone::ndarray::Array4;
/// let x = Array4::from_shape_fn((1, 4, 4, 1), |(_, y, x, _)| (y * 4 + x) as f32);
/// let y = ops::max_pool2d(x.view(), (2, 2), (2, 2), Padding::Valid)?;
/// assert_eq!(y.iter().copied().collect::<Vec<_>>(), [5.0, 7.0, 13.0, 15.0]);
/// # Ok::<(), inkstone::Error>(())
/// ```
pub fn max_pool2d(
    x: ArrayView4<'_, f32>,
    pool_size: (usize, usize),
    strides: (usize, usize),
    padding: Padding,
) -> Result<Array4<f32>> {
    let window = pooling("max_pool2d", x, pool_size, strides, padding)?;
    let (count, _, _, channels) = x.dim();
    Ok(Array4::from_shape_fn((count, window.out.0, window.out.1, channels), |(n, y, out_x, c)| {
        winner(&window, x, (n, y, out_x, c)).1
    }))
}

/// The gradient of [`max_pool2d`] with respect to its input: each output's gradient goes to the first largest value of
/// its window.
///
/// - x: (N, H, W, C); dy: (N, out H, out W, C); returns the shape of x
///
/// # Errors
/// As [`max_pool2d`], and [`Error::Data`](crate::Error::Data) if `dy` does not have the shape of the output.
///
/// ```
/// use inkstone::{Padding, ops};
/// use inkstone::ndarray::Array4;
/// let x = Array4::from_shape_fn((1, 2, 2, 1), |(_, y, x, _)| (y * 2 + x) as f32);
/// let dx = ops::max_pool2d_backward(x.view(), Array4::ones((1, 1, 1, 1)).view(), (2, 2), (2, 2), Padding::Valid)?;
/// assert_eq!(dx.iter().copied().collect::<Vec<_>>(), [0.0, 0.0, 0.0, 1.0]);
/// # Ok::<(), inkstone::Error>(())
/// ```
pub fn max_pool2d_backward(
    x: ArrayView4<'_, f32>,
    dy: ArrayView4<'_, f32>,
    pool_size: (usize, usize),
    strides: (usize, usize),
    padding: Padding,
) -> Result<Array4<f32>> {
    let window = pooling("max_pool2d", x, pool_size, strides, padding)?;
    check_dy("max_pool2d_backward", (x.dim().0, window.out.0, window.out.1, x.dim().3), dy)?;
    let mut dx = Array4::zeros(x.dim());
    for (place, gradient) in dy.indexed_iter() {
        let (row, column) = winner(&window, x, place).0;
        dx[[place.0, row, column, place.3]] += gradient;
    }
    Ok(dx)
}

/// The first largest value under a window: its pixel and itself. A NaN is larger than any number, and the last one
/// wins.
fn winner(
    window: &Window2d,
    x: ArrayView4<'_, f32>,
    (n, y, out_x, c): (usize, usize, usize, usize),
) -> ((usize, usize), f32) {
    let mut best: Option<((usize, usize), f32)> = None;
    for (_, (row, column)) in on_image(window, (y, out_x)) {
        let value = x[[n, row, column, c]];
        if value.is_nan() || best.is_none_or(|(_, largest)| value > largest) {
            best = Some(((row, column), value));
        }
    }
    best.unwrap_or(((0, 0), f32::NEG_INFINITY))
}
