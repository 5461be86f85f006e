//! Stops a training whose loss becomes NaN or infinite.

use super::{Callback, Logs, Training};
use crate::error::Result;
use crate::training::say;

/// Stops training when the loss becomes NaN or infinite, as
/// [Keras' `TerminateOnNaN`](https://keras.io/api/callbacks/terminate_on_nan/). Without it, that is an
/// [`Error::Diverged`](crate::Error::Diverged); with it, `fit` returns the history so far. Either way that step is
/// not taken.
///
/// ```
/// use inkstone::callbacks::TerminateOnNan;
/// use inkstone::prelude::*;
/// use inkstone::ndarray::Array4;
/// let images = Array4::<f32>::from_elem((64, 1, 1, 2), 1e30);
/// let labels: Vec<usize> = (0..64).map(|n| n % 2).collect();
/// let mut model = Sequential::new([2])
///     .add(Dense::new(2).activation(Softmax))
///     .compile(Sgd::new(1e10), SparseCategoricalCrossentropy::default(), [])?;
/// let history = model.fit((&images, &labels), FitConfig::new().epochs(10).callback(TerminateOnNan).verbose(0))?;
/// assert_eq!(history.epochs.len(), 1);
/// assert!(!history.losses()[0].is_finite());
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct TerminateOnNan;

impl Callback for TerminateOnNan {
    fn on_train_batch_end(&mut self, batch: usize, logs: &Logs, training: &mut Training<'_>) -> Result<()> {
        if logs.get("loss").is_some_and(|loss| !loss.is_finite()) {
            if !training.model().follows() {
                say(&format!("Batch {batch}: Invalid loss, terminating training"));
            }
            training.stop_training();
        }
        Ok(())
    }
}
