//! Inkstone trains convolutional networks on the CPU.
#![forbid(unsafe_code)]

mod aligned;
pub mod data;
mod error;
mod exec;
mod fit;
mod history;
mod kernels;
pub mod layers;
mod loss;
mod metrics;
mod model;
mod optimizer;
mod plan;
pub mod prelude;
mod random;
mod sequential;
mod shape;
mod simd;
mod summary;
mod train;

pub use data::Dataset;
pub use error::{Error, IdxFault, Result};
pub use fit::FitConfig;
pub use history::{Epoch, History};
pub use loss::{Loss, SparseCategoricalCrossentropy};
pub use metrics::{Metric, Scores};
pub use model::{Model, Weight};
pub use optimizer::{Adam, Optimizer, Sgd};
pub use sequential::Sequential;
pub use shape::{Padding, Shape};
pub use summary::Summary;
