//! Encodes and decodes weights, and compares a file's tensors with those that are expected.

use super::floats::{self, FLOATS};
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
    /// A kernel of signed bytes.
    Bytes { name: String, shape: [usize; 2], values: Vec<i8> },
}

impl Stored {
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Floats(weight) => &weight.name,
            Self::Sums(name, _) => name,
            Self::Bytes { name, .. } => name,
        }
    }
}

impl View for &Stored {
    fn dtype(&self) -> Dtype {
        match self {
            Stored::Floats(_) => Dtype::F32,
            Stored::Sums(..) => Dtype::F64,
            Stored::Bytes { .. } => Dtype::I8,
        }
    }

    fn shape(&self) -> &[usize] {
        match self {
            Stored::Floats(weight) => weight.values.shape(),
            Stored::Sums(_, sums) => sums.shape(),
            Stored::Bytes { shape, .. } => shape,
        }
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let mut bytes = Vec::with_capacity(self.data_len());
        match self {
            Stored::Floats(weight) => {
                weight.values.iter().for_each(|value| bytes.extend_from_slice(&value.to_le_bytes()));
            }
            Stored::Sums(_, sums) => sums.iter().for_each(|value| bytes.extend_from_slice(&value.to_le_bytes())),
            Stored::Bytes { values, .. } => bytes.extend(values.iter().map(|value| value.cast_unsigned())),
        }
        Cow::Owned(bytes)
    }

    fn data_len(&self) -> usize {
        match self {
            Stored::Floats(weight) => weight.values.len() * size_of::<f32>(),
            Stored::Sums(_, sums) => sums.len() * size_of::<f64>(),
            Stored::Bytes { values, .. } => values.len(),
        }
    }
}

/// What to do with a weight whose shape or type in the file differs from the model's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// Return an error and load nothing.
    Error,
    /// Keep the model's weight.
    Skip,
}

/// A tensor that must be in a file.
pub(super) struct Wanted {
    name: String,
    /// The types that it may have.
    dtypes: &'static [Dtype],
    shape: Vec<usize>,
}

impl Wanted {
    /// One of each parameter's shape, with this before its name.
    pub(super) fn all(folder: &str, parameters: &[Parameter]) -> Vec<Self> {
        Self::of_types(&[Dtype::F32], folder, parameters)
    }

    /// The same, of any type that is read.
    pub(super) fn all_floats(parameters: &[Parameter]) -> Vec<Self> {
        Self::of_types(FLOATS, "", parameters)
    }

    fn of_types(dtypes: &'static [Dtype], folder: &str, parameters: &[Parameter]) -> Vec<Self> {
        let one = |parameter: &Parameter| Self {
            name: format!("{folder}{}", parameter.name),
            dtypes,
            shape: parameter.shape.clone(),
        };
        parameters.iter().map(one).collect()
    }

    /// One of this type and shape.
    pub(super) fn new(name: String, dtypes: &'static [Dtype], shape: impl Into<Vec<usize>>) -> Self {
        Self { name, dtypes, shape: shape.into() }
    }

    /// This many sums in a row.
    pub(super) fn sums(name: &str, len: usize) -> Self {
        Self { name: name.to_owned(), dtypes: &[Dtype::F64], shape: vec![len] }
    }

    /// How the file's tensor of this name compares.
    fn find(&self, tensors: &Tensors) -> Found {
        let Self { name, dtypes, shape } = self;
        match tensors.get(name) {
            None => Found::Missing(format!("{name} {shape:?}")),
            Some(found) if found.shape == *shape && dtypes.contains(&found.dtype) => Found::Fits,
            Some(found) => {
                let dtypes: Vec<String> = dtypes.iter().map(Dtype::to_string).collect();
                let expected = dtypes.join(" or ");
                Found::Different(format!("{name} is {} {:?}, expected {expected} {shape:?}", found.dtype, found.shape))
            }
        }
    }
}

/// How an expected tensor compares with the file, with a line for the error message.
enum Found {
    Fits,
    Missing(String),
    Different(String),
}

/// Checks that the file has exactly the expected tensors, by name, type and shape, apart from those in `unread`
/// folders.
pub(super) fn check(wanted: &[Wanted], tensors: &Tensors, unread: &[&str]) -> Result<(), ModelFault> {
    let (mut missing, mut different) = (Vec::new(), Vec::new());
    for wanted in wanted {
        match wanted.find(tensors) {
            Found::Fits => {}
            Found::Missing(line) => missing.push(line),
            Found::Different(line) => different.push(line),
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

/// Which of these tensors, one for each parameter, the file has; at least one.
pub(super) fn select(
    wanted: &[Wanted],
    parameters: &[Parameter],
    tensors: &Tensors,
    mismatch: Mismatch,
) -> Result<Vec<Parameter>, ModelFault> {
    let (mut there, mut missing, mut different) = (Vec::new(), Vec::new(), Vec::new());
    for (wanted, parameter) in wanted.iter().zip(parameters) {
        match wanted.find(tensors) {
            Found::Fits => there.push(parameter.clone()),
            Found::Missing(line) => missing.push(line),
            Found::Different(line) => different.push(line),
        }
    }
    match mismatch {
        Mismatch::Error if !different.is_empty() => {
            Err(ModelFault::Weights { missing: Vec::new(), extra: Vec::new(), different })
        }
        Mismatch::Error | Mismatch::Skip if there.is_empty() => {
            let extra = tensors.iter().map(|(name, tensor)| format!("{name} {:?}", tensor.shape));
            Err(ModelFault::Weights { missing, extra: extra.collect(), different })
        }
        Mismatch::Error | Mismatch::Skip => Ok(there),
    }
}

/// The tensors of a folder that has one for each parameter, NaN and infinity included. Call [`check`] first.
pub(super) fn decode(folder: &str, parameters: &[Parameter], tensors: &Tensors, data: &[u8]) -> Vec<Weight> {
    let decode_one = |parameter: &Parameter| {
        let TensorInfo { dtype, data_offsets: (start, end), .. } = tensors[&format!("{folder}{}", parameter.name)];
        let values = floats::decode(dtype, &data[start..end]).expect("the tensor's type was checked");
        let values = ArrayD::from_shape_vec(parameter.shape.clone(), values).expect("the tensor's shape was checked");
        Weight { name: parameter.name.clone(), values }
    };
    parameters.iter().map(decode_one).collect()
}

/// The same, if all values are numbers.
pub(super) fn decode_finite(
    folder: &str,
    parameters: &[Parameter],
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
pub(super) fn checksum<'a>(texts: [&str; 3], data: impl Iterator<Item = Cow<'a, [u8]>>) -> String {
    let mut sum = crc32fast::Hasher::new();
    texts.iter().for_each(|text| sum.update(text.as_bytes()));
    data.for_each(|data| sum.update(&data));
    format!("{:08x}", sum.finalize())
}
