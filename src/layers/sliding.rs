//! What layers share that slide a window over an image.

use super::{image, sequence};
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

/// Keras' default size of a pooling window.
pub(super) fn two_by_two() -> (usize, usize) {
    (2, 2)
}
