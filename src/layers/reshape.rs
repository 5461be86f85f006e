//! The layer that gives values another shape.

use super::names::name_setter;
use super::written::written;
use super::{Describe, Spec, checked};
use crate::program::{Builder, Operand, WeightId};
use crate::shape::Shape;
use serde::Deserialize;

/// The same values in another shape, rows first, channels last, as [Keras'
/// `Reshape`](https://keras.io/api/layers/reshaping_layers/reshape/). It costs nothing.
///
/// - Input shape: any. Output shape: the one that is given, of as many values.
///
/// At `compile`, another number of values is an error that names the layer.
///
/// ```
/// use inkstone::prelude::*;
/// let model = Sequential::new([12])
///     .add(Reshape::new([2, 3, 2]))
///     .add(Conv2D::new(4, (2, 2)))
///     .add(Flatten::new())
///     .compile(Adam::default(), MeanSquaredError, [])?;
/// assert!(model.summary().to_string().contains("(None, 2, 3, 2)"));
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Reshape {
    /// The new shape of one example.
    pub target_shape: Shape,
    /// Its name; `None` for one after its type.
    pub name: Option<String>,
}

impl Reshape {
    /// A layer that gives its input this shape.
    #[must_use]
    pub fn new(target_shape: impl Into<Shape>) -> Self {
        Self { target_shape: target_shape.into(), name: None }
    }

    name_setter!();
}

written! {
    Reshape {
        target_shape;
        name = None,
    }
}

impl Describe for Reshape {
    fn spec(&self, inputs: &[Shape]) -> Result<Spec, String> {
        let target = checked(self.target_shape)?;
        if target.len() == inputs[0].len() {
            return Ok(Spec::of_shape(target));
        }
        let values = |shape: Shape| shape.len().unwrap_or_default();
        Err(format!(
            "expects an input of {} values for {target}, got {} of {}: the two shapes must have as many",
            values(target),
            values(inputs[0]),
            inputs[0]
        ))
    }

    /// The same value in another shape: no operation.
    fn lower(&self, _builder: &mut Builder, inputs: &[Operand], _weights: &[WeightId]) -> Result<Operand, String> {
        Ok(Operand { shape: self.target_shape, ..inputs[0] })
    }
}
