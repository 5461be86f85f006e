//! The settings of backups. `fit/backup` writes the checkpoints and resumes from them.

use super::SaveFreq;
use std::path::PathBuf;

/// Checkpoints for a training that may be interrupted, given to [`FitConfig::backup`](crate::FitConfig::backup), as
/// [Keras' `BackupAndRestore`](https://keras.io/api/callbacks/backup_and_restore/): a program that is killed and
/// started again unchanged resumes where it stopped, and ends with the same bits as an uninterrupted run.
///
/// [`fit`](crate::Model::fit) resumes from the newest checkpoint in the folder; without one, it starts from the
/// beginning. Damaged checkpoints are skipped, with a message unless `verbose` is 0. A checkpoint has the complete
/// state of the training: the weights, the optimizer's moments, steps and learning rate, the seed (a model built
/// without one takes the checkpoint's), the progress of the epoch and its scores, and the state of the callbacks, such
/// as the best value and the weights that [`EarlyStopping`](crate::callbacks::EarlyStopping) restores. Files are those
/// of [`Model::save_checkpoint`](crate::Model::save_checkpoint), which a crash cannot damage. The
/// [`History`](crate::History) that `fit` returns starts with the epoch in which training resumed.
///
/// The restarted program must build the same model and pass the same data, in the same order, with the same arguments
/// and callbacks. A checkpoint that is recognisably of another model, or of another call of `fit` that shares the
/// folder, is an [`Error::ModelFile`](crate::Error::ModelFile); within an epoch, another number of examples or another
/// batch size is an error too. `on_epoch_begin` is not called again for an epoch that is resumed.
///
/// The checkpoint's seed and learning rate override those that the program sets.
///
/// A training that was interrupted, by an [`Interrupt`](crate::Interrupt) as on Ctrl-C or by
/// [`Training::interrupt`](crate::callbacks::Training::interrupt), has a checkpoint of its last step, from which it
/// resumes. One that a callback stopped, as [`EarlyStopping`](crate::callbacks::EarlyStopping) does, is complete:
/// started again, `fit` says that nothing is left to do, and returns no epochs.
///
/// The folder belongs to one training at a time. While it runs, another one that is given the folder is an
/// [`Error::NotWritten`](crate::Error::NotWritten). A crash leaves no lock behind.
///
/// Differences from Keras: it is not a callback, as it saves the state of the callbacks; with [`SaveFreq::Batches`] it
/// resumes within an epoch; and the checkpoints are kept after training, so that nothing is lost if the program stops
/// before it saves the model. A completed training that is started again therefore returns at once;
/// [`delete_checkpoint`](Self::delete_checkpoint) changes that.
///
/// ```
/// use inkstone::prelude::*;
/// # use inkstone::callbacks::LambdaCallback;
/// # let train = Dataset::from_bytes(inkstone::ndarray::Array4::zeros((8, 2, 2, 1)), vec![0, 1, 0, 1, 0, 1, 0, 1])?;
/// # let folder = tempfile::tempdir().unwrap();
/// # let folder = folder.path().join("backup");
/// let model = || {
///     Sequential::new([2, 2, 1])
///         .add(Flatten::new())
///         .add(Dense::new(2).activation(Softmax))
///         .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy])
/// };
/// let config = || FitConfig::new().epochs(5).backup(BackupAndRestore::new(&folder)).verbose(0);
/// // A training that fails after three epochs.
/// let fails = LambdaCallback::new().on_epoch_begin(|epoch, _| match epoch {
///     3 => Err(inkstone::Error::Callback("a power cut".into())),
///     _ => Ok(()),
/// });
/// assert!(model()?.fit(&train, config().callback(fails)).is_err());
///
/// // The program is started again.
/// let mut model = model()?;
/// let history = model.fit(&train, config())?;
/// assert_eq!(history.epochs.len(), 2);
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct BackupAndRestore {
    pub(crate) backup_dir: PathBuf,
    pub(crate) save_freq: SaveFreq,
    pub(crate) keep: usize,
    pub(crate) delete_checkpoint: bool,
}

impl BackupAndRestore {
    /// Writes a checkpoint after each epoch into this folder, which is made if it does not exist, and keeps the last
    /// two.
    #[must_use]
    pub fn new(backup_dir: impl Into<PathBuf>) -> Self {
        Self { backup_dir: backup_dir.into(), save_freq: SaveFreq::Epoch, keep: 2, delete_checkpoint: false }
    }

    setters! {
        /// Sets when checkpoints are written: after each epoch alone, or after so many steps of the optimizer as well.
        save_freq: SaveFreq,

        /// Sets how many checkpoints are kept, the last ones; 2, so that there is another should the last be damaged.
        keep: usize,

        /// Sets whether the checkpoints are removed when the training has ended, as in Keras; false.
        delete_checkpoint: bool,
    }
}
