//! Decides how weights become bytes and bytes weights, and whether a file's tensors are those that are wanted.

use crate::error::ModelFault;
use crate::model::Weight;
use crate::plan::Parameter;
use ndarray::{Array1, ArrayD};
use safetensors::tensor::{Dtype, TensorInfo, View};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// Tensors by their names, which is the order of the checksum.
pub(super) type Tensors = BTreeMap<String, TensorInfo>;

/// A tensor as the crate `safetensors` writes it.
pub(super) enum Stored {
    /// A weight, or something of its shape.
    Floats(Weight),
    /// Sums of a row.
    Sums(&'static str, Array1<f64>),
}

impl Stored {
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Floats(weight) => &weight.name,
            Self::Sums(name, _) => name,
        }
    }
}

impl View for &Stored {
    fn dtype(&self) -> Dtype {
        match self {
            Stored::Floats(_) => Dtype::F32,
            Stored::Sums(..) => Dtype::F64,
        }
    }

    fn shape(&self) -> &[usize] {
        match self {
            Stored::Floats(weight) => weight.values.shape(),
            Stored::Sums(_, sums) => sums.shape(),
        }
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let mut bytes = Vec::with_capacity(self.data_len());
        match self {
            Stored::Floats(weight) => {
                weight.values.iter().for_each(|value| bytes.extend_from_slice(&value.to_le_bytes()));
            }
            Stored::Sums(_, sums) => sums.iter().for_each(|value| bytes.extend_from_slice(&value.to_le_bytes())),
        }
        Cow::Owned(bytes)
    }

    fn data_len(&self) -> usize {
        match self {
            Stored::Floats(weight) => weight.values.len() * size_of::<f32>(),
            Stored::Sums(_, sums) => sums.len() * size_of::<f64>(),
        }
    }
}

/// A tensor that must be in a file.
pub(super) struct Wanted {
    name: String,
    dtype: Dtype,
    shape: Vec<usize>,
}

impl Wanted {
    /// One of each parameter's shape, with this before its name.
    pub(super) fn all<'p>(folder: &str, parameters: impl Iterator<Item = &'p Parameter>) -> Vec<Self> {
        let one = |parameter: &Parameter| Self {
            name: format!("{folder}{}", parameter.name),
            dtype: Dtype::F32,
            shape: parameter.shape.clone(),
        };
        parameters.map(one).collect()
    }

    /// This many sums in a row.
    pub(super) fn sums(name: &str, len: usize) -> Self {
        Self { name: name.to_owned(), dtype: Dtype::F64, shape: vec![len] }
    }
}

/// Whether the file's tensors are those that are wanted, all of them and no other, by name, type and shape; but for
/// those in `unread` folders.
pub(super) fn check(wanted: &[Wanted], tensors: &Tensors, unread: &[&str]) -> Result<(), ModelFault> {
    let (mut missing, mut different) = (Vec::new(), Vec::new());
    for Wanted { name, dtype, shape } in wanted {
        match tensors.get(name) {
            None => missing.push(format!("{name} {shape:?}")),
            Some(found) if found.shape != *shape || found.dtype != *dtype => {
                different.push(format!("{name} is {} {:?}, expected {dtype} {shape:?}", found.dtype, found.shape));
            }
            Some(_) => {}
        }
    }
    let known: BTreeSet<&str> = wanted.iter().map(|tensor| tensor.name.as_str()).collect();
    let is_extra = |name: &str| !known.contains(name) && !unread.iter().any(|folder| name.starts_with(folder));
    let extra = tensors.iter().filter(|(name, _)| is_extra(name));
    let extra: Vec<String> = extra.map(|(name, tensor)| format!("{name} {:?}", tensor.shape)).collect();
    if missing.is_empty() && extra.is_empty() && different.is_empty() {
        return Ok(());
    }
    Err(ModelFault::Weights { missing, extra, different })
}

/// The tensors of a folder that has one for each parameter, as they are, after [`check`].
pub(super) fn decode<'p>(
    folder: &str,
    parameters: impl Iterator<Item = &'p Parameter>,
    tensors: &Tensors,
    data: &[u8],
) -> Vec<Weight> {
    let decode_one = |parameter: &Parameter| {
        let (start, end) = tensors[&format!("{folder}{}", parameter.name)].data_offsets;
        let (floats, _) = data[start..end].as_chunks();
        let values: Vec<f32> = floats.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        let values = ArrayD::from_shape_vec(parameter.shape.clone(), values).expect("the tensor's shape was checked");
        Weight { name: parameter.name.clone(), values }
    };
    parameters.map(decode_one).collect()
}

/// The same, if all values are numbers.
pub(super) fn decode_finite<'p>(
    folder: &str,
    parameters: impl Iterator<Item = &'p Parameter>,
    tensors: &Tensors,
    data: &[u8],
) -> Result<Vec<Weight>, ModelFault> {
    let weights = decode(folder, parameters, tensors, data);
    for Weight { name, values } in &weights {
        if let Some((index, value)) = values.iter().enumerate().find(|(_, value)| !value.is_finite()) {
            return Err(ModelFault::NotFinite { name: format!("{folder}{name}"), index, value: *value });
        }
    }
    Ok(weights)
}

/// A row of sums, after [`check`].
pub(super) fn decode_sums(name: &str, tensors: &Tensors, data: &[u8]) -> Vec<f64> {
    let (start, end) = tensors[name].data_offsets;
    let (sums, _) = data[start..end].as_chunks();
    sums.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect()
}

/// The checksum of texts and of the data of all tensors in the order of their names, as it is written.
pub(super) fn checksum<'a>(texts: [&str; 2], data: impl Iterator<Item = Cow<'a, [u8]>>) -> String {
    let mut sum = crc32fast::Hasher::new();
    texts.iter().for_each(|text| sum.update(text.as_bytes()));
    data.for_each(|data| sum.update(&data));
    format!("{:08x}", sum.finalize())
}
