//! The layer between images and vectors.

use super::checks::too_large;
use super::names::name_setter;
use super::written::written;
use super::{Describe, Spec};
use crate::program::{Builder, Operand, WeightId};
use crate::shape::Shape;
use serde::Deserialize;

/// An image as a vector, rows first, channels last, as
/// [Keras' `Flatten`](https://keras.io/api/layers/reshaping_layers/flatten/). It costs nothing.
///
/// - Input shape: any. Output shape: (values of the input).
///
/// ```
/// use inkstone::prelude::*;
/// let model = Sequential::new([28, 28, 1])
///     .add(Flatten::new())
///     .add(Dense::new(10).activation(Softmax))
///     .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy])?;
/// assert_eq!(model.parameter_count(), 7850);
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Flatten {
    /// Its name; `None` for one after its type.
    pub name: Option<String>,
}

impl Flatten {
    /// The layer.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    name_setter!();
}

written! {
    Flatten {
        ;
        name = None,
    }
}

impl Describe for Flatten {
    fn spec(&self, inputs: &[Shape]) -> Result<Spec, String> {
        inputs[0].len().map(|len| Shape::from([len])).map(Spec::of_shape).ok_or_else(too_large)
    }

    /// The same value in another shape: no operation.
    fn lower(&self, _builder: &mut Builder, inputs: &[Operand], _weights: &[WeightId]) -> Result<Operand, String> {
        Ok(Operand { shape: self.spec(&[inputs[0].shape])?.output, ..inputs[0] })
    }
}
