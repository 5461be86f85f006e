//! Decides what an ONNX file is among our models. `file` reads and checks it, `graph` walks through its nodes, `value` keeps
//! track of where their axes lie in ours, and a file for each family of operators makes them layers.

mod activation;
mod arithmetic;
mod constants;
mod convolution;
mod cutting;
mod dense;
mod file;
mod graph;
mod group_norms;
mod inputs;
mod network;
mod node;
mod normalization;
mod pooling;
mod recurrent;
mod resize;
mod shaping;
mod tensors;
#[cfg(test)]
mod tests;
mod value;
mod windows;
mod written_out;

use crate::error::Result;
use crate::model::Model;
use crate::objective::Objective;
use crate::optimizer::Adam;
use crate::plan::{Plan, Wanted};
use crate::pretrained::Pretrained;
use crate::random::fresh_seed;
use crate::saving::LoadLimits;
use file::Imported;
use std::path::Path;

/// What errors call bytes that come from no file.
const BYTES: &str = "the ONNX file";

/// Importing ONNX. A file that [PyTorch](https://docs.pytorch.org/docs/stable/onnx.html), Keras, tf2onnx or
/// [`export_onnx`](Model::export_onnx) has written becomes a model that predicts what ONNX Runtime does, but for rounding, and
/// trains on.
///
/// The operators are those of opset 9 to 28 that our layers express: convolutions (groups, dilations, any padding) and
/// transposed ones, poolings, dense layers (`Gemm`, `MatMul`), normalizations, activation functions, `Add`, `Mul`, `Concat`
/// and the like, recurrent layers in one or both directions, `Resize` by whole numbers, and what moves axes. Any other is an
/// error that names the node.
///
/// - Images: ONNX has the channels first, this crate has them last. An input (N, channels, height, width) becomes
///   (height, width, channels), and an output of that form as well; sequences (N, channels, steps) likewise. An input that
///   the graph itself turns, as Keras' exports do, stays as it is. Kernels behind a `Flatten` are turned, so that what comes
///   out is the same.
/// - The batch is the first axis, or the second where a recurrent operator reads an input directly; the sizes of all other
///   axes must be fixed in the file.
/// - `LogSoftmax` at the end becomes a softmax: the output is the probabilities, not their logarithms, which is what our losses
///   read.
/// - `Dropout` leaves no trace, as in most exports: add it again with a description of your own if training is to have it.
impl Model {
    /// Imports an ONNX file as a model that predicts at once, and trains on: with Adam, and for each output the loss that fits
    /// its last function: [`SparseCategoricalCrossentropy`](crate::SparseCategoricalCrossentropy) with the accuracy behind a softmax of a vector,
    /// [`BinaryCrossentropy`](crate::BinaryCrossentropy) behind a sigmoid, otherwise [`MeanSquaredError`](crate::MeanSquaredError). [`Pretrained::import_onnx`] leaves the choice to
    /// you.
    ///
    /// Only with the feature `onnx`.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) if the file cannot be read, [`Error::Onnx`](crate::Error::Onnx) if it is no ONNX file or
    /// has a node that no layer expresses, [`Error::ModelFile`](crate::Error::ModelFile) if the model exceeds the default
    /// [`LoadLimits`].
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// let path = tempfile::tempdir().unwrap().keep().join("digits.onnx");
    /// let model = Sequential::new([28, 28, 1])
    ///     .add(Conv2D::new(4, (3, 3)).strides((2, 2)).activation(Relu))
    ///     .add(Flatten::new())
    ///     .add(Dense::new(10).activation(Softmax))
    ///     .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy])?;
    /// model.export_onnx(&path)?;
    /// let digits = inkstone::data::synthetic::digits(100, 1)?;
    /// let mut imported = Model::import_onnx(&path)?;
    /// assert_eq!(imported.predict(&digits)?, model.predict(&digits)?);
    /// imported.fit(&digits, FitConfig::new().epochs(1).verbose(0))?;
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn import_onnx(path: impl AsRef<Path>) -> Result<Self> {
        compiled(Pretrained::import_onnx(path)?)
    }

