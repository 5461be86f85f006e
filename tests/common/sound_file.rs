//! Sound files around descriptions: whatever text is given as the description of a model, or as that and the state of
//! its training, with the tensors that the reader then misses, and a checksum that is right. Fuzzing shares this file.

use inkstone::{Error, LoadLimits, Model, ModelFault};
use safetensors::tensor::{Dtype, TensorView};
use serde::Deserialize;
use serde_json::value::RawValue;

/// A checkpoint as text: what stands in the metadata under these names.
#[derive(Deserialize)]
struct Checkpoint<'a> {
    #[serde(borrow)]
    model: &'a RawValue,
    #[serde(borrow)]
    training: &'a RawValue,
}

/// More values than this are not given to a model: none of the seeds comes near.
const MAX_VALUES: usize = 1 << 16;

/// What each value is: 0.5 in each place of `f32`, a small number in those of `f64`.
const VALUE: [u8; 4] = 0.5_f32.to_le_bytes();

/// A sound file, if the text is one that can have one.
pub(crate) fn around(text: &str) -> Vec<u8> {
    let [description, training] = match serde_json::from_str(text) {
        Ok(Checkpoint { model, training }) => [model.get(), training.get()],
        Err(_) => [text, ""],
    };
    let without = file(description, training, &[]);
    let limits = LoadLimits::new().memory(512 << 20);
    match Model::from_bytes_with(&without, limits) {
        Err(Error::ModelFile { fault: ModelFault::Weights { missing, .. }, .. }) => {
            let tensors: Option<Vec<_>> = missing.iter().map(|line| tensor(line)).collect();
            tensors.filter(|all| few_values(all)).map_or(without, |tensors| file(description, training, &tensors))
        }
        _ => without,
    }
}

/// A tensor by the line of the error that says that it is missing, as `dense/kernel [8, 3]`.
fn tensor(line: &str) -> Option<(String, Vec<usize>)> {
    let (name, shape) = line.strip_suffix(']')?.rsplit_once(" [")?;
    let axes = shape.split(", ").filter(|axis| !axis.is_empty()).map(|axis| axis.parse().ok());
    Some((name.to_owned(), axes.collect::<Option<_>>()?))
}

fn few_values(tensors: &[(String, Vec<usize>)]) -> bool {
    let lens = tensors.iter().map(|(_, shape)| shape.iter().copied().fold(1, usize::saturating_mul));
    lens.fold(0, usize::saturating_add) <= MAX_VALUES
}

fn file(description: &str, training: &str, tensors: &[(String, Vec<usize>)]) -> Vec<u8> {
    let values = VALUE.repeat(2 * MAX_VALUES);
    let view = |(name, shape): &(String, Vec<usize>)| {
        let dtype = if name == "training/scores" { Dtype::F64 } else { Dtype::F32 };
        let len = dtype.bitsize() / 8 * shape.iter().product::<usize>();
        (name.clone(), TensorView::new(dtype, shape.clone(), &values[..len]).expect("as many bytes as it takes"))
    };
    let mut tensors: Vec<_> = tensors.iter().map(view).collect();
    tensors.sort_by(|a, b| a.0.cmp(&b.0));
    let mut sum = crc32fast::Hasher::new();
    [description, training].iter().for_each(|text| sum.update(text.as_bytes()));
    tensors.iter().for_each(|(_, tensor)| sum.update(tensor.data()));
    let sum = sum.finalize();
    let more = if training.is_empty() { String::new() } else { format!(r#","training":{training}"#) };
    // Networks came with version 3, checkpoints with version 2.
    let version = match (description.contains("\"network\""), training.is_empty()) {
        (true, _) => 3,
        (false, true) => 1,
        (false, false) => 2,
    };
    let entry =
        format!(r#"{{"format_version":{version},"library":"0.1.0","crc32":"{sum:08x}","model":{description}{more}}}"#);
    let metadata = [("inkstone".to_owned(), entry)].into_iter().collect();
    safetensors::serialize(tensors, Some(metadata)).expect("tensors of as many bytes as they take")
}
