//! The global max pooling layer.

use super::names::name_setter;
use super::written::written;
use super::{Describe, Spec, image};
use crate::program::{Builder, Operand, WeightId};
use crate::shape::{Padding, Shape, Window2d};
use serde::Deserialize;

/// The maximum of each channel over all pixels, as [Keras'
/// `GlobalMaxPooling2D`](https://keras.io/api/layers/pooling_layers/global_max_pooling2d/).
///
/// - Input shape: (height, width, channels). Output shape: (channels), or with [`keepdims`](Self::keepdims) (1, 1,
///   channels).
///
/// At `compile`, an input that is no image is an error that names the layer.
///
/// Of equal values the first gets the gradient.
///
/// ```
/// use inkstone::prelude::*;
/// use inkstone::ndarray::Array4;
/// let model = Sequential::new([2, 2, 1])
///     .add(GlobalMaxPooling2D::new())
///     .compile(Adam::default(), MeanSquaredError, [])?;
/// let image = Array4::from_shape_vec((1, 2, 2, 1), vec![1.0_f32, 2.0, 6.0, 3.0]).unwrap();
/// assert_eq!(model.predict(&image)?[[0, 0]], 6.0);
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct GlobalMaxPooling2D {
    /// Whether the output is an image of one pixel; otherwise it is a vector.
    pub keepdims: bool,
    /// Its name; `None` for one after its type.
    pub name: Option<String>,
}

impl GlobalMaxPooling2D {
    /// A pooling whose output is a vector.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets whether the output is an image of one pixel.
    #[must_use]
    pub fn keepdims(self, keepdims: bool) -> Self {
        Self { keepdims, ..self }
    }

    name_setter!();
}

written! {
    GlobalMaxPooling2D {
        keepdims;
        name = None,
    }
}

impl Describe for GlobalMaxPooling2D {
    fn spec(&self, inputs: &[Shape]) -> Result<Spec, String> {
        let (_, _, channels) = image(inputs[0])?;
        let one_pixel = Shape::from([1, 1, channels]);
        Ok(Spec::of_shape(if self.keepdims { one_pixel } else { Shape::from([channels]) }))
    }

    /// The maximum of a window as large as the image.
    fn lower(&self, builder: &mut Builder, inputs: &[Operand], _weights: &[WeightId]) -> Result<Operand, String> {
        let (height, width, _) = inputs[0].shape.as_image();
        let window = Window2d::new((height, width), (height, width), (1, 1), Padding::Valid)?;
        Ok(Operand { shape: self.spec(&[inputs[0].shape])?.output, ..builder.max_pool(inputs[0], window) })
    }
}
