//! Callbacks with [Keras' events](https://keras.io/api/callbacks/): they observe a training, stop it, change the
//! learning rate, or write files.
//!
//! ```
//! use inkstone::callbacks::{Callback, EarlyStopping, LambdaCallback};
//! use inkstone::prelude::*;
//! # use inkstone::ndarray::Array4;
//! # let images = Array4::from_shape_fn((64, 4, 4, 1), |(n, ..)| if n % 2 == 0 { 0 } else { 200 });
//! # let train = Dataset::from_bytes(images, (0..64).map(|n| n % 2).collect())?;
//! # let mut model = Sequential::new([4, 4, 1])
//! #     .add(Flatten::new())
//! #     .add(Dense::new(2).activation(Softmax))
//! #     .seed(1)
//! #     .compile(Adam::new(0.1), SparseCategoricalCrossentropy::default(), [Accuracy])?;
//! let mut stopping = EarlyStopping::new("val_loss").min_delta(0.01).patience(2);
//! let mut epochs = Vec::new();
//! let watch = LambdaCallback::new().on_epoch_end(|epoch, logs, _| {
//!     epochs.push((epoch, logs.get("val_loss")));
//!     Ok(())
//! });
//! let config = FitConfig::new().epochs(100).validation_split(0.25).verbose(0);
//! let history = model.fit(&train, config.callback(&mut stopping).callback(watch))?;
//! assert!(history.epochs.len() < 100, "it has stopped as soon as there was little left to gain");
//! assert_eq!(stopping.stopped_epoch(), Some(history.epochs.len() - 1));
//! assert_eq!(epochs.len(), history.epochs.len());
//! # Ok::<(), inkstone::Error>(())
//! ```

mod backup_and_restore;
mod csv_logger;
mod early_stopping;
mod file_name;
mod lambda;
mod learning_rate_scheduler;
mod model_checkpoint;
mod monitor;
#[cfg(feature = "privacy")]
mod privacy_budget;
mod reduce_lr_on_plateau;
#[cfg(feature = "tensorboard")]
mod tensorboard;
mod terminate_on_nan;
#[cfg(test)]
mod tests;

pub use backup_and_restore::BackupAndRestore;
pub use csv_logger::CsvLogger;
pub use early_stopping::EarlyStopping;
pub use lambda::LambdaCallback;
pub use learning_rate_scheduler::LearningRateScheduler;
pub use model_checkpoint::{ModelCheckpoint, SaveFreq};
pub use monitor::Mode;
#[cfg(feature = "privacy")]
pub use privacy_budget::PrivacyBudget;
pub use reduce_lr_on_plateau::ReduceLROnPlateau;
#[cfg(feature = "tensorboard")]
pub use tensorboard::TensorBoard;
pub use terminate_on_nan::TerminateOnNan;

pub use crate::model::CallbackState;
pub use crate::training::{Logs, Training};

use crate::error::{Error, Result};

/// A callback of [`fit`](crate::Model::fit). The default implementation of every event does nothing; an error ends the
/// training.
///
/// Epochs and batches count from 0, as in Keras. There are no events for evaluated batches, which are processed
/// in parallel.
///
/// ```
/// use inkstone::callbacks::{Callback, Logs, Training};
/// use inkstone::prelude::*;
///
/// /// Halves the learning rate after each epoch.
/// struct Halve;
///
/// impl Callback for Halve {
///     fn on_epoch_end(&mut self, _epoch: usize, _logs: &Logs, training: &mut Training<'_>) -> inkstone::Result<()> {
///         let rate = training.model().learning_rate();
///         training.model_mut().set_learning_rate(rate / 2.0)
///     }
/// }
/// # let train = Dataset::from_bytes(inkstone::ndarray::Array4::zeros((4, 2, 2, 1)), vec![0, 1, 0, 1])?;
/// # let mut model = Sequential::new([2, 2, 1])
/// #     .add(Flatten::new())
/// #     .add(Dense::new(2).activation(Softmax))
/// #     .compile(Adam::new(0.008), SparseCategoricalCrossentropy::default(), [])?;
/// model.fit(&train, FitConfig::new().epochs(3).callback(Halve).verbose(0))?;
/// assert_eq!(model.learning_rate(), 0.001);
/// # Ok::<(), inkstone::Error>(())
/// ```
#[expect(unused_variables, reason = "the names of the arguments are for those who write callbacks")]
pub trait Callback {
    /// Before the first epoch.
    ///
    /// # Errors
    /// Any error; it ends the training, as in the other events.
    fn on_train_begin(&mut self, training: &mut Training<'_>) -> Result<()> {
        Ok(())
    }

