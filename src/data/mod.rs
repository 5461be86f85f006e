//! Getting data in: IDX files, MNIST, and arrays of one's own; parts of data sets, scaling, cleaning.

pub mod idx;
pub mod mnist;
pub mod synthetic;

mod augment;
mod categorical;
mod cleaning;
mod dataset;
mod images;
mod map;
mod parts;
mod scaling;

pub use augment::Augment;
pub use categorical::to_categorical;
pub use cleaning::Oddities;
pub use dataset::Dataset;
pub(crate) use dataset::{Pixels, Stored};
pub(crate) use images::OrderedImages;
pub use images::{Images, LabelledImages};
pub use scaling::Normalization;
