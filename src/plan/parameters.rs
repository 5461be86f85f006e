//! Decides where parameters lie: one flat buffer, each tensor on a cache line's start, outputs first.
//!
//! The engine stores a kernel as (filters, kernel height, kernel width, channels), because its backward pass reads it
//! filter by filter; users see Keras' layout, which has the filters last.

use crate::aligned::round_up_to_line;
use crate::error::{Error, Result};
use crate::kernels::conv2d::SLACK;
use crate::layers::Layer;
use crate::shape::{MAX_ELEMENTS, Shape};
use std::collections::HashMap;
use std::ops::Range;

/// What Keras calls the weights that a layer multiplies with.
pub(super) const KERNEL: &str = "kernel";
/// What Keras calls the weights that a layer adds.
pub(super) const BIAS: &str = "bias";

/// One kernel or bias.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Parameter {
    /// Keras' name, as in `conv2d_1/kernel`.
    pub(crate) name: String,
    /// The layer's index in the model.
    pub(crate) layer: usize,
    /// Its name in the layer, as in `kernel`.
    pub(crate) weight: &'static str,
    /// Who changes it.
    pub(crate) role: Role,
    /// Its place in the flat buffer.
    pub(crate) range: Range<usize>,
    /// Its shape there. Moving the first axis to the end gives Keras' shape.
    pub(crate) stored_shape: Vec<usize>,
    /// How its first values are drawn.
    pub(crate) initial: Initial,
}

/// Who changes a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// The optimizer.
    Trained,
}

/// How a parameter starts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Initial {
    /// Uniform between `-limit` and `limit`.
    Uniform {
        limit: f32,
    },
    Zeros,
}

/// Lays out all parameters; also returns the length of the flat buffer, which ends with room for a vector that starts
/// at the last weight.
pub(crate) fn lay_out(input: Shape, layers: &[Layer], shapes: &[Shape]) -> Result<(Vec<Parameter>, usize)> {
    let names = layer_names(layers);
    let mut parameters = Vec::new();
    let mut end = 0;
    let mut place = |layer: usize, weight: &'static str, stored_shape: Vec<usize>, initial| -> Result<()> {
        let len = stored_shape.iter().try_fold(1_usize, |len, axis| len.checked_mul(*axis));
        let len = len.filter(|len| end + len.min(&MAX_ELEMENTS) < MAX_ELEMENTS).ok_or_else(|| Error::Layer {
            index: layer,
            kind: layers[layer].kind(),
            problem: format!("brings the model to more than {MAX_ELEMENTS} parameters"),
        })?;
        let (name, role, range) = (format!("{}/{weight}", names[layer]), Role::Trained, end..end + len);
        parameters.push(Parameter { name, layer, weight, role, range, stored_shape, initial });
        end = round_up_to_line(end + len);
        Ok(())
    };
    let inputs = std::iter::once(&input).chain(shapes);
    for (index, (layer, input)) in layers.iter().zip(inputs).enumerate() {
        let Some(weights) = layer.weight_shapes(*input) else {
            continue;
        };
        let (height, width, channels, filters) = weights.kernel;
        let stored_shape = match layer {
            Layer::Dense(_) => vec![filters, channels],
            Layer::Conv2D(_)
            | Layer::MaxPooling2D(_)
            | Layer::Flatten(_)
            | Layer::Activation(_)
            | Layer::Dropout(_) => vec![filters, height, width, channels],
        };
        // Glorot uniform: Glorot and Bengio, 2010, https://proceedings.mlr.press/v9/glorot10a.html
        let fans = height as f32 * width as f32 * (channels as f32 + filters as f32);
        let initial = Initial::Uniform { limit: (6.0 / fans).sqrt() };
        place(index, KERNEL, stored_shape, initial)?;
        if weights.use_bias {
            place(index, BIAS, vec![filters], Initial::Zeros)?;
        }
    }
    Ok((parameters, end + SLACK))
}

/// The parameters of these layers, of all of a model's.
pub(super) fn of_layers(parameters: &[Parameter], layers: Range<usize>) -> &[Parameter] {
    let before = |layer: usize| parameters.partition_point(|parameter| parameter.layer < layer);
    &parameters[before(layers.start)..before(layers.end)]
}

/// Keras' names: `conv2d`, `conv2d_1`, and so on.
pub(crate) fn layer_names(layers: &[Layer]) -> Vec<String> {
    let mut seen: HashMap<&str, usize> = HashMap::new();
    let name = |layer: &Layer| {
        let count = seen.entry(layer.base_name()).or_default();
        *count += 1;
        match *count {
            1 => layer.base_name().to_owned(),
            count => format!("{}_{}", layer.base_name(), count - 1),
        }
    };
    layers.iter().map(name).collect()
}

impl Parameter {
    /// Its shape as users see it: Keras' layout.
    pub(crate) fn shape(&self) -> Vec<usize> {
        let mut shape = self.stored_shape.clone();
        shape.rotate_left(1);
        shape
    }
}
