//! The layer that finds out which steps of a sequence count.

use super::names::name_setter;
use super::written::written;
use super::{Describe, MaskRule, Spec, sequence};
use crate::program::{Builder, Operand, WeightId};
use crate::shape::Shape;
use serde::Deserialize;

/// Masks the steps of a sequence whose features all are [`mask_value`](Self::mask_value), as [Keras'
/// `Masking`](https://keras.io/api/layers/core_layers/masking/): sequences of different lengths are padded with it to
/// one length.
///
/// - Input shape: (steps, features). Output shape: the same, with zeros in the masked steps.
///
/// The mask travels with the sequence through layers that work on each step or value by itself (`Dense`, activations,
/// dropout, layer and group normalization, `Rescaling`), through merging layers, where a step counts that counts in any
/// input, and through recurrent layers that return sequences. Recurrent layers keep their state in masked steps, and
/// [`GlobalAveragePooling1D`](super::GlobalAveragePooling1D) leaves them out. Every other layer ends the mask.
///
/// At `compile`, an input that is no sequence is an error that names the layer.
///
/// ```
/// use inkstone::prelude::*;
/// use inkstone::ndarray::array;
/// let model = Sequential::new([3, 2])
///     .add(Masking::new())
///     .add(GlobalAveragePooling1D::new())
///     .compile(Adam::default(), MeanSquaredError, [])?;
/// // The last step is padding: the mean is that of two steps.
/// let sequence = array![[[1.0, 8.0], [3.0, 4.0], [0.0, 0.0]]];
/// assert_eq!(model.predict(&sequence)?, array![[2.0, 6.0]].into_dyn());
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Masking {
    /// What all features of a masked step are; 0 by default.
    pub mask_value: f32,
    /// Its name; `None` for one after its type.
    pub name: Option<String>,
}

impl Masking {
    /// A layer that masks steps of zeros.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets what all features of a masked step are.
    #[must_use]
    pub fn mask_value(self, mask_value: f32) -> Self {
        Self { mask_value, ..self }
    }

    name_setter!();
}

written! {
    Masking {
        mask_value;
        name = None,
    }
}

impl Describe for Masking {
    fn spec(&self, inputs: &[Shape]) -> Result<Spec, String> {
        if !self.mask_value.is_finite() {
            return Err(format!("expects a finite mask_value, got {}", self.mask_value));
        }
        sequence(inputs[0]).map(|_| Spec::of_shape(inputs[0]))
    }

    fn mask_rule(&self) -> MaskRule {
        MaskRule::Makes
    }

    fn lower(&self, builder: &mut Builder, inputs: &[Operand], _weights: &[WeightId]) -> Result<Operand, String> {
        let mask = builder.find_mask(inputs[0], self.mask_value);
        let y = builder.masked_steps(inputs[0], mask);
        builder.set_mask(y.value, Some(mask.value));
        Ok(y)
    }
}
