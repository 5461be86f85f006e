//! Getting data in: IDX files, MNIST and its relatives, drawn digits, and arrays of one's own; parts of data sets,
//! scaling, cleaning, augmentation.
//!
//! # Downloads
//!
//! With the feature `download`, which is on by default, `load_data` of [`mnist`], [`fashion_mnist`] and [`kmnist`]
//! fetches files that are nowhere. It asks several mirrors in turn, over plain HTTP: every file is known by a SHA-256
//! in this crate's source, so nobody on the way can change it unnoticed, nothing secret is sent, and TLS libraries
//! would need a C compiler. A file is complete and checked before it gets its name, so an interrupted download leaves
//! nothing that is later believed, and two processes at once don't harm each other.
//!
//! | environment variable | |
//! | --- | --- |
//! | `INKSTONE_DATA` | the folder to look in first, and to download to; otherwise the user's cache folder |
//! | `INKSTONE_MIRROR` | addresses of folders to ask first, with spaces between them |
//! | `INKSTONE_OFFLINE` | anything but `0`: nothing is downloaded |
//! | `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY` | as usual |

#[doc = include_str!("bad_input.md")]
pub mod bad_input {}

pub mod fashion_mnist;
pub mod idx;
pub mod kmnist;
pub mod mnist;
#[cfg(feature = "image")]
pub mod pictures;
pub mod synthetic;

mod augment;
mod categorical;
mod checks;
mod cleaning;
mod concat;
mod dataset;
#[cfg(feature = "download")]
mod download;
mod example;
mod family;
mod gzip;
mod inputs;
mod labelled;
mod map;
mod open;
mod parts;
mod scaling;
mod targets;
mod values;

pub use augment::{Augment, Flip};
pub use categorical::to_categorical;
pub use cleaning::Oddities;
pub use dataset::Dataset;
pub(crate) use dataset::{Pixels, Stored};
pub use example::{Example, ExampleIter};
pub use inputs::Inputs;
pub(crate) use inputs::OrderedImages;
pub use labelled::LabelledInputs;
pub(crate) use labelled::OrderedExamples;
pub use scaling::Normalization;
pub(crate) use targets::{OrderedTargets, TargetRows};
pub use targets::{Target, Targets};
pub use values::Values;
