//! The training as callbacks see it, and what it is told and tells: interrupts, logs, lines of text. The training loop
//! is in `fit`.

mod interrupt;
mod logs;
mod say;

pub use interrupt::Interrupt;
pub use logs::Logs;
pub(crate) use logs::Validates;
pub(crate) use say::say;

use crate::error::{Error, Result};
use crate::history::History;
use crate::metrics::Direction;
use crate::model::{Model, Position};
use std::sync::Arc;

/// A training in progress: the model, the length of the training, and methods to stop it.
#[derive(Debug)]
pub struct Training<'m> {
    pub(crate) model: &'m mut Model,
    pub(crate) initial_epoch: usize,
    pub(crate) epochs: usize,
    pub(crate) steps: usize,
    pub(crate) batch_size: usize,
    /// The names in an epoch's logs.
    pub(crate) log_names: Vec<String>,
    /// How many of those, from the end, callbacks have declared.
    pub(crate) declared: usize,
    /// What callbacks have logged in this epoch.
    pub(crate) logged: Vec<(String, f64)>,
    pub(crate) stops: bool,
    pub(crate) interrupted: bool,
    /// The handle that interrupts it from outside.
    pub(crate) interrupt: Interrupt,
    pub(crate) resumed: bool,
    /// The epochs so far.
    pub(crate) history: History,
    /// What tells the model that is trained from one that a callback puts in its place.
    pub(crate) claim: Arc<()>,
}

/// However a training ends, even by a panic of a callback, its position in the model is cleared.
impl Drop for Training<'_> {
    fn drop(&mut self) {
        if self.model.ongoing.is_claimed_by(&self.claim) {
            self.model.ongoing.end(std::mem::take(&mut self.history));
        }
    }
}

