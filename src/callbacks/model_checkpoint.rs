//! Saves the model while it trains.

use super::file_name::fill_in;
use super::monitor::{Mode, Monitor, check_number};
use super::{Callback, CallbackState, Logs, Training};
use crate::error::{Error, Result};
use crate::training::{monitored, say};
use crate::whole_file::check_can_write;
use std::path::PathBuf;

/// When a [`ModelCheckpoint`] saves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SaveFreq {
    /// After each epoch.
    #[default]
    Epoch,
    /// After every so many batches, counted through all epochs.
    Batches(usize),
}

/// Saves the model, or its weights, while it trains, as
/// [Keras' `ModelCheckpoint`](https://keras.io/api/callbacks/model_checkpoint/). Files are those of
/// [`Model::save`](crate::Model::save): a crash leaves the old file or the new one.
///
/// The path may have fields with Python's formats: `{epoch:02d}` and `{batch}`, counted from 1, and the names of the
/// logs, as in `{val_loss:.2f}`. Without fields, each save replaces the last.
///
/// A file that cannot be written is an [`Error::NotWritten`], before training if its folder is missing or may not be
/// written to; a field or a monitored value that does not exist is an [`Error::Callback`].
///
/// ```
/// use inkstone::callbacks::ModelCheckpoint;
/// use inkstone::prelude::*;
/// # let train = Dataset::from_bytes(inkstone::ndarray::Array4::zeros((8, 2, 2, 1)), vec![0, 1, 0, 1, 0, 1, 0, 1])?;
/// # let mut model = Sequential::new([2, 2, 1])
/// #     .add(Flatten::new())
/// #     .add(Dense::new(2).activation(Softmax))
/// #     .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy])?;
/// # let folder = tempfile::tempdir().unwrap();
/// # let folder = folder.path();
/// let every = ModelCheckpoint::new(folder.join("{epoch:02d}.safetensors"));
/// let best = ModelCheckpoint::new(folder.join("best.safetensors")).monitor("accuracy").save_best_only(true);
/// model.fit(&train, FitConfig::new().epochs(2).callback(every).callback(best).verbose(0))?;
/// assert_eq!(Model::load(folder.join("02.safetensors"))?.get_weights(), model.get_weights());
/// assert!(folder.join("best.safetensors").exists());
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ModelCheckpoint {
    path: PathBuf,
    monitor: Monitor,
    save_best_only: bool,
    save_weights_only: bool,
    save_freq: SaveFreq,
    initial_value_threshold: Option<f64>,
    verbose: u8,
    epoch: usize,
    batches: usize,
}

impl ModelCheckpoint {
    /// Saves the whole model after each epoch to this path.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            monitor: Monitor::new("val_loss", 0.0),
            save_best_only: false,
            save_weights_only: false,
            save_freq: SaveFreq::Epoch,
            initial_value_threshold: None,
            verbose: 0,
            epoch: 0,
            batches: 0,
        }
    }

    /// Sets the value of the logs that decides which model is best; `val_loss`.
    #[must_use]
    pub fn monitor(mut self, monitor: impl Into<String>) -> Self {
        self.monitor.name = monitor.into();
        self
    }

    /// Sets whether smaller or larger values are better.
    #[must_use]
    pub fn mode(mut self, mode: Mode) -> Self {
        self.monitor.mode = mode;
        self
    }

    setters! {
        /// Sets whether a model is saved only if it is better than all before it.
        save_best_only: bool,

        /// Sets whether only the weights are saved.
        save_weights_only: bool,

        /// Sets when models are saved.
        save_freq: SaveFreq,
    }

    /// Sets a threshold that the first saved model must improve on.
    #[must_use]
    pub fn initial_value_threshold(self, initial_value_threshold: f64) -> Self {
        Self { initial_value_threshold: Some(initial_value_threshold), ..self }
    }

    /// Sets the verbosity: 1 prints each action, 0 prints nothing.
    #[must_use]
    pub fn verbose(self, verbose: u8) -> Self {
        Self { verbose, ..self }
    }

    fn path_of(&self, epoch: usize, batch: Option<usize>, logs: &Logs) -> Result<PathBuf> {
        match self.path.to_str() {
            Some(template) => Ok(fill_in(template, epoch, batch, logs)?.into()),
            // What is no text has no fields.
            None => Ok(self.path.clone()),
        }
    }

    fn save(&mut self, batch: Option<usize>, logs: &Logs, training: &Training<'_>) -> Result<()> {
        let verbose = if training.model().follows() { 0 } else { self.verbose };
        let name = &self.monitor.name;
        let epoch = self.epoch;
        let mut because = String::new();
        if self.save_best_only {
            let (value, before) = (monitored(logs, name)?, self.monitor.best);
            because = match before {
                Some(best) => format!("{name} improved from {best:.5} to {value:.5}, "),
                None => format!("{name} is {value:.5}, "),
            };
            if !self.monitor.improves(value) {
                if verbose > 0 {
                    let name = &self.monitor.name;
                    match before {
                        Some(best) => say(&format!("Epoch {}: {name} did not improve from {best:.5}", epoch + 1)),
                        None => say(&format!("Epoch {}: {name} is {value}, model not saved", epoch + 1)),
                    }
                }
                return Ok(());
            }
        }
        training.check_weights()?;
        if training.model().follows() {
            return Ok(());
        }
        let path = self.path_of(epoch, batch, logs)?;
        if verbose > 0 {
            say(&format!("Epoch {}: {because}saving model to {}", epoch + 1, path.display()));
        }
        if self.save_weights_only { training.model().save_weights(path) } else { training.model().save(path) }
    }
}

