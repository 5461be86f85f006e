//! Weights from PyTorch and to it: files of `safetensors.torch` with a `state_dict`, whose kernels, vectors and names
//! are PyTorch's.

mod found;
mod matching;
mod modules;
mod order;
mod recurrent;
mod tensor;

use super::read::{At, envelope};
use super::weights::Stored;
use super::{floats, open};
use crate::error::{Error, ModelFault, Result};
use crate::model::{Model, Weight};
use crate::saving::write::check_finite;
use crate::whole_file::write_whole;
use modules::Module;
use ndarray::ArrayD;
use safetensors::tensor::TensorInfo;
use std::collections::HashSet;
use std::io::Read;
use std::path::Path;
use tensor::{NOTHING, Of, Tensor};

/// Weights from PyTorch and to it. A file is what `safetensors.torch.save_file(model.state_dict(), path)` writes and
/// `model.load_state_dict(safetensors.torch.load_file(path))` reads.
///
/// Kernels, gates and vectors change their layouts on the way: a convolution's kernel from (filters, channels, height,
/// width), a dense layer's from (units, features), and behind a [`Flatten`](crate::layers::Flatten) its rows from the order of
/// an image with channels first; a [`Reshape`](crate::layers::Reshape) of a vector to an image is PyTorch's `view` to
/// (channels, height, width), and one to a sequence that a convolution reads its `view` to (channels, steps). The inputs
/// and outputs of the model stay as they are here: images are (height, width, channels).
///
/// | layer | module |
/// | --- | --- |
/// | `Conv2D`, `DepthwiseConv2D`, `Conv1D`, `Conv2DTranspose`, `Dense` | `Conv2d`, `Conv1d`, `ConvTranspose2d`, `Linear` |
/// | `SeparableConv2D` | two `Conv2d`, the layer's `depthwise` and `pointwise` |
/// | `BatchNormalization`, `LayerNormalization`, `GroupNormalization`, `PReLU`, `Embedding` | those |
/// | `SimpleRNN`, `LSTM`, `GRU`, and `Bidirectional` of one | `RNN`, `LSTM`, `GRU`; two biases are added up where there is one here |
///
/// A layer that PyTorch does not have, such as a [`GRU`](crate::layers::GRU) without `reset_after` or one of your own, has its
/// weights in the file under their names and in their layouts here.
///
/// Files do not say how modules compute: set `epsilon(1e-5)` for normalizations with PyTorch's default, and pad by
/// [`ZeroPadding2D`](crate::layers::ZeroPadding2D) where a convolution with strides has a `padding`, as `Padding::Same` pads less
/// before an image than behind it.
impl Model {
    /// Replaces all weights by those of a PyTorch module's `state_dict` in a safetensors file.
    ///
    /// Safetensors files do not keep the order of modules. So each layer takes the module whose tensors have the right
    /// names and shapes; where several have, the numbers in their names tell the order, as in `features.2` and
    /// `features.10`, or `conv1` and `conv2`. Where they do not, it is an error that asks for a map, which
    /// [`load_torch_weights_with`](Self::load_torch_weights_with) takes.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read; [`Error::ModelFile`] if it is incomplete or invalid, if its weights are
    /// not the model's, with a list of all that is missing, extra or of another shape or type, or if which layer a
    /// module belongs to is not clear; [`Error::Model`] if PyTorch's order of a vector cannot be told. The model is then
    /// unchanged.
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// let path = tempfile::tempdir().unwrap().keep().join("lenet.safetensors");
    /// let build = |seed| {
    ///     Sequential::new([28, 28, 1])
    ///         .add(Conv2D::new(8, (5, 5)).activation(Relu))
    ///         .add(MaxPooling2D::new((2, 2)))
    ///         .add(Flatten::new())
    ///         .add(Dense::new(10).activation(Softmax))
    ///         .seed(seed)
    ///         .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [])
    /// };
    /// // Instead of a file of PyTorch's, one for it.
    /// let (trained, mut other) = (build(1)?, build(2)?);
    /// trained.save_torch_weights(&path)?;
    /// other.load_torch_weights(&path)?;
    /// assert_eq!(other.get_weights(), trained.get_weights());
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn load_torch_weights(&mut self, path: impl AsRef<Path>) -> Result<()> {
        self.load_torch_weights_with(path, &[])
    }

