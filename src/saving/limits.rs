//! Decides how large a described model may be, so that a small file cannot make the reader take much memory. Parameters
//! need no limit here, as each must be in the file; but a plan also lists where the windows of its convolutions start.

use crate::error::{Error, Result};
use crate::layers::Layer;
use crate::shape::Shape;

/// The most windows that all convolutions of a model may have together: 256 MiB of places.
const MAX_WINDOWS: usize = 1 << 26;

/// Checks a model before it is planned. What is written is checked as what is read, so that nothing is saved that could
/// not be loaded. Returns the shape of the model's output.
///
/// # Errors
/// [`Error::Layer`] for the first layer that cannot work on what it is given, [`Error::Model`] if there are too many windows.
pub(super) fn check_size(input: Shape, layers: &[Layer]) -> Result<Shape> {
    let (mut shape, mut windows) = (input, 0_usize);
    for (index, layer) in layers.iter().enumerate() {
        let fault = |problem| Error::Layer { index, kind: layer.kind(), problem };
        // Bounded before any layer multiplies with it.
        if shape.len().is_none() {
            return Err(Error::Model(format!("has an input of {input}: too large, or zero along an axis")));
        }
        if let Layer::Conv2D(conv) = layer {
            let (height, width) = conv.window(shape).map_err(fault)?.out;
            windows = windows.saturating_add(height.saturating_mul(width));
        }
        shape = layer.output_shape(shape).map_err(fault)?;
    }
    if windows > MAX_WINDOWS {
        return Err(Error::Model(format!(
            "has convolutions at {windows} places of an image, expected at most {MAX_WINDOWS} in a model file: use smaller \
             images, or larger strides"
        )));
    }
    Ok(shape)
}
