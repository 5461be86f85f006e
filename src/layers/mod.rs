//! Layers as data: what each one is called, which shapes it takes and gives, and which weights it has. They compute
//! nothing: `plan` turns them into steps.
//!
//! Names, arguments and defaults are [Keras'](https://keras.io/api/layers/).

mod activation;
mod conv2d;
mod dense;
mod dropout;
mod flatten;
mod max_pooling2d;

pub use activation::{Activation, ActivationFunction};
pub use conv2d::Conv2D;
pub use dense::Dense;
pub use dropout::Dropout;
pub use flatten::Flatten;
pub use max_pooling2d::MaxPooling2D;

use crate::shape::Shape;
use serde::{Deserialize, Serialize};

/// Any layer of a [`Sequential`](crate::Sequential) model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Layer {
    /// A convolution.
    Conv2D(Conv2D),
    /// A max pooling.
    MaxPooling2D(MaxPooling2D),
    /// A fully connected layer.
    Dense(Dense),
    /// An image made a vector.
    Flatten(Flatten),
    /// An activation function on its own.
    Activation(Activation),
    /// Values dropped at random while training.
    Dropout(Dropout),
}

/// The shapes of a layer's weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WeightShapes {
    /// (kernel height, kernel width, inputs, outputs); a dense kernel has height and width 1.
    pub(crate) kernel: (usize, usize, usize, usize),
    pub(crate) use_bias: bool,
}

impl Layer {
    /// The layer's type, as in `Conv2D`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Conv2D(_) => "Conv2D",
            Self::MaxPooling2D(_) => "MaxPooling2D",
            Self::Dense(_) => "Dense",
            Self::Flatten(_) => "Flatten",
            Self::Activation(_) => "Activation",
            Self::Dropout(_) => "Dropout",
        }
    }

    /// What Keras calls the first layer of this type in a model; later ones get `_1`, `_2` and so on.
    pub(crate) fn base_name(&self) -> &'static str {
        match self {
            Self::Conv2D(_) => "conv2d",
            Self::MaxPooling2D(_) => "max_pooling2d",
            Self::Dense(_) => "dense",
            Self::Flatten(_) => "flatten",
            Self::Activation(_) => "activation",
            Self::Dropout(_) => "dropout",
        }
    }

    /// The shape of one output, or a sentence without its subject that says why this input cannot be.
    pub(crate) fn output_shape(&self, input: Shape) -> Result<Shape, String> {
        match self {
            Self::Conv2D(layer) => layer.output_shape(input),
            Self::MaxPooling2D(layer) => layer.output_shape(input),
            Self::Dense(layer) => layer.output_shape(input),
            Self::Flatten(_) => input.len().map(Shape::Vector).ok_or_else(too_large),
            Self::Activation(_) => Ok(input),
            Self::Dropout(layer) => layer.check().map(|()| input),
        }
    }

    /// The shapes of its weights on this input, if it has any.
    pub(crate) fn weight_shapes(&self, input: Shape) -> Option<WeightShapes> {
        let (_, _, channels) = input.as_image();
        match self {
            Self::Conv2D(layer) => Some(WeightShapes {
                kernel: (layer.kernel_size.0, layer.kernel_size.1, channels, layer.filters),
                use_bias: layer.use_bias,
            }),
            Self::Dense(layer) => {
                Some(WeightShapes { kernel: (1, 1, channels, layer.units), use_bias: layer.use_bias })
            }
            Self::MaxPooling2D(_) | Self::Flatten(_) | Self::Activation(_) | Self::Dropout(_) => None,
        }
    }
}

/// Keras' default of `use_bias`.
fn with_bias() -> bool {
    true
}

/// An image layer's input: (height, width, channels).
fn image(input: Shape) -> Result<(usize, usize, usize), String> {
    match input {
        Shape::Image { .. } => Ok(input.as_image()),
        Shape::Vector(_) => {
            Err(format!("expects an image (height, width, channels), got {input}: put it before `Flatten`"))
        }
    }
}

/// The shape, if a tensor of it can be.
fn checked(shape: Shape) -> Result<Shape, String> {
    shape.len().map(|_| shape).ok_or_else(|| format!("has an output of {shape}: {}", too_large()))
}

fn too_large() -> String {
    format!("each tensor must have between 1 and {} values", crate::shape::MAX_ELEMENTS)
}
