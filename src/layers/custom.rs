//! Layers of users' own types among the others.

use super::names::RESERVED;
use super::{Describe, Layer, Spec, checked};
use crate::program::plain::Custom;
use crate::program::{AnyLayer, Builder, CustomLayer, LayerWeight, Operand, WeightId, WeightSpec};
use crate::shape::Shape;
use std::borrow::Cow;

impl<T: CustomLayer> From<T> for Layer {
    fn from(layer: T) -> Self {
        Self::Custom(AnyLayer::new(layer))
    }
}

impl AnyLayer {
    /// The layer's type; `Custom` while that is not known.
    pub(super) fn kind(&self) -> &'static str {
        self.0.object().map_or("Custom", |layer| layer.name())
    }

    /// The name that it gives itself; none while its type is not known.
    pub(super) fn given_name(&self) -> Option<Cow<'_, str>> {
        self.0.object().and_then(|layer| layer.layer_name()).map(Cow::Owned)
    }

    /// What Keras would call the first layer of this type in a model.
    pub(super) fn base_name(&self) -> Cow<'static, str> {
        snake_case(self.name()).into()
    }
}

impl Describe for AnyLayer {
    fn spec(&self, inputs: &[Shape]) -> Result<Spec, String> {
        let layer = self.0.check("layer")?;
        check_name(layer.name())?;
        let output = checked(layer.output_shape(inputs[0])?)?;
        let weights: Vec<WeightSpec> = layer.weights(inputs[0]).into_iter().map(LayerWeight::into_spec).collect();
        for (index, WeightSpec { name, shape, .. }) in weights.iter().enumerate() {
            let is_taken = weights[..index].iter().any(|other| other.name == *name);
            if name.is_empty() || name.contains('/') || is_taken {
                return Err(format!("has a weight named {name:?}: each needs a name of its own, without `/`"));
            }
            if shape.contains(&0) {
                return Err(format!("has a weight {name} of {shape:?}: every axis must be at least 1"));
            }
        }
        Ok(Spec { output, weights })
    }

    fn lower(&self, builder: &mut Builder, inputs: &[Operand], weights: &[WeightId]) -> Result<Operand, String> {
        let output = self.spec(&[inputs[0].shape])?.output;
        let custom = Custom { layer: self.clone(), input: inputs[0].shape, output };
        Ok(builder.weighted(custom, inputs, weights, output))
    }
}

fn check_name(name: &str) -> Result<(), String> {
    let is_sound = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !is_sound || RESERVED.contains(&snake_case(name).as_str()) {
        return Err(format!(
            "has the name {name:?}: use letters, digits and underscores, and no name that the files use themselves ({})",
            RESERVED.join(", ")
        ));
    }
    Ok(())
}

/// A type's name as Keras writes it in the names of layers: `layer_scale` of `LayerScale`, `conv2d` of `Conv2D`.
fn snake_case(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut snake = String::new();
    for (place, letter) in letters.iter().enumerate() {
        let is_small = |place: usize| letters.get(place).is_some_and(char::is_ascii_lowercase);
        let starts_a_word = letter.is_ascii_uppercase() && place > 0 && (is_small(place - 1) || is_small(place + 1));
        if starts_a_word && letters[place - 1] != '_' {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::snake_case;

    #[test]
    fn names_are_written_as_keras_writes_them() {
        let written = ["Scale", "LayerScale", "Conv2D", "MyMLPBlock", "RMSNorm", "already_small"].map(snake_case);
        assert_eq!(written, ["scale", "layer_scale", "conv2d", "my_mlp_block", "rms_norm", "already_small"]);
    }
}
