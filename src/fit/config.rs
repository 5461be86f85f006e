//! The arguments of `fit`.

use super::backup::Backup;
use super::{BackupAndRestore, Interrupt};
use crate::callbacks::Callback;
use crate::data::{Augment, LabelledImages};
use crate::error::{Error, Result};
use std::fmt;

/// The arguments of [`Model::fit`](crate::Model::fit), with Keras' names and defaults.
///
/// ```
/// use inkstone::FitConfig;
/// let config = FitConfig::new().epochs(5).batch_size(128);
/// assert_eq!((config.epochs, config.batch_size, config.shuffle, config.verbose), (5, 128, true, 1));
/// ```
pub struct FitConfig<'a> {
    /// The number of the last epoch; 1. With [`initial_epoch`](Self::initial_epoch) 0, how often the whole data set is
    /// gone through.
    pub epochs: usize,
    /// How many epochs are behind the model already, so that training takes `epochs - initial_epoch`; 0.
    pub initial_epoch: usize,
    /// How many examples make one step of the optimizer; 32. The last batch of an epoch may be smaller.
    pub batch_size: usize,
    /// Whether every epoch has an order of its own; true.
    pub shuffle: bool,
    /// How images are varied at random while training; not at all.
    pub augment: Option<Augment>,
    /// What is scored after each epoch; nothing.
    pub validation_data: Option<LabelledImages<'a>>,
    /// The part of the examples, from the end, that is not trained on but scored after each epoch; 0.
    pub validation_split: f64,
    /// How much the examples of some classes count; those of others count 1.
    pub class_weight: Vec<(usize, f32)>,
    /// How much each example counts.
    pub sample_weight: Option<&'a [f32]>,
    /// What is called on the way.
    pub callbacks: Vec<Box<dyn Callback + Send + 'a>>,
    /// Where checkpoints are written, and the training goes on after an interruption; nowhere.
    pub(super) backup: Option<Box<dyn Backup>>,
    /// What may interrupt the training from outside; nothing.
    pub interrupt: Option<Interrupt>,
    /// 0 prints nothing, 1 shows a progress bar on a terminal and a line for each epoch elsewhere, 2 prints a line for
    /// each epoch; 1.
    pub verbose: u8,
}