    /// After the last epoch, or after the error that ends the training. It is called on every callback whose
    /// [`on_train_begin`](Self::on_train_begin) succeeded, even if another one fails; [`fit`](crate::Model::fit)
    /// returns the first error. It is not called where a callback panics.
    fn on_train_end(&mut self, training: &mut Training<'_>) -> Result<()> {
        Ok(())
    }

    /// Before an epoch's first batch.
    fn on_epoch_begin(&mut self, epoch: usize, training: &mut Training<'_>) -> Result<()> {
        Ok(())
    }

    /// After an epoch and its validation.
    fn on_epoch_end(&mut self, epoch: usize, logs: &Logs, training: &mut Training<'_>) -> Result<()> {
        Ok(())
    }

    /// Before a step.
    fn on_train_batch_begin(&mut self, batch: usize, training: &mut Training<'_>) -> Result<()> {
        Ok(())
    }

    /// After a step. The logs are the means of the epoch so far.
    fn on_train_batch_end(&mut self, batch: usize, logs: &Logs, training: &mut Training<'_>) -> Result<()> {
        Ok(())
    }

    /// Before the validation data are scored.
    fn on_test_begin(&mut self, training: &mut Training<'_>) -> Result<()> {
        Ok(())
    }

    /// After the validation data were scored. The logs are their scores, without `val_`.
    fn on_test_end(&mut self, logs: &Logs, training: &mut Training<'_>) -> Result<()> {
        Ok(())
    }

    /// The names of the values that it adds to an epoch's logs by [`Training::log`]; none, the default. Callbacks that
    /// monitor a value check before the first epoch that it is among them.
    fn log_names(&self) -> Vec<String> {
        Vec::new()
    }

    /// The state to save in checkpoints; `None`, the default, if a resumed training needs none. It is called between
    /// two steps, after all callbacks have been called.
    ///
    /// ```
    /// use inkstone::callbacks::{BackupAndRestore, Callback, CallbackState, Logs, Training};
    /// use inkstone::prelude::*;
    ///
    /// /// Counts epochs, those before an interruption too.
    /// struct Counter(usize);
    ///
    /// impl Callback for Counter {
    ///     fn on_epoch_end(&mut self, _: usize, _: &Logs, _: &mut Training<'_>) -> inkstone::Result<()> {
    ///         self.0 += 1;
    ///         Ok(())
    ///     }
    ///
    ///     fn state(&self) -> Option<CallbackState> {
    ///         Some(CallbackState::new("Counter").with("epochs", self.0))
    ///     }
    ///
    ///     fn restore(&mut self, state: &CallbackState) -> inkstone::Result<()> {
    ///         self.0 = state.get("epochs")?;
    ///         Ok(())
    ///     }
    /// }
    /// # let train = Dataset::from_bytes(inkstone::ndarray::Array4::zeros((4, 2, 2, 1)), vec![0, 1, 0, 1])?;
    /// # let model = || {
    /// #     Sequential::new([2, 2, 1])
    /// #         .add(Flatten::new())
    /// #         .add(Dense::new(2).activation(Softmax))
    /// #         .compile(Adam::new(0.008), SparseCategoricalCrossentropy::default(), [])
    /// # };
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let folder = folder.path();
    /// // Two runs of a program, of which the second resumes where the first stopped.
    /// for (epochs, counted) in [(3, 3), (5, 5)] {
    ///     let mut counter = Counter(0);
    ///     let backup = BackupAndRestore::new(folder);
    ///     let config = FitConfig::new().epochs(epochs).callback(&mut counter).backup(backup).verbose(0);
    ///     model()?.fit(&train, config)?;
    ///     assert_eq!(counter.0, counted);
    /// }
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    fn state(&self) -> Option<CallbackState> {
        None
    }

    /// Restores the state that [`state`](Self::state) returned for a checkpoint. It is called after
    /// [`on_train_begin`](Self::on_train_begin).
    ///
    /// # Errors
    /// [`Error::Callback`] if that is not what it expects.
    fn restore(&mut self, state: &CallbackState) -> Result<()> {
        Ok(())
    }
}

/// The callbacks of a training, called in the order in which they were given.
pub(crate) struct Callbacks<'a> {
    callbacks: Vec<Box<dyn Callback + Send + 'a>>,
    /// How many of them, from the first, have begun with the training.
    begun: usize,
}

impl<'a> Callbacks<'a> {
    pub(crate) fn new(callbacks: Vec<Box<dyn Callback + Send + 'a>>) -> Self {
        Self { callbacks, begun: 0 }
    }

