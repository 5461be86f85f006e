//! Decides what tensors in a file are believed, and makes them numbers.

use super::super::message::{BFLOAT16, DOUBLE, FLOAT, FLOAT16, INT32, INT64, Tensor};
use crate::short_floats::{brain, half};
use ndarray::{ArrayD, IxDyn};

/// Stands for the size of the batch, where a shape is a value of the graph.
pub(super) const BATCH: i64 = i64::MIN;

/// The most numbers that a constant without numbers in the file is made of.
const MOST_FILLED: usize = 1 << 16;

/// Numbers that are known before the model runs.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Constant {
    /// One may be [`BATCH`] if all numbers are the same.
    pub(super) dims: Vec<i64>,
    pub(super) numbers: Numbers,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Numbers {
    Floats(Vec<f32>),
    /// One may be [`BATCH`].
    Integers(Vec<i64>),
    /// This number everywhere.
    Filled(f32),
}

impl Constant {
    pub(super) fn integers(values: Vec<i64>) -> Self {
        Self { dims: vec![values.len() as i64], numbers: Numbers::Integers(values) }
    }

    /// How many numbers it holds in memory, or may be written out as.
    pub(super) fn stored(&self) -> usize {
        match &self.numbers {
            Numbers::Floats(values) => values.len(),
            Numbers::Integers(values) => values.len(),
            Numbers::Filled(_) => {
                self.sizes().ok().and_then(|sizes| product(&sizes)).filter(|len| *len <= MOST_FILLED).unwrap_or(0)
            }
        }
    }

    /// The numbers as floats in the shape of the tensor.
    pub(super) fn floats(&self) -> Result<ArrayD<f32>, String> {
        let dims: Vec<usize> = self.sizes()?;
        let values = match &self.numbers {
            Numbers::Floats(values) => values.clone(),
            Numbers::Integers(values) => values.iter().map(|value| *value as f32).collect(),
            Numbers::Filled(value) => {
                let len = product(&dims).filter(|len| *len <= MOST_FILLED);
                vec![*value; len.ok_or("fills a larger constant than is supported")?]
            }
        };
        ArrayD::from_shape_vec(IxDyn(&dims), values).map_err(|error| error.to_string())
    }

    pub(super) fn sizes(&self) -> Result<Vec<usize>, String> {
        let size = |dim: &i64| usize::try_from(*dim).map_err(|_| "has a constant as large as the batch".to_owned());
        self.dims.iter().map(size).collect()
    }

    /// Whole numbers.
    pub(super) fn whole(&self) -> Result<&[i64], String> {
        match &self.numbers {
            Numbers::Integers(values) => Ok(values),
            Numbers::Floats(_) | Numbers::Filled(_) => Err("expects whole numbers, got others".into()),
        }
    }

    /// The one number that it holds, if it is one.
    pub(super) fn single(&self) -> Option<f32> {
        let is_one = self.dims.iter().all(|dim| *dim == 1);
        match &self.numbers {
            Numbers::Filled(value) => Some(*value),
            Numbers::Floats(values) if is_one => values.first().copied(),
            Numbers::Integers(values) if is_one => values.first().map(|value| *value as f32),
            Numbers::Floats(_) | Numbers::Integers(_) => None,
        }
    }

    pub(super) fn is_zero(&self) -> bool {
        match &self.numbers {
            Numbers::Filled(value) => *value == 0.0,
            Numbers::Floats(values) => values.iter().all(|value| *value == 0.0),
            Numbers::Integers(values) => values.iter().all(|value| *value == 0),
        }
    }

