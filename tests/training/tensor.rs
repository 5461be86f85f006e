//! An array as the fixtures write it.

use inkstone::ndarray::ArrayD;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tensor {
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Vec<f32>,
}

impl Tensor {
    pub(crate) fn array(&self) -> ArrayD<f32> {
        ArrayD::from_shape_vec(&self.shape[..], self.values.clone()).unwrap()
    }
}
