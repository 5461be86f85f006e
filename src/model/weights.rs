//! Weights between Keras' layout and a flat buffer.

use super::Weight;
use crate::plan::Parameter;
use crate::program::StoredOrder;
use ndarray::{ArrayViewD, IxDyn};

/// Writes weights, whose shapes have been checked, into a flat buffer: one for each of these parameters.
pub(crate) fn store<'p>(parameters: impl Iterator<Item = &'p Parameter>, weights: &[Weight], flat: &mut [f32]) {
    for (parameter, weight) in parameters.zip(weights) {
        let values = weight.values.as_standard_layout();
        let values = values.as_slice().expect("in the standard layout there is a slice");
        let stored = &mut flat[parameter.range.clone()];
        match (parameter.stored, parameter.shape.last()) {
            (StoredOrder::LastAxisFirst, Some(&last)) => {
                // Walking an array's turned view takes ten times as long.
                for (index, row) in stored.chunks_exact_mut(values.len() / last).enumerate() {
                    row.iter_mut().zip(values[index..].iter().step_by(last)).for_each(|(to, from)| *to = *from);
                }
            }
            (StoredOrder::AsShaped | StoredOrder::LastAxisFirst, _) => stored.copy_from_slice(values),
        }
    }
}

/// These weights, or what belongs to them, out of a flat buffer, in Keras' layout.
pub(crate) fn named<'p>(parameters: impl Iterator<Item = &'p Parameter>, flat: &[f32]) -> Vec<Weight> {
    let weight = |parameter: &Parameter| {
        let stored = ArrayViewD::from_shape(parameter.stored_shape(), &flat[parameter.range.clone()])
            .expect("the plan gives a parameter as much room as its shape needs");
        let values = match parameter.stored {
            StoredOrder::AsShaped => stored.into_owned(),
            StoredOrder::LastAxisFirst => {
                let axes = stored.ndim();
                let order: Vec<usize> = (1..axes).chain([0]).collect();
                stored.permuted_axes(IxDyn(&order)).as_standard_layout().into_owned()
            }
        };
        Weight { name: parameter.name.clone(), values }
    };
    parameters.map(weight).collect()
}
