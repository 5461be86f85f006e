//! What is called while a model trains, with [Keras' events](https://keras.io/api/callbacks/): to look, to stop, to change the
//! learning rate, to write files.
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

mod csv_logger;
mod early_stopping;
mod file_name;
mod lambda;
mod learning_rate_scheduler;
mod model_checkpoint;
mod monitor;
mod reduce_lr_on_plateau;
#[cfg(feature = "tensorboard")]
mod tensorboard;
mod terminate_on_nan;
#[cfg(test)]
mod tests;

pub use csv_logger::CsvLogger;
pub use early_stopping::EarlyStopping;
pub use lambda::LambdaCallback;
pub use learning_rate_scheduler::LearningRateScheduler;
pub use model_checkpoint::{ModelCheckpoint, SaveFreq};
pub use monitor::Mode;
pub use reduce_lr_on_plateau::ReduceLROnPlateau;
#[cfg(feature = "tensorboard")]
pub use tensorboard::TensorBoard;
pub use terminate_on_nan::TerminateOnNan;

pub use crate::fit::{Logs, Training};

use crate::error::Result;

/// Something that is called while a model trains. Every event does nothing unless it is written; an error ends the training.
///
/// Epochs and batches count from 0, as in Keras. There is no event for a batch that is only scored: those are worked on in
/// parallel.
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
    /// Whatever is to end the training, here and below.
    fn on_train_begin(&mut self, training: &mut Training<'_>) -> Result<()> {
        Ok(())
    }

    /// After the last epoch. It is not called where a training ends with an error.
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
}

/// The callbacks of a training, called in the order in which they were given.
pub(crate) struct Callbacks<'a>(Vec<Box<dyn Callback + Send + 'a>>);

impl<'a> Callbacks<'a> {
    pub(crate) fn new(callbacks: Vec<Box<dyn Callback + Send + 'a>>) -> Self {
        Self(callbacks)
    }

    /// Whether there are any.
    pub(crate) fn any(&self) -> bool {
        !self.0.is_empty()
    }
}

/// Passes every event on.
macro_rules! pass_on {
    ($self:ident, $callback:ident => $each:expr) => {
        pass_on! { $self, $callback => $each;
            on_train_begin();
            on_train_end();
            on_epoch_begin(epoch: usize);
            on_epoch_end(epoch: usize, logs: &Logs);
            on_train_batch_begin(batch: usize);
            on_train_batch_end(batch: usize, logs: &Logs);
            on_test_begin();
            on_test_end(logs: &Logs);
        }
    };
    ($self:ident, $callback:ident => $each:expr; $($event:ident($($name:ident: $type:ty),*);)*) => {$(
        fn $event(&mut $self, $($name: $type,)* training: &mut Training<'_>) -> Result<()> {
            $each.try_for_each(|$callback| $callback.$event($($name,)* training))
        }
    )*};
}

impl Callback for Callbacks<'_> {
    pass_on!(self, callback => self.0.iter_mut());
}

impl<C: Callback + ?Sized> Callback for &mut C {
    pass_on!(self, callback => std::iter::once(&mut **self));
}
