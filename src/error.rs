//! Errors: where, what was expected, what was found, what to do. One variant a kind of fault, by
//! who can mend it: the environment, a file, the description of a model, the data, or a training run.

#[cfg(feature = "protect")]
mod encryption_fault;
#[cfg(feature = "keras")]
mod keras_fault;
mod model_fault;
#[cfg(feature = "onnx")]
mod onnx_fault;
#[cfg(feature = "protect")]
mod trust_fault;

#[cfg(feature = "protect")]
pub use encryption_fault::EncryptionFault;
#[cfg(feature = "keras")]
pub use keras_fault::KerasFault;
pub use model_fault::ModelFault;
#[cfg(feature = "onnx")]
pub use onnx_fault::OnnxFault;
#[cfg(feature = "protect")]
pub use trust_fault::TrustFault;

use std::fmt;
use std::io;
use std::path::PathBuf;

/// What the fallible functions of this crate return.
pub type Result<T> = std::result::Result<T, Error>;

/// Everything that can go wrong.
///
/// ```
/// use inkstone::prelude::*;
/// let error = Sequential::new([28, 28, 1])
///     .add(Dense::new(10).activation(Softmax))
///     .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy])
///     .unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "layer 0 (Dense) expects a vector, got (28, 28, 1): add `Flatten` before it"
/// );
/// ```
/// `{:?}` gives the same text as `{}`, because that is what a `main` that returns an error prints.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused: the file is missing, unreadable, or its disk failed.
    #[error("{place}: {source}")]
    Io {
        /// The file or folder.
        place: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// A file could not be written. What was there before is still there.
    #[error("{place} was not written: {reason}")]
    NotWritten {
        /// The file.
        place: String,
        /// Why, and what to do.
        reason: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// A file is not the model file it should be.
    #[error("{place}: {fault}")]
    ModelFile {
        /// The file, or what the caller named it.
        place: String,
        /// What is wrong with its content.
        fault: ModelFault,
    },
    /// A file is not an ONNX file that is imported.
    #[cfg(feature = "onnx")]
    #[error("{place}: {fault}")]
    Onnx {
        /// The file, or what the caller named it.
        place: String,
        /// What is wrong with its content.
        fault: OnnxFault,
    },
    /// A file is not a `.keras` file that is imported.
    #[cfg(feature = "keras")]
    #[error("{place}: {fault}")]
    Keras {
        /// The file, or what the caller named it.
        place: String,
        /// What is wrong with its content.
        fault: KerasFault,
    },
    /// A file is not the IDX file it should be.
    #[error("{place}: {fault}")]
    Idx {
        /// The file, or what the caller named it.
        place: String,
        /// What is wrong with its content.
        fault: IdxFault,
    },
    /// An encrypted file was not opened.
    #[cfg(feature = "protect")]
    #[error("{place}: {fault}")]
    Encrypted {
        /// The file, or what the caller named it.
        place: String,
        /// Why.
        fault: EncryptionFault,
    },
    /// The signature or the licence of a file was not accepted.
    #[cfg(feature = "protect")]
    #[error("{place}: {fault}")]
    NotTrusted {
        /// The signature or the licence.
        place: String,
        /// Why.
        fault: TrustFault,
    },
    /// Keys or a passphrase are not what they should be. They are never shown.
    #[cfg(feature = "protect")]
    #[error("{0}")]
    Key(String),
    /// A data set's files were found nowhere.
    #[error("{}", missing_data(name, searched, files, mirror))]
    MissingData {
        /// The data set.
        name: &'static str,
        /// The folders that were searched, in order.
        searched: Vec<PathBuf>,
        /// The files that one of them must hold, each plain or with `.gz` added.
        files: Vec<&'static str>,
        /// A folder on the network that has them.
        mirror: &'static str,
    },
    /// No mirror gave a file as it should be.
    #[error(
        "{name}: {file} could not be downloaded:\n  {}\nPut it into {} by hand, set INKSTONE_DATA to a folder that has all files, \
         or INKSTONE_MIRROR to the address of a folder that serves them.",
        attempts.join("\n  "),
        folder.display()
    )]
    Download {
        /// The data set.
        name: &'static str,
        /// The file.
        file: String,
        /// Where it was to be put.
        folder: PathBuf,
        /// Each address that was asked, with what was wrong.
        attempts: Vec<String>,
    },
    /// A picture is none, or not what it should be.
    #[error("{place}: {problem}")]
    Picture {
        /// The file or folder.
        place: String,
        /// What was expected, and what was found.
        problem: String,
    },
    /// A layer cannot work where it stands.
    #[error("layer {index} ({kind}{}) {problem}", name.as_ref().map_or(String::new(), |name| format!(" {name:?}")))]
    Layer {
        /// Its index in the model, from 0.
        index: usize,
        /// Its type.
        kind: &'static str,
        /// The name that it was given.
        name: Option<String>,
        /// What it expects, what it got, what to do.
        problem: String,
    },
    /// The description of a model cannot be read.
    #[error("the description of the model{}{path}: {problem}", if path.is_empty() { "" } else { ", at " })]
    Json {
        /// The place of the problem, as in `layers[2].Conv2D.filters`; empty if it is all of the text.
        path: String,
        /// What was expected, what was found, and the line and column where.
        problem: String,
    },
    /// A gradient is not the central difference of what it is the gradient of: the backward pass and the forward pass
    /// do not belong together.
    #[error(
        "the gradient of {of} at {index:?} is {received}, expected {expected} within {tolerance}, the central difference of the \
         forward pass: correct the backward pass or, where the function has a kink, set a smaller `GradientCheck::step`"
    )]
    Gradient {
        /// The weight, as in `scale/factors`, or `the input`.
        of: String,
        /// The index of the value.
        index: Vec<usize>,
        /// The central difference.
        expected: f32,
        /// The gradient.
        received: f32,
        /// How far from the difference the gradient may be.
        tolerance: f32,
    },
    /// A model as a whole cannot work.
    #[error("the model {0}")]
    Model(String),
    /// A setting has a value that is out of range.
    #[error("{name} must be {expected}, got {received}")]
    Setting {
        /// The setting, as the caller writes it.
        name: &'static str,
        /// What it may be.
        expected: &'static str,
        /// What it was.
        received: String,
    },
    /// Images, labels or weights do not fit each other, or do not fit the model.
    #[error("{0}")]
    Data(String),
    /// A callback cannot do what it is asked to.
    #[error("{0}")]
    Callback(String),
    /// The ranks of a training by several processes cannot work together: one has failed, cannot be reached, or does something
    /// else than the others.
    #[error("{0}")]
    Distributed(String),
    /// The loss became NaN or infinite. The step was not taken.
    #[error(
        "the loss became {loss} in epoch {epoch}, step {step}: lower the learning rate, or look for extreme values in the data"
    )]
    Diverged {
        /// The epoch, from 1: of this call of `fit`, or for a single batch of the model's life.
        epoch: usize,
        /// The step, from 1: in that epoch for `fit`, or for a single batch of the model's life.
        step: usize,
        /// The loss.
        loss: f64,
    },
    /// A step made a weight, or what the optimizer keeps for one, NaN or infinite, while the loss still was finite.
    #[error("{name} became {value} in epoch {epoch}: lower the learning rate, or look for extreme values in the data")]
    WeightDiverged {
        /// The epoch, from 1.
        epoch: usize,
        /// The weight, as in `dense/kernel`; what the optimizer keeps for it, as in `optimizer/velocity/dense/kernel`.
        name: String,
        /// The value.
        value: f32,
    },
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What is wrong with the content of an IDX file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdxFault {
    /// It ends before its header does.
    #[error("expected an IDX header of {expected} bytes, the file ends after {found}")]
    ShortHeader {
        /// The header's length.
        expected: usize,
        /// How many bytes there are.
        found: usize,
    },
    /// It does not start with two zero bytes.
    #[error("expected an IDX file, whose first two bytes are 0 0, found {:#04x} {:#04x}", found[0], found[1])]
    Magic {
        /// The first two bytes.
        found: [u8; 2],
    },
    /// Its elements are not unsigned bytes.
    #[error("expected elements of type 0x08 (unsigned byte), found type {found:#04x}")]
    ElementType {
        /// The third byte.
        found: u8,
    },
    /// It has no dimension, or too many.
    #[error("expected 1 to 4 dimensions, found {found}")]
    Dimensions {
        /// The fourth byte.
        found: u8,
    },
    /// A dimension is zero.
    #[error("expected dimensions of at least 1, found {}", dimensions(shape))]
    ZeroDimension {
        /// All dimensions.
        shape: Vec<usize>,
    },
    /// The dimensions promise more than any such file holds.
    #[error("expected at most {limit} elements, the header promises {}", dimensions(shape))]
    TooLarge {
        /// All dimensions.
        shape: Vec<usize>,
        /// The most that is read.
        limit: usize,
    },
    /// The data end too soon.
    #[error("expected {expected} bytes of data for {}, the file ends after {found}", dimensions(shape))]
    Truncated {
        /// All dimensions.
        shape: Vec<usize>,
        /// How many bytes they need.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// Something follows the data.
    #[error("expected {expected} bytes of data for {}, the file goes on after them", dimensions(shape))]
    TooLong {
        /// All dimensions.
        shape: Vec<usize>,
        /// How many bytes they need.
        expected: usize,
    },
    /// It is compressed, and damaged.
    #[error("expected a whole gzip stream, found a damaged one ({0}): fetch the file again")]
    Gzip(io::Error),
    /// It is a valid IDX file, but of another shape than expected.
    #[error("expected {expected}, found {}", dimensions(shape))]
    Shape {
        /// What was expected.
        expected: String,
        /// All dimensions.
        shape: Vec<usize>,
    },
    /// It is a valid IDX file of labels, but one is out of range.
    #[error("expected labels from {smallest} to {largest}, found {found} at index {index}")]
    Label {
        /// The smallest that makes sense.
        smallest: u8,
        /// The largest that makes sense.
        largest: u8,
        /// The one that does not.
        found: u8,
        /// Its place.
        index: usize,
    },
}

/// Dimensions as people write them: `60000 x 28 x 28`.
fn dimensions(shape: &[usize]) -> impl fmt::Display + use<> {
    shape.iter().map(usize::to_string).collect::<Vec<_>>().join(" x ")
}

fn missing_data(name: &str, searched: &[PathBuf], files: &[&str], mirror: &str) -> String {
    let searched = searched.iter().map(|folder| format!("  {}", folder.display())).collect::<Vec<_>>().join("\n");
    format!(
        "{name} was not found. Searched:\n{searched}\nWanted, in one of these folders, plain or with .gz added:\n  {}\n\
         Put them there, or, for `load_data`, set INKSTONE_DATA to the folder that holds them. Mirrors such as \
         {mirror} have them.",
        files.join("\n  ")
    )
}
