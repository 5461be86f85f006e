//! What another program predicts, as the fixtures have it, and how far a model is from that.

use inkstone::{Inputs, Model};
use ndarray::{ArrayD, IxDyn};
use serde::Deserialize;

/// An array as the fixtures have it.
#[derive(Deserialize)]
pub(crate) struct Values {
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Vec<f32>,
}

impl Values {
    /// At least one axis behind the batch.
    pub(crate) fn array(&self) -> ArrayD<f32> {
        let shape = if self.shape.len() == 1 { vec![self.shape[0], 1] } else { self.shape.clone() };
        ArrayD::from_shape_vec(IxDyn(&shape), self.values.clone()).unwrap()
    }
}

/// What a model gives.
#[derive(Deserialize)]
pub(crate) struct Fixture {
    pub(crate) inputs: Vec<Values>,
    pub(crate) outputs: Vec<Values>,
}

/// The largest difference of two outputs, relative to values above 1.
pub(crate) fn difference(left: &ArrayD<f32>, right: &ArrayD<f32>) -> f32 {
    assert_eq!(left.shape(), right.shape());
    left.iter().zip(right).map(|(left, right)| (left - right).abs() / right.abs().max(1.0)).fold(0.0, f32::max)
}

/// The largest difference of a model's outputs from what another program gives.
pub(crate) fn largest(model: &Model, inputs: &[Values], outputs: &[Values]) -> f32 {
    let arrays: Vec<ArrayD<f32>> = inputs.iter().map(Values::array).collect();
    let inputs: Vec<Inputs<'_>> = arrays.iter().map(Inputs::from).collect();
    let found = model.predict_all(inputs).unwrap();
    assert_eq!(found.len(), outputs.len());
    let differences = found.into_iter().zip(outputs).map(|(found, output)| {
        let (output, without_ones) =
            (output.array(), |shape: &[usize]| shape.iter().copied().filter(|len| *len != 1).collect::<Vec<_>>());
        assert_eq!(without_ones(found.shape()), without_ones(output.shape()));
        difference(&found.into_shape_with_order(output.shape()).unwrap(), &output)
    });
    differences.fold(0.0, f32::max)
}
