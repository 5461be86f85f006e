//! What layers share that slide a window over an image.

use super::image;
use crate::kernels::patches::Dilated;
use crate::shape::{Padding, Shape, Window2d};

/// The geometry of a window on this input, or a sentence without its subject that says why it does not fit.
pub(super) fn sliding(
    input: Shape,
    size: (usize, usize),
    strides: (usize, usize),
    padding: Padding,
) -> Result<Window2d, String> {
    let (height, width, _) = image(input)?;
    Window2d::new((height, width), size, strides, padding).map_err(|reason| format!("cannot work on {input}: {reason}"))
}

/// The same for a window whose taps may stand apart.
pub(super) fn dilated(
    input: Shape,
    taps: (usize, usize),
    dilation: (usize, usize),
    strides: (usize, usize),
    padding: Padding,
) -> Result<Dilated, String> {
    if dilation.0 == 0 || dilation.1 == 0 {
        return Err(format!("expects a dilation_rate of at least (1, 1), got {dilation:?}"));
    }
    if dilation != (1, 1) && strides != (1, 1) {
        return Err(format!(
            "expects strides or a dilation_rate other than (1, 1), not both, got {strides:?} and {dilation:?}"
        ));
    }
    // Of no taps at all the window says what is wrong.
    let size = if taps.0 == 0 || taps.1 == 0 { Some(taps) } else { Dilated::reach(taps, dilation) };
    let size = size
        .ok_or_else(|| format!("reaches too far with a kernel_size of {taps:?} and a dilation_rate of {dilation:?}"))?;
    let window = sliding(input, size, strides, padding)?;
    Ok(Dilated { window, taps, dilation })
}

/// Keras' default size of a pooling window.
pub(super) fn two_by_two() -> (usize, usize) {
    (2, 2)
}
