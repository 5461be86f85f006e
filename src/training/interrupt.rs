//! Interrupts a training from outside.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Interrupts a training from another thread or a signal handler, given to
/// [`FitConfig::interrupt`](crate::FitConfig::interrupt). Clones share one flag.
///
/// [`fit`](crate::Model::fit) checks it after each step. When interrupted, it writes a checkpoint if it has a
/// [backup](crate::FitConfig::backup), ends its callbacks, and returns the completed epochs; the model keeps what it
/// has learned in the interrupted epoch. Started again with the same backup and a newly built model, as after a crash,
/// the training resumes with the next batch. This differs from
/// [`Training::stop_training`](crate::callbacks::Training::stop_training), which finishes the epoch and completes the
/// training.
///
/// Use a new `Interrupt` for each `fit`: one that has been used ends the next `fit` at once.
///
/// ```
/// use inkstone::prelude::*;
/// use inkstone::Interrupt;
/// # let train = Dataset::from_bytes(inkstone::ndarray::Array4::zeros((4, 2, 2, 1)), vec![0, 1, 0, 1])?;
/// # let mut model = Sequential::new([2, 2, 1])
/// #     .add(Flatten::new())
/// #     .add(Dense::new(2).activation(Softmax))
/// #     .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [])?;
/// let interrupt = Interrupt::new();
/// let watchdog = std::thread::spawn({
///     let interrupt = interrupt.clone();
///     move || {
///         std::thread::sleep(std::time::Duration::from_millis(50));
///         interrupt.interrupt();
///     }
/// });
/// let history = model.fit(&train, FitConfig::new().epochs(1_000_000_000).interrupt(&interrupt).verbose(0))?;
/// assert!(interrupt.is_interrupted());
/// assert_eq!(history.epochs.len(), model.epochs());
/// # watchdog.join().unwrap();
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// A flag that is not set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Interrupts the training after the current step. It returns at once and is safe to call in a signal handler.
    pub fn interrupt(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether [`interrupt`](Self::interrupt) has been called.
    #[must_use]
    pub fn is_interrupted(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
