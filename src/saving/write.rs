//! Serializes models.

use super::format::{Description, ENTRY, Envelope, MAX_HEADER, NETWORK_VERSION, QUANTIZED_VERSION, WEIGHTS_VERSION};
use super::training::Training;
use super::weights::{Stored, checksum};
use crate::error::{Error, Result};
use crate::model::{CallbackState, Model, Weight};
use crate::plan::Parameter;
use safetensors::View;
use serde_json::value::{RawValue, to_raw_value};
use std::borrow::Cow;

/// A model.
pub(super) fn model(model: &Model) -> Result<Vec<u8>> {
    file(weights_of(model)?, Texts { model: Some(describe(model)), ..Texts::default() })
}

/// A model with the state of its training and of the callbacks.
pub(super) fn checkpoint(model: &Model, callbacks: &[CallbackState]) -> Result<Vec<u8>> {
    let mut tensors = weights_of(model)?;
    let parameters = &model.engine.plan.parameters.all;
    for CallbackState { callback, weights, .. } in callbacks {
        let Some(weights) = weights else { continue };
        let fit = |(weight, parameter): (&Weight, &Parameter)| {
            weight.name == parameter.name && weight.values.shape() == parameter.shape
        };
        if weights.len() != parameters.len() || !weights.iter().zip(parameters).all(fit) {
            return Err(Error::Callback(format!(
                "the weights in the state of {callback} must be a copy of all weights of the model, got others"
            )));
        }
        check_finite(weights)?;
    }
    let (training, more) = Training::of(model, callbacks);
    tensors.extend(more);
    let training = to_raw_value(&training).expect("the state of a training is plain data");
    file(tensors, Texts { model: Some(describe(model)), training: Some(training), ..Texts::default() })
}

/// The weights alone.
pub(super) fn weights(model: &Model) -> Result<Vec<u8>> {
    file(weights_of(model)?, Texts::default())
}

fn weights_of(model: &Model) -> Result<Vec<Stored>> {
    let weights = model.get_weights();
    check_finite(&weights)?;
    Ok(weights.into_iter().map(Stored::Floats).collect())
}

/// # Errors
/// [`Error::Model`] if a weight is NaN or infinite.
pub(crate) fn check_finite(weights: &[Weight]) -> Result<()> {
    for weight in weights {
        if let Some((index, value)) = weight.values.iter().enumerate().find(|(_, value)| !value.is_finite()) {
            return Err(Error::Model(format!(
                "has the value {value} in {}, at index {index} of its values, and is not saved: expected finite weights",
                weight.name
            )));
        }
    }
    Ok(())
}

/// The description of a model: everything but its weights and training.
fn describe(model: &Model) -> Box<RawValue> {
    let description = Description {
        network: Cow::Borrowed(&model.network),
        seed: model.seed,
        optimizer: Cow::Borrowed(&model.optimizer),
        objectives: model.objectives(),
        epochs: u32::try_from(model.epochs).unwrap_or(u32::MAX),
        text_vectorization: model.text_vectorization().map(Cow::Borrowed),
        privacy: (model.privacy().steps() > 0).then(|| Cow::Borrowed(model.privacy())),
    };
    to_raw_value(&description).expect("a description is plain data")
}

/// What a file has beside tensors, as JSON.
#[derive(Default)]
pub(super) struct Texts {
    pub(super) model: Option<Box<RawValue>>,
    pub(super) training: Option<Box<RawValue>>,
    pub(super) quantized: Option<Box<RawValue>>,
}

/// The bytes of a file.
pub(super) fn file(mut stored: Vec<Stored>, Texts { model, training, quantized }: Texts) -> Result<Vec<u8>> {
    stored.sort_by(|a, b| a.name().cmp(b.name()));
    let texts = [&model, &training, &quantized].map(|text| text.as_ref().map_or("", |text| text.get()));
    let crc32 = checksum(texts, stored.iter().map(|stored| View::data(&stored).into_owned().into()));
    let library = env!("CARGO_PKG_VERSION").to_owned();
    let format_version = match (&model, &quantized) {
        (_, Some(_)) => QUANTIZED_VERSION,
        (Some(_), None) => NETWORK_VERSION,
        (None, None) => WEIGHTS_VERSION,
    };
    let envelope = Envelope { format_version, library, crc32, model, training, quantized };
    let entry = serde_json::to_string(&envelope).expect("an envelope is plain data");
    let metadata = [(ENTRY.to_owned(), entry)].into_iter().collect();
    let tensors = stored.iter().map(|stored| (stored.name(), stored));
    let bytes = safetensors::serialize(tensors, Some(metadata))
        .map_err(|error| Error::Model(format!("cannot be saved ({error})")))?;
    let header = u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes"));
    if header > MAX_HEADER {
        return Err(Error::Model(format!(
            "needs {header} bytes to be described, expected at most {MAX_HEADER} in a model file: use fewer layers, or a smaller vocabulary"
        )));
    }
    Ok(bytes)
}