    /// Like [`load_torch_weights`](Self::load_torch_weights), with a map from layers to the modules of the file. Layers
    /// that are not in it take what is left, in order. The layers of one recurrent module of several are `rnn`, `rnn.l1`
    /// and so on; the two modules of a [`SeparableConv2D`](crate::layers::SeparableConv2D) have keys such as
    /// `separable_conv2d.depthwise` and `separable_conv2d.pointwise`.
    ///
    /// # Errors
    /// As [`load_torch_weights`](Self::load_torch_weights), and [`Error::Data`] if the map names a layer that the model
    /// does not have, or a layer or a module twice.
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// # let path = tempfile::tempdir().unwrap().keep().join("classifier.safetensors");
    /// let mut model = Sequential::new([4])
    ///     .add(Dense::new(4).activation(Relu))
    ///     .add(Dense::new(4).activation(Softmax))
    ///     .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [])?;
    /// let names = [("dense", "hidden"), ("dense_1", "classifier.1")];
    /// model.save_torch_weights_with(&path, &names)?;
    /// // Both layers have tensors of the same shapes, and the names do not tell which comes first.
    /// let error = model.load_torch_weights(&path).unwrap_err().to_string();
    /// assert!(error.contains("give a map"), "{error}");
    /// model.load_torch_weights_with(&path, &names)?;
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn load_torch_weights_with(&mut self, path: impl AsRef<Path>, names: &[(&str, &str)]) -> Result<()> {
        let path = path.as_ref();
        let (file, len) = open(path)?;
        self.load_torch(file, At { place: &path.display().to_string(), len }, names)
    }

    /// Like [`load_torch_weights_with`](Self::load_torch_weights_with), of the bytes of a file.
    ///
    /// # Errors
    /// As [`load_torch_weights_with`](Self::load_torch_weights_with).
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// # let path = tempfile::tempdir().unwrap().keep().join("classifier.safetensors");
    /// let build = |seed| Sequential::new([4]).add(Dense::new(3)).seed(seed).compile(Adam::default(), MeanSquaredError, []);
    /// let (trained, mut other) = (build(1)?, build(2)?);
    /// trained.save_torch_weights(&path)?;
    /// let bytes = std::fs::read(&path).unwrap();
    /// other.load_torch_weights_from_bytes(&bytes, &[])?;
    /// assert_eq!(other.get_weights(), trained.get_weights());
    /// let error = other.load_torch_weights_from_bytes(&bytes[..50], &[]).unwrap_err().to_string();
    /// assert!(error.starts_with("the bytes: expected "), "{error}");
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn load_torch_weights_from_bytes(&mut self, bytes: &[u8], names: &[(&str, &str)]) -> Result<()> {
        self.load_torch(bytes, At { place: "the bytes", len: bytes.len() as u64 }, names)
    }

    fn load_torch(&mut self, mut file: impl Read, at: At<'_>, names: &[(&str, &str)]) -> Result<()> {
        let parameters = &self.engine.plan.parameters.all;
        let modules = modules::of_model(&self.network, parameters)?;
        let mapped = mapped(&modules, names)?;
        let header = at.header(&mut file)?;
        if envelope(&header).map_err(|fault| at.fault(fault))?.is_some() {
            return Err(at.fault(ModelFault::NotTorch));
        }
        let found = found::modules(&header.tensors);
        let assigned = matching::assign(&modules, &found, &header.tensors, &mapped).map_err(|fault| at.fault(fault))?;
        let data = at.data(&header, None, file)?;
        let empty = |of: &crate::plan::Parameter| Weight {
            name: of.name.clone(),
            values: ArrayD::from_elem(of.shape.clone(), NOTHING),
        };
        let mut weights: Vec<Weight> = parameters.iter().map(empty).collect();
        for (module, found) in modules.iter().zip(assigned.iter().map(|place| &found[*place])) {
            for tensor in &module.tensors {
                let name = &found.tensors[&tensor.name];
                let values = decode(name, &header.tensors[name], &data).map_err(|fault| at.fault(fault))?;
                match &tensor.of {
                    Of::Parameter(index, view) => view.add(values, &mut weights[*index].values),
                    Of::Constant(value) => {
                        if values.iter().any(|found| found != value) {
                            let only = format!(
                                "{}.{} is {name} with other values, expected {value} in all, as the layer has none",
                                module.name, tensor.name
                            );
                            let (missing, extra) = (Vec::new(), Vec::new());
                            return Err(at.fault(ModelFault::Weights { missing, extra, different: vec![only] }));
                        }
                    }
                }
            }
        }
        self.set_weights(&weights)
    }

