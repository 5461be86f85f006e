//! Layers, losses and metrics of your own, which go where the crate's go: into [`compile`](crate::Sequential::compile),
//! `fit`, `save` and `load`.
//!
//! Each is a type of yours that implements a trait, [`CustomLayer`], [`CustomLoss`] or [`CustomMetric`]. Its fields are
//! its settings: their serde form is what a file keeps of it, under the trait's `NAME`, so it derives `Serialize` and
//! `Deserialize` (`cargo add serde --features derive`). A program that loads such a file names the types in
//! [`CustomObjects`], as in Keras with `custom_objects`.

pub use crate::data::Target;
pub use crate::loss::{AnyLoss, CustomLoss};
pub use crate::metrics::{AnyMetric, CustomMetric, Direction};
pub use crate::program::{
    AnyLayer, CustomLayer, LayerBackward, LayerForward, LayerWeight, WeightGradients, WeightValues,
};
pub use crate::saving::CustomObjects;
