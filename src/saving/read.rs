//! Parses model files. Everything that determines a size is checked before memory is allocated for it: the header
//! against the file's length, the weights against the description, the model against its limits. The data is read last.

use super::format::{
    CHAIN_CHECKPOINT_VERSION, ChainDescription, Description, ENTRY, Envelope, NETWORK_VERSION, QUANTIZED_VERSION,
    Version, WEIGHTS_VERSION,
};
use super::header::{self, Header, HeaderError};
use super::options::LoadOptions;
use super::pair::PAIR_ENTRY;
use super::tracked;
use super::training::{FOLDERS, Rows, Training};
use super::weights::{Mismatch, Wanted, check, checksum, decode, decode_finite, decode_sums, select};
use crate::error::{Error, ModelFault, Result};
use crate::exec::Weights;
use crate::metrics::Metric;
use crate::model::{Model, Weight};
use crate::objective::Objective;
use crate::plan::{self, Outline, Parameter, Plan};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::io::{self, Read};
use std::sync::Arc;

/// What to load from a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The model alone.
    Model,
    /// The model and the state of its training.
    Checkpoint,
}

/// Loads a model. The whole file is checked, whichever part is loaded.
///
/// - len: how many bytes there are; place: what errors call them
pub(super) fn model(mut source: impl Read, len: u64, place: &str, part: Part, options: &LoadOptions) -> Result<Model> {
    let at = At { place, len };
    let header = at.header(&mut source)?;
    let Some(envelope) = envelope(&header).map_err(|fault| at.fault(fault))? else {
        return Err(at.fault(ModelFault::OtherOrigin));
    };
    if envelope.quantized.is_some() {
        return Err(at.fault(ModelFault::Quantized));
    }
    let Some(text) = &envelope.model else {
        return Err(at.fault(ModelFault::WeightsOnly));
    };
    let training = envelope.training.as_deref().map(Training::read).transpose().map_err(|fault| at.fault(fault))?;
    if part == Part::Checkpoint && training.is_none() {
        return Err(at.fault(ModelFault::NotACheckpoint));
    }
    let described = match envelope.format_version {
        NETWORK_VERSION => description(text),
        _ => description::<ChainDescription>(text).map(Description::from),
    };
    let Description { network, seed, optimizer, mut objectives, epochs, text_vectorization, privacy } =
        described.map_err(|fault| at.fault(fault))?;
    let LoadOptions { limits, custom_objects } = options;
    let mut network = network.into_owned();
    let resolved = custom_objects.resolve_layers(&mut network.layers);
    let resolved = resolved.map_err(|(index, problem)| format!("has a layer, number {index}, that {problem}"));
    let resolved = resolved.and_then(|()| {
        objectives.iter_mut().try_for_each(|Objective { loss, metrics, .. }| {
            custom_objects.resolve_loss(loss).and_then(|()| custom_objects.resolve_metrics(metrics))
        })
    });
    resolved.map_err(|problem| at.fault(ModelFault::CustomObject(problem)))?;
    let impossible = |error: Error| at.fault(ModelFault::Description(error.to_string()));
    let Outline { shapes, scored, masked, carried_len, parameters } = Outline::new(&network).map_err(impossible)?;
    limits.check_layers(&network, &shapes).map_err(|fault| at.fault(fault))?;
    let penalties = usize::from(parameters.add_penalties() || network.regularizes_activity());
    let trained: Vec<Parameter> = parameters.trained().cloned().collect();
    let parameters = parameters.all;
    let mut wanted = Wanted::all("", &parameters);
    if let Some(training) = &training {
        let metrics = objectives.iter().map(|objective| &objective.metrics[..]).zip(scored);
        Metric::check_all(metrics.clone()).map_err(impossible)?;
        let sums = metrics.map(|(metrics, len)| 1 + metrics.iter().map(|metric| metric.sums(len)).sum::<usize>());
        // Of a sequence with a mask its steps are counted as well.
        let sums = sums.sum::<usize>() + masked + penalties;
        let rows = Rows { sums, states: carried_len };
        wanted.extend(training.wanted(&parameters, &trained, &optimizer, rows));
    }
    check(&wanted, &header.tensors, &[]).map_err(|fault| at.fault(fault))?;
    let plan = Plan::new(&network, plan::Wanted::OfParameters).map_err(impossible)?;
    // Before the second plan is made, which is no larger than the first.
    limits.check_plan(&plan, None).map_err(|fault| at.fault(fault))?;
    let for_inference = plan.for_inference(&network).map_err(impossible)?;
    limits.check_plan(&plan, for_inference.as_ref()).map_err(|fault| at.fault(fault))?;
    drop(for_inference);
    let data = at.data(&header, Some(&envelope), source)?;
    let sums = |name: &str| decode_sums(name, &header.tensors, &data);
    if let Some(training) = &training {
        training.check_sums(carried_len, sums).map_err(|fault| at.fault(fault))?;
    }
    let weights = |folder: &str| decode_finite(folder, &parameters, &header.tensors, &data);
    let own = weights("").map_err(|fault| at.fault(fault))?;
    // Those that a new model starts from would be drawn in vain, and orthogonal ones take long.
    let zeroed = Weights::zeroed(&plan);
    let model = Model::of_plan(plan, zeroed, network, seed, optimizer.into_owned(), &objectives);
    let mut model = model.map_err(impossible)?;
    model.set_weights(&own)?;
    model.epochs = epochs as usize;
    model.privacy = privacy.map(Cow::into_owned).unwrap_or_default();
    model.text = text_vectorization.map(|text| Arc::new(text.into_owned()));
    if let (Some(training), Part::Checkpoint) = (training, part) {
        // Values that an optimizer keeps may be infinite without ending the training.
        let buffers = |folder: &str| match folder.starts_with("optimizer/") {
            true => Ok(decode(folder, &trained, &header.tensors, &data)),
            false => weights(folder),
        };
        training.restore(&mut model, buffers, sums).map_err(|fault| at.fault(fault))?;
    }
    Ok(model)
}

