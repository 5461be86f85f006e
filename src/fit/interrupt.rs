//! How a training is interrupted from outside.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Interrupts a training from another thread or a signal handler, given to
/// [`FitConfig::interrupt`](crate::FitConfig::interrupt). Clones are handles of the same interruption.
///
/// [`fit`](crate::Model::fit) looks after each step. When it has been interrupted, it writes a checkpoint if it has a
/// [backup](crate::FitConfig::backup), ends its callbacks, and returns the completed epochs; the model keeps what it has
/// learned in the epoch that was interrupted. Started again with the same backup by a model that is
/// built anew, as after a crash, the training resumes with the next batch.
/// That is the difference to [`Training::stop_training`](crate::callbacks::Training::stop_training), which brings the epoch
/// to its end and the training to completion.
///
/// Each `fit` needs an interruption of its own, or ends at once if another one was interrupted by the same.
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
    /// An interruption that has not come yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Interrupts the training after the step that runs. It returns at once, and does nothing that a signal handler must not
    /// do.
    pub fn interrupt(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether [`interrupt`](Self::interrupt) has been called.
    #[must_use]
    pub fn is_interrupted(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
