//! Decides what a model is in ONNX, the format that other programs run models in, and, in `import`, what a file of it is here. `layers` makes layers operators,
//! `graph` puts them together, `versions` says what reads them, `message` is the file's format.

mod activations;
mod convolutions;
mod graph;
mod import;
mod layers;
mod masks;
mod message;
mod normalizations;
mod per_axis;
mod quantized;
mod recurrent;
mod sequences;
mod shaping;
#[cfg(test)]
mod tests;
mod versions;

use crate::error::{Error, Result};
use crate::layers::{Layer, Network, Source};
use crate::model::Model;
use crate::program::MaskRule;
use crate::saving::check_finite;
use crate::whole_file::write_whole;
use message::{ModelFile, Property};
use prost::Message;
use std::path::Path;

/// No Protocol Buffers message may have more bytes, and no reader takes one.
const MAX_BYTES: usize = i32::MAX as usize;

/// ONNX. An [ONNX](https://onnx.ai) file is run without this crate, by
/// [ONNX Runtime](https://onnxruntime.ai) from Python, C, C#, Java or JavaScript, by
/// [tract](https://docs.rs/tract-onnx) from Rust, and by what phones and boards have for it. It has the layers and the
/// weights, and of the training the seed and how many epochs it took, as metadata.
///
/// - `input`: (batch, height, width, channels), or (batch, features) for a model on vectors: the 32-bit floats that
///   [`predict`](Model::predict) takes. Bytes are to be divided by 255, which `predict` does itself. The batch has any
///   size.
/// - `output`: (batch, classes), or (batch, and any other shape of the output): what [`predict`](Model::predict) gives.
///
/// A network with several inputs has `input_0`, `input_1` and so on, one with several outputs `output_0`, `output_1`
/// and so on.
///
/// The graph turns axes itself, as ONNX' convolutions have channels first. Weights have the names of
/// [`get_weights`](Model::get_weights), and are stored as ONNX' operators take them: a convolution's kernel is
/// (filters, channels, kernel height, kernel width), a dense layer's (features, units). `Dropout` leaves no trace. A
/// [`Predictor`](crate::Predictor) has no layers any more: export the model before.
///
/// A file declares the lowest opset that its operators need, so that old programs read it: 11, in IR version 6, which
/// ONNX Runtime runs from 1.0 on, or 13, in IR version 7, which it runs from 1.6 on (2020), for recurrent layers, means
/// under a mask, a `Softmax` over the channels of images, and quantized models. With `pip install onnxruntime`, Python runs it:
///
/// ```python
/// import numpy, onnxruntime
///
/// session = onnxruntime.InferenceSession("digits.onnx")
/// images = numpy.zeros((3, 28, 28, 1), numpy.float32)  # white on black, bytes divided by 255
/// (probabilities,) = session.run(["output"], {"input": images})
/// print(probabilities.argmax(axis=1))
/// ```
///
/// Rust runs it with `tract-onnx`:
///
/// ```ignore
/// use tract_onnx::prelude::*;
/// let model = tract_onnx::onnx().model_for_path("digits.onnx")?.into_optimized()?.into_runnable()?;
/// let images = tract_ndarray::Array4::<f32>::zeros((3, 28, 28, 1)).into_tensor();
/// let output = model.run(tvec!(images.into()))?.remove(0);
/// let probabilities = output.to_plain_array_view::<f32>()?;
/// ```
impl Model {
    /// Writes the model as an ONNX file, which other programs run. It is replaced as a whole, as by
    /// [`save`](Self::save).
    ///
    /// Only with the feature `onnx`.
    ///
    /// # Errors
    /// [`Error::NotWritten`] if the file cannot be written, [`Error::Model`] if a weight is NaN or infinite, or the
    /// file would be larger than the format allows (2 GiB); what was there before is then still there.
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// let path = tempfile::tempdir().unwrap().keep().join("digits.onnx");
    /// let mut model = Sequential::new([28, 28, 1])
    ///     .add(Conv2D::new(8, (3, 3)).activation(Relu))
    ///     .add(MaxPooling2D::new((2, 2)))
    ///     .add(Flatten::new())
    ///     .add(Dense::new(10).activation(Softmax))
    ///     .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy])?;
    /// model.export_onnx(&path)?;
    /// assert_eq!(std::fs::read(&path).unwrap(), model.to_onnx()?);
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn export_onnx(&self, path: impl AsRef<Path>) -> Result<()> {
        let bytes = self.to_onnx()?;
        write_whole(path.as_ref(), |file| file.write_all(&bytes))
    }

