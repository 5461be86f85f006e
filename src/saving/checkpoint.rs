//! Saves models with the state of their training, and resumes them.

use super::read::{self, Part};
use super::{LoadLimits, LoadOptions, open, write};
use crate::error::Result;
use crate::model::{CallbackState, Model};
use crate::whole_file::write_whole;
use std::path::Path;

/// Checkpoints: models with the complete state of their training.
impl Model {
    /// Saves the model with the complete state of its training, so that [`resume`](Self::resume) continues as if there
    /// had been no interruption: in addition to what [`save`](Self::save) saves, the optimizer's moments, steps and
    /// learning rate, the moving average of the weights, and, when called from a callback, the progress of the epoch
    /// and its scores so far. Seed, epoch and step determine all random numbers, so there is no generator state to
    /// save.
    ///
    /// [`FitConfig::backup`](crate::FitConfig::backup) writes such files during training, including the state of the
    /// callbacks, which the model does not have. In Keras that is
    /// [`BackupAndRestore`](https://keras.io/api/callbacks/backup_and_restore/); a `model.save` of Keras keeps the
    /// optimizer too, but neither the seeds nor the place in an epoch.
    ///
    /// # Errors
    /// As [`save`](Self::save).
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// let path = tempfile::tempdir().unwrap().keep().join("checkpoint.safetensors");
    /// use inkstone::ndarray::Array4;
    /// let images = Array4::from_shape_fn((64, 4, 4, 1), |(n, ..)| if n % 2 == 0 { 0 } else { 200 });
    /// let train = Dataset::from_bytes(images, (0..64).map(|n| n % 2).collect())?;
    /// let mut model = Sequential::new([4, 4, 1])
    ///     .add(Flatten::new())
    ///     .add(Dropout::new(0.2))
    ///     .add(Dense::new(2).activation(Softmax))
    ///     .compile(Adam::new(0.01), SparseCategoricalCrossentropy::default(), [Accuracy])?;
    /// model.fit(&train, FitConfig::new().epochs(2).verbose(0))?;
    /// model.save_checkpoint(&path)?;
    ///
    /// let mut resumed = Model::resume(&path)?;
    /// for model in [&mut model, &mut resumed] {
    ///     model.fit(&train, FitConfig::new().epochs(2).verbose(0))?;
    /// }
    /// assert_eq!(resumed.get_weights(), model.get_weights());
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn save_checkpoint(&self, path: impl AsRef<Path>) -> Result<()> {
        self.write_checkpoint(path.as_ref(), &self.ongoing.callbacks)
    }

    /// Like [`save_checkpoint`](Self::save_checkpoint), with the state of a training's callbacks.
    pub(crate) fn write_checkpoint(&self, path: &Path, callbacks: &[CallbackState]) -> Result<()> {
        let bytes = write::checkpoint(self, callbacks)?;
        write_whole(path, |file| file.write_all(&bytes))
    }

    /// Loads what [`save_checkpoint`](Self::save_checkpoint) wrote: a model whose further training gives the same bits.
    /// If it was written during a [`fit`](Self::fit), the next `fit` continues that one: given the same arguments, it
    /// starts with the next batch.
    ///
    /// # Errors
    /// As [`load`](Self::load), and [`Error::ModelFile`](crate::Error::ModelFile) if the file is a model without the
    /// state of its training.
    ///
    /// ```
    /// use inkstone::callbacks::LambdaCallback;
    /// use inkstone::prelude::*;
    /// # let path = tempfile::tempdir().unwrap().keep().join("checkpoint.safetensors");
    /// # let train = Dataset::from_bytes(inkstone::ndarray::Array4::zeros((64, 2, 2, 1)), vec![0; 64])?;
    /// # let mut model = Sequential::new([2, 2, 1])
    /// #     .add(Flatten::new())
    /// #     .add(Dense::new(2).activation(Softmax))
    /// #     .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [])?;
    /// // Epochs of two batches; the checkpoint is written after the first batch of the second.
    /// let save = LambdaCallback::new().on_train_batch_end(|batch, _, training| {
    ///     let model = training.model();
    ///     if (model.epochs(), batch) == (1, 0) { model.save_checkpoint(&path) } else { Ok(()) }
    /// });
    /// model.fit(&train, FitConfig::new().epochs(3).callback(save).verbose(0))?;
    ///
    /// let mut resumed = Model::resume(&path)?;
    /// let history = resumed.fit(&train, FitConfig::new().epochs(3).verbose(0))?;
    /// assert_eq!(history.epochs.len(), 2, "the rest of the second, and the third");
    /// assert_eq!(resumed.get_weights(), model.get_weights());
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn resume(path: impl AsRef<Path>) -> Result<Self> {
        Self::resume_with(path, LoadLimits::new())
    }

    /// Like [`resume`](Self::resume), with limits other than the default, or with types of
    /// your own ([`CustomObjects`](crate::custom::CustomObjects)).
    ///
    /// # Errors
    /// As [`resume`](Self::resume).
    pub fn resume_with(path: impl AsRef<Path>, options: impl Into<LoadOptions>) -> Result<Self> {
        let path = path.as_ref();
        let (file, len) = open(path)?;
        read::model(file, len, &path.display().to_string(), Part::Checkpoint, &options.into())
    }

    /// The bytes that [`save_checkpoint`](Self::save_checkpoint) would write.
    ///
    /// # Errors
    /// As [`to_bytes`](Self::to_bytes).
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// let model = Sequential::new([2])
    ///     .add(Dense::new(2).activation(Softmax))
    ///     .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [])?;
    /// let bytes = model.checkpoint_to_bytes()?;
    /// assert_eq!(Model::resume_from_bytes(&bytes)?.checkpoint_to_bytes()?, bytes);
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn checkpoint_to_bytes(&self) -> Result<Vec<u8>> {
        write::checkpoint(self, &self.ongoing.callbacks)
    }

    /// Like [`resume`](Self::resume), from the bytes of a file that [`save_checkpoint`](Self::save_checkpoint) wrote.
    ///
    /// # Errors
    /// [`Error::ModelFile`](crate::Error::ModelFile) if they are not a complete, valid checkpoint, or the model exceeds
    /// the default [`LoadLimits`].
    pub fn resume_from_bytes(bytes: &[u8]) -> Result<Self> {
        Self::resume_from_bytes_with(bytes, LoadLimits::new())
    }

    /// Like [`resume_from_bytes`](Self::resume_from_bytes), with limits other than the default, or with types of
    /// your own ([`CustomObjects`](crate::custom::CustomObjects)).
    ///
    /// # Errors
    /// As [`resume_from_bytes`](Self::resume_from_bytes).
    pub fn resume_from_bytes_with(bytes: &[u8], options: impl Into<LoadOptions>) -> Result<Self> {
        read::model(bytes, bytes.len() as u64, "the bytes", Part::Checkpoint, &options.into())
    }
}
