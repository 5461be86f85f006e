//! The layer that puts a border of zeros around images.

use super::names::name_setter;
use super::written::written;
use super::{Describe, Spec, checked, image};
use crate::program::{Builder, Operand, WeightId};
use crate::shape::{Shape, Window2d};
use serde::Deserialize;

/// A border of zeros around images, as [Keras'
/// `ZeroPadding2D`](https://keras.io/api/layers/reshaping_layers/zero_padding2d/).
///
/// - Input shape: (height, width, channels). Output shape: (height and rows added, width and columns added, channels).
///
/// At `compile`, an input that is no image is an error that names the layer.
///
/// ```
/// use inkstone::prelude::*;
/// let model = Sequential::new([2, 2, 1])
///     .add(ZeroPadding2D::new((1, 2)))
///     .add(Flatten::new())
///     .compile(Adam::default(), MeanSquaredError, [])?;
/// assert!(model.summary().to_string().contains("(None, 4, 6, 1)"));
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ZeroPadding2D {
    /// Rows added above and below, and columns added left and right.
    pub padding: ((usize, usize), (usize, usize)),
    /// Its name; `None` for one after its type.
    pub name: Option<String>,
}

impl ZeroPadding2D {
    /// A border of so many rows above and below, and so many columns left and right.
    #[must_use]
    pub fn new((rows, columns): (usize, usize)) -> Self {
        Self::asymmetric((rows, rows), (columns, columns))
    }

    /// A border of rows above and below, and columns left and right, each of its own.
    #[must_use]
    pub fn asymmetric(rows: (usize, usize), columns: (usize, usize)) -> Self {
        Self { padding: (rows, columns), name: None }
    }

    /// Where the image lies in the padded one, as a window of one pixel on it.
    fn window(&self, input: Shape) -> Result<Window2d, String> {
        let (height, width, _) = image(input)?;
        let ((top, bottom), (left, right)) = self.padding;
        let padded = |len: usize, before: usize, after: usize| {
            let sum = len.checked_add(before).and_then(|sum| sum.checked_add(after));
            sum.ok_or_else(|| format!("cannot pad {input} by ({before}, {after})"))
        };
        let padded = (padded(height, top, bottom)?, padded(width, left, right)?);
        let one = (1, 1);
        Ok(Window2d { image: (height, width), size: one, strides: one, before: (top, left), padded, out: padded })
    }

    name_setter!();
}

written! {
    ZeroPadding2D {
        padding;
        name = None,
    }
}

impl Describe for ZeroPadding2D {
    fn spec(&self, inputs: &[Shape]) -> Result<Spec, String> {
        let (height, width) = self.window(inputs[0])?.padded;
        checked(Shape::from([height, width, inputs[0].channels()])).map(Spec::of_shape)
    }

    fn lower(&self, builder: &mut Builder, inputs: &[Operand], _weights: &[WeightId]) -> Result<Operand, String> {
        Ok(builder.zero_pad(inputs[0], self.window(inputs[0].shape)?))
    }
}
