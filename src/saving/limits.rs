//! Decides how large a described model may be, so that a small file cannot make the reader take much memory. Parameters
//! need no limit here, as each must be in the file; but a plan also lists where the windows of its convolutions start.

use crate::error::{Error, Result};
use crate::layers::{Call, Network, Source, Spec};
use crate::shape::Shape;

/// The most windows that all convolutions of a model may have together: 256 MiB of places.
const MAX_WINDOWS: usize = 1 << 26;

/// Checks a model before it is planned. What is written is checked as what is read, so that nothing is saved that could
/// not be loaded. Returns the shape of the model's output.
///
/// # Errors
/// [`Error::Layer`] for the first layer that cannot work on what it is given, [`Error::Model`] if there are too many windows.
pub(super) fn check_size(network: &Network) -> Result<Shape> {
    let (mut shapes, mut windows) = (Vec::new(), 0_usize);
    let shape_of = |shapes: &[Shape], source: &Source| match *source {
        Source::Input(index) => network.inputs[index],
        Source::Call(index) => shapes[index],
    };
    for Call { layer: index, reads } in &network.calls {
        let layer = &network.layers[*index];
        let fault = |problem| Error::Layer { index: *index, kind: layer.kind(), problem };
        let inputs: Vec<Shape> = reads.iter().map(|source| shape_of(&shapes, source)).collect();
        // Bounded before any layer multiplies with it.
        if let Some(input) = inputs.iter().find(|input| input.len().is_none()) {
            return Err(Error::Model(format!("has an input of {input}: too large, or zero along an axis")));
        }
        let Spec { output, weights } = layer.describe().spec(&inputs).map_err(fault)?;
        if !weights.is_empty() {
            let (height, width, _) = output.as_image();
            windows = windows.saturating_add(height.saturating_mul(width));
        }
        shapes.push(output);
    }
    if windows > MAX_WINDOWS {
        return Err(Error::Model(format!(
            "has convolutions at {windows} places of an image, expected at most {MAX_WINDOWS} in a model file: use smaller \
             images, or larger strides"
        )));
    }
    Ok(network.outputs.first().map_or(network.inputs[0], |output| shape_of(&shapes, output)))
}