    /// As [`import_onnx`](Self::import_onnx), of the bytes of a file.
    ///
    /// Only with the feature `onnx`.
    ///
    /// # Errors
    /// As [`import_onnx`](Self::import_onnx).
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// let model = Sequential::new([2]).add(Dense::new(3)).compile(Adam::default(), MeanSquaredError, [])?;
    /// let imported = Model::from_onnx(&model.to_onnx()?)?;
    /// assert_eq!(imported.get_weight("dense/kernel")?, model.get_weight("dense/kernel")?);
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn from_onnx(bytes: &[u8]) -> Result<Self> {
        compiled(Pretrained::from_onnx(bytes, LoadLimits::new())?)
    }
}

/// Importing ONNX, to be compiled with a loss and an optimizer of one's own, or made a part of another network.
impl Pretrained {
    /// Imports an ONNX file as a network with weights. What is read is described at [`Model::import_onnx`].
    ///
    /// Only with the feature `onnx`.
    ///
    /// # Errors
    /// As [`Model::import_onnx`].
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// let path = tempfile::tempdir().unwrap().keep().join("digits.onnx");
    /// Sequential::new([784])
    ///     .add(Dense::new(32).activation(Relu))
    ///     .add(Dense::new(10).activation(Softmax))
    ///     .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [])?
    ///     .export_onnx(&path)?;
    /// let model = Pretrained::import_onnx(&path)?
    ///     .freeze_layers(["dense"])?
    ///     .compile(Sgd::new(0.01), CategoricalCrossentropy::default(), [Accuracy])?;
    /// assert!(model.summary().to_string().contains("Non-trainable params: 25,120"));
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn import_onnx(path: impl AsRef<Path>) -> Result<Self> {
        Self::import_onnx_with(path, LoadLimits::new())
    }

    /// As [`import_onnx`](Self::import_onnx), with limits of one's own on what the model may take.
    ///
    /// Only with the feature `onnx`.
    ///
    /// # Errors
    /// As [`Model::import_onnx`].
    ///
    /// ```
    /// use inkstone::LoadLimits;
    /// use inkstone::prelude::*;
    /// let path = tempfile::tempdir().unwrap().keep().join("digits.onnx");
    /// let model = Sequential::new([784]).add(Dense::new(10)).compile(Adam::default(), MeanSquaredError, [])?;
    /// model.export_onnx(&path)?;
    /// assert!(Pretrained::import_onnx_with(&path, LoadLimits::new().operations(1000)).is_err());
    /// assert!(Pretrained::import_onnx_with(&path, LoadLimits::unlimited()).is_ok());
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn import_onnx_with(path: impl AsRef<Path>, limits: LoadLimits) -> Result<Self> {
        let path = path.as_ref();
        imported(&file::read(path)?, &path.display().to_string(), &limits)
    }

    /// As [`import_onnx_with`](Self::import_onnx_with), of the bytes of a file.
    ///
    /// Only with the feature `onnx`.
    ///
    /// # Errors
    /// As [`Model::import_onnx`].
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// use inkstone::LoadLimits;
    /// let error = Pretrained::from_onnx(b"no model", LoadLimits::new()).unwrap_err();
    /// assert!(error.to_string().starts_with("the ONNX file: expected an ONNX file, found something else"));
    /// ```
    pub fn from_onnx(bytes: &[u8], limits: LoadLimits) -> Result<Self> {
        imported(bytes, BYTES, &limits)
    }
}

fn imported(bytes: &[u8], place: &str, limits: &LoadLimits) -> Result<Pretrained> {
    let Imported { network, weights } = file::import(bytes, place, limits)?;
    Ok(Pretrained::with_weights(network, weights, fresh_seed()))
}

/// A model with the losses that fit its outputs.
fn compiled(pretrained: Pretrained) -> Result<Model> {
    let heads = Plan::new(pretrained.network(), Wanted::OfParameters)?.heads;
    let objectives: Vec<Objective> = heads.iter().map(|head| Objective::fitting(head.function, head.shape)).collect();
    pretrained.compile_with(Adam::default(), objectives)
}
