//! The layer that scales and shifts.

use super::names::name_setter;
use super::written::written;
use super::{Describe, MaskRule, Spec};
use crate::program::plain::Affine;
use crate::program::{Builder, Operand, WeightId};
use crate::shape::Shape;
use serde::Deserialize;

/// Multiplies each value by `scale`, and adds `offset`, as [Keras'
/// `Rescaling`](https://keras.io/api/layers/preprocessing_layers/image_preprocessing/rescaling/): preprocessing that is
/// saved and exported with the model.
///
/// - Input shape: any. Output shape: the same.
///
/// At `compile`, a scale or offset that is not finite is an error that names the layer.
///
/// ```
/// use inkstone::ndarray::array;
/// use inkstone::prelude::*;
/// let mut model = Sequential::new([3])
///     .add(Rescaling::new(1.0 / 127.5).offset(-1.0))
///     .compile(Adam::default(), MeanSquaredError, [])?;
/// assert_eq!(model.predict_rows(&array![[0.0, 127.5, 255.0]])?, array![[-1.0, 0.0, 1.0]]);
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Rescaling {
    /// What each value is multiplied by.
    pub scale: f32,
    /// What is added to each product.
    #[serde(default)]
    pub offset: f32,
    /// Its name; `None` for one after its type.
    pub name: Option<String>,
}

impl Rescaling {
    /// A layer that multiplies by this scale.
    #[must_use]
    pub fn new(scale: f32) -> Self {
        Self { scale, offset: 0.0, name: None }
    }

    setters! {
        /// Sets what is added to each product.
        offset: f32,
    }

    name_setter!();
}

written! {
    Rescaling {
        scale, offset;
        name = None,
    }
}

impl Describe for Rescaling {
    fn spec(&self, inputs: &[Shape]) -> Result<Spec, String> {
        for (name, value) in [("scale", self.scale), ("offset", self.offset)] {
            if !value.is_finite() {
                return Err(format!("expects a finite {name}, got {value}"));
            }
        }
        Ok(Spec::of_shape(inputs[0]))
    }

    fn mask_rule(&self) -> MaskRule {
        MaskRule::Passes
    }

    fn lower(&self, builder: &mut Builder, inputs: &[Operand], _weights: &[WeightId]) -> Result<Operand, String> {
        let affine = Affine { scale: self.scale, offset: self.offset };
        Ok(builder.plain(affine, inputs, inputs[0].shape))
    }
}