    /// Begins with the training, up to the first callback that fails.
    pub(crate) fn begin(&mut self, training: &mut Training<'_>) -> Result<()> {
        for callback in &mut self.callbacks {
            callback.on_train_begin(training)?;
            self.begun += 1;
            training.check_model()?;
        }
        Ok(())
    }

    /// Ends what has begun: each callback, even if one before it fails.
    ///
    /// # Errors
    /// The first one.
    pub(crate) fn end(&mut self, training: &mut Training<'_>) -> Result<()> {
        let mut ended = Ok(());
        for callback in &mut self.callbacks[..std::mem::take(&mut self.begun)] {
            let outcome = callback.on_train_end(training).and_then(|()| training.check_model());
            ended = ended.and(outcome);
        }
        ended
    }

    /// Whether there are any.
    pub(crate) fn any(&self) -> bool {
        !self.callbacks.is_empty()
    }

    /// The states of all callbacks that have one, in order.
    pub(crate) fn states(&self) -> Vec<CallbackState> {
        self.callbacks.iter().filter_map(|callback| callback.state()).collect()
    }

    /// Hands each its state out of a checkpoint, which may also have none at all.
    ///
    /// # Errors
    /// [`Error::Callback`] if they are not the callbacks whose states these are.
    pub(crate) fn restore_all(&mut self, states: &[CallbackState]) -> Result<()> {
        if states.is_empty() {
            return Ok(());
        }
        let present = self.states();
        if present.len() != states.len() || !present.iter().zip(states).all(|(present, state)| present.is_like(state)) {
            let names = |states: &[CallbackState]| {
                let names: Vec<&str> = states.iter().map(|state| state.callback.as_str()).collect();
                if names.is_empty() { "none".to_owned() } else { names.join(", ") }
            };
            return Err(Error::Callback(format!(
                "the callbacks must be those of the checkpoint, {}, got {}: give `fit` the same ones in the same order",
                names(states),
                names(&present)
            )));
        }
        let remember = self.callbacks.iter_mut().filter(|callback| callback.state().is_some());
        remember.zip(states).try_for_each(|(callback, state)| callback.restore(state))
    }
}

/// Passes on every event that all callbacks get alike.
macro_rules! pass_on {
    ($visibility:vis $self:ident, $callback:ident => $each:expr) => {
        pass_on! { $visibility $self, $callback => $each;
            on_epoch_begin(epoch: usize);
            on_train_batch_begin(batch: usize);
            on_train_batch_end(batch: usize, logs: &Logs);
            on_test_begin();
            on_test_end(logs: &Logs);
        }
    };
    ($visibility:vis $self:ident, $callback:ident => $each:expr;
     $($event:ident($($name:ident: $type:ty),*);)*) => {$(
        $visibility fn $event(&mut $self, $($name: $type,)* training: &mut Training<'_>) -> Result<()> {
            $each.try_for_each(|$callback| $callback.$event($($name,)* training).and_then(|()| training.check_model()))
        }
    )*};
}

impl Callbacks<'_> {
    pass_on!(pub(crate) self, callback => self.callbacks.iter_mut());

    /// Ends an epoch: each callback sees in the logs what those before it have added to them.
    pub(crate) fn on_epoch_end(&mut self, epoch: usize, logs: &mut Logs, training: &mut Training<'_>) -> Result<()> {
        for callback in &mut self.callbacks {
            training.add_logged(logs);
            callback.on_epoch_end(epoch, logs, training)?;
            training.check_model()?;
        }
        Ok(())
    }

    /// The names that callbacks have declared for the logs.
    pub(crate) fn log_names(&self) -> Vec<String> {
        self.callbacks.iter().flat_map(|callback| callback.log_names()).collect()
    }
}

impl<C: Callback + ?Sized> Callback for &mut C {
    fn on_train_begin(&mut self, training: &mut Training<'_>) -> Result<()> {
        (**self).on_train_begin(training)
    }

    fn on_train_end(&mut self, training: &mut Training<'_>) -> Result<()> {
        (**self).on_train_end(training)
    }

    fn on_epoch_end(&mut self, epoch: usize, logs: &Logs, training: &mut Training<'_>) -> Result<()> {
        (**self).on_epoch_end(epoch, logs, training)
    }

    pass_on!(self, callback => std::iter::once(&mut **self));

    fn log_names(&self) -> Vec<String> {
        (**self).log_names()
    }

    fn state(&self) -> Option<CallbackState> {
        (**self).state()
    }

    fn restore(&mut self, state: &CallbackState) -> Result<()> {
        (**self).restore(state)
    }
}
