//! Makes a model a file's bytes.

use super::format::{Description, ENTRY, Envelope, FORMAT_VERSION, MAX_HEADER};
use super::limits::check_size;
use super::weights::{Stored, checksum};
use crate::error::{Error, Result};
use crate::model::{Model, Weight};
use safetensors::View;
use serde_json::value::{RawValue, to_raw_value};
use std::borrow::Cow;

/// A whole model.
pub(super) fn model(model: &Model) -> Result<Vec<u8>> {
    let input = model.engine.plan.input;
    check_size(input, &model.layers)?;
    let description = Description {
        input,
        layers: Cow::Borrowed(&model.layers),
        seed: model.seed,
        optimizer: Cow::Borrowed(&model.optimizer),
        loss: Cow::Owned(model.loss()),
        metrics: Cow::Borrowed(model.metrics()),
        epochs: u32::try_from(model.epochs).unwrap_or(u32::MAX),
    };
    let description = to_raw_value(&description).expect("a description is plain data");
    file(&model.get_weights(), Some(description))
}

/// The weights alone.
pub(super) fn weights(model: &Model) -> Result<Vec<u8>> {
    file(&model.get_weights(), None)
}

fn file(weights: &[Weight], model: Option<Box<RawValue>>) -> Result<Vec<u8>> {
    for weight in weights {
        if let Some((index, value)) = weight.values.iter().enumerate().find(|(_, value)| !value.is_finite()) {
            return Err(Error::Model(format!(
                "has the value {value} in {}, at index {index} of its values, and is not saved: expected finite weights",
                weight.name
            )));
        }
    }
    let mut by_name: Vec<&Weight> = weights.iter().collect();
    by_name.sort_by(|a, b| a.name.cmp(&b.name));
    let stored: Vec<Stored<'_>> = by_name.into_iter().map(Stored).collect();
    let crc32 = checksum(model.as_ref().map_or("", |model| model.get()), stored.iter().map(View::data));
    let library = env!("CARGO_PKG_VERSION").to_owned();
    let envelope = Envelope { format_version: FORMAT_VERSION, library, crc32, model };
    let entry = serde_json::to_string(&envelope).expect("an envelope is plain data");
    let metadata = [(ENTRY.to_owned(), entry)].into_iter().collect();
    let tensors = stored.into_iter().map(|stored| (stored.0.name.as_str(), stored));
    let bytes = safetensors::serialize(tensors, Some(metadata))
        .map_err(|error| Error::Model(format!("cannot be saved ({error})")))?;
    let header = u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes"));
    if header > MAX_HEADER {
        return Err(Error::Model(format!(
            "needs {header} bytes to be described, expected at most {MAX_HEADER} in a model file: use fewer layers"
        )));
    }
    Ok(bytes)
}