    /// Writes all weights as a safetensors file with the `state_dict` of a PyTorch module that has the layers' names:
    /// `conv2d.weight`, `conv2d.bias`, `lstm.weight_ih_l0` and so on.
    ///
    /// # Errors
    /// [`Error::NotWritten`] if the file cannot be written, [`Error::Model`] if a weight is NaN or infinite, or
    /// PyTorch's order of a vector cannot be told. An existing file is then left as it was.
    pub fn save_torch_weights(&self, path: impl AsRef<Path>) -> Result<()> {
        self.save_torch_weights_with(path, &[])
    }

    /// Like [`save_torch_weights`](Self::save_torch_weights), with a map from layers to names of modules, as
    /// [`load_torch_weights_with`](Self::load_torch_weights_with) takes. Layers that are not in it keep their names.
    ///
    /// # Errors
    /// As [`save_torch_weights`](Self::save_torch_weights), and [`Error::Data`] if the map names a layer that the model
    /// does not have, or a layer or a module twice.
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// let path = tempfile::tempdir().unwrap().keep().join("classifier.safetensors");
    /// let model = Sequential::new([4])
    ///     .add(Dense::new(3).activation(Softmax))
    ///     .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [])?;
    /// model.save_torch_weights_with(&path, &[("dense", "classifier.1")])?;
    /// let bytes = std::fs::read(&path).unwrap();
    /// let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    /// assert_eq!(tensors.tensor("classifier.1.weight").unwrap().shape(), [3, 4]);
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn save_torch_weights_with(&self, path: impl AsRef<Path>, names: &[(&str, &str)]) -> Result<()> {
        let weights = self.get_weights();
        check_finite(&weights)?;
        let modules = modules::of_model(&self.network, &self.engine.plan.parameters.all)?;
        let mapped = mapped(&modules, names)?;
        let mut stored = Vec::new();
        let mut taken = HashSet::new();
        for (module, name) in modules.iter().zip(mapped) {
            for Tensor { name: tensor, shape, of } in &module.tensors {
                let name = found::file_name(name.unwrap_or(&module.name), tensor);
                if !taken.insert(name.clone()) {
                    return Err(Error::Data(format!("two modules have a tensor {name}: give one another name")));
                }
                let values = match of {
                    Of::Parameter(index, view) => view.read(weights[*index].values.view(), shape),
                    Of::Constant(value) => ArrayD::from_elem(shape.clone(), *value),
                };
                stored.push(Stored::Floats(Weight { name, values }));
            }
        }
        let metadata = [("format".to_owned(), "pt".to_owned())].into_iter().collect();
        let tensors = stored.iter().map(|stored| (stored.name(), stored));
        let bytes = safetensors::serialize(tensors, Some(metadata))
            .map_err(|error| Error::Model(format!("cannot be saved ({error})")))?;
        write_whole(path.as_ref(), |file| file.write_all(&bytes))
    }
}

/// The floats of a tensor whose type was checked, if all are numbers.
fn decode(name: &str, tensor: &TensorInfo, data: &[u8]) -> std::result::Result<ArrayD<f32>, ModelFault> {
    let (start, end) = tensor.data_offsets;
    let values = floats::decode(tensor.dtype, &data[start..end]).expect("the tensor's type was checked");
    if let Some((index, value)) = values.iter().enumerate().find(|(_, value)| !value.is_finite()) {
        return Err(ModelFault::NotFinite { name: name.to_owned(), index, value: *value });
    }
    Ok(ArrayD::from_shape_vec(&*tensor.shape, values).expect("the header has as many values as the shape"))
}

/// For each module of the model the name that a map gives it.
fn mapped<'a>(modules: &[Module], names: &[(&str, &'a str)]) -> Result<Vec<Option<&'a str>>> {
    let mut mapped = vec![None; modules.len()];
    let mut taken = HashSet::new();
    for (ours, theirs) in names {
        let Some(index) = modules.iter().position(|module| module.name == *ours) else {
            let all: Vec<&str> = modules.iter().take(LISTED).map(|module| &*module.name).collect();
            let all = if all.is_empty() { "none".to_owned() } else { all.join(", ") };
            return Err(Error::Data(format!(
                "the map names {ours:?}, expected a layer with weights: the model has {all}"
            )));
        };
        if mapped[index].is_some() || !taken.insert(*theirs) {
            return Err(Error::Data(format!("the map has {ours:?} or {theirs:?} twice: give each once")));
        }
        mapped[index] = Some(*theirs);
    }
    Ok(mapped)
}

/// How many names an error lists.
const LISTED: usize = 20;
