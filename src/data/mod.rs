//! Getting data in: IDX files, MNIST, and arrays of one's own.

pub mod idx;
pub mod mnist;

mod dataset;

pub use dataset::Dataset;
pub(crate) use dataset::{Pixels, check_finite};