impl Default for FitConfig<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a> FitConfig<'a> {
    /// Keras' defaults.
    #[must_use]
    pub fn new() -> Self {
        Self {
            epochs: 1,
            initial_epoch: 0,
            batch_size: 32,
            shuffle: true,
            augment: None,
            validation_data: None,
            validation_split: 0.0,
            class_weight: Vec::new(),
            sample_weight: None,
            callbacks: Vec::new(),
            backup: None,
            interrupt: None,
            verbose: 1,
        }
    }

    setters! {
        /// Sets the number of the last epoch.
        epochs: usize,

        /// Sets how many epochs are behind the model already. Epochs are numbered on from there, and `epochs` counts them
        /// too.
        ///
        /// ```
        /// use inkstone::prelude::*;
        /// # let dataset = Dataset::from_bytes(inkstone::ndarray::Array4::zeros((4, 2, 2, 1)), vec![0, 1, 0, 1])?;
        /// # let mut model = Sequential::new([2, 2, 1])
        /// #     .add(Flatten::new())
        /// #     .add(Dense::new(2).activation(Softmax))
        /// #     .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [])?;
        /// let history = model.fit(&dataset, FitConfig::new().initial_epoch(3).epochs(5).verbose(0))?;
        /// assert_eq!(history.epochs.len(), 2);
        /// # Ok::<(), inkstone::Error>(())
        /// ```
        initial_epoch: usize,

        /// Sets how many examples make one step of the optimizer.
        batch_size: usize,

        /// Sets whether every epoch has an order of its own.
        shuffle: bool,
    }

    /// Sets how images are varied at random while training. Each is drawn anew in each step, from the model's seed.
    #[must_use]
    pub fn augment(self, augment: Augment) -> Self {
        Self { augment: Some(augment), ..self }
    }

    /// Sets what is scored after each epoch: a data set, or images with their targets, and if wanted with weights.
    #[must_use]
    pub fn validation_data(self, data: impl Into<LabelledImages<'a>>) -> Self {
        Self { validation_data: Some(data.into()), ..self }
    }

    /// Sets the part of the examples that is not trained on but scored after each epoch: the last ones, before any
    /// shuffling. Where there are [`validation_data`](Self::validation_data) too, those are scored, and nothing is
    /// split off.
    #[must_use]
    pub fn validation_split(self, validation_split: f64) -> Self {
        Self { validation_split, ..self }
    }

    /// Sets how much the examples of some classes count in the training loss; those of others count 1. Where targets
    /// are rows of values, an example's class is that of its largest.
    ///
    /// ```
    /// use inkstone::FitConfig;
    /// // Class 1 is rare.
    /// assert_eq!(FitConfig::new().class_weight([(1, 9.0)]).class_weight, [(1, 9.0)]);
    /// ```
    #[must_use]
    pub fn class_weight(self, class_weight: impl IntoIterator<Item = (usize, f32)>) -> Self {
        Self { class_weight: class_weight.into_iter().collect(), ..self }
    }

    /// Sets how much each example counts in the training loss.
    #[must_use]
    pub fn sample_weight(self, sample_weight: &'a [f32]) -> Self {
        Self { sample_weight: Some(sample_weight), ..self }
    }

    /// Adds a callback: by value, or by `&mut` where it is to be looked at afterwards.
    ///
    /// ```
    /// use inkstone::callbacks::EarlyStopping;
    /// use inkstone::FitConfig;
    /// let mut stopping = EarlyStopping::new("val_loss").patience(3);
    /// let config = FitConfig::new().epochs(100).callback(&mut stopping);
    /// assert_eq!(config.callbacks.len(), 1);
    /// ```
    #[must_use]
    pub fn callback(mut self, callback: impl Callback + Send + 'a) -> Self {
        self.callbacks.push(Box::new(callback));
        self
    }

    /// Sets the folder for checkpoints: the training writes them, and goes on from the newest one if it was
    /// interrupted.
    /// [`BackupAndRestore`] tells more.
    ///
    /// ```
    /// use inkstone::callbacks::SaveFreq;
    /// use inkstone::prelude::*;
    /// let backup = BackupAndRestore::new("backup").save_freq(SaveFreq::Batches(500));
    /// let config = FitConfig::new().epochs(100).backup(backup);
    /// assert!(format!("{config:?}").contains("Batches(500)"));
    /// ```
    #[must_use]
    pub fn backup(self, backup: BackupAndRestore) -> Self {
        Self { backup: Some(Box::new(backup)), ..self }
    }

    /// Sets what may interrupt the training from outside: another thread, or Ctrl-C.
    #[must_use]
    pub fn interrupt(self, interrupt: &Interrupt) -> Self {
        Self { interrupt: Some(interrupt.clone()), ..self }
    }

    /// Sets what is printed: 0 nothing, 1 a progress bar on a terminal and a line for each epoch elsewhere, 2 a line
    /// for each epoch.
    #[must_use]
    pub fn verbose(self, verbose: u8) -> Self {
        Self { verbose, ..self }
    }

    /// # Errors
    /// [`Error::Setting`] for a number that makes no sense.
    pub(super) fn check(&self) -> Result<()> {
        let setting = |name, expected, received: String| Err(Error::Setting { name, expected, received });
        if self.batch_size == 0 {
            return setting("batch_size", "at least 1", "0".into());
        }
        if self.verbose > 2 {
            return setting("verbose", "0, 1 or 2", self.verbose.to_string());
        }
        if !(0.0..1.0).contains(&self.validation_split) {
            return setting("validation_split", "at least 0 and less than 1", self.validation_split.to_string());
        }
        self.backup.as_ref().map_or(Ok(()), |backup| backup.check())?;
        self.augment.map_or(Ok(()), |augment| augment.check())
    }
}

impl fmt::Debug for FitConfig<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut config = f.debug_struct("FitConfig");
        config.field("epochs", &self.epochs).field("initial_epoch", &self.initial_epoch);
        config.field("batch_size", &self.batch_size).field("shuffle", &self.shuffle).field("augment", &self.augment);
        config.field("validation_split", &self.validation_split).field("class_weight", &self.class_weight);
        config.field("callbacks", &self.callbacks.len()).field("backup", &self.backup);
        config.field("verbose", &self.verbose).finish_non_exhaustive()
    }
}
