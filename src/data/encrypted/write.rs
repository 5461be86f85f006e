//! Writes data sets as safetensors, one tensor after the other.

use super::{ENTRY, ID_LENGTHS, IDS, INPUTS, LABELS, TARGETS, VALUES, VERSION};
use crate::data::Dataset;
use crate::data::dataset::{Stored, StoredInputs};
use safetensors::tensor::{Dtype, Metadata, TensorInfo};
use std::io::{self, Write};

/// What is written, in this order: wide types first, so that all lie at multiples of their size.
enum Tensor<'a> {
    Integers(Vec<usize>),
    Rows(ndarray::ArrayView2<'a, f32>),
    Examples(&'a Dataset),
    Texts(&'a Dataset),
}

impl Tensor<'_> {
    fn info(&self) -> (Dtype, Vec<usize>) {
        match self {
            Self::Integers(integers) => (Dtype::I64, vec![integers.len()]),
            Self::Rows(rows) => (Dtype::F32, rows.shape().to_vec()),
            Self::Examples(examples) => {
                let shape = std::iter::once(examples.len()).chain(examples.axes().iter().copied()).collect();
                (if are_bytes(examples) { Dtype::U8 } else { Dtype::F32 }, shape)
            }
            Self::Texts(examples) => (Dtype::U8, vec![examples.ids().map(str::len).sum()]),
        }
    }

    fn write(&self, file: &mut dyn Write) -> io::Result<()> {
        match self {
            Self::Integers(integers) => {
                integers.iter().try_for_each(|integer| file.write_all(&(*integer as i64).to_le_bytes()))
            }
            Self::Rows(rows) => rows.iter().try_for_each(|value| file.write_all(&value.to_le_bytes())),
            Self::Examples(examples) => write_examples(examples, file),
            Self::Texts(examples) => examples.ids().try_for_each(|id| file.write_all(id.as_bytes())),
        }
    }
}

/// Whether its examples are bytes as they are used.
fn are_bytes(examples: &Dataset) -> bool {
    examples.scaling.is_none() && matches!(examples.stored_images(), StoredInputs::Bytes(_))
}

fn write_examples(examples: &Dataset, file: &mut dyn Write) -> io::Result<()> {
    for example in 0..examples.len() {
        let one = examples.range_of(example..example + 1);
        match one.pixels().stored {
            Stored::Bytes(bytes) if are_bytes(examples) => {
                let len = examples.shape().len().unwrap_or(0);
                // With an order there are all that are stored.
                let start = if one.order().is_some() { one.stored(0) * len } else { 0 };
                file.write_all(&bytes[start..start + len])?;
            }
            Stored::Bytes(_) | Stored::Floats(_) => {
                one.images().iter().try_for_each(|value| file.write_all(&value.to_le_bytes()))?;
            }
        }
    }
    Ok(())
}

pub(super) fn dataset(dataset: &Dataset, file: &mut dyn Write) -> io::Result<()> {
    let targets = dataset.target_images();
    let mut tensors = Vec::new();
    if dataset.ids().len() > 0 {
        tensors.push((ID_LENGTHS, Tensor::Integers(dataset.ids().map(str::len).collect())));
    }
    if !dataset.labels().is_empty() {
        tensors.push((LABELS, Tensor::Integers(dataset.labels().to_vec())));
    }
    tensors.extend(dataset.values().map(|values| (VALUES, Tensor::Rows(values))));
    tensors.push((INPUTS, Tensor::Examples(dataset)));
    tensors.extend(targets.as_ref().map(|targets| (TARGETS, Tensor::Examples(targets))));
    if dataset.ids().len() > 0 {
        tensors.push((IDS, Tensor::Texts(dataset)));
    }
    // A stable sort: floats before bytes.
    tensors.sort_by_key(|(_, tensor)| std::cmp::Reverse(tensor.info().0));
    file.write_all(&header(&tensors)?)?;
    tensors.iter().try_for_each(|(_, tensor)| tensor.write(file))
}

/// The length of the description, and the description, padded so that the data begin at a multiple of eight bytes.
fn header(tensors: &[(&str, Tensor<'_>)]) -> io::Result<Vec<u8>> {
    let mut end = 0;
    let infos = tensors.iter().map(|(name, tensor)| {
        let (dtype, shape) = tensor.info();
        let start = end;
        end += shape.iter().product::<usize>() * dtype.bitsize() / 8;
        ((*name).to_owned(), TensorInfo { dtype, shape, data_offsets: (start, end) })
    });
    let entry = [(ENTRY.to_owned(), VERSION.to_owned())].into_iter().collect();
    let metadata = Metadata::new(Some(entry), infos.collect()).map_err(io::Error::other)?;
    let mut text = serde_json::to_vec(&metadata)?;
    text.resize(text.len().next_multiple_of(8), b' ');
    let mut header = (text.len() as u64).to_le_bytes().to_vec();
    header.append(&mut text);
    Ok(header)
}
