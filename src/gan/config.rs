//! The arguments of `Gan::fit`.

use super::{Gan, GanEpoch, GanScores};
use crate::error::{Error, Result};
use crate::training::Interrupt;
use std::fmt;
use std::ops::ControlFlow;
use std::path::PathBuf;

/// What is called after each epoch.
pub(super) type EpochCallback<'a> = Box<dyn FnMut(&GanEpoch, &mut Gan) -> Result<ControlFlow<()>> + 'a>;

/// What is called after each batch.
pub(super) type BatchCallback<'a> = Box<dyn FnMut(usize, &GanScores, &mut Gan) -> Result<()> + 'a>;

/// The arguments of [`Gan::fit`].
///
/// ```
/// use inkstone::GanConfig;
/// let config = GanConfig::new().epochs(20);
/// assert_eq!((config.epochs, config.batch_size, config.verbose), (20, 128, 1));
/// ```
pub struct GanConfig<'a> {
    /// The number of the last epoch, counted since the models were new; 1. Models that have been trained for as many
    /// epochs are not trained.
    pub epochs: usize,
    /// The number of real images, and of generated ones, in a step; 128. The last batch of an epoch may be smaller.
    pub batch_size: usize,
    /// The file that a checkpoint is written to after each epoch, and where an interrupt stops the training; none.
    pub checkpoint: Option<PathBuf>,
    /// A handle that interrupts the training from outside; none.
    pub interrupt: Option<Interrupt>,
    /// 0 prints nothing, 1 prints a line for each epoch and one for each warning; 1.
    pub verbose: u8,
    pub(super) on_batch_end: Option<BatchCallback<'a>>,
    pub(super) on_epoch_end: Option<EpochCallback<'a>>,
}

impl Default for GanConfig<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a> GanConfig<'a> {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self {
            epochs: 1,
            batch_size: 128,
            checkpoint: None,
            interrupt: None,
            verbose: 1,
            on_batch_end: None,
            on_epoch_end: None,
        }
    }

    setters! {
        /// Sets the number of the last epoch.
        epochs: usize,

        /// Sets the number of real images in a step.
        batch_size: usize,

        /// Sets what is printed.
        verbose: u8,
    }

    /// Writes a checkpoint to this file after each epoch, and where an interrupt stops the training;
    /// [`Gan::resume`] goes on from it.
    #[must_use]
    pub fn checkpoint(self, path: impl Into<PathBuf>) -> Self {
        Self { checkpoint: Some(path.into()), ..self }
    }

    /// Lets this handle interrupt the training.
    #[must_use]
    pub fn interrupt(self, interrupt: &Interrupt) -> Self {
        Self { interrupt: Some(interrupt.clone()), ..self }
    }

    /// Calls this after each batch, with its number in the epoch, from 0, and its losses. It may look at both models and
    /// change them.
    ///
    /// ```
    /// use inkstone::GanConfig;
    /// let mut losses = Vec::new();
    /// let config = GanConfig::new().on_batch_end(|_, scores, _| {
    ///     losses.push(scores.discriminator_loss);
    ///     Ok(())
    /// });
    /// assert_eq!(config.epochs, 1);
    /// ```
    #[must_use]
    pub fn on_batch_end(self, call: impl FnMut(usize, &GanScores, &mut Gan) -> Result<()> + 'a) -> Self {
        Self { on_batch_end: Some(Box::new(call)), ..self }
    }

    /// Calls this after each epoch, before its checkpoint is written. It may look at both models, change them, and end
    /// the training by [`ControlFlow::Break`].
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// use inkstone::{Gan, GanConfig, GanLoss};
    /// use inkstone::ndarray::Array2;
    /// use std::ops::ControlFlow;
    /// # let generator = Sequential::new([2]).add(Dense::new(3)).compile(Adam::default(), MeanSquaredError, [])?;
    /// # let discriminator = Sequential::new([3]).add(Dense::new(1)).compile(Adam::default(), MeanSquaredError, [])?;
    /// # let table = Array2::from_shape_fn((64, 3), |(n, f)| (n * (f + 1) % 7) as f32);
    /// # let data = Dataset::from_table(table, vec![0; 64])?;
    /// let mut gan = Gan::new(generator, discriminator, GanLoss::NonSaturating)?;
    /// let config = GanConfig::new().epochs(100).verbose(0).on_epoch_end(|epoch, gan| {
    ///     assert_eq!(gan.generator().output_shape().axes(), [3]);
    ///     Ok(if epoch.epoch == 4 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    /// });
    /// assert_eq!(gan.fit(&data, config)?.epochs.len(), 5);
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    #[must_use]
    pub fn on_epoch_end(self, call: impl FnMut(&GanEpoch, &mut Gan) -> Result<ControlFlow<()>> + 'a) -> Self {
        Self { on_epoch_end: Some(Box::new(call)), ..self }
    }

    /// # Errors
    /// [`Error::Setting`] for a number out of range.
    pub(super) fn check(&self) -> Result<()> {
        if self.batch_size == 0 {
            return Err(Error::Setting { name: "batch_size", expected: "at least 1", received: "0".into() });
        }
        Ok(())
    }
}

impl fmt::Debug for GanConfig<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { epochs, batch_size, checkpoint, interrupt, verbose, on_batch_end: _, on_epoch_end: _ } = self;
        let mut config = f.debug_struct("GanConfig");
        config.field("epochs", epochs).field("batch_size", batch_size).field("checkpoint", checkpoint);
        config.field("interrupt", interrupt).field("verbose", verbose).finish_non_exhaustive()
    }
}
