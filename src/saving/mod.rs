//! Saves and loads models, and validates what it loads. `format` defines the file format; `whole_file` writes files
//! atomically.

mod checkpoint;
mod custom_objects;
mod floats;
mod format;
mod header;
mod json;
mod limits;
mod options;
mod pair;
#[cfg(feature = "protect")]
mod protected;
mod quantized;
mod read;
mod torch;
mod tracked;
mod training;
mod weights;
mod write;

pub use custom_objects::CustomObjects;
pub use limits::LoadLimits;
pub use options::LoadOptions;
pub(crate) use pair::Pair;
pub use weights::Mismatch;
#[cfg(feature = "onnx")]
pub(crate) use write::check_finite;

use crate::error::{Error, ModelFault, Result};
use crate::model::Model;
use crate::whole_file::write_whole;
use read::{Part, Selection};
use std::fs::File;
use std::path::Path;

/// Saving and loading. A model file is a [safetensors](https://huggingface.co/docs/safetensors) file: the weights under
/// Keras' names and in Keras' layouts, and in its metadata, under `inkstone`, the layers and settings as JSON. Python's
/// `safetensors` reads it.
///
/// Files are replaced atomically: a crash at any moment leaves the old file or the new one. Loading trusts nothing in a
/// file: content that does not fit is an error that states what was expected and what was found, never a panic, and no
/// more memory is allocated than the file holds data for. A model that needs far more memory or time than the size of
/// its file suggests is refused unless [`LoadLimits`] allow it. A checksum detects corrupted bits.
impl Model {
    /// Saves the model: layers, settings, weights, seed, and the number of epochs it was trained for. The optimizer's
    /// state (moments and steps) is not saved; [`save_checkpoint`](Self::save_checkpoint) saves it, too.
    ///
    /// # Errors
    /// [`Error::NotWritten`] if the file cannot be written, [`Error::Model`] if a weight is NaN or infinite, or the
    /// model has more layers than a file can describe. An existing file is then left as it was.
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// use inkstone::ndarray::Array4;
    /// let path = tempfile::tempdir().unwrap().keep().join("model.safetensors");
    /// let mut model = Sequential::new([28, 28, 1])
    ///     .add(Flatten::new())
    ///     .add(Dense::new(10).activation(Softmax))
    ///     .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy])?;
    /// model.save(&path)?;
    /// let mut loaded = Model::load(&path)?;
    /// let image = Array4::<f32>::ones((1, 28, 28, 1));
    /// assert_eq!(loaded.predict(&image)?, model.predict(&image)?);
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let bytes = self.to_bytes()?;
        write_whole(path.as_ref(), |file| file.write_all(&bytes))
    }

    /// Loads what [`save`](Self::save) or [`save_checkpoint`](Self::save_checkpoint) wrote: a model that predicts the
    /// same bits, and can be trained further, with an optimizer that starts anew.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read, [`Error::ModelFile`] if it is not a complete, valid model file, or its
    /// model exceeds the default [`LoadLimits`], or has layers, a loss or metrics of a user's own types, which
    /// [`load_with`](Self::load_with) takes.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        Self::load_with(path, LoadLimits::new())
    }

    /// Like [`load`](Self::load), with limits other than the default, or with types of your own
    /// ([`CustomObjects`]).
    ///
    /// # Errors
    /// As [`load`](Self::load).
    ///
    /// ```
    /// use inkstone::LoadLimits;
    /// use inkstone::prelude::*;
    /// # let path = tempfile::tempdir().unwrap().keep().join("model.safetensors");
    /// let model = Sequential::new([28, 28, 1])
    ///     .add(Flatten::new())
    ///     .add(Dense::new(10).activation(Softmax))
    ///     .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [])?;
    /// model.save(&path)?;
    /// // A service that accepts files from anyone: at most 16 MiB and a million multiply-adds for an image.
    /// let loaded = Model::load_with(&path, LoadLimits::new().memory(16 << 20).operations(1_000_000))?;
    /// assert_eq!(loaded.get_weights(), model.get_weights());
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn load_with(path: impl AsRef<Path>, options: impl Into<LoadOptions>) -> Result<Self> {
        let path = path.as_ref();
        let (file, len) = open(path)?;
        read::model(file, len, &path.display().to_string(), Part::Model, &options.into())
    }

    /// The bytes that [`save`](Self::save) would write.
    ///
    /// # Errors
    /// [`Error::Model`] if a weight is NaN or infinite, or the model has more layers than a file describes.
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// let model = Sequential::new([2])
    ///     .add(Dense::new(2).activation(Softmax))
    ///     .compile(Sgd::new(0.5), SparseCategoricalCrossentropy::default(), [])?;
    /// let loaded = Model::from_bytes(&model.to_bytes()?)?;
    /// assert_eq!(loaded.get_weights(), model.get_weights());
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        write::model(self)
    }

    /// Loads a model from the bytes of a file that [`save`](Self::save) wrote, such as those of `include_bytes!`.
    ///
    /// # Errors
    /// [`Error::ModelFile`] if they are not a complete, valid model file, or the model exceeds the default
    /// [`LoadLimits`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        Self::from_bytes_with(bytes, LoadLimits::new())
    }

    /// Like [`from_bytes`](Self::from_bytes), with limits other than the default, or with types of your own
    /// ([`CustomObjects`]).
    ///
    /// # Errors
    /// As [`from_bytes`](Self::from_bytes).
    pub fn from_bytes_with(bytes: &[u8], options: impl Into<LoadOptions>) -> Result<Self> {
        read::model(bytes, bytes.len() as u64, "the bytes", Part::Model, &options.into())
    }

    /// Saves the weights alone, for a program that builds the model itself.
    ///
    /// # Errors
    /// As [`save`](Self::save).
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// let path = tempfile::tempdir().unwrap().keep().join("weights.safetensors");
    /// let build = || {
    ///     Sequential::new([2])
    ///         .add(Dense::new(2).activation(Softmax))
    ///         .compile(Sgd::new(0.5), SparseCategoricalCrossentropy::default(), [])
    /// };
    /// let (trained, mut other) = (build()?, build()?);
    /// trained.save_weights(&path)?;
    /// other.load_weights(&path)?;
    /// assert_eq!(other.get_weights(), trained.get_weights());
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn save_weights(&self, path: impl AsRef<Path>) -> Result<()> {
        let bytes = write::weights(self)?;
        write_whole(path.as_ref(), |file| file.write_all(&bytes))
    }

    /// Replaces every weight by the one of the same name in a file that [`save_weights`](Self::save_weights),
    /// [`save`](Self::save) or [`save_checkpoint`](Self::save_checkpoint) wrote, or that something else wrote as
    /// safetensors with the same names and shapes, as `F32`, `F64`, `F16` or `BF16`. Metadata of other programs is
    /// ignored. The optimizer's state is unchanged.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read, [`Error::ModelFile`] if it is incomplete or invalid, or its weights
    /// are not the model's: the error lists all that are missing, extra or of another shape. The model is then
    /// unchanged.
    pub fn load_weights(&mut self, path: impl AsRef<Path>) -> Result<()> {
        self.load_selected(path.as_ref(), Selection::All).map(drop)
    }

    /// Replaces only the weights that the file has under the same names, like Keras'
    /// `load_weights(path, by_name=True, skip_mismatch=...)`: to start a model from parts of another. Returns the names
    /// of the weights that were replaced, in the order of the layers. Everything else in the file is ignored.
    ///
    /// # Errors
    /// As [`load_weights`](Self::load_weights), but for weights that are missing or extra: [`Error::ModelFile`] if the
    /// file has none of the model's weights, or, with [`Mismatch::Error`], one of another shape or type. The model is
    /// then unchanged.
    ///
    /// ```
    /// use inkstone::Mismatch;
    /// use inkstone::prelude::*;
    /// # let path = tempfile::tempdir().unwrap().keep().join("digits.safetensors");
    /// let build = |classes| {
    ///     Sequential::new([28, 28, 1])
    ///         .add(Conv2D::new(8, (3, 3)).activation(Relu))
    ///         .add(Flatten::new())
    ///         .add(Dense::new(classes).activation(Softmax))
    ///         .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [])
    /// };
    /// let digits = build(10)?;
    /// digits.save(&path)?;
    /// // The letters model starts from the convolution trained on digits; its last layer has other classes.
    /// let mut letters = build(26)?;
    /// let loaded = letters.load_weights_by_name(&path, Mismatch::Skip)?;
    /// assert_eq!(loaded, ["conv2d/kernel", "conv2d/bias"]);
    /// assert_eq!(letters.get_weight("conv2d/kernel")?, digits.get_weight("conv2d/kernel")?);
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn load_weights_by_name(&mut self, path: impl AsRef<Path>, mismatch: Mismatch) -> Result<Vec<String>> {
        self.load_selected(path.as_ref(), Selection::ByName(mismatch))
    }

    fn load_selected(&mut self, path: &Path, selection: Selection) -> Result<Vec<String>> {
        let (file, len) = open(path)?;
        let parameters = &self.engine.plan.parameters.all;
        let weights = read::weights(parameters, file, len, &path.display().to_string(), selection)?;
        self.set_weights_by_name(&weights)?;
        Ok(weights.into_iter().map(|weight| weight.name).collect())
    }
}

/// A file and its length.
fn open(path: &Path) -> Result<(File, u64)> {
    let io = |source| Error::Io { place: path.display().to_string(), source };
    // Checked before opening, because opening a named pipe blocks until another process writes to it.
    let is_file = path.metadata().map_err(io)?.is_file();
    if !is_file {
        return Err(Error::ModelFile { place: path.display().to_string(), fault: ModelFault::NotAFile });
    }
    let file = File::open(path).map_err(io)?;
    let len = file.metadata().map_err(io)?.len();
    Ok((file, len))
}
