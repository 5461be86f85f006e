//! The layer that changes the order of axes.

use super::names::name_setter;
use super::written::written;
use super::{Describe, Spec};
use crate::program::{Builder, Operand, WeightId};
use crate::shape::Shape;
use serde::Deserialize;

/// Axes in another order, as [Keras' `Permute`](https://keras.io/api/layers/reshaping_layers/permute/).
///
/// - Input shape: any. Output shape: its axes in the new order.
///
/// At `compile`, dimensions that are not each of the input's axes once are an error that names the layer.
///
/// ```
/// use inkstone::prelude::*;
/// use inkstone::ndarray::array;
/// let permuted = |dims: [usize; 2]| {
///     Sequential::new([2, 3]).add(Permute::new(dims)).compile(Adam::default(), MeanSquaredError, [])
/// };
/// let turned = permuted([2, 1])?.predict(&array![[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]])?;
/// assert_eq!(turned, array![[[1.0, 4.0], [2.0, 5.0], [3.0, 6.0]]].into_dyn());
/// let error = permuted([0, 1]).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "layer 0 (Permute) expects dims of each number from 1 to 2 once for (2, 3), got [0, 1]: axes count from 1, as the \
///      batch is axis 0"
/// );
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Permute {
    /// For each axis of the output, which axis of the input it is, from 1.
    pub dims: Vec<usize>,
    /// Its name; `None` for one after its type.
    pub name: Option<String>,
}

impl Permute {
    /// A layer that puts the axes in this order: `dims[0]` is the axis of the input, from 1, that comes first.
    #[must_use]
    pub fn new(dims: impl Into<Vec<usize>>) -> Self {
        Self { dims: dims.into(), name: None }
    }

    name_setter!();
}

written! {
    Permute {
        dims;
        name = None,
    }
}

impl Describe for Permute {
    fn spec(&self, inputs: &[Shape]) -> Result<Spec, String> {
        let axes = inputs[0].axes();
        let mut sorted = self.dims.clone();
        sorted.sort_unstable();
        if !sorted.iter().copied().eq(1..=axes.len()) {
            return Err(format!(
                "expects dims of each number from 1 to {} once for {}, got {:?}: axes count from 1, as the batch is \
                 axis 0",
                axes.len(),
                inputs[0],
                self.dims
            ));
        }
        let output: Vec<usize> = self.dims.iter().map(|dim| axes[dim - 1]).collect();
        Ok(Spec::of_shape(Shape::new(&output).ok_or("expects an input of one to four axes")?))
    }

    fn lower(&self, builder: &mut Builder, inputs: &[Operand], _weights: &[WeightId]) -> Result<Operand, String> {
        let order: Vec<usize> = self.dims.iter().map(|dim| dim - 1).collect();
        Ok(builder.permute(inputs[0], &order))
    }
}
