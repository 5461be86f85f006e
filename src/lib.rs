//! Inkstone trains convolutional networks on the CPU, in safe Rust: the Keras MNIST example, `cargo add inkstone` away,
//! with no C, no Python, no BLAS and no GPU.
//!
//! ```no_run
//! use inkstone::prelude::*;
//!
//! fn main() -> inkstone::Result<()> {
//!     let (train, test) = mnist::load_data()?;
//!
//!     let mut model = Sequential::new([28, 28, 1])
//!         .add(Conv2D::new(32, (3, 3)).activation(Relu))
//!         .add(MaxPooling2D::new((2, 2)))
//!         .add(Conv2D::new(64, (3, 3)).activation(Relu))
//!         .add(MaxPooling2D::new((2, 2)))
//!         .add(Conv2D::new(64, (3, 3)).activation(Relu))
//!         .add(Flatten::new())
//!         .add(Dense::new(64).activation(Relu))
//!         .add(Dense::new(10).activation(Softmax))
//!         .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy])?;
//!
//!     println!("{}", model.summary());
//!     model.fit(&train, FitConfig::new().epochs(5).validation_data(&test))?;
//!     let scores = model.evaluate(&test)?;
//!     println!("Test accuracy: {:.4}", scores.accuracy()?);
//!     Ok(())
//! }
//! ```
//!
//! # Where to look
//!
//! - [`Sequential`] describes a model, [`layers`] are what it is made of, [`Sequential::compile`] makes it a [`Model`].
//! - [`Model::fit`] trains, [`Model::evaluate`] scores, [`Model::predict`] predicts; [`metrics`](mod@metrics) are what
//!   is measured on the way, and [`Model::evaluate_report`] tells class by class what a model got right and wrong.
//! - [`custom`] has the traits of layers, losses and metrics of your own, [`testing`] checks their gradients.
//! - [`Model::save`] and [`Model::load`] keep a model, [`FitConfig::backup`] keeps a training that is interrupted,
//!   [`Model::into_predictor`] makes a model that threads share, [`Model::quantize`] one of 8-bit integers.
//! - [`data::mnist`] loads MNIST, [`data::synthetic`] draws digits, [`data::idx`] reads any file of MNIST's format, and
//!   [`Dataset`] takes arrays of your own; [`data::bad_input`] lists what is said of bad data.
//! - [`ops`] has the operations themselves with their gradients, to read and to learn from.
//!
//! Names, arguments and defaults are those of [Keras](https://keras.io); images are (N, H, W, C), channels last.
//! [For Keras users](for_keras_users) sets calls side by side, and goes from data to a deployed model;
//! [sequences](mod@sequences) has texts, signals and masks; [transfer learning](transfer_learning) goes on from a
//! trained model; [autoencoders](mod@autoencoders) has models that end with an image, [generative](mod@generative)
//! networks that draw them. With the feature `privacy` there is `private_training`, for people's data, and with
//! `protect` there is `from_a_file_to_a_service`, from a model's file to a server.
//!
//! # Debug builds
//!
//! A plain `cargo run` builds dependencies without optimisation. Put this in your `Cargo.toml`, and it trains at full
//! speed too:
//!
//! ```toml
//! [profile.dev.package."*"]
//! opt-level = 3
//! debug-assertions = false
//! overflow-checks = false
//! ```
//!
//! # Features
//!
//! - `download`, on by default: `load_data` fetches MNIST and its relatives where they are missing
//!   ([how](data#downloads)). Without it the crate has no network code at all.
//! - `progress`, on by default: [`Model::fit`] shows a progress bar on a terminal.
//! - `image`, off by default: `data::pictures` reads PNG files as digits in MNIST's form, folders of PNG and JPEG files in
//!   colour, and writes data sets as PNG files.
//! - `csv`, off by default: `data::csv` reads tables and pictures from CSV files, and writes predictions.
//! - `numpy`, off by default: `data::numpy` reads arrays from NumPy's files, `.npy` and `.npz`.
//! - `privacy`, off by default: differentially private training, `privacy::DpSgd`. It takes a cryptographic generator and
//!   the system's random numbers. What reckons epsilon is always there.
//! - `protect`, off by default: `protect` has encrypted files, with models and data sets in them, signatures, licences,
//!   and pseudonyms for names. It takes the library of the format age, with a hundred crates.
//! - `tensorboard`, off by default: `callbacks::TensorBoard` writes what TensorBoard shows: curves of losses, metrics
//!   and learning rates, and histograms of weights.
//! - `plot`, off by default: `report` draws the curves of a training, the confusion matrix, the mistakes, the filters
//!   and the calibration as SVG files, or writes all of it, with the summary and the scores, into one HTML page.
//! - `onnx`, off by default: `Model::export_onnx` writes a model as an ONNX file, which programs in other languages
//!   run; `Model::import_onnx` makes a file of PyTorch, Keras or another program a model that predicts and trains on.
//! - `keras`, off by default: `Model::import_keras` makes a `.keras` file, as `model.save("digits.keras")` of Keras 3 writes
//!   it, a model that predicts as Keras does and trains on. It takes readers of archives and of HDF5, both in Rust alone.
//!
//! # The same seed, the same bits
//!
//! [`Sequential::seed`] fixes initial weights, shuffling and dropout. Training then gives the same bits on any number
//! of threads, on machines with the same instruction set. Between instruction sets there is no such promise, as sums
//! are taken in another order, and multiplications and additions are fused or not: as measured, AVX2 and AVX-512 agree
//! to the bit in forward passes but not in all gradients, and SSE2 agrees with them in few results.
//!
//! # Threads
//!
//! Work runs in [rayon](https://docs.rs/rayon)'s current pool: all cores, or as many as `RAYON_NUM_THREADS` says, or
//! the pool whose `install` you call from. [`Model::fit`] keeps its loop and the callbacks on the thread that calls it,
//! and tells what to mind where that is a thread of the pool itself.
#![forbid(unsafe_code)]

