//! What layers ask of their arguments and inputs, in the same words for all of them, and defaults of Keras.

use crate::kernels::conv2d::ConvLayout;
use crate::shape::{MAX_ELEMENTS, Shape, Window2d};

/// An argument that is finite and not negative.
pub(super) fn not_negative(name: &str, value: f32) -> Result<(), String> {
    if value.is_finite() && value >= 0.0 {
        return Ok(());
    }
    Err(format!("expects a finite {name} of at least 0, got {value}"))
}

/// Keras' default of `trainable`.
pub(super) fn trained() -> bool {
    true
}

/// Keras' default of `use_bias`.
pub(super) fn with_bias() -> bool {
    true
}

/// An image layer's input: (height, width, channels).
pub(super) fn image(input: Shape) -> Result<(usize, usize, usize), String> {
    match *input.axes() {
        [height, width, channels] => Ok((height, width, channels)),
        [_] => Err(format!("expects an image (height, width, channels), got {input}: put it before `Flatten`")),
        _ => Err(format!("expects an image (height, width, channels), got {input}: use `Reshape` before it")),
    }
}

/// A sequence layer's input: (steps, features).
pub(super) fn sequence(input: Shape) -> Result<(usize, usize), String> {
    match *input.axes() {
        [steps, features] => Ok((steps, features)),
        _ => Err(format!("expects a sequence (steps, features), got {input}: use `Reshape` before it")),
    }
}

/// The shape, if a tensor of it can be.
pub(super) fn checked(shape: Shape) -> Result<Shape, String> {
    shape.len().map(|_| shape).ok_or_else(|| format!("has an output of {shape}: {}", too_large()))
}

/// Whether a convolution's padded input and packed kernel are no larger than a tensor may be.
pub(super) fn check_convolution(window: &Window2d, channels: usize, filters: usize) -> Result<(), String> {
    let padded = window.padded.0.checked_mul(window.padded.1).and_then(|pixels| pixels.checked_mul(channels));
    if padded.is_none_or(|padded| padded > MAX_ELEMENTS) {
        return Err(format!("needs an input padded to more than {MAX_ELEMENTS} values"));
    }
    let packed = ConvLayout::packed_len_of(window, channels, filters, None);
    if packed.is_none_or(|packed| packed > MAX_ELEMENTS) {
        return Err(format!("needs more than {MAX_ELEMENTS} values to pack its kernel"));
    }
    Ok(())
}

pub(super) fn too_large() -> String {
    format!("each tensor must have between 1 and {} values", MAX_ELEMENTS)
}