impl Callback for ModelCheckpoint {
    fn on_train_begin(&mut self, training: &mut Training<'_>) -> Result<()> {
        self.batches = 0;
        if self.save_freq == SaveFreq::Batches(0) {
            return Err(Error::Setting { name: "save_freq", expected: "at least 1 batch", received: "0".into() });
        }
        // Report what cannot work now, not after the first epoch.
        let (logs, batch) = match self.save_freq {
            SaveFreq::Epoch => (training.epoch_logs(), None),
            SaveFreq::Batches(_) => (training.batch_logs(), Some(0)),
        };
        let path = self.path_of(training.initial_epoch(), batch, &logs)?;
        // A folder whose name changes from epoch to epoch may be made by then.
        let elsewhere = training.model().follows();
        if !elsewhere && !self.path.parent().is_some_and(|folder| folder.to_string_lossy().contains('{')) {
            check_can_write(&path)?;
        }
        if self.save_best_only {
            self.monitor.begin(training)?;
            let name = &self.monitor.name;
            if self.save_freq != SaveFreq::Epoch && logs.get(name).is_none() {
                let names: Vec<&str> = logs.iter().map(|(name, _)| name).collect();
                let names = names.join(", ");
                return Err(Error::Callback(format!(
                    "the logs of batches have no {name}, they have {names}: monitor one of these, or save after epochs"
                )));
            }
            self.initial_value_threshold.map_or(Ok(()), |value| check_number("initial_value_threshold", value))?;
            self.monitor.best = self.initial_value_threshold;
        }
        Ok(())
    }

    fn on_epoch_begin(&mut self, epoch: usize, _training: &mut Training<'_>) -> Result<()> {
        self.epoch = epoch;
        Ok(())
    }

    fn on_train_batch_end(&mut self, batch: usize, logs: &Logs, training: &mut Training<'_>) -> Result<()> {
        self.batches += 1;
        match self.save_freq {
            SaveFreq::Batches(every) if self.batches.is_multiple_of(every) => self.save(Some(batch), logs, training),
            SaveFreq::Batches(_) | SaveFreq::Epoch => Ok(()),
        }
    }

    fn on_epoch_end(&mut self, epoch: usize, logs: &Logs, training: &mut Training<'_>) -> Result<()> {
        self.epoch = epoch;
        match self.save_freq {
            SaveFreq::Epoch => self.save(None, logs, training),
            SaveFreq::Batches(_) => Ok(()),
        }
    }

    fn state(&self) -> Option<CallbackState> {
        let state = CallbackState::new("ModelCheckpoint").with("best", self.monitor.best_bits());
        Some(state.with("epoch", self.epoch).with("batches", self.batches))
    }

    fn restore(&mut self, state: &CallbackState) -> Result<()> {
        self.monitor.set_best_bits(state.get("best")?);
        (self.epoch, self.batches) = (state.count("epoch")?, state.count("batches")?);
        Ok(())
    }
}
