//! Reads a file, and decides what of it is believed: its length, its format, its version.

use super::super::MAX_BYTES;
use super::super::message::{Graph, ModelFile};
use super::graph::{Importer, Origin, Written};
use super::network::Builder;
use super::written_out::joined;
use crate::error::{Error, OnnxFault, Result};
use crate::layers::Network;
use crate::model::Weight;
use crate::plan::{Outline, Plan, Wanted};
use crate::saving::LoadLimits;
use prost::Message;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The operator sets that are read.
const OPSETS: std::ops::RangeInclusive<i64> = 9..=28;

/// A network with the weights of each layer.
pub(super) struct Imported {
    pub(super) network: Network,
    pub(super) weights: Vec<Option<Vec<Weight>>>,
}

/// The bytes of a file.
pub(super) fn read(path: &Path) -> Result<Vec<u8>> {
    let place = || path.display().to_string();
    let io = |source| Error::Io { place: place(), source };
    // Checked before opening, because opening a named pipe blocks until another process writes to it.
    let metadata = path.metadata().map_err(io)?;
    if !metadata.is_file() {
        return Err(Error::Onnx { place: place(), fault: OnnxFault::NotAFile });
    }
    let limit = MAX_BYTES as u64;
    if metadata.len() > limit {
        return Err(Error::Onnx { place: place(), fault: OnnxFault::TooLarge { found: metadata.len(), limit } });
    }
    let mut bytes = Vec::new();
    File::open(path).map_err(io)?.take(limit).read_to_end(&mut bytes).map_err(io)?;
    Ok(bytes)
}

/// The network of a file.
///
/// - place: what errors call the file
pub(super) fn import(bytes: &[u8], place: &str, limits: &LoadLimits) -> Result<Imported> {
    let fault = |fault: OnnxFault| Error::Onnx { place: place.to_owned(), fault };
    let file = ModelFile::decode(bytes).map_err(|error| fault(OnnxFault::Message(error.to_string())))?;
    let own = file.opset_import.iter().find(|set| set.domain.is_empty() || set.domain == "ai.onnx");
    let found = own.map_or(0, |set| set.version);
    if !OPSETS.contains(&found) {
        let (oldest, newest) = (*OPSETS.start(), *OPSETS.end());
        return Err(fault(OnnxFault::OperatorSet { found, oldest, newest }));
    }
    let graph = joined(file.graph.unwrap_or_default());
    let origin = match &file.producer_name[..] {
        env!("CARGO_PKG_NAME") => Origin::Ours,
        "pytorch" => Origin::PyTorch,
        _ => Origin::Other,
    };
    let written = Written { opset: found, origin, bytes: bytes.len() };
    let imported = network(&graph, written).map_err(fault)?;
    check(&imported.network, place, limits)?;
    Ok(imported)
}

/// The part of a graph's network that its outputs depend on.
fn network(graph: &Graph, written: Written) -> std::result::Result<Imported, OnnxFault> {
    let Builder { network, mut weights, .. } = Importer::import(graph, written)?;
    let (reached, layers) = network.ending_at(&network.outputs);
    if reached.inputs.len() != network.inputs.len() {
        return Err(OnnxFault::Graph("has an input that no output depends on".into()));
    }
    let weights = layers.iter().map(|layer| weights[*layer].take()).collect();
    Ok(Imported { network: reached, weights })
}

/// # Errors
/// If the network cannot be, or takes more than is allowed.
fn check(network: &Network, place: &str, limits: &LoadLimits) -> Result<()> {
    let impossible = |error: Error| Error::Onnx {
        place: place.to_owned(),
        fault: OnnxFault::Graph(format!("makes a model that {}", text(&error))),
    };
    let too_much = |fault| Error::ModelFile { place: place.to_owned(), fault };
    let Outline { shapes, .. } = Outline::new(network).map_err(impossible)?;
    limits.check_layers(network, &shapes).map_err(too_much)?;
    let plan = Plan::new(network, Wanted::OfParameters).map_err(impossible)?;
    limits.check_plan(&plan, None).map_err(too_much)
}

/// An error without its subject, if it is one of a model.
fn text(error: &Error) -> String {
    match error {
        Error::Model(problem) => problem.clone(),
        other => format!("cannot be: {other}"),
    }
}
