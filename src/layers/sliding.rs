//! What layers share that slide a window over an image.

use super::image;
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

/// Keras' default size of a pooling window.
pub(super) fn two_by_two() -> (usize, usize) {
    (2, 2)
}
