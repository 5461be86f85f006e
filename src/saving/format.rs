//! The format of model files: safetensors with one metadata entry, `inkstone`, which contains JSON.
//!
//! ```json
//! {"format_version": 3, "library": "0.1.0", "crc32": "0a1b2c3d", "model": {"network": {"inputs": [...], "layers": [...]}, ...}}
//! ```
//!
//! A file of weights alone has no `model`, and is written with version 1, for what reads only that. A checkpoint has an
//! entry `training` beside `model`, and tensors for it (`training.rs` tells which). A quantized model has an entry
//! `quantized` instead, and version 4 (`quantized.rs`). Versions 1, of models, and 2, of
//! checkpoints, described a chain of layers with one loss: `{"input": ..., "layers": [...], "loss": ..., "metrics":
//! [...], ...}`; they are read still. The checksum goes over the texts of `model`, `training` and `quantized`, byte for byte as they
//! stand there, then over the data of all tensors in the order of their names. It is a CRC-32, not a cryptographic
//! hash: it protects against damage, not malice; it finds every change of one or two bits in files of up to 512 MB and
//! every burst of up to 32 bits, and lets other damage pass once in four thousand million times; and it comes with
//! `flate2` anyway.
//!
//! Additions get a new format version, which older versions of the crate refuse by its number.

use crate::accounting::Accountant;
use crate::data::TextVectorization;
use crate::layers::{Layer, Network};
use crate::loss::Loss;
use crate::metrics::Metric;
use crate::objective::Objective;
use crate::optimizer::Optimizer;
use crate::shape::Shape;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// The version of the format that weights alone are written in, and that models were once.
pub(super) const WEIGHTS_VERSION: u64 = 1;

/// The version that checkpoints were once written in.
pub(super) const CHAIN_CHECKPOINT_VERSION: u64 = 2;

/// The version that models and checkpoints are written in: the first with calls of layers.
pub(super) const NETWORK_VERSION: u64 = 3;

/// The version that quantized models are written in, and the newest that is read.
pub(super) const QUANTIZED_VERSION: u64 = 4;

/// The metadata's entry.
pub(super) const ENTRY: &str = "inkstone";

/// The longest header that is written or read: a model of some thousand layers.
pub(super) const MAX_HEADER: u64 = 1 << 20;

/// The version alone, which files of any version have.
#[derive(Deserialize)]
pub(super) struct Version {
    pub(super) format_version: u64,
    #[serde(default)]
    pub(super) library: String,
}

/// All of the entry.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Envelope {
    pub(super) format_version: u64,
    /// The version of this crate that wrote the file.
    pub(super) library: String,
    /// Eight hexadecimal digits.
    pub(super) crc32: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) model: Option<Box<RawValue>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) training: Option<Box<RawValue>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) quantized: Option<Box<RawValue>>,
}

/// All of a model but its weights.
#[derive(Serialize, Deserialize)]
pub(super) struct Description<'a> {
    pub(super) network: Cow<'a, Network>,
    pub(super) seed: u64,
    pub(super) optimizer: Cow<'a, Optimizer>,
    /// One for each output.
    pub(super) objectives: Vec<Objective>,
    pub(super) epochs: u32,
    /// How tokens are made of texts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) text_vectorization: Option<Cow<'a, TextVectorization>>,
    /// What private trainings have told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) privacy: Option<Cow<'a, Accountant>>,
}

/// The same before version 3: a chain of layers.
#[derive(Deserialize)]
pub(super) struct ChainDescription {
    input: Shape,
    layers: Vec<Layer>,
    seed: u64,
    optimizer: Optimizer,
    loss: Loss,
    metrics: Vec<Metric>,
    epochs: u32,
}

impl From<ChainDescription> for Description<'_> {
    fn from(chain: ChainDescription) -> Self {
        let ChainDescription { input, layers, seed, optimizer, loss, metrics, epochs } = chain;
        Self {
            network: Cow::Owned(Network::chain(input, layers)),
            seed,
            optimizer: Cow::Owned(optimizer),
            objectives: vec![Objective::new(loss).metrics(metrics)],
            epochs,
            text_vectorization: None,
            privacy: None,
        }
    }
}