    /// # Errors
    /// A sentence without its subject.
    pub(super) fn read(tensor: &Tensor) -> Result<Self, String> {
        if tensor.data_location != 0 || !tensor.external_data.is_empty() {
            let file = tensor.external_data.iter().find(|entry| entry.key == "location");
            let file = file.map_or_else(String::new, |entry| format!(", {:?}", entry.value));
            return Err(format!(
                "has its values in another file{file}, which is not read: save the model with all tensors in one file"
            ));
        }
        let sizes: Result<Vec<usize>, _> = tensor.dims.iter().map(|dim| usize::try_from(*dim)).collect();
        let len = sizes.ok().and_then(|sizes| product(&sizes));
        let len = len.ok_or_else(|| format!("has the impossible shape {:?}", tensor.dims))?;
        let raw = &tensor.raw_data;
        let numbers = match tensor.data_type {
            FLOAT if raw.is_empty() => Numbers::Floats(tensor.float_data.clone()),
            FLOAT => Numbers::Floats(words(raw, f32::from_le_bytes)),
            DOUBLE if raw.is_empty() => Numbers::Floats(tensor.double_data.iter().map(|value| *value as f32).collect()),
            DOUBLE => Numbers::Floats(words(raw, |bytes| f64::from_le_bytes(bytes) as f32)),
            FLOAT16 if raw.is_empty() => {
                Numbers::Floats(tensor.int32_data.iter().map(|bits| half(*bits as u16)).collect())
            }
            FLOAT16 => Numbers::Floats(words(raw, |bytes| half(u16::from_le_bytes(bytes)))),
            BFLOAT16 if raw.is_empty() => {
                Numbers::Floats(tensor.int32_data.iter().map(|bits| brain(*bits as u16)).collect())
            }
            BFLOAT16 => Numbers::Floats(words(raw, |bytes| brain(u16::from_le_bytes(bytes)))),
            INT64 if raw.is_empty() => Numbers::Integers(tensor.int64_data.clone()),
            INT64 => Numbers::Integers(words(raw, i64::from_le_bytes)),
            INT32 if raw.is_empty() => {
                Numbers::Integers(tensor.int32_data.iter().map(|value| (*value).into()).collect())
            }
            INT32 => Numbers::Integers(words(raw, |bytes| i32::from_le_bytes(bytes).into())),
            other => {
                return Err(format!(
                    "has elements of type {other}, expected floats of 16 to 64 bits or integers of 32 or 64: quantized models \
                     are not read"
                ));
            }
        };
        let constant = Self { dims: tensor.dims.clone(), numbers };
        match constant.stored() {
            // The smallest number stands for the batch.
            found if found == len && constant.whole().is_ok_and(|values| values.contains(&BATCH)) => {
                Ok(Self { numbers: Numbers::Integers(values_but_the_smallest(constant.whole()?)), ..constant })
            }
            found if found == len => Ok(constant),
            found => Err(format!("has {found} values, expected {len} for its shape {:?}: it is damaged", tensor.dims)),
        }
    }
}

fn values_but_the_smallest(values: &[i64]) -> Vec<i64> {
    values.iter().map(|value| (*value).max(BATCH + 1)).collect()
}

pub(super) fn product(sizes: &[usize]) -> Option<usize> {
    sizes.iter().try_fold(1_usize, |len, size| len.checked_mul(*size))
}

/// The values of bytes, the least significant first.
fn words<const BYTES: usize, T>(bytes: &[u8], value: impl Fn([u8; BYTES]) -> T) -> Vec<T> {
    let (words, _) = bytes.as_chunks::<BYTES>();
    words.iter().map(|word| value(*word)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_of_sixteen_bits_are_read_in_both_forms() {
        for (data_type, bits, expected) in [(FLOAT16, 0xc000_u16, -2.0), (BFLOAT16, 0xc040, -3.0)] {
            let raw = Tensor { dims: vec![1], data_type, raw_data: bits.to_le_bytes().to_vec(), ..Tensor::default() };
            let typed = Tensor { dims: vec![1], data_type, int32_data: vec![i32::from(bits)], ..Tensor::default() };
            for tensor in [raw, typed] {
                assert_eq!(Constant::read(&tensor).unwrap().numbers, Numbers::Floats(vec![expected]));
            }
        }
    }

    #[test]
    fn tensors_that_promise_other_sizes_are_refused() {
        let tensor = |dims: &[i64], bytes: usize| Tensor {
            dims: dims.to_vec(),
            data_type: FLOAT,
            raw_data: vec![0; bytes],
            ..Tensor::default()
        };
        assert_eq!(Constant::read(&tensor(&[2, 3], 24)).unwrap().floats().unwrap().shape(), [2, 3]);
        for (dims, bytes) in [(&[2, 3][..], 23), (&[-1], 4), (&[i64::MAX, 4], 8), (&[1 << 40], 8), (&[2], 12)] {
            assert!(Constant::read(&tensor(dims, bytes)).is_err(), "{dims:?}");
        }
        let other = Tensor { data_location: 1, ..tensor(&[1], 4) };
        assert!(Constant::read(&other).unwrap_err().starts_with("has its values in another file"));
    }
}
