//! The layer that cuts a border off images.

use super::names::name_setter;
use super::written::written;
use super::{Describe, Spec, image};
use crate::program::plain::Crop;
use crate::program::{Builder, Operand, WeightId};
use crate::shape::{Shape, Window2d};
use serde::Deserialize;

/// Images without a border, as [Keras'
/// `Cropping2D`](https://keras.io/api/layers/reshaping_layers/cropping2d/).
///
/// - Input shape: (height, width, channels). Output shape: (height less the rows cut off, width less the columns,
///   channels).
///
/// At `compile`, an input that is no image, or of which nothing would be left, is an error that names the layer.
///
/// ```
/// use inkstone::prelude::*;
/// let cropped = |crop| Sequential::new([4, 6, 1]).add(crop).compile(Adam::default(), MeanSquaredError, []);
/// assert_eq!(cropped(Cropping2D::new((1, 2)))?.output_shape().axes(), [2, 2, 1]);
/// let error = cropped(Cropping2D::asymmetric((3, 1), (0, 0))).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "layer 0 (Cropping2D) cannot cut rows (3, 1) and columns (0, 0) off (4, 6, 1): at least one pixel must be left"
/// );
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Cropping2D {
    /// Rows cut off above and below, and columns cut off left and right.
    pub cropping: ((usize, usize), (usize, usize)),
    /// Its name; `None` for one after its type.
    pub name: Option<String>,
}

impl Default for Cropping2D {
    /// Keras' default: nothing is cut off.
    fn default() -> Self {
        Self::new((0, 0))
    }
}

impl Cropping2D {
    /// Cuts so many rows off above and below, and so many columns left and right.
    #[must_use]
    pub fn new((rows, columns): (usize, usize)) -> Self {
        Self::asymmetric((rows, rows), (columns, columns))
    }

    /// Cuts off rows above and below, and columns left and right, each their own number.
    #[must_use]
    pub fn asymmetric(rows: (usize, usize), columns: (usize, usize)) -> Self {
        Self { cropping: (rows, columns), name: None }
    }

    /// Where the output lies in the input, as an image in its padded one.
    fn window(&self, input: Shape) -> Result<Window2d, String> {
        let (height, width, _) = image(input)?;
        let (rows, columns) = self.cropping;
        let left = |len: usize, (before, after): (usize, usize)| {
            len.checked_sub(before).and_then(|len| len.checked_sub(after)).filter(|len| *len > 0)
        };
        let (Some(new_height), Some(new_width)) = (left(height, rows), left(width, columns)) else {
            return Err(format!(
                "cannot cut rows {rows:?} and columns {columns:?} off {input}: at least one pixel must be left"
            ));
        };
        let (image, one) = ((new_height, new_width), (1, 1));
        let (before, padded) = ((rows.0, columns.0), (height, width));
        Ok(Window2d { image, size: one, strides: one, before, padded, out: padded })
    }

    name_setter!();
}

written! {
    Cropping2D {
        cropping;
        name = None,
    }
}

impl Describe for Cropping2D {
    fn spec(&self, inputs: &[Shape]) -> Result<Spec, String> {
        let (height, width) = self.window(inputs[0])?.image;
        Ok(Spec::of_shape(Shape::from([height, width, inputs[0].channels()])))
    }

    fn lower(&self, builder: &mut Builder, inputs: &[Operand], _weights: &[WeightId]) -> Result<Operand, String> {
        let (window, channels) = (self.window(inputs[0].shape)?, inputs[0].shape.channels());
        Ok(builder.plain(Crop { window, channels }, inputs, self.spec(&[inputs[0].shape])?.output))
    }
}
