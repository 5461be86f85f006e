//! Lowers the learning rate of a training that gets no better.

use super::monitor::{Mode, Monitor, check_number};
use super::{Callback, CallbackState, Logs, Training};
use crate::error::{Error, Result};
use crate::training::{monitored, say};

/// Multiplies the learning rate by a factor when a value of the logs has not got better for some epochs, as
/// [Keras' `ReduceLROnPlateau`](https://keras.io/api/callbacks/reduce_lr_on_plateau/).
///
/// An [`Error::Callback`](crate::Error::Callback) names the values there are if the monitored one is none of them; a
/// learning rate that follows a schedule is an [`Error::Setting`], as is a factor of 1 or more.
///
/// ```
/// use inkstone::callbacks::ReduceLROnPlateau;
/// use inkstone::prelude::*;
/// # let train = Dataset::from_bytes(inkstone::ndarray::Array4::zeros((8, 2, 2, 1)), vec![0, 1, 0, 1, 0, 1, 0, 1])?;
/// # let mut model = Sequential::new([2, 2, 1])
/// #     .add(Flatten::new())
/// #     .add(Dense::new(2).activation(Softmax))
/// #     .compile(Sgd::new(0.1), SparseCategoricalCrossentropy::default(), [Accuracy])?;
/// // Black images teach nothing: the accuracy stays one half.
/// let plateau = ReduceLROnPlateau::new("accuracy").factor(0.5).patience(2);
/// model.fit(&train, FitConfig::new().epochs(5).callback(plateau).verbose(0))?;
/// assert_eq!(model.learning_rate(), 0.1 * 0.5 * 0.5);
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ReduceLROnPlateau {
    monitor: Monitor,
    factor: f64,
    patience: usize,
    cooldown: usize,
    min_lr: f64,
    verbose: u8,
    wait: usize,
    cooling: usize,
}

impl Default for ReduceLROnPlateau {
    fn default() -> Self {
        Self::new("val_loss")
    }
}

impl ReduceLROnPlateau {
    /// Watches this value with Keras' defaults: a tenth of the rate after ten epochs without a value better by 0.0001.
    #[must_use]
    pub fn new(monitor: impl Into<String>) -> Self {
        Self {
            monitor: Monitor::new(monitor, 1e-4),
            factor: 0.1,
            patience: 10,
            cooldown: 0,
            min_lr: 0.0,
            verbose: 0,
            wait: 0,
            cooling: 0,
        }
    }

    setters! {
        /// Sets the factor by which the learning rate is multiplied, less than 1.
        factor: f64,

        /// Sets the number of epochs without improvement after which the rate is lowered.
        patience: usize,
    }

    /// Sets whether smaller or larger values are better.
    #[must_use]
    pub fn mode(mut self, mode: Mode) -> Self {
        self.monitor.mode = mode;
        self
    }

    /// Sets the smallest change that counts as an improvement; its sign does not matter.
    #[must_use]
    pub fn min_delta(mut self, min_delta: f64) -> Self {
        self.monitor.min_delta = min_delta.abs();
        self
    }

    setters! {
        /// Sets the number of epochs after a reduction during which the value is not monitored.
        cooldown: usize,

        /// Sets the rate below which it is not lowered.
        min_lr: f64,

        /// Sets the verbosity: 1 prints each action, 0 prints nothing.
        verbose: u8,
    }

    /// The best value so far.
    #[cfg(test)]
    pub(super) fn best(&self) -> Option<f64> {
        self.monitor.best
    }
}

impl Callback for ReduceLROnPlateau {
    fn on_train_begin(&mut self, training: &mut Training<'_>) -> Result<()> {
        if !(0.0..1.0).contains(&self.factor) {
            return Err(Error::Setting {
                name: "factor",
                expected: "at least 0 and less than 1",
                received: self.factor.to_string(),
            });
        }
        check_number("min_lr", self.min_lr)?;
        training.check_rate_can_be_set()?;
        (self.wait, self.cooling) = (0, 0);
        self.monitor.begin(training)
    }

    fn on_epoch_end(&mut self, epoch: usize, logs: &Logs, training: &mut Training<'_>) -> Result<()> {
        let value = monitored(logs, &self.monitor.name)?;
        if self.cooling > 0 {
            self.cooling -= 1;
            self.wait = 0;
        }
        if self.monitor.improves(value) {
            self.wait = 0;
        } else if self.cooling == 0 {
            self.wait += 1;
            let old = f64::from(training.model().learning_rate());
            if self.wait >= self.patience && old > f64::from(self.min_lr as f32) {
                let new = (old * self.factor).max(self.min_lr);
                training.model_mut().set_learning_rate(new as f32)?;
                if self.verbose > 0 && !training.model().follows() {
                    say(&format!("Epoch {}: ReduceLROnPlateau reducing learning rate to {new}.", epoch + 1));
                }
                (self.wait, self.cooling) = (0, self.cooldown);
            }
        }
        Ok(())
    }

    fn state(&self) -> Option<CallbackState> {
        let state = CallbackState::new("ReduceLROnPlateau").with("best", self.monitor.best_bits());
        Some(state.with("wait", self.wait).with("cooling", self.cooling))
    }

    fn restore(&mut self, state: &CallbackState) -> Result<()> {
        self.monitor.set_best_bits(state.get("best")?);
        (self.wait, self.cooling) = (state.count("wait")?, state.count("cooling")?);
        Ok(())
    }
}
