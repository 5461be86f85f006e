//! Writes what TensorBoard shows: decides which values go under which names into which file.

mod file;
mod histogram;
mod message;
mod record;

use super::{Callback, CallbackState, Logs, Training};
use crate::error::Result;
use file::EventFile;
use histogram::histogram;
use message::Value;
use std::path::PathBuf;

/// Writes event files for [TensorBoard](https://www.tensorflow.org/tensorboard), as
/// [Keras' `TensorBoard`](https://keras.io/api/callbacks/tensorboard/), with the names that Keras gives:
///
/// | in the folder | values | steps |
/// | --- | --- | --- |
/// | `train` | `epoch_loss`, `epoch_accuracy`, ..., `epoch_learning_rate` | epochs, from 0 |
/// | `train` | with [`update_freq`](Self::update_freq): `batch_loss`, ...: means of the epoch | batches, from 1 |
/// | `train` | with [`histogram_freq`](Self::histogram_freq): `dense/kernel/histogram`, ... | epochs, from 0 |
/// | `validation` | `epoch_loss`, `epoch_accuracy`, ... | epochs, from 0 |
/// | `validation` | `evaluation_loss_vs_iterations`, ... | steps of the optimizer |
///
/// View them with `tensorboard --logdir <folder>`. The files are flushed after each epoch. A file or folder
/// that cannot be written is an [`Error::Io`](crate::Error::Io). Keras' graphs, images of weights, and profiles are not
/// written.
///
/// ```
/// use inkstone::callbacks::TensorBoard;
/// use inkstone::prelude::*;
/// # let train = Dataset::from_bytes(inkstone::ndarray::Array4::zeros((4, 2, 2, 1)), vec![0, 1, 0, 1])?;
/// # let mut model = Sequential::new([2, 2, 1])
/// #     .add(Flatten::new())
/// #     .add(Dense::new(2).activation(Softmax))
/// #     .compile(Sgd::new(0.1), SparseCategoricalCrossentropy::default(), [Accuracy])?;
/// # let folder = tempfile::tempdir().unwrap();
/// # let log_dir = folder.path().join("logs");
/// let board = TensorBoard::new(&log_dir).histogram_freq(1);
/// model.fit(&train, FitConfig::new().epochs(2).callback(board).verbose(0))?;
/// let file = std::fs::read_dir(log_dir.join("train")).unwrap().next().unwrap().unwrap();
/// assert!(file.file_name().to_string_lossy().starts_with("events.out.tfevents."));
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Debug)]
pub struct TensorBoard {
    log_dir: PathBuf,
    update_freq: usize,
    histogram_freq: usize,
    /// Batches so far, over all epochs.
    batches: usize,
    train: Option<EventFile>,
    validation: Option<EventFile>,
}

impl TensorBoard {
    /// Writes into `train` and `validation` in this folder, which are made if need be; each training gets files of its
    /// own.
    #[must_use]
    pub fn new(log_dir: impl Into<PathBuf>) -> Self {
        let log_dir = log_dir.into();
        Self { log_dir, update_freq: 0, histogram_freq: 0, batches: 0, train: None, validation: None }
    }

    /// Sets after how many batches their values are written; 0, the default, for those of epochs alone.
    #[must_use]
    pub fn update_freq(self, batches: usize) -> Self {
        Self { update_freq: batches, ..self }
    }

    /// Sets after how many epochs histograms of all weights are written, the first time after the first epoch; 0, the
    /// default, for none.
    #[must_use]
    pub fn histogram_freq(self, epochs: usize) -> Self {
        Self { histogram_freq: epochs, ..self }
    }

    fn train(&mut self) -> Result<&mut EventFile> {
        open(&mut self.train, || EventFile::create(&self.log_dir.join("train")))
    }

    fn validation(&mut self) -> Result<&mut EventFile> {
        open(&mut self.validation, || EventFile::create(&self.log_dir.join("validation")))
    }

    fn flush(&mut self) -> Result<()> {
        [&mut self.train, &mut self.validation].into_iter().flatten().try_for_each(EventFile::flush)
    }
}

/// The file, made if it is not there yet.
fn open(file: &mut Option<EventFile>, create: impl FnOnce() -> Result<EventFile>) -> Result<&mut EventFile> {
    match file {
        Some(file) => Ok(file),
        None => Ok(file.insert(create()?)),
    }
}

fn scalar(tag: String, value: f64) -> Value {
    Value { tag, simple_value: Some(value as f32), histo: None }
}

impl Callback for TensorBoard {
    fn on_train_begin(&mut self, training: &mut Training<'_>) -> Result<()> {
        (self.batches, self.train, self.validation) = (0, None, None);
        if training.model().follows() {
            return Ok(());
        }
        // Report a folder that cannot be written before the first epoch.
        self.train()?.flush()
    }

    fn state(&self) -> Option<CallbackState> {
        Some(CallbackState::new("TensorBoard").with("batches", self.batches))
    }

    fn restore(&mut self, state: &CallbackState) -> Result<()> {
        self.batches = state.count("batches")?;
        Ok(())
    }

    fn on_train_batch_end(&mut self, _batch: usize, logs: &Logs, training: &mut Training<'_>) -> Result<()> {
        self.batches += 1;
        if training.model().follows() || self.update_freq == 0 || !self.batches.is_multiple_of(self.update_freq) {
            return Ok(());
        }
        let values = logs.iter().map(|(name, value)| scalar(format!("batch_{name}"), value)).collect();
        let batches = self.batches;
        self.train()?.add(batches, values)
    }

    fn on_test_end(&mut self, logs: &Logs, training: &mut Training<'_>) -> Result<()> {
        if training.model().follows() {
            return Ok(());
        }
        let value = |(name, value)| scalar(format!("evaluation_{name}_vs_iterations"), value);
        self.validation()?.add(training.model().state.step as usize, logs.iter().map(value).collect())
    }

    fn on_epoch_end(&mut self, epoch: usize, logs: &Logs, training: &mut Training<'_>) -> Result<()> {
        if training.model().follows() {
            return Ok(());
        }
        let (mut train, mut validation) = (Vec::new(), Vec::new());
        for (name, value) in logs.iter() {
            match name.strip_prefix("val_") {
                Some(name) => validation.push(scalar(format!("epoch_{name}"), value)),
                None => train.push(scalar(format!("epoch_{name}"), value)),
            }
        }
        train.push(scalar("epoch_learning_rate".into(), training.model().learning_rate().into()));
        if self.histogram_freq > 0 && epoch.is_multiple_of(self.histogram_freq) {
            train.extend(training.model().get_weights().into_iter().map(|weight| Value {
                tag: format!("{}/histogram", weight.name),
                simple_value: None,
                histo: Some(histogram(weight.values.iter().map(|value| f64::from(*value)))),
            }));
        }
        self.train()?.add(epoch, train)?;
        if !validation.is_empty() {
            self.validation()?.add(epoch, validation)?;
        }
        self.flush()
    }

    fn on_train_end(&mut self, _training: &mut Training<'_>) -> Result<()> {
        self.flush()?;
        (self.train, self.validation) = (None, None);
        Ok(())
    }
}
