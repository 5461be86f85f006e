//! The max pooling layer.

use super::names::name_setter;
use super::sliding::{sliding, two_by_two};
use super::written::written;
use super::{Describe, Spec, checked};
use crate::program::{Builder, Operand, WeightId};
use crate::shape::{Padding, Shape, Window2d};
use serde::Deserialize;

/// The maximum of each window, as [Keras' `MaxPooling2D`](https://keras.io/api/layers/pooling_layers/max_pooling2d/).
///
/// - Input shape: (height, width, channels). Output shape: (new height, new width, channels).
///
/// At `compile`, an input that is no image, or is smaller than the window, is an error that names the layer.
///
/// Of equal values in a window the first gets the gradient. Padding never wins.
///
/// ```
/// use inkstone::prelude::*;
/// let model = Sequential::new([27, 27, 1])
///     .add(MaxPooling2D::new((2, 2)))
///     .add(Flatten::new())
///     .add(Dense::new(10).activation(Softmax))
///     .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy])?;
/// assert!(model.summary().to_string().contains("(None, 13, 13, 1)"));
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct MaxPooling2D {
    /// Rows and columns of the window.
    #[serde(default = "two_by_two")]
    pub pool_size: (usize, usize),
    /// Rows and columns from one window to the next; `None` is the pool size.
    #[serde(default)]
    pub strides: Option<(usize, usize)>,
    /// What happens at the border.
    #[serde(default)]
    pub padding: Padding,
    /// Its name; `None` for one after its type.
    pub name: Option<String>,
}

impl MaxPooling2D {
    /// A pooling over windows of this size, side by side, `valid` padding.
    #[must_use]
    pub fn new(pool_size: (usize, usize)) -> Self {
        Self { pool_size, strides: None, padding: Padding::Valid, name: None }
    }

    /// Sets the rows and columns from one window to the next.
    #[must_use]
    pub fn strides(self, strides: (usize, usize)) -> Self {
        Self { strides: Some(strides), ..self }
    }

    /// Sets what happens at the border.
    #[must_use]
    pub fn padding(self, padding: Padding) -> Self {
        Self { padding, ..self }
    }

    /// The geometry on this input.
    pub(crate) fn window(&self, input: Shape) -> Result<Window2d, String> {
        sliding(input, self.pool_size, self.strides.unwrap_or(self.pool_size), self.padding)
    }

    name_setter!();
}

written! {
    MaxPooling2D {
        pool_size, strides, padding;
        name = None,
    }
}

impl Describe for MaxPooling2D {
    fn spec(&self, inputs: &[Shape]) -> Result<Spec, String> {
        let (height, width) = self.window(inputs[0])?.out;
        checked(Shape::from([height, width, inputs[0].channels()])).map(Spec::of_shape)
    }

    fn lower(&self, builder: &mut Builder, inputs: &[Operand], _weights: &[WeightId]) -> Result<Operand, String> {
        Ok(builder.max_pool(inputs[0], self.window(inputs[0].shape)?))
    }
}
