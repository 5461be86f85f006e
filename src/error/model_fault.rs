//! Decides how it is told what is wrong with a model file.

use std::fmt;

/// What is wrong with the content of a model file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelFault {
    /// The path is a folder, a device or a pipe.
    #[error("expected a model file, found a folder, a device or a pipe: give the path of a file")]
    NotAFile,
    /// It ends before its header starts.
    #[error(
        "expected a safetensors file, which starts with 8 bytes for the length of its header, the file ends after {found}"
    )]
    TooShort {
        /// How many bytes there are.
        found: u64,
    },
    /// The header is longer than any that is read.
    #[error(
        "expected a header of at most {limit} bytes, the file promises {found}: it is damaged, or no safetensors file"
    )]
    HeaderTooLarge {
        /// What its first 8 bytes say.
        found: u64,
        /// The most that is read.
        limit: u64,
    },
    /// It is shorter or longer than its header says.
    #[error("expected a file of {expected} bytes, as its header says, found {found}: it was cut off or damaged")]
    Length {
        /// What the header says.
        expected: u64,
        /// How many bytes there are.
        found: u64,
    },
    /// The header makes no sense.
    #[error("expected the header of a safetensors file, found something else ({0})")]
    Header(String),
    /// It is a safetensors file that something else wrote, so there is no model in it.
    #[error(
        "expected a model that Inkstone saved, found a safetensors file of another origin (no `inkstone` in its metadata): \
         `load_weights` takes weights from it, if they have the names and shapes of the model's"
    )]
    OtherOrigin,
    /// It holds weights only.
    #[error(
        "expected a model, found weights only, as `save_weights` writes them: build the model, then `load_weights` into it"
    )]
    WeightsOnly,
    /// It holds a quantized model.
    #[error("expected a model, found a quantized one, which only predicts: `QuantizedPredictor::load` takes it")]
    Quantized,
    /// It holds no quantized model.
    #[error(
        "expected a quantized model, as `QuantizedPredictor::save` writes it, found one of floats, or weights: `Model::load` \
         takes a model, and `quantize` makes it a quantized one"
    )]
    NotQuantized,
    /// It holds the two models of a GAN.
    #[error("expected a model, found the two of a GAN: `Gan::resume` takes them")]
    Gan,
    /// It holds no GAN.
    #[error("expected the checkpoint of a GAN, as `Gan::save_checkpoint` writes it, found something else")]
    NotAGan,
    /// It has a model, but nothing of its training.
    #[error(
        "expected a checkpoint, as `save_checkpoint` writes them, found a model without the state of its training: `Model::load` \
         takes it"
    )]
    NotACheckpoint,
    /// It is a checkpoint of something else than what is trained.
    #[error(
        "expected a checkpoint of this training, found one of {0}: give each `fit` a folder of its own, or remove what is there"
    )]
    OtherTraining(String),
    /// A newer version of this crate wrote it.
    #[error(
        "expected format version {known}, which inkstone {} reads, found format version {found}, written by {writer}: \
         update the crate",
        env!("CARGO_PKG_VERSION")
    )]
    Version {
        /// The file's format version.
        found: u64,
        /// The newest that is read.
        known: u64,
        /// What the file says of who wrote it.
        writer: String,
    },
    /// The metadata have something that this version does not know.
    #[error(
        "expected metadata of a model, found the unknown entry `{0}`: something else changed the file, or it is damaged"
    )]
    UnknownEntry(String),
    /// The metadata make no sense.
    #[error(
        "expected metadata of a model, found something else ({0}): something else changed the file, or it is damaged"
    )]
    Metadata(String),
    /// The metadata describe a model that cannot be.
    #[error("expected a model that can be, found one where {0}")]
    Description(String),
    /// It describes a model with a custom layer, loss or metric whose type the program has not named, or whose type
    /// refuses its configuration.
    #[error("expected a model whose types are all known, found one that {0}")]
    CustomObject(String),
    /// It describes a model that takes more memory or time than is allowed.
    #[error(
        "expected a model that takes at most {limit} {what}, found one that takes at least {needed}: if you trust the file, load it \
         with `LoadLimits::new().{setting}({needed})`, for example by `Model::load_with`"
    )]
    Limit {
        /// What it takes too much of.
        what: &'static str,
        /// How much it takes.
        needed: u64,
        /// How much it may take.
        limit: u64,
        /// The setting of [`LoadLimits`](crate::LoadLimits).
        setting: &'static str,
    },
    /// The content is not what was written.
    #[error("expected content of checksum {expected}, found {found}: the file is damaged, use a copy of it")]
    Checksum {
        /// What the file says.
        expected: String,
        /// What its content has.
        found: String,
    },
    /// The weights are not those of the model.
    #[error("expected the weights of the model, found others:{}", weight_lines(missing, extra, different))]
    Weights {
        /// The model's weights that are not in the file.
        missing: Vec<String>,
        /// The file's weights that are not in the model.
        extra: Vec<String>,
        /// Those of another shape or type, with both.
        different: Vec<String>,
    },
    /// Which of a PyTorch file's modules is which layer is not clear.
    #[error(
        "expected names that tell which of the modules {} is which of the layers {}, found none or another order: give a \
         map, as in `load_torch_weights_with(path, &[({:?}, {:?}), ...])`",
        modules.join(", "), layers.join(", "), layers.first().map_or("", |name| name), modules.first().map_or("", |name| name)
    )]
    TorchModules {
        /// The layers whose weights have the same names and shapes, or whose order is another than the file's.
        layers: Vec<String>,
        /// The modules of the file.
        modules: Vec<String>,
    },
    /// It is a file of this library, not of PyTorch.
    #[error("expected the weights of a PyTorch module, found a file of Inkstone's: read it with `Model::load_weights`")]
    NotTorch,
    /// A weight, or another number that must be finite, is NaN or infinite.
    #[error(
        "expected finite values, found {value} in {name}, at index {index} of its values: use a copy from before that"
    )]
    NotFinite {
        /// The weight.
        name: String,
        /// Its place among the weight's values, in memory order.
        index: usize,
        /// The value.
        value: f32,
    },
}

/// How many weights of a kind are listed.
const LISTED: usize = 20;

fn weight_lines(missing: &[String], extra: &[String], different: &[String]) -> impl fmt::Display + use<> {
    let mut lines = String::new();
    for (what, weights) in [("missing", missing), ("extra", extra), ("different", different)] {
        for weight in weights.iter().take(LISTED) {
            lines.push_str(&format!("\n  {what}: {weight}"));
        }
        if weights.len() > LISTED {
            lines.push_str(&format!("\n  {what}: {} more", weights.len() - LISTED));
        }
    }
    lines
}
