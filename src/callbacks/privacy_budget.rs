//! Stops a private training before it tells too much.

use super::{Callback, Logs, Training};
use crate::accounting::Accountant;
use crate::error::{Error, Result};
use crate::training::say;

/// Stops a [private training](crate::privacy::DpSgd) after the last epoch that keeps to an epsilon: when another epoch
/// like the last one would exceed it. The model's [earlier trainings](crate::Model::privacy) count. Where the number of
/// epochs is known before, [`DpSgd::for_epsilon`](crate::privacy::DpSgd::for_epsilon) chooses the noise that it takes.
///
/// ```
/// use inkstone::callbacks::PrivacyBudget;
/// use inkstone::prelude::*;
/// use inkstone::{data::synthetic, privacy::DpSgd};
/// let digits = synthetic::digits(600, 0)?;
/// let mut model = Sequential::new([28, 28, 1])
///     .add(Flatten::new())
///     .add(Dense::new(10).activation(Softmax))
///     .compile(Sgd::new(0.5), SparseCategoricalCrossentropy::default(), [])?;
/// let private = DpSgd::new(2.0, 1.0).delta(1e-4);
/// let config = FitConfig::new().epochs(1000).batch_size(60).differential_privacy(private).verbose(0);
/// let history = model.fit(&digits, config.callback(PrivacyBudget::new(2.0).delta(1e-4)))?;
/// assert!(history.epochs.len() > 1 && history.epochs.len() < 1000);
/// assert!(model.privacy().epsilon(1e-4)? <= 2.0);
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct PrivacyBudget {
    epsilon: f64,
    delta: f64,
    /// What the model had told before the epoch.
    before: Accountant,
}

impl PrivacyBudget {
    /// At most this epsilon, at a delta of 1e-5.
    pub fn new(epsilon: f64) -> Self {
        Self { epsilon, delta: 1e-5, before: Accountant::new() }
    }

    /// Sets the delta.
    pub fn delta(self, delta: f64) -> Self {
        Self { delta, ..self }
    }
}

impl Callback for PrivacyBudget {
    /// # Errors
    /// [`Error::Callback`] if the model has told more than the budget already.
    fn on_train_begin(&mut self, training: &mut Training<'_>) -> Result<()> {
        let told = training.model().privacy().epsilon(self.delta)?;
        if told > self.epsilon {
            return Err(Error::Callback(format!(
                "the model's trainings have told an epsilon of {told:.4} already, more than the budget of {}",
                self.epsilon
            )));
        }
        Ok(())
    }

    fn on_epoch_begin(&mut self, _epoch: usize, training: &mut Training<'_>) -> Result<()> {
        self.before = training.model().privacy().clone();
        Ok(())
    }

    fn on_epoch_end(&mut self, epoch: usize, _logs: &Logs, training: &mut Training<'_>) -> Result<()> {
        let another = training.model().privacy().with_as_much_again(&self.before)?;
        let epsilon = another.epsilon(self.delta)?;
        if epsilon > self.epsilon {
            say(&format!(
                "Epoch {}: another epoch would come to an epsilon of {epsilon:.4}, more than {}",
                epoch + 1,
                self.epsilon
            ));
            training.stop_training();
        }
        Ok(())
    }
}