impl Training<'_> {
    /// The model in training.
    #[must_use]
    pub fn model(&self) -> &Model {
        self.model
    }

    /// The model in training, mutable, for example to set its weights or learning rate. Replacing it with another model
    /// or calling its [`fit`](Model::fit) is an [`Error::Model`].
    #[must_use]
    pub fn model_mut(&mut self) -> &mut Model {
        self.model
    }

    /// The first epoch, from 0.
    #[must_use]
    pub fn initial_epoch(&self) -> usize {
        self.initial_epoch
    }

    /// The number of the last epoch, counted from 1.
    #[must_use]
    pub fn epochs(&self) -> usize {
        self.epochs
    }

    /// The epochs that this call of [`fit`](Model::fit) has completed.
    #[must_use]
    pub fn history(&self) -> &History {
        &self.history
    }

    /// Batches in an epoch; 0 if nobody knows, as of a [source](crate::data::BatchSource) with batches of its own.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// Examples in a batch, but for a [source](crate::data::BatchSource) with batches of its own.
    #[must_use]
    pub fn batch_size(&self) -> usize {
        self.batch_size
    }

    /// Ends the training: after this batch, if called between batches, and then with all that belongs to the end of an
    /// epoch. It is Keras' `model.stop_training = True`. The training is completed by that: started again with its
    /// [backup](crate::FitConfig::backup), it does not go on; see [`interrupt`](Self::interrupt).
    pub fn stop_training(&mut self) {
        self.stops = true;
        if let Some(position) = &mut self.model.ongoing.position {
            position.stops = true;
        }
    }

    /// Interrupts the training before its next step, without what belongs to the end of an epoch. Started again with
    /// its [backup](crate::FitConfig::backup) by a model that is built anew, as after a crash, it resumes with that
    /// step. An [`Interrupt`] does the same from outside.
    ///
    /// ```
    /// use inkstone::callbacks::LambdaCallback;
    /// use inkstone::prelude::*;
    /// # let train = Dataset::from_bytes(inkstone::ndarray::Array4::zeros((64, 2, 2, 1)), vec![0; 64])?;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let folder = folder.path();
    /// let model = || {
    ///     Sequential::new([2, 2, 1])
    ///         .add(Flatten::new())
    ///         .add(Dense::new(2).activation(Softmax))
    ///         .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [])
    /// };
    /// let config = || FitConfig::new().epochs(3).backup(BackupAndRestore::new(folder)).verbose(0);
    /// // Epochs of two batches; this one comes to the second batch of the second.
    /// let interrupt = LambdaCallback::new().on_train_batch_begin(|batch, training| {
    ///     if training.history().epochs.len() == 1 && batch == 1 {
    ///         training.interrupt();
    ///     }
    ///     Ok(())
    /// });
    /// assert_eq!(model()?.fit(&train, config().callback(interrupt))?.epochs.len(), 1);
    /// // The program is started again.
    /// assert_eq!(model()?.fit(&train, config())?.epochs.len(), 2);
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn interrupt(&mut self) {
        self.interrupted = true;
    }

    /// Adds a value to this epoch's logs: callbacks that come later see it, so that
    /// [`EarlyStopping`](crate::callbacks::EarlyStopping) may monitor it and
    /// [`CsvLogger`](crate::callbacks::CsvLogger) writes it, and it is kept in the [`History`]. A second value of the
    /// same name replaces the first.
    ///
    /// # Errors
    /// [`Error::Callback`] for a name that no callback has [declared](crate::callbacks::Callback::log_names).
    ///
    /// ```
    /// use inkstone::callbacks::{EarlyStopping, LambdaCallback, Mode};
    /// use inkstone::prelude::*;
    /// # let train = Dataset::from_bytes(inkstone::ndarray::Array4::zeros((4, 2, 2, 1)), vec![0, 1, 0, 1])?;
    /// # let mut model = Sequential::new([2, 2, 1])
    /// #     .add(Flatten::new())
    /// #     .add(Dense::new(2).activation(Softmax))
    /// #     .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [])?;
    /// let score = LambdaCallback::new().logs(["score"]).on_epoch_end(|epoch, _, training| {
    ///     training.log("score", if epoch < 3 { epoch as f64 } else { 0.0 })
    /// });
    /// let stopping = EarlyStopping::new("score").mode(Mode::Max).patience(2);
    /// let history = model.fit(&train, FitConfig::new().epochs(9).callback(score).callback(stopping).verbose(0))?;
    /// assert_eq!(history.get("score")?, [0.0, 1.0, 2.0, 0.0, 0.0]);
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn log(&mut self, name: &str, value: f64) -> Result<()> {
        let declared = &self.log_names[self.log_names.len() - self.declared..];
        if !declared.iter().any(|known| known == name) {
            let known = if declared.is_empty() { "none".to_owned() } else { declared.join(", ") };
            return Err(Error::Callback(format!(
                "a callback logs {name}, callbacks have declared {known}: return the name from its `log_names`"
            )));
        }
        match self.logged.iter_mut().find(|(known, _)| known == name) {
            Some((_, present)) => *present = value,
            None => self.logged.push((name.to_owned(), value)),
        }
        Ok(())
    }

    /// Declares names for the logs.
    ///
    /// # Errors
    /// [`Error::Callback`] for a name that there is already, or one that could not stand in a file of values.
    pub(crate) fn declare(&mut self, names: Vec<String>) -> Result<()> {
        for name in names {
            let fault =
                |fault| Err(Error::Callback(format!("a callback declares the name {name:?} for the logs, {fault}")));
            let reserved = ["epoch", "batch", "learning_rate", "seconds"];
            if name.is_empty() || !name.chars().all(|letter| letter.is_alphanumeric() || "_-./@".contains(letter)) {
                return fault("expected letters, digits and _-./@");
            }
            if self.log_names.contains(&name) || reserved.contains(&name.as_str()) {
                return fault("which they have already: choose another one");
            }
            self.log_names.push(name);
            self.declared += 1;
        }
        Ok(())
    }

    /// Brings what callbacks have logged into an epoch's logs.
    pub(crate) fn add_logged(&self, logs: &mut Logs) {
        self.logged.iter().for_each(|(name, value)| logs.put(name, *value));
    }

    /// Whether the training was resumed from a checkpoint.
    #[must_use]
    pub fn is_resumed(&self) -> bool {
        self.resumed
    }

    /// # Errors
    /// [`Error::Model`] if a callback has put another model in the place of the one that is trained.
    pub(crate) fn check_model(&self) -> Result<()> {
        if self.model.ongoing.is_claimed_by(&self.claim) {
            return Ok(());
        }
        Err(Error::Model(
            "was replaced by another one while it was trained: a callback may call `set_weights` on it".into(),
        ))
    }

    /// Records the position, for checkpoints.
    pub(crate) fn stand_at(&mut self, position: Position) {
        self.model.ongoing.position = Some(Position { stops: self.stops, ..position });
    }

    /// Whether the training is about to end early, stopped or interrupted.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.stops || self.is_interrupted()
    }

    /// Whether the training is about to end with its next step to be taken when it is resumed.
    #[must_use]
    pub fn is_interrupted(&self) -> bool {
        self.interrupted || self.interrupt.is_interrupted()
    }

    /// The check of all weights, and of what the optimizer keeps for them, before any of it is saved.
    ///
    /// # Errors
    /// [`Error::WeightDiverged`] unless all are finite.
    pub(crate) fn check_weights(&self) -> Result<()> {
        self.model.check_weights(self.model.ongoing.position.map_or(0, |position| position.epoch) + 1)
    }

    /// The names of an epoch's logs, without values yet.
    pub(crate) fn epoch_logs(&self) -> Logs {
        Logs::without_values(self.log_names.clone())
    }

    /// The names of a batch's logs, without values yet.
    pub(crate) fn batch_logs(&self) -> Logs {
        Logs::without_values(self.model.engine.scoring.names())
    }

    /// # Errors
    /// [`Error::Setting`] if callbacks cannot set the learning rate, as it follows a schedule.
    pub(crate) fn check_rate_can_be_set(&self) -> Result<()> {
        self.model.optimizer.clone().set_learning_rate(0.0)
    }

    /// Which way this value of the logs gets better; `None` if a callback logs it, who alone knows.
    ///
    /// # Errors
    /// [`Error::Callback`] if the logs of an epoch have no such value.
    pub(crate) fn direction_of(&self, monitor: &str) -> Result<Option<Direction>> {
        if self.log_names[self.log_names.len() - self.declared..].iter().any(|name| name == monitor) {
            return Ok(None);
        }
        if self.log_names.iter().any(|name| name == monitor) {
            let bare = monitor.strip_prefix("val_").unwrap_or(monitor);
            return Ok(Some(self.model.engine.scoring.direction_of(bare)));
        }
        Err(Error::Callback(format!(
            "the value to monitor must be one of {}, got {monitor}{}",
            self.log_names.join(", "),
            if monitor.starts_with("val_") { ": give `fit` validation data" } else { "" }
        )))
    }
}

#[cfg(test)]
impl<'m> Training<'m> {
    /// A training for tests of callbacks.
    pub(crate) fn for_test(model: &'m mut Model, log_names: &[&str]) -> Self {
        let log_names = log_names.iter().map(ToString::to_string).collect();
        let claim = model.ongoing.claim();
        Self {
            model,
            initial_epoch: 0,
            epochs: 1,
            steps: 1,
            batch_size: 1,
            log_names,
            declared: 0,
            logged: Vec::new(),
            stops: false,
            interrupted: false,
            interrupt: Interrupt::new(),
            resumed: false,
            history: History::default(),
            claim,
        }
    }
}

/// The value that is monitored, out of an epoch's logs.
///
/// # Errors
/// [`Error::Callback`] if there is none of this name.
pub(crate) fn monitored(logs: &Logs, monitor: &str) -> Result<f64> {
    logs.get(monitor).ok_or_else(|| {
        let names: Vec<&str> = logs.iter().map(|(name, _)| name).collect();
        Error::Callback(format!(
            "the logs have no {monitor}, they have {}: a callback that logs it in each epoch must come before",
            names.join(", ")
        ))
    })
}
