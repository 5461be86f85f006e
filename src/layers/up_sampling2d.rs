//! The layer that gives images more pixels.

use super::names::name_setter;
use super::written::written;
use super::{Describe, Spec, checked, image};
use crate::program::plain::{Between, UpSample};
use crate::program::{Builder, Operand, WeightId};
use crate::shape::Shape;
use serde::{Deserialize, Serialize};

/// Images with more pixels, as [Keras'
/// `UpSampling2D`](https://keras.io/api/layers/reshaping_layers/up_sampling2d/).
///
/// - Input shape: (height, width, channels). Output shape: (height times the first size, width times the second,
///   channels).
///
/// At `compile`, an input that is no image, or a size of 0, is an error that names the layer.
///
/// ```
/// use inkstone::prelude::*;
/// use inkstone::ndarray::Array4;
/// let image = Array4::from_shape_vec((1, 1, 2, 1), vec![1.0_f32, 5.0]).unwrap();
/// let sampled = |layer| -> Result<Vec<f32>, inkstone::Error> {
///     let model = Sequential::new([1, 2, 1]).add(layer).compile(Adam::default(), MeanSquaredError, [])?;
///     Ok(model.predict(&image)?.into_iter().collect())
/// };
/// assert_eq!(sampled(UpSampling2D::new((1, 2)))?, [1.0, 1.0, 5.0, 5.0]);
/// assert_eq!(sampled(UpSampling2D::new((1, 2)).interpolation(Interpolation::Bilinear))?, [1.0, 2.0, 4.0, 5.0]);
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct UpSampling2D {
    /// How many rows each row becomes, and how many columns each column.
    pub size: (usize, usize),
    /// What the new pixels are.
    pub interpolation: Interpolation,
    /// Its name; `None` for one after its type.
    pub name: Option<String>,
}

/// How [`UpSampling2D`] finds pixels that lie between those of its input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Interpolation {
    /// Each is the nearest pixel of the input.
    #[default]
    #[serde(alias = "nearest")]
    Nearest,
    /// Each is the mean of the four nearest, weighted by how near the middles of the pixels are.
    #[serde(alias = "bilinear")]
    Bilinear,
}

impl Default for UpSampling2D {
    /// Keras' default: twice as many rows and columns.
    fn default() -> Self {
        Self::new((2, 2))
    }
}

impl UpSampling2D {
    /// A layer that makes each row `size.0` rows, and each column `size.1` columns, of the nearest pixels.
    #[must_use]
    pub fn new(size: (usize, usize)) -> Self {
        Self { size, interpolation: Interpolation::Nearest, name: None }
    }

    setters! {
        /// Sets what the new pixels are.
        interpolation: Interpolation,
    }

    name_setter!();
}

written! {
    UpSampling2D {
        size, interpolation;
        name = None,
    }
}

impl Describe for UpSampling2D {
    fn spec(&self, inputs: &[Shape]) -> Result<Spec, String> {
        let (height, width, channels) = image(inputs[0])?;
        let (rows, columns) = self.size;
        if rows == 0 || columns == 0 {
            return Err(format!("expects a size of at least 1 each way, got ({rows}, {columns})"));
        }
        let output = [height.saturating_mul(rows), width.saturating_mul(columns), channels];
        checked(Shape::from(output)).map(Spec::of_shape)
    }

    fn lower(&self, builder: &mut Builder, inputs: &[Operand], _weights: &[WeightId]) -> Result<Operand, String> {
        let (height, width, channels) = inputs[0].shape.as_image();
        let between = match self.interpolation {
            Interpolation::Nearest => Between::Nearest,
            Interpolation::Bilinear => Between::Linear,
        };
        let sampled = UpSample { image: (height, width), size: self.size, channels, between };
        Ok(builder.plain(sampled, inputs, self.spec(&[inputs[0].shape])?.output))
    }
}