/// Which weights of a file to load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Selection {
    /// All of them; extra weights in the file are an error.
    All,
    /// Only those that the model has.
    ByName(Mismatch),
}

/// The weights of a model that has these parameters, in their order.
pub(super) fn weights(
    parameters: &[Parameter],
    mut source: impl Read,
    len: u64,
    place: &str,
    selection: Selection,
) -> Result<Vec<Weight>> {
    let at = At { place, len };
    let header = at.header(&mut source)?;
    let envelope = envelope(&header).map_err(|fault| at.fault(fault))?;
    if envelope.as_ref().is_some_and(|envelope| envelope.quantized.is_some()) {
        return Err(at.fault(ModelFault::Quantized));
    }
    let wanted = match &envelope {
        Some(_) => Wanted::all("", parameters),
        None => Wanted::all_floats(parameters),
    };
    let selected = match selection {
        Selection::All => {
            let is_checkpoint = envelope.as_ref().is_some_and(|envelope| envelope.training.is_some());
            let unread = if is_checkpoint { &FOLDERS[..] } else { &[] };
            check(&wanted, &header.tensors, unread).map(|()| parameters.to_vec())
        }
        Selection::ByName(mismatch) => select(&wanted, parameters, &header.tensors, mismatch),
    };
    let selected = selected.map_err(|fault| at.fault(fault))?;
    let data = at.data(&header, envelope.as_ref(), source)?;
    decode_finite("", &selected, &header.tensors, &data).map_err(|fault| at.fault(fault))
}

/// The source, for error messages.
pub(super) struct At<'a> {
    pub(super) place: &'a str,
    pub(super) len: u64,
}

impl At<'_> {
    pub(super) fn fault(&self, fault: ModelFault) -> Error {
        Error::ModelFile { place: self.place.to_owned(), fault }
    }

    #[cfg(not(feature = "protect"))]
    fn io(&self, source: io::Error) -> Error {
        Error::Io { place: self.place.to_owned(), source }
    }

    #[cfg(feature = "protect")]
    fn io(&self, source: io::Error) -> Error {
        crate::protect::reading_error(self.place, source)
    }

    pub(super) fn header(&self, source: &mut impl Read) -> Result<Header> {
        header::read(source, self.len).map_err(|error| match error {
            HeaderError::Io(source) => self.io(source),
            HeaderError::Fault(fault) => self.fault(fault),
        })
    }

    /// Reads all data and verifies the checksum.
    pub(super) fn data(&self, header: &Header, envelope: Option<&Envelope>, mut source: impl Read) -> Result<Vec<u8>> {
        // `header` has checked that this many bytes are left in the file.
        let mut data = vec![0; header.data_len];
        source.read_exact(&mut data).map_err(|source| self.io(source))?;
        // What is encrypted is known to be whole when its end was read.
        if source.read(&mut [0]).map_err(|source| self.io(source))? != 0 {
            let expected = self.len;
            return Err(self.fault(ModelFault::Length { expected, found: expected + 1 }));
        }
        if let Some(envelope) = envelope {
            check_sum(envelope, header, &data).map_err(|fault| self.fault(fault))?;
        }
        Ok(data)
    }
}

