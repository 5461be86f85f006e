//! What layers share that slide a window over an image.

use super::{image, sequence};
use crate::kernels::patches::Dilated;
use crate::shape::{MAX_ELEMENTS, Padding, Shape, Window2d};

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

/// The geometry of a window on this sequence, as on an image of one row.
pub(super) fn sliding_along(input: Shape, size: usize, strides: usize, padding: Padding) -> Result<Window2d, String> {
    let (steps, _) = sequence(input)?;
    for (name, steps) in [("window", size), ("strides", strides)] {
        if !(1..=MAX_ELEMENTS).contains(&steps) {
            return Err(format!("cannot work on {input}: the {name} must be at least 1 and at most 2^28, got {steps}"));
        }
    }
    match padding {
        Padding::Valid if size > steps => Err(format!(
            "cannot work on {input}: a window of {size} steps is longer than its input: use a smaller window, less \
             pooling before it, or `padding(Same)`"
        )),
        Padding::Valid | Padding::Same => Window2d::new((1, steps), (1, size), (1, strides), padding),
    }
}

/// The same for a window whose taps may stand apart.
pub(super) fn dilated_along(
    input: Shape,
    taps: usize,
    dilation: usize,
    strides: usize,
    padding: Padding,
) -> Result<Dilated, String> {
    if dilation == 0 {
        return Err("expects a dilation_rate of at least 1, got 0".into());
    }
    if dilation != 1 && strides != 1 {
        return Err(format!("expects strides or a dilation_rate other than 1, not both, got {strides} and {dilation}"));
    }
    // Of no taps at all the window says what is wrong.
    let size = if taps == 0 { Some(0) } else { Dilated::reach((1, taps), (1, dilation)).map(|(_, size)| size) };
    let size =
        size.ok_or_else(|| format!("reaches too far with a kernel_size of {taps} and a dilation_rate of {dilation}"))?;
    let window = sliding_along(input, size, strides, padding)?;
    Ok(Dilated { window, taps: (1, taps), dilation: (1, dilation) })
}

/// Keras' default size of a pooling window.
pub(super) fn two_by_two() -> (usize, usize) {
    (2, 2)
}
