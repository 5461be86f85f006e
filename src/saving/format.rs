//! The format of model files: safetensors with one metadata entry, `inkstone`, which contains JSON.
//!
//! ```json
//! {"format_version": 1, "library": "0.1.0", "crc32": "0a1b2c3d", "model": {"input": ..., "layers": [...], ...}}
//! ```
//!
//! A file of weights alone has no `model`. A checkpoint has format version 2, an entry `training` beside `model`, and
//! tensors for it (`training.rs` tells which); all else is written with version 1, for what reads only that. The
//! checksum goes over the texts of `model` and `training`, byte for byte as they stand there, then over the data of all
//! tensors in the order of their names. It is a CRC-32, not a cryptographic hash: it protects against damage, not
//! malice; it finds every change of one or two bits in files of up to 512 MB and
//! every burst of up to 32 bits, and lets other damage pass once in four thousand million times; and it comes with
//! `flate2` anyway.
//!
//! Additions get a new format version, which older versions of the crate refuse by its number.

use crate::layers::Layer;
use crate::loss::Loss;
use crate::metrics::Metric;
use crate::optimizer::Optimizer;
use crate::shape::Shape;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// The version of the format that models and weights are written in.
pub(super) const MODEL_VERSION: u64 = 1;

/// The version of the format that checkpoints are written in, and the newest that is read.
pub(super) const CHECKPOINT_VERSION: u64 = 2;

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
}

/// All of a model but its weights.
#[derive(Serialize, Deserialize)]
pub(super) struct Description<'a> {
    pub(super) input: Shape,
    pub(super) layers: Cow<'a, [Layer]>,
    pub(super) seed: u64,
    pub(super) optimizer: Cow<'a, Optimizer>,
    pub(super) loss: Cow<'a, Loss>,
    pub(super) metrics: Cow<'a, [Metric]>,
    pub(super) epochs: u32,
}
