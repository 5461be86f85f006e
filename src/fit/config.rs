//! The arguments of `fit`.

use super::backup::Backup;
#[cfg(feature = "privacy")]
use crate::accounting::DpSgd;
use crate::callbacks::{BackupAndRestore, Callback};
use crate::data::{Augment, BatchSource, LabelledInputs};
use crate::error::{Error, Result};
use crate::model::Position;
use crate::training::Interrupt;
use std::fmt;

/// The arguments of [`Model::fit`](crate::Model::fit), with Keras' names and defaults.
///
/// ```
/// use inkstone::FitConfig;
/// let config = FitConfig::new().epochs(5).batch_size(128);
/// assert_eq!((config.epochs, config.batch_size, config.shuffle, config.verbose), (5, 128, true, 1));
/// ```
pub struct FitConfig<'a> {
    /// The number of the last epoch; 1. With [`initial_epoch`](Self::initial_epoch) 0, the number of passes over the
    /// data set.
    pub epochs: usize,
    /// The number of epochs that the model has already been trained for; training takes `epochs - initial_epoch` more;
    /// 0.
    pub initial_epoch: usize,
    /// The number of examples in one step of the optimizer; 32. The last batch of an epoch may be smaller.
    pub batch_size: usize,
    /// How many batches of an endless source make an epoch; all that the source has.
    pub steps_per_epoch: Option<usize>,
    /// Whether the examples are shuffled before each epoch; true.
    pub shuffle: bool,
    /// Random augmentation of the training images; none.
    pub augment: Option<Augment>,
    /// The data to evaluate after each epoch; none.
    pub validation_data: Option<LabelledInputs<'a>>,
    /// A source of the data to evaluate after each epoch; none.
    pub(super) validation_batches: Option<Box<dyn BatchSource + 'a>>,
    /// The fraction of the examples, from the end, that is evaluated after each epoch instead of trained on; 0.
    pub validation_split: f64,
    /// Weights of classes in the loss; other classes have weight 1.
    pub class_weight: Vec<(usize, f32)>,
    /// The weight of each example in the loss.
    pub sample_weight: Option<&'a [f32]>,
    /// The callbacks.
    pub callbacks: Vec<Box<dyn Callback + Send + 'a>>,
    /// Where to write checkpoints and from where to resume; none.
    pub(super) backup: Option<Box<dyn Backup>>,
    /// How the training keeps its examples private; not at all.
    #[cfg(feature = "privacy")]
    pub differential_privacy: Option<DpSgd>,
    /// A handle that interrupts the training from outside; none.
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
            steps_per_epoch: None,
            shuffle: true,
            augment: None,
            validation_data: None,
            validation_batches: None,
            validation_split: 0.0,
            class_weight: Vec::new(),
            sample_weight: None,
            callbacks: Vec::new(),
            backup: None,
            #[cfg(feature = "privacy")]
            differential_privacy: None,
            interrupt: None,
            verbose: 1,
        }
    }

    setters! {
        /// Sets the number of the last epoch.
        epochs: usize,

        /// Sets the number of epochs that the model has already been trained for. Numbering continues from there, and
        /// `epochs` includes them.
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

        /// Sets the number of examples in one step of the optimizer.
        batch_size: usize,

        /// Sets whether the examples are shuffled before each epoch.
        shuffle: bool,
    }

    /// Sets how many batches make an epoch of [`fit_batches`](crate::Model::fit_batches), as Keras' argument of this name; the
    /// rest of what the source has for the epoch is not asked for.
    #[must_use]
    pub fn steps_per_epoch(self, steps: usize) -> Self {
        Self { steps_per_epoch: Some(steps), ..self }
    }

    /// Sets the random augmentation of training images. Each step draws new variations, from the model's seed.
    #[must_use]
    pub fn augment(self, augment: Augment) -> Self {
        Self { augment: Some(augment), ..self }
    }

    /// Sets the data to evaluate after each epoch: a data set, or inputs with targets and optional weights.
    #[must_use]
    pub fn validation_data(self, data: impl Into<LabelledInputs<'a>>) -> Self {
        Self { validation_data: Some(data.into()), ..self }
    }

    /// Sets a source of the data to evaluate after each epoch, as [`Model::evaluate_batches`](crate::Model::evaluate_batches)
    /// does, in the place of [`validation_data`](Self::validation_data).
    ///
    /// ```no_run
    /// use inkstone::FitConfig;
    /// use inkstone::data::FileBatches;
    /// let config = FitConfig::new().validation_batches(FileBatches::open("test-images.npy", "test-labels.npy")?);
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    #[must_use]
    pub fn validation_batches(self, source: impl BatchSource + 'a) -> Self {
        Self { validation_batches: Some(Box::new(source)), ..self }
    }

    /// Sets the fraction of the examples that is evaluated after each epoch instead of trained on: the last ones,
    /// before shuffling. With [`validation_data`](Self::validation_data), nothing is split off, and that data is
    /// evaluated.
    #[must_use]
    pub fn validation_split(self, validation_split: f64) -> Self {
        Self { validation_split, ..self }
    }

    /// Sets the weights of classes in the training loss; other classes have weight 1. Where targets are rows of values,
    /// the class of an example is the index of its largest value.
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

    /// Sets the weight of each example in the training loss.
    #[must_use]
    pub fn sample_weight(self, sample_weight: &'a [f32]) -> Self {
        Self { sample_weight: Some(sample_weight), ..self }
    }

    /// Adds a callback, by value, or by `&mut` to inspect it afterwards.
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

    /// Sets the folder for checkpoints: training writes them, and resumes from the newest one after an interruption;
    /// see [`BackupAndRestore`].
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

    /// Trains so that no single example can be read out of the model, as far as [`DpSgd`] says. `batch_size` is the
    /// number of examples that a step takes on average, and `shuffle` says nothing. The epsilon so far is in the logs,
    /// and so in the progress line and the [`History`](crate::History); [`Model::privacy`](crate::Model::privacy) has all
    /// of the model's trainings, and its file too.
    ///
    /// `fit` then returns [`Error::Model`] for a model whose examples see each other: one that normalizes over the batch,
    /// that is stateful, whose output is a sequence with a mask, or that looks words up in one table at several places;
    /// [`Error::Setting`] for a number out of range, a delta that is not less than one part of the examples, more
    /// examples in a batch than there are, or an epsilon that the model has exceeded.
    #[cfg(feature = "privacy")]
    #[must_use]
    pub fn differential_privacy(self, settings: DpSgd) -> Self {
        Self { differential_privacy: Some(settings), ..self }
    }

    /// Sets a handle with which another thread or a signal handler interrupts the training.
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

    /// Where a training of so many examples begins, by an optimizer that has taken so many steps. Of a source with batches of its
    /// own nobody knows how many there are.
    pub(super) fn beginning(&self, examples: Option<usize>, step: u64) -> Position {
        let Self { shuffle, initial_epoch: epoch, .. } = *self;
        let (examples, batch_size) = examples.map_or((u32::MAX as usize, 1), |examples| (examples, self.batch_size));
        let (batches, learning_rate, stops, began) = (0, 0.0, false, step);
        Position { epoch, batches, examples, batch_size, shuffle, learning_rate, stops, began }
    }

    /// # Errors
    /// [`Error::Setting`] for a number out of range.
    pub(super) fn check(&self) -> Result<()> {
        let setting = |name, expected, received: String| Err(Error::Setting { name, expected, received });
        if self.batch_size == 0 {
            return setting("batch_size", "at least 1", "0".into());
        }
        if self.steps_per_epoch == Some(0) {
            return setting("steps_per_epoch", "at least 1", "0".into());
        }
        if self.verbose > 2 {
            return setting("verbose", "0, 1 or 2", self.verbose.to_string());
        }
        if self.validation_data.is_some() && self.validation_batches.is_some() {
            return setting("validation_batches", "left out beside `validation_data`", "both".into());
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
