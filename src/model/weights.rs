//! Weights between Keras' layout and a flat buffer.

use super::Weight;
use crate::plan::{Parameter, Plan};
use ndarray::{ArrayViewD, IxDyn};

/// Writes weights, whose shapes have been checked, into a flat buffer.
pub(crate) fn store(plan: &Plan, weights: &[Weight], flat: &mut [f32]) {
    for (parameter, weight) in plan.parameters.iter().zip(weights) {
        let values = weight.values.as_standard_layout();
        let values = values.as_slice().expect("in the standard layout there is a slice");
        // Filters come last in Keras' layout and first in the buffer. Walking an array's turned view takes ten times as long.
        let stored = &mut flat[parameter.range.clone()];
        let filters = parameter.stored_shape[0];
        for (filter, row) in stored.chunks_exact_mut(values.len() / filters).enumerate() {
            row.iter_mut().zip(values[filter..].iter().step_by(filters)).for_each(|(to, from)| *to = *from);
        }
    }
}

/// Weights or gradients out of a flat buffer, in Keras' layout.
pub(crate) fn named(plan: &Plan, flat: &[f32]) -> Vec<Weight> {
    let weight = |parameter: &Parameter| {
        let stored = ArrayViewD::from_shape(parameter.stored_shape.clone(), &flat[parameter.range.clone()])
            .expect("the plan gives a parameter as much room as its shape needs");
        let axes = stored.ndim();
        let values = stored.permuted_axes(IxDyn(&rotated(axes, 1))).as_standard_layout().into_owned();
        Weight { name: parameter.name.clone(), values }
    };
    plan.parameters.iter().map(weight).collect()
}

/// The axes `0..axes`, starting from `first` and going round.
fn rotated(axes: usize, first: usize) -> Vec<usize> {
    (0..axes).map(|axis| (axis + first) % axes).collect()
}
