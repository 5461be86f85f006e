//! Decides how weights become bytes and bytes weights, and whether a file's tensors are the model's.

use crate::error::ModelFault;
use crate::model::Weight;
use crate::plan::Parameter;
use ndarray::ArrayD;
use safetensors::tensor::{Dtype, TensorInfo, View};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// Tensors by their names, which is the order of the checksum.
pub(super) type Tensors = BTreeMap<String, TensorInfo>;

/// A weight as the crate `safetensors` writes it.
pub(super) struct Stored<'a>(pub(super) &'a Weight);

impl View for Stored<'_> {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        self.0.values.shape()
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let mut bytes = Vec::with_capacity(self.data_len());
        self.0.values.iter().for_each(|value| bytes.extend_from_slice(&value.to_le_bytes()));
        Cow::Owned(bytes)
    }

    fn data_len(&self) -> usize {
        self.0.values.len() * size_of::<f32>()
    }
}

/// Whether the file's tensors are the model's parameters, all of them and no other, by name, type and shape.
pub(super) fn check(parameters: &[Parameter], tensors: &Tensors) -> Result<(), ModelFault> {
    let (mut missing, mut different) = (Vec::new(), Vec::new());
    for parameter in parameters {
        let (name, expected) = (&parameter.name, parameter.shape());
        match tensors.get(name) {
            None => missing.push(format!("{name} {expected:?}")),
            Some(found) if found.shape != expected || found.dtype != Dtype::F32 => {
                different.push(format!("{name} is {} {:?}, expected F32 {expected:?}", found.dtype, found.shape));
            }
            Some(_) => {}
        }
    }
    let known: BTreeSet<&str> = parameters.iter().map(|parameter| parameter.name.as_str()).collect();
    let extra = tensors.iter().filter(|(name, _)| !known.contains(name.as_str()));
    let extra: Vec<String> = extra.map(|(name, tensor)| format!("{name} {:?}", tensor.shape)).collect();
    if missing.is_empty() && extra.is_empty() && different.is_empty() {
        return Ok(());
    }
    Err(ModelFault::Weights { missing, extra, different })
}

/// The model's weights out of a file's data, after [`check`].
pub(super) fn decode(parameters: &[Parameter], tensors: &Tensors, data: &[u8]) -> Result<Vec<Weight>, ModelFault> {
    let decode_one = |parameter: &Parameter| {
        let name = parameter.name.clone();
        let (start, end) = tensors[&name].data_offsets;
        let (floats, _) = data[start..end].as_chunks();
        let values: Vec<f32> = floats.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        if let Some(index) = values.iter().position(|value| !value.is_finite()) {
            return Err(ModelFault::NotFinite { name, index, value: values[index] });
        }
        let values = ArrayD::from_shape_vec(parameter.shape(), values).expect("the tensor's shape was checked");
        Ok(Weight { name, values })
    };
    parameters.iter().map(decode_one).collect()
}

/// The checksum of a description and of the data of all tensors in the order of their names, as it is written.
pub(super) fn checksum<'a>(description: &str, data: impl Iterator<Item = Cow<'a, [u8]>>) -> String {
    let mut sum = crc32fast::Hasher::new();
    sum.update(description.as_bytes());
    data.for_each(|data| sum.update(&data));
    format!("{:08x}", sum.finalize())
}
