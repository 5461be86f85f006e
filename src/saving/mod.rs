//! Decides what becomes of a model between two programs: saving, loading, and what of a file is believed. What a file
//! looks like is in `format`, how one is written so that none is lost in `whole_file`.

mod checkpoint;
mod custom_objects;
mod floats;
mod format;
mod header;
pub(crate) mod json;
mod limits;
mod options;
mod read;
mod training;
mod weights;
mod write;

pub use custom_objects::CustomObjects;
pub use limits::LoadLimits;
pub use options::LoadOptions;
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
/// A file is replaced as a whole: a crash at any moment leaves the old one or the new one. Nothing in a file is
/// believed: what does not fit is an error that says what was expected and what was found, never a panic, and memory is
/// taken for no more than the file really holds. A model that would take much more memory or time than the file's size lets
/// expect is refused, too, unless [`LoadLimits`] allow it. A checksum finds bits that changed.
impl Model {
    /// Saves the model: layers, settings, weights, seed, and how many epochs it was trained. The optimizer's memory
    /// (moments and steps) is not saved: [`save_checkpoint`](Self::save_checkpoint) does that.
    ///
    /// # Errors
    /// [`Error::NotWritten`] if the file cannot be written, [`Error::Model`] if a weight is NaN or infinite, or the model has
    /// more layers than a file describes; what was there before is then still there.
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
    /// [`Error::Io`] if the file cannot be read, [`Error::ModelFile`] if it is no whole and sound model file, or its model
    /// takes more than the default [`LoadLimits`], or has layers, a loss or metrics of a user's own types, which
    /// [`load_with`](Self::load_with) takes.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        Self::load_with(path, LoadLimits::new())
    }

    /// As [`load`](Self::load), within other limits of what the model may take, or with types of your own
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
    /// // A service that takes files from strangers: at most 16 MiB and a million multiply-adds for an image.
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

    /// A model out of the bytes of a file that [`save`](Self::save) wrote, as `include_bytes!` has them.
    ///
    /// # Errors
    /// [`Error::ModelFile`] if they are no whole and sound model file, or the model takes more than the default [`LoadLimits`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        Self::from_bytes_with(bytes, LoadLimits::new())
    }

    /// As [`from_bytes`](Self::from_bytes), within other limits of what the model may take, or with types of your own
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
    /// [`save`](Self::save) or [`save_checkpoint`](Self::save_checkpoint) wrote, or that something else wrote as safetensors with
    /// the same names and shapes, as `F32`, `F64`, `F16` or `BF16`. Metadata of other programs are not read. The optimizer's state
    /// stays as it is.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read, [`Error::ModelFile`] if it is not whole and sound, or its weights are not the
    /// model's: all that are missing, extra or of another shape are listed. Then nothing is changed.
    pub fn load_weights(&mut self, path: impl AsRef<Path>) -> Result<()> {
        self.load_selected(path.as_ref(), Selection::All).map(drop)
    }

    /// Replaces the weights that the file has under the same names, and leaves all others as they are, as Keras'
    /// `load_weights(path, by_name=True, skip_mismatch=...)`: to start a model from parts of another. Returns the names of the
    /// weights that were replaced, in the order of the layers. What else is in the file is passed over.
    ///
    /// # Errors
    /// As [`load_weights`](Self::load_weights), but for weights that are missing or extra: [`Error::ModelFile`] if the file has
    /// none of the model's weights, or, with [`Mismatch::Error`], one of another shape or type. Then nothing is changed.
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
    /// // Letters start from what digits have taught the convolution; the last layer has other classes.
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
    // Asked before it is opened, as opening a named pipe waits for somebody who writes to it.
    let is_file = path.metadata().map_err(io)?.is_file();
    if !is_file {
        return Err(Error::ModelFile { place: path.display().to_string(), fault: ModelFault::NotAFile });
    }
    let file = File::open(path).map_err(io)?;
    let len = file.metadata().map_err(io)?.len();
    Ok((file, len))
}
