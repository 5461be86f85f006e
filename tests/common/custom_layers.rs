//! Layers of users' own types, for several test files.

use inkstone::Shape;
use inkstone::custom::{CustomLayer, LayerBackward, LayerForward, LayerWeight};
use serde::{Deserialize, Serialize};

/// Multiplies each channel by a weight of its own.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scale {
    pub(crate) initial: f32,
}

impl CustomLayer for Scale {
    const NAME: &'static str = "Scale";

    fn output_shape(&self, input: Shape) -> Result<Shape, String> {
        Ok(input)
    }

    fn weights(&self, input: Shape) -> Vec<LayerWeight> {
        vec![LayerWeight::constant("factors", [input.as_image().2], self.initial)]
    }

    fn forward(&self, pass: LayerForward<'_>) {
        let factors = &pass.weights[0];
        for (at, (y, x)) in pass.output.iter_mut().zip(pass.input).enumerate() {
            *y = x * factors[at % factors.len()];
        }
    }

    fn backward(&self, mut pass: LayerBackward<'_>) {
        let factors = &pass.weights[0];
        for (at, dy) in pass.d_output.iter().enumerate() {
            let channel = at % factors.len();
            pass.d_weights[0][channel] += dy * pass.input[at];
            if let Some(d_input) = &mut pass.d_input {
                d_input[at] = dy * factors[channel];
            }
        }
    }
}