    /// The bytes that [`export_onnx`](Self::export_onnx) would write. The same model gives the same bytes.
    ///
    /// Only with the feature `onnx`.
    ///
    /// # Errors
    /// [`Error::Model`] if a weight is NaN or infinite, or the file would be larger than the format allows (2 GiB);
    /// [`Error::Layer`] for a layer of a user's own type.
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// let model = Sequential::new([2])
    ///     .add(Dense::new(2).activation(Softmax))
    ///     .compile(Sgd::new(0.5), SparseCategoricalCrossentropy::default(), [])?;
    /// let bytes = model.to_onnx()?;
    /// let name = b"dense/kernel";
    /// assert!(bytes.windows(name.len()).any(|part| part == name));
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn to_onnx(&self) -> Result<Vec<u8>> {
        encode(&file(self)?, MAX_BYTES)
    }
}

fn file(model: &Model) -> Result<ModelFile> {
    check_layers(model)?;
    let weights = model.get_weights();
    check_finite(&weights)?;
    let property = |key: &str, value: String| Property { key: key.into(), value };
    let graph = layers::graph(&model.engine.plan, &model.network, &weights);
    let (operators, ir_version) = versions::of(&graph);
    Ok(ModelFile {
        ir_version,
        producer_name: env!("CARGO_PKG_NAME").into(),
        producer_version: env!("CARGO_PKG_VERSION").into(),
        doc_string: model.summary().to_string(),
        graph: Some(graph),
        opset_import: vec![operators],
        metadata_props: vec![property("epochs", model.epochs.to_string()), property("seed", model.seed.to_string())],
    })
}

/// # Errors
/// [`Error::Layer`] for a layer that has no operators.
fn check_layers(model: &Model) -> Result<()> {
    let masked = masked_calls(&model.network);
    for (index, layer) in model.layers().iter().enumerate() {
        if matches!(layer, Layer::Custom(_)) {
            let problem = "is a layer of your own, which ONNX has no operator for: export a model of the crate's layers, \
                           or `save` it";
            return Err(layer.fault(index, problem.into()));
        }
        let Some(cell) = recurrent::Cell::of(layer) else { continue };
        if let Some(function) = cell.unknown_function() {
            let problem = format!(
                "has the function {function:?}, which ONNX' recurrent operators lack: use Tanh or Sigmoid, or `save` it"
            );
            return Err(layer.fault(index, problem));
        }
        let calls = model.network.calls.iter().zip(&masked).filter(|(call, _)| call.layer == index);
        if calls.into_iter().any(|(_, is_masked)| *is_masked) {
            let problem = "reads a mask, which ONNX' recurrent operators lack: pad sequences at their start and leave the \
                           mask out, or `save` it";
            return Err(layer.fault(index, problem.into()));
        }
    }
    Ok(())
}

/// For each call of a network whether its first input has a mask.
fn masked_calls(network: &Network) -> Vec<bool> {
    let (mut reads_one, mut gives_one): (Vec<bool>, Vec<bool>) = (Vec::new(), Vec::new());
    for call in &network.calls {
        let reads: Vec<bool> = call
            .reads
            .iter()
            .map(|source| match *source {
                Source::Input(_) => false,
                Source::Call(index) => gives_one[index],
                Source::Output { call, place } => {
                    let layer = network.layers[network.calls[call].layer].describe();
                    gives_one[call] && place < layer.outputs_before_states()
                }
            })
            .collect();
        reads_one.push(reads[0]);
        gives_one.push(match network.layers[call.layer].describe().mask_rule() {
            MaskRule::Ends => false,
            MaskRule::Passes => reads[0],
            MaskRule::Merges => reads.iter().all(|has_mask| *has_mask),
            MaskRule::Makes => true,
        });
    }
    reads_one
}

/// # Errors
/// [`Error::Model`] if the message would have more bytes than this.
fn encode(file: &ModelFile, limit: usize) -> Result<Vec<u8>> {
    let len = file.encoded_len();
    if len > limit {
        return Err(Error::Model(format!(
            "needs {len} bytes as ONNX, expected at most {limit}, as the format allows no more: use fewer or smaller layers, or \
             `save`"
        )));
    }
    Ok(file.encode_to_vec())
}