/// What unit tests share with the programs in `tests` names the crate as those do.
#[cfg(test)]
extern crate self as inkstone;

/// The README's program compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

#[macro_use]
mod setters;

mod accounting;
mod aligned;
#[doc = include_str!("autoencoders.md")]
pub mod autoencoders {}
pub mod callbacks;
mod clock;
pub mod custom;
mod cutting;
pub mod data;
pub mod distributed;
mod error;
pub mod evaluation;
mod exec;
mod fit;
#[cfg(test)]
mod fixture;
#[cfg(feature = "protect")]
#[doc = include_str!("from_a_file_to_a_service.md")]
pub mod from_a_file_to_a_service {}
mod functional;
mod gan;
#[doc = include_str!("generative.md")]
pub mod generative {}
#[doc = include_str!("for_keras_users.md")]
pub mod for_keras_users {}
mod history;
#[cfg(feature = "keras")]
mod keras;
mod kernels;
pub mod layers;
mod loss;
mod membership;
pub mod metrics;
mod model;
pub mod models;
mod objective;
#[cfg(feature = "onnx")]
mod onnx;
pub mod ops;
mod optimizer;
mod plan;
mod predictor;
pub mod prelude;
mod pretrained;
pub mod privacy;
#[cfg(feature = "privacy")]
#[doc = include_str!("private_training.md")]
pub mod private_training {}
mod program;
#[cfg(feature = "protect")]
pub mod protect;
mod quantized;
mod random;
#[cfg(feature = "plot")]
pub mod report;
mod saving;
mod sequential;
mod shape;
mod short_floats;
mod simd;
mod summary;
pub mod testing;
mod train;
mod training;
#[doc = include_str!("sequences.md")]
pub mod sequences {}

#[doc = include_str!("transfer_learning.md")]
pub mod transfer_learning {}
mod user_object;
mod whole_file;
mod wire;

/// The array library of every public tensor, so that users need not add it themselves.
pub use ndarray;

pub use data::{Dataset, Inputs, LabelledInputs, Targets};
#[cfg(feature = "keras")]
pub use error::KerasFault;
#[cfg(feature = "onnx")]
pub use error::OnnxFault;
#[cfg(feature = "protect")]
pub use error::{EncryptionFault, TrustFault};
pub use error::{Error, IdxFault, ModelFault, Result};
pub use evaluation::EvaluationReport;
pub use fit::FitConfig;
pub use functional::{Functional, Input, Node, Shared};
pub use gan::{Gan, GanConfig, GanEpoch, GanHistory, GanLoss, GanScores, GanWarning};
pub use history::{Epoch, History};
pub use loss::{
    BinaryCrossentropy, CategoricalCrossentropy, Huber, KlDivergence, Loss, MeanAbsoluteError, MeanSquaredError,
    SparseCategoricalCrossentropy,
};
pub use metrics::{Metric, OutputScores, Scores};
pub use model::{DropoutPrediction, ForwardPass, Gradients, Mode, Model, OutputGradients, Weight};
pub use objective::Objective;
pub use optimizer::{
    Adagrad, Adam, AdamW, Algorithm, BuiltOptimizer, CosineDecay, ExponentialDecay, LearningRate, Lion, Nadam,
    OneCycle, Optimizer, OptimizerOptions, PiecewiseConstantDecay, RmsProp, Sgd, WarmUp,
};
pub use predictor::{Predictor, Scratch, Stream};
pub use pretrained::Pretrained;
pub use quantized::{QuantizedPredictor, QuantizedScratch};
pub use saving::{LoadLimits, LoadOptions, Mismatch};
pub use sequential::Sequential;
pub use shape::{Padding, Shape};
pub use summary::Summary;
pub use training::Interrupt;
