//! The layer that adds its inputs up.

use super::{Arity, Describe, Spec, same_shape};
use crate::program::{Builder, Operand, WeightId};
use crate::shape::Shape;
use serde::{Deserialize, Serialize};

/// The sum of its inputs, value by value, as [Keras' `Add`](https://keras.io/api/layers/merging_layers/add/): what a
/// residual network joins its branches with.
///
/// - Input shapes: two or more of one shape. Output shape: the same.
///
/// At `compile`, inputs of different shapes are an error that names the layer.
///
/// ```
/// use inkstone::prelude::*;
/// let input = Input::new([8]);
/// let x = input.apply(Dense::new(8).activation(Relu));
/// let output = Add::of([&input, &x]).apply(Dense::new(1));
/// let model = Functional::new([&input], [&output]).compile(Adam::default(), MeanSquaredError, [])?;
/// assert_eq!(model.layer_names(), ["dense", "add", "dense_1"]);
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Add {}

impl Add {
    /// The layer; [`Add::of`] applies it.
    #[must_use]
    pub fn new() -> Self {
        Self {}
    }
}

impl Describe for Add {
    fn arity(&self) -> Arity {
        Arity::Several
    }

    fn spec(&self, inputs: &[Shape]) -> Result<Spec, String> {
        same_shape(inputs).map(Spec::of_shape)
    }

    fn lower(&self, builder: &mut Builder, inputs: &[Operand], _weights: &[WeightId]) -> Result<Operand, String> {
        let (first, others) = (inputs[0], &inputs[1..]);
        Ok(others.iter().fold(first, |sum, input| builder.add(sum, *input)))
    }
}
