//! The layer between images and vectors.

use super::Layer;
use serde::{Deserialize, Serialize};

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
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Flatten {}

impl Flatten {
    /// The layer.
    #[must_use]
    pub fn new() -> Self {
        Self {}
    }
}

impl From<Flatten> for Layer {
    fn from(layer: Flatten) -> Self {
        Self::Flatten(layer)
    }
}
