//! Sets the learning rate at the start of each epoch.

use super::{Callback, Training};
use crate::error::Result;
use crate::training::say;

/// Asks a function for the learning rate at the start of each epoch, as
/// [Keras' `LearningRateScheduler`](https://keras.io/api/callbacks/learning_rate_scheduler/): it is given the epoch,
/// from 0, and the rate so far. For a rate that changes from step to step, give the optimizer a schedule.
///
/// A learning rate that follows a schedule, or one that is negative, NaN or infinite, is an
/// [`Error::Setting`](crate::Error::Setting).
///
/// ```
/// use inkstone::callbacks::LearningRateScheduler;
/// use inkstone::prelude::*;
/// # let train = Dataset::from_bytes(inkstone::ndarray::Array4::zeros((4, 2, 2, 1)), vec![0, 1, 0, 1])?;
/// # let mut model = Sequential::new([2, 2, 1])
/// #     .add(Flatten::new())
/// #     .add(Dense::new(2).activation(Softmax))
/// #     .compile(Sgd::new(0.1), SparseCategoricalCrossentropy::default(), [])?;
/// let scheduler = LearningRateScheduler::new(|epoch, rate| if epoch < 2 { rate } else { rate * 0.5 });
/// let history = model.fit(&train, FitConfig::new().epochs(4).callback(scheduler).verbose(0))?;
/// assert_eq!(history.epochs.iter().map(|epoch| epoch.learning_rate).collect::<Vec<_>>(), [0.1, 0.1, 0.05, 0.025]);
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct LearningRateScheduler<F> {
    schedule: F,
    verbose: u8,
}

impl<F: FnMut(usize, f32) -> f32> LearningRateScheduler<F> {
    /// Takes the rate of each epoch from this function.
    #[must_use]
    pub fn new(schedule: F) -> Self {
        Self { schedule, verbose: 0 }
    }

    /// Sets the verbosity: 1 prints each action, 0 prints nothing.
    #[must_use]
    pub fn verbose(self, verbose: u8) -> Self {
        Self { verbose, ..self }
    }
}

impl<F: FnMut(usize, f32) -> f32> Callback for LearningRateScheduler<F> {
    fn on_train_begin(&mut self, training: &mut Training<'_>) -> Result<()> {
        training.check_rate_can_be_set()
    }

    fn on_epoch_begin(&mut self, epoch: usize, training: &mut Training<'_>) -> Result<()> {
        let rate = (self.schedule)(epoch, training.model().learning_rate());
        if self.verbose > 0 && !training.model().follows() {
            say(&format!("Epoch {}: LearningRateScheduler setting learning rate to {rate}.", epoch + 1));
        }
        training.model_mut().set_learning_rate(rate)
    }
}
