//! The dropout of whole channels.

use super::dropout::check_rate;
use super::names::name_setter;
use super::written::written;
use super::{Describe, MaskRule, Spec, image};
use crate::program::plain::{Chance, Noise};
use crate::program::{Builder, Operand, WeightId};
use crate::shape::Shape;
use serde::Deserialize;

/// Sets a random part of an image's channels to zero while training, in all pixels, and scales the rest up by
/// `1 / (1 - rate)`; outside training it does nothing. As [Keras'
/// `SpatialDropout2D`](https://keras.io/api/layers/regularization_layers/spatial_dropout2d/), from [Tompson et al.,
/// 2014](https://arxiv.org/abs/1411.4280): neighbouring pixels are so alike that dropping one of them regularizes
/// little.
///
/// - Input shape: (height, width, channels). Output shape: the same.
///
/// At `compile`, a rate that is not in `0.0..1.0`, or an input that is no image, is an error that names the layer.
///
/// ```
/// use inkstone::prelude::*;
/// let described = Sequential::new([784]).add(SpatialDropout2D::new(0.5));
/// let error = described.compile(Adam::default(), MeanSquaredError, []).unwrap_err();
/// assert!(error.to_string().starts_with("layer 0 (SpatialDropout2D) expects an image"));
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct SpatialDropout2D {
    /// The part of the channels that is dropped, at least 0 and less than 1.
    pub rate: f32,
    /// Its name; `None` for one after its type.
    pub name: Option<String>,
}

impl SpatialDropout2D {
    /// A layer that drops this part of the channels.
    #[must_use]
    pub fn new(rate: f32) -> Self {
        Self { rate, name: None }
    }

    name_setter!();
}

written! {
    SpatialDropout2D {
        rate;
        name = None,
    }
}

impl Describe for SpatialDropout2D {
    fn spec(&self, inputs: &[Shape]) -> Result<Spec, String> {
        check_rate(self.rate)?;
        image(inputs[0]).map(|_| Spec::of_shape(inputs[0]))
    }

    fn mask_rule(&self) -> MaskRule {
        MaskRule::Passes
    }

    fn lower(&self, builder: &mut Builder, inputs: &[Operand], _weights: &[WeightId]) -> Result<Operand, String> {
        let (call, channels) = (builder.call, inputs[0].shape.channels());
        let noise = Noise { chance: Chance::Channels { rate: self.rate }, call, channels };
        Ok(builder.plain(noise, inputs, inputs[0].shape))
    }
}
