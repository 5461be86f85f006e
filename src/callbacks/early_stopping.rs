//! Stops a training that no longer improves.

use super::monitor::{Mode, Monitor, check_number};
use super::{Callback, CallbackState, Logs, Training};
use crate::error::Result;
use crate::model::Weight;
use crate::training::{monitored, say};

/// Stops training when a value of the logs has stopped improving, like
/// [Keras' `EarlyStopping`](https://keras.io/api/callbacks/early_stopping/).
///
/// An [`Error::Callback`](crate::Error::Callback) lists the available values if the monitored one does not exist.
///
/// ```
/// use inkstone::callbacks::EarlyStopping;
/// use inkstone::prelude::*;
/// # let train = Dataset::from_bytes(inkstone::ndarray::Array4::zeros((8, 2, 2, 1)), vec![0, 1, 0, 1, 0, 1, 0, 1])?;
/// # let mut model = Sequential::new([2, 2, 1])
/// #     .add(Flatten::new())
/// #     .add(Dense::new(2).activation(Softmax))
/// #     .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy])?;
/// // Black images teach nothing: the accuracy stays one half.
/// let mut stopping = EarlyStopping::new("accuracy").patience(2).restore_best_weights(true);
/// model.fit(&train, FitConfig::new().epochs(100).callback(&mut stopping).verbose(0))?;
/// assert_eq!((stopping.stopped_epoch(), stopping.best_epoch(), stopping.best()), (Some(2), Some(0), Some(0.5)));
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct EarlyStopping {
    monitor: Monitor,
    patience: usize,
    baseline: Option<f64>,
    restore_best_weights: bool,
    start_from_epoch: usize,
    verbose: u8,
    wait: usize,
    best_epoch: Option<usize>,
    stopped_epoch: Option<usize>,
    best_weights: Option<Vec<Weight>>,
}

impl Default for EarlyStopping {
    fn default() -> Self {
        Self::new("val_loss")
    }
}

impl EarlyStopping {
    /// Monitors this value, such as `val_loss` or `accuracy`, with Keras' defaults: it stops at the first epoch without
    /// improvement.
    #[must_use]
    pub fn new(monitor: impl Into<String>) -> Self {
        Self {
            monitor: Monitor::new(monitor, 0.0),
            patience: 0,
            baseline: None,
            restore_best_weights: false,
            start_from_epoch: 0,
            verbose: 0,
            wait: 0,
            best_epoch: None,
            stopped_epoch: None,
            best_weights: None,
        }
    }

    /// Sets the smallest change that counts as an improvement; its sign does not matter.
    #[must_use]
    pub fn min_delta(mut self, min_delta: f64) -> Self {
        self.monitor.min_delta = min_delta.abs();
        self
    }

    /// Sets the number of epochs without improvement after which training stops.
    #[must_use]
    pub fn patience(self, patience: usize) -> Self {
        Self { patience, ..self }
    }

    /// Sets whether smaller or larger values are better.
    #[must_use]
    pub fn mode(mut self, mode: Mode) -> Self {
        self.monitor.mode = mode;
        self
    }

    /// Sets a baseline: only values better than it count as an improvement.
    #[must_use]
    pub fn baseline(self, baseline: f64) -> Self {
        Self { baseline: Some(baseline), ..self }
    }

    setters! {
        /// Sets whether the model ends with the weights of its best epoch; otherwise it keeps those of the last.
        restore_best_weights: bool,

        /// Sets the first epoch that is monitored, from 0.
        start_from_epoch: usize,

        /// Sets the verbosity: 1 prints each action, 0 prints nothing.
        verbose: u8,
    }

    /// The epoch, from 0, after which it stopped the training; `None` if it did not.
    #[must_use]
    pub fn stopped_epoch(&self) -> Option<usize> {
        self.stopped_epoch
    }

    /// The epoch with the best value, from 0.
    #[must_use]
    pub fn best_epoch(&self) -> Option<usize> {
        self.best_epoch
    }

    /// The best value.
    #[must_use]
    pub fn best(&self) -> Option<f64> {
        self.monitor.best
    }
}

impl Callback for EarlyStopping {
    fn on_train_begin(&mut self, training: &mut Training<'_>) -> Result<()> {
        self.monitor.begin(training)?;
        self.baseline.map_or(Ok(()), |baseline| check_number("baseline", baseline))?;
        (self.wait, self.best_epoch, self.stopped_epoch, self.best_weights) = (0, None, None, None);
        Ok(())
    }

    fn on_epoch_end(&mut self, epoch: usize, logs: &Logs, training: &mut Training<'_>) -> Result<()> {
        if epoch < self.start_from_epoch {
            return Ok(());
        }
        let value = monitored(logs, &self.monitor.name)?;
        self.wait += 1;
        if self.monitor.improves(value) {
            self.best_epoch = Some(epoch);
            if self.restore_best_weights {
                self.best_weights = Some(training.model().get_weights());
            }
            if self.baseline.is_none_or(|baseline| self.monitor.is_better(value, baseline)) {
                self.wait = 0;
            }
            return Ok(());
        }
        if self.wait >= self.patience && epoch > 0 {
            self.stopped_epoch = Some(epoch);
            training.stop_training();
        }
        Ok(())
    }

    fn on_train_end(&mut self, training: &mut Training<'_>) -> Result<()> {
        if let (Some(epoch), 1.., false) = (self.stopped_epoch, self.verbose, training.model().follows()) {
            say(&format!("Epoch {}: early stopping", epoch + 1));
        }
        if let Some(weights) = self.best_weights.take() {
            if self.verbose > 0 && !training.model().follows() {
                let epoch = self.best_epoch.map_or(0, |epoch| epoch + 1);
                say(&format!("Restoring model weights from the end of the best epoch: {epoch}."));
            }
            training.model_mut().set_weights(&weights)?;
        }
        Ok(())
    }

    fn state(&self) -> Option<CallbackState> {
        let state = CallbackState::new("EarlyStopping").with("best", self.monitor.best_bits()).with("wait", self.wait);
        let state = state.with("best_epoch", self.best_epoch).with("stopped_epoch", self.stopped_epoch);
        Some(state.with_weights(self.best_weights.clone()))
    }

    fn restore(&mut self, state: &CallbackState) -> Result<()> {
        self.monitor.set_best_bits(state.get("best")?);
        self.wait = state.count("wait")?;
        self.best_epoch = state.optional_count("best_epoch")?;
        self.stopped_epoch = state.optional_count("stopped_epoch")?;
        self.best_weights = state.weights().map(<[Weight]>::to_vec);
        Ok(())
    }
}
