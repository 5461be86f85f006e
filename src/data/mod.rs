//! Loading data: IDX files, MNIST and its relatives, drawn digits, texts, and your own arrays; parts of data sets,
//! scaling, cleaning, augmentation; sequences of one length.
//!
//! # More than the memory holds
//!
//! A [`Dataset`] is all in memory. [`FileBatches`] reads IDX and `.npy` files in pieces of some megabytes, and
//! [`batches_of_epochs`] makes batches as they are needed; [`Model::fit_batches`](crate::Model::fit_batches) trains on both, while
//! a thread prepares the next batch, and [`evaluate_batches`](crate::Model::evaluate_batches) and
//! [`predict_batches`](crate::Model::predict_batches) go through them. A file may be of any size: the memory that a training takes
//! depends on its batches alone.
//!
//! # Downloads
//!
//! With the feature `download`, which is on by default, `load_data` of [`mnist`], [`fashion_mnist`] and [`kmnist`]
//! downloads missing files. It tries several mirrors in turn, over plain HTTP: this crate's source has the SHA-256 of
//! every file, so tampering is detected, nothing secret is sent, and TLS libraries would need a C compiler. A file is
//! verified before it gets its name, so an interrupted download leaves no broken file, and two processes can download
//! at once.
//!
//! | environment variable | |
//! | --- | --- |
//! | `INKSTONE_DATA` | the folder to search first, and to download to; by default the user's cache folder |
//! | `INKSTONE_MIRROR` | URLs of folders to try first, separated by spaces |
//! | `INKSTONE_OFFLINE` | any value but `0` disables downloads |
//! | `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY` | as usual |

#[doc = include_str!("bad_input.md")]
pub mod bad_input {}

#[cfg(feature = "csv")]
pub mod csv;
pub mod emnist;
pub mod fashion_mnist;
pub mod idx;
pub mod kmnist;
pub mod mnist;
#[cfg(feature = "numpy")]
pub mod numpy;
#[cfg(feature = "image")]
pub mod pictures;
pub mod qmnist;
pub mod synthetic;

mod augment;
mod batches;
mod categorical;
mod checks;
mod cleaning;
mod concat;
mod dataset;
#[cfg(feature = "download")]
mod download;
mod element;
#[cfg(feature = "protect")]
mod encrypted;
mod example;
mod family;
mod gzip;
mod ids;
mod image_targets;
mod inputs;
mod labelled;
mod map;
mod moments;
mod open;
mod pad_sequences;
mod parts;
mod scaling;
mod sequences;
mod targets;
mod text_vectorization;
mod timeseries;
mod tokens;
mod values;

pub use augment::{Augment, Flip};
pub use batches::{Batch, BatchSource, EpochStart, FileBatches, batches_of_epochs, endless_batches};
pub use categorical::to_categorical;
pub(crate) use checks::first_not_finite;
pub use cleaning::Oddities;
pub use dataset::Dataset;
pub(crate) use dataset::Stored;
pub use example::{Example, ExampleIter};
pub use inputs::Inputs;
pub(crate) use inputs::{OneOrMore, OrderedImages, nouns};
pub use labelled::LabelledInputs;
pub(crate) use labelled::OrderedExamples;
pub(crate) use moments::channel_moments;
pub use pad_sequences::{End, PadSequences};
pub use scaling::Normalization;
pub(crate) use targets::{OrderedTargets, TargetRows};
pub use targets::{Target, Targets};
pub use text_vectorization::TextVectorization;
pub use timeseries::{Timeseries, timeseries_dataset};
pub(crate) use tokens::{MOST_TOKENS, check_tokens};
pub use values::Values;