/// Inkstone's metadata; `None` if another program wrote the file.
pub(super) fn envelope(header: &Header) -> std::result::Result<Option<Envelope>, ModelFault> {
    let Some(entry) = header.metadata.get(ENTRY) else {
        if header.metadata.contains_key(PAIR_ENTRY) {
            return Err(ModelFault::Gan);
        }
        // Other programs may write anything there, but our entry under a damaged name must not pass unchecked.
        let is_ours = |entry: &str| serde_json::from_str::<Envelope>(entry).is_ok();
        return match header.metadata.iter().find(|(_, entry)| is_ours(entry)) {
            Some((name, _)) => Err(ModelFault::UnknownEntry(name.clone())),
            None => Ok(None),
        };
    };
    let metadata = |error: serde_json::Error| ModelFault::Metadata(error.to_string());
    let Version { format_version: found, library } = serde_json::from_str(entry).map_err(metadata)?;
    if found > QUANTIZED_VERSION {
        return Err(ModelFault::Version { found, known: QUANTIZED_VERSION, writer: format!("inkstone {library}") });
    }
    if found == 0 {
        return Err(ModelFault::Metadata("there is no format version 0".into()));
    }
    if let Some(name) = header.metadata.keys().find(|name| *name != ENTRY) {
        return Err(ModelFault::UnknownEntry(name.clone()));
    }
    let envelope: Envelope = serde_json::from_str(entry).map_err(metadata)?;
    match (found, &envelope.quantized) {
        (QUANTIZED_VERSION, None) => {
            return Err(ModelFault::Metadata("a quantized model without `quantized`".into()));
        }
        (QUANTIZED_VERSION, Some(_)) if envelope.model.is_some() || envelope.training.is_some() => {
            return Err(ModelFault::Metadata("a model beside `quantized`".into()));
        }
        (QUANTIZED_VERSION, Some(_)) | (_, None) => {}
        (_, Some(_)) => return Err(ModelFault::UnknownEntry("quantized".into())),
    }
    match (found, &envelope.training) {
        (WEIGHTS_VERSION, Some(_)) => Err(ModelFault::UnknownEntry("training".into())),
        (CHAIN_CHECKPOINT_VERSION, None) => Err(ModelFault::Metadata("a checkpoint without `training`".into())),
        _ => Ok(Some(envelope)),
    }
}

/// Parses the description of a model; unknown fields are errors.
pub(super) fn description<D: DeserializeOwned>(text: &RawValue) -> std::result::Result<D, ModelFault> {
    let mut unknown = None;
    let mut json = serde_json::Deserializer::from_str(text.get());
    // Unknown fields of any layer or setting are reported here.
    let mut ignored = |path: serde_ignored::Path<'_>| {
        // The path has a question mark for the variant of an enum, such as a layer.
        unknown.get_or_insert_with(|| path.to_string().replace(".?", ""));
    };
    match (tracked::parse(&mut json, &mut ignored), unknown) {
        (Err(error), _) => Err(ModelFault::Metadata(format!("at {}: {}", error.path(), error.inner()))),
        (Ok(_), Some(path)) => Err(ModelFault::UnknownEntry(path)),
        (Ok(description), None) => Ok(description),
    }
}

fn check_sum(envelope: &Envelope, header: &Header, data: &[u8]) -> std::result::Result<(), ModelFault> {
    let texts = [&envelope.model, &envelope.training, &envelope.quantized]
        .map(|text| text.as_ref().map_or("", |text| text.get()));
    let tensors = header.tensors.values().map(|tensor| {
        let (start, end) = tensor.data_offsets;
        Cow::Borrowed(&data[start..end])
    });
    let found = checksum(texts, tensors);
    if found == envelope.crc32 {
        return Ok(());
    }
    Err(ModelFault::Checksum { expected: envelope.crc32.clone(), found })
}
