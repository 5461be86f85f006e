//! The average pooling layer.

use super::names::name_setter;
use super::sliding::{sliding, two_by_two};
use super::written::written;
use super::{Describe, Spec, checked};
use crate::program::{Builder, Operand, WeightId};
use crate::shape::{Padding, Shape, Window2d};
use serde::Deserialize;

/// The mean of each window, as [Keras'
/// `AveragePooling2D`](https://keras.io/api/layers/pooling_layers/average_pooling2d/).
///
/// - Input shape: (height, width, channels). Output shape: (new height, new width, channels).
///
/// At `compile`, an input that is no image, or is smaller than the window, is an error that names the layer.
///
/// What padding adds is not counted.
///
/// ```
/// use inkstone::prelude::*;
/// use inkstone::ndarray::Array4;
/// let mut model = Sequential::new([2, 2, 1])
///     .add(AveragePooling2D::new((2, 2)))
///     .add(Flatten::new())
///     .compile(Adam::default(), MeanSquaredError, [])?;
/// let image = Array4::from_shape_vec((1, 2, 2, 1), vec![1.0_f32, 2.0, 3.0, 6.0]).unwrap();
/// assert_eq!(model.predict(&image)?[[0, 0]], 3.0);
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct AveragePooling2D {
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

impl AveragePooling2D {
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
    AveragePooling2D {
        pool_size, strides, padding;
        name = None,
    }
}

impl Describe for AveragePooling2D {
    fn spec(&self, inputs: &[Shape]) -> Result<Spec, String> {
        let (height, width) = self.window(inputs[0])?.out;
        checked(Shape::from([height, width, inputs[0].channels()])).map(Spec::of_shape)
    }

    fn lower(&self, builder: &mut Builder, inputs: &[Operand], _weights: &[WeightId]) -> Result<Operand, String> {
        Ok(builder.average_pool(inputs[0], self.window(inputs[0].shape)?))
    }
}
