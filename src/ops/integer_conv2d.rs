//! The convolution of bytes.

use super::{on_image, require};
use crate::error::{Error, Result};
use crate::shape::{Padding, Window2d};
use ndarray::{Array4, ArrayView4};

/// The sums of a convolution of bytes, as [ONNX' `ConvInteger`](https://onnx.ai/onnx/operators/onnx__ConvInteger.html):
/// at each place of the window the sum of `(input - zero_point) * weight`, for every filter. Padding adds nothing.
///
/// - x: (N, H, W, C); kernel: (kernel height, kernel width, C, filters)
/// - returns (N, out H, out W, filters); sums that 32 bits do not hold wrap around
///
/// # Errors
/// [`Error::Data`] if the channels do not fit each other, an axis is zero, or the kernel is larger than the image.
///
/// ```
/// use inkstone::{Padding, ops};
/// use inkstone::ndarray::Array4;
/// let (x, kernel) = (Array4::from_elem((1, 3, 3, 2), 255), Array4::from_elem((3, 3, 2, 5), -127));
/// let sums = ops::integer_conv2d(x.view(), 128, kernel.view(), (1, 1), Padding::Valid)?;
/// assert_eq!(sums.dim(), (1, 1, 1, 5));
/// assert_eq!(sums[[0, 0, 0, 0]], -18 * 127 * 127);
/// # Ok::<(), inkstone::Error>(())
/// ```
pub fn integer_conv2d(
    x: ArrayView4<'_, u8>,
    zero_point: u8,
    kernel: ArrayView4<'_, i8>,
    strides: (usize, usize),
    padding: Padding,
) -> Result<Array4<i32>> {
    let ((count, height, width, channels), (rows, columns, inputs, filters)) = (x.dim(), kernel.dim());
    require(!x.is_empty() && !kernel.is_empty(), || {
        format!(
            "integer_conv2d: every axis must be at least 1, got x of {:?} and a kernel of {:?}",
            x.dim(),
            kernel.dim()
        )
    })?;
    require(channels == inputs, || {
        format!("integer_conv2d: expected a kernel for {channels} channels, got one for {inputs}")
    })?;
    let window = Window2d::new((height, width), (rows, columns), strides, padding)
        .map_err(|reason| Error::Data(format!("integer_conv2d: {reason}")))?;
    Ok(Array4::from_shape_fn((count, window.out.0, window.out.1, filters), |(n, y, out_x, f)| {
        let mut sum = 0_i32;
        for ((ky, kx), (row, column)) in on_image(&window, (y, out_x)) {
            for c in 0..channels {
                let input = i32::from(x[[n, row, column, c]]) - i32::from(zero_point);
                sum = sum.wrapping_add(input * i32::from(kernel[[ky, kx, c, f]]));
            }
        }
        sum
    }))
}
