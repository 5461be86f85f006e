//! The layer that puts its inputs side by side.

use super::names::name_setter;
use super::written::written;
use super::{Arity, Describe, MaskRule, Spec, checked};
use crate::program::{Builder, Operand, WeightId};
use crate::shape::Shape;
use serde::Deserialize;

/// The channels or features of its inputs one behind the other, as [Keras'
/// `Concatenate`](https://keras.io/api/layers/merging_layers/concatenate/) along the last axis.
///
/// - Input shapes: two or more that differ in the last axis alone. Output shape: the last axis is the sum of theirs.
///
/// At `compile`, inputs that differ in another axis are an error that names the layer.
///
/// ```
/// use inkstone::prelude::*;
/// let (image, age) = (Input::new([28, 28, 1]), Input::new([1]));
/// let pixels = image.apply(Flatten::new());
/// let output = Concatenate::of([&pixels, &age]).apply(Dense::new(1));
/// let model = Functional::new([&image, &age], [&output]).compile(Adam::default(), MeanSquaredError, [])?;
/// assert_eq!(model.parameter_count(), 784 + 1 + 1);
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Concatenate {
    /// Its name; `None` for one after its type.
    pub name: Option<String>,
}

impl Concatenate {
    /// The layer; [`Concatenate::of`] applies it.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    name_setter!();
}

written! {
    Concatenate {
        ;
        name = None,
    }
}

impl Describe for Concatenate {
    fn arity(&self) -> Arity {
        Arity::Several
    }

    fn spec(&self, inputs: &[Shape]) -> Result<Spec, String> {
        let first = inputs[0];
        let leading = |shape: &Shape| shape.axes()[..shape.axes().len() - 1].to_vec();
        if let Some(other) = inputs.iter().find(|shape| leading(shape) != leading(&first)) {
            return Err(format!("expects inputs that differ in the last axis alone, got {first} and {other}"));
        }
        let channels = inputs.iter().try_fold(0_usize, |sum, shape| sum.checked_add(shape.channels()));
        checked(first.with_channels(channels.unwrap_or(usize::MAX))).map(Spec::of_shape)
    }

    fn mask_rule(&self) -> MaskRule {
        MaskRule::Merges
    }

    fn lower(&self, builder: &mut Builder, inputs: &[Operand], _weights: &[WeightId]) -> Result<Operand, String> {
        let (first, others) = (inputs[0], &inputs[1..]);
        Ok(others.iter().fold(first, |joined, input| builder.concatenate(joined, *input)))
    }
}
