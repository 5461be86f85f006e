//! The layer that makes a sequence of a vector.

use super::names::name_setter;
use super::written::written;
use super::{Describe, Spec, checked};
use crate::program::plain::Repeat;
use crate::program::{Builder, Operand, WeightId};
use crate::shape::Shape;
use serde::Deserialize;

/// A sequence of `n` steps that are all its input, as [Keras'
/// `RepeatVector`](https://keras.io/api/layers/reshaping_layers/repeat_vector/).
///
/// - Input shape: (features). Output shape: (n, features).
///
/// At `compile`, an input that is no vector, or no repetition, is an error that names the layer.
///
/// ```
/// use inkstone::prelude::*;
/// use inkstone::ndarray::array;
/// let model = Sequential::new([2]).add(RepeatVector::new(3)).compile(Adam::default(), MeanSquaredError, [])?;
/// let repeated = model.predict(&array![[1.0, 2.0]])?;
/// assert_eq!(repeated, array![[[1.0, 2.0], [1.0, 2.0], [1.0, 2.0]]].into_dyn());
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct RepeatVector {
    /// How many steps.
    pub n: usize,
    /// Its name; `None` for one after its type.
    pub name: Option<String>,
}

impl RepeatVector {
    /// A layer that repeats its input `n` times.
    #[must_use]
    pub fn new(n: usize) -> Self {
        Self { n, name: None }
    }

    name_setter!();
}

written! {
    RepeatVector {
        n;
        name = None,
    }
}

impl Describe for RepeatVector {
    fn spec(&self, inputs: &[Shape]) -> Result<Spec, String> {
        let [features] = *inputs[0].axes() else {
            return Err(format!("expects a vector, got {}: add `Flatten` before it", inputs[0]));
        };
        if self.n == 0 {
            return Err("expects at least 1 repetition, got 0".into());
        }
        checked(Shape::from([self.n, features])).map(Spec::of_shape)
    }

    fn lower(&self, builder: &mut Builder, inputs: &[Operand], _weights: &[WeightId]) -> Result<Operand, String> {
        let channels = inputs[0].shape.channels();
        Ok(builder.plain(Repeat { run: channels, times: self.n }, inputs, Shape::from([self.n, channels])))
    }
}
