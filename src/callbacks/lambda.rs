//! Closures as callbacks.

use super::{Callback, Logs, Training};
use crate::error::Result;
use std::fmt;

type OnTraining<'a> = Box<dyn FnMut(&mut Training<'_>) -> Result<()> + Send + 'a>;
type OnBegin<'a> = Box<dyn FnMut(usize, &mut Training<'_>) -> Result<()> + Send + 'a>;
type OnEnd<'a> = Box<dyn FnMut(usize, &Logs, &mut Training<'_>) -> Result<()> + Send + 'a>;

/// A callback made of closures, as [Keras' `LambdaCallback`](https://keras.io/api/callbacks/lambda_callback/).
///
/// ```
/// use inkstone::callbacks::LambdaCallback;
/// use inkstone::prelude::*;
/// # let train = Dataset::from_bytes(inkstone::ndarray::Array4::zeros((64, 2, 2, 1)), vec![0; 64])?;
/// # let mut model = Sequential::new([2, 2, 1])
/// #     .add(Flatten::new())
/// #     .add(Dense::new(2).activation(Softmax))
/// #     .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [])?;
/// let mut losses = Vec::new();
/// let watch = LambdaCallback::new().on_train_batch_end(|_batch, logs, training| {
///     losses.extend(logs.get("loss"));
///     if losses.len() == 3 {
///         training.stop_training();
///     }
///     Ok(())
/// });
/// model.fit(&train, FitConfig::new().epochs(5).callback(watch).verbose(0))?;
/// assert_eq!(losses.len(), 3);
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Default)]
pub struct LambdaCallback<'a> {
    train_begin: Option<OnTraining<'a>>,
    train_end: Option<OnTraining<'a>>,
    epoch_begin: Option<OnBegin<'a>>,
    epoch_end: Option<OnEnd<'a>>,
    train_batch_begin: Option<OnBegin<'a>>,
    train_batch_end: Option<OnEnd<'a>>,
    log_names: Vec<String>,
}

impl<'a> LambdaCallback<'a> {
    /// A callback that does nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Declares the names of the values that its closures add to an epoch's logs by [`Training::log`].
    #[must_use]
    pub fn logs(self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { log_names: names.into_iter().map(Into::into).collect(), ..self }
    }

    /// Sets what is called before the first epoch.
    #[must_use]
    pub fn on_train_begin(self, call: impl FnMut(&mut Training<'_>) -> Result<()> + Send + 'a) -> Self {
        Self { train_begin: Some(Box::new(call)), ..self }
    }

    /// Sets what is called after the last epoch.
    #[must_use]
    pub fn on_train_end(self, call: impl FnMut(&mut Training<'_>) -> Result<()> + Send + 'a) -> Self {
        Self { train_end: Some(Box::new(call)), ..self }
    }

    /// Sets what is called before each epoch.
    #[must_use]
    pub fn on_epoch_begin(self, call: impl FnMut(usize, &mut Training<'_>) -> Result<()> + Send + 'a) -> Self {
        Self { epoch_begin: Some(Box::new(call)), ..self }
    }

    /// Sets what is called after each epoch.
    #[must_use]
    pub fn on_epoch_end(self, call: impl FnMut(usize, &Logs, &mut Training<'_>) -> Result<()> + Send + 'a) -> Self {
        Self { epoch_end: Some(Box::new(call)), ..self }
    }

    /// Sets what is called before each step.
    #[must_use]
    pub fn on_train_batch_begin(self, call: impl FnMut(usize, &mut Training<'_>) -> Result<()> + Send + 'a) -> Self {
        Self { train_batch_begin: Some(Box::new(call)), ..self }
    }

    /// Sets what is called after each step.
    #[must_use]
    pub fn on_train_batch_end(
        self,
        call: impl FnMut(usize, &Logs, &mut Training<'_>) -> Result<()> + Send + 'a,
    ) -> Self {
        Self { train_batch_end: Some(Box::new(call)), ..self }
    }
}

impl Callback for LambdaCallback<'_> {
    fn log_names(&self) -> Vec<String> {
        self.log_names.clone()
    }

    fn on_train_begin(&mut self, training: &mut Training<'_>) -> Result<()> {
        self.train_begin.as_mut().map_or(Ok(()), |call| call(training))
    }

    fn on_train_end(&mut self, training: &mut Training<'_>) -> Result<()> {
        self.train_end.as_mut().map_or(Ok(()), |call| call(training))
    }

    fn on_epoch_begin(&mut self, epoch: usize, training: &mut Training<'_>) -> Result<()> {
        self.epoch_begin.as_mut().map_or(Ok(()), |call| call(epoch, training))
    }

    fn on_epoch_end(&mut self, epoch: usize, logs: &Logs, training: &mut Training<'_>) -> Result<()> {
        self.epoch_end.as_mut().map_or(Ok(()), |call| call(epoch, logs, training))
    }

    fn on_train_batch_begin(&mut self, batch: usize, training: &mut Training<'_>) -> Result<()> {
        self.train_batch_begin.as_mut().map_or(Ok(()), |call| call(batch, training))
    }

    fn on_train_batch_end(&mut self, batch: usize, logs: &Logs, training: &mut Training<'_>) -> Result<()> {
        self.train_batch_end.as_mut().map_or(Ok(()), |call| call(batch, logs, training))
    }
}

impl fmt::Debug for LambdaCallback<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LambdaCallback").finish_non_exhaustive()
    }
}
