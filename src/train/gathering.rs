//! Lets threads that finish early wait for the others awake.
//!
//! A thread of the pool that finds no work falls asleep within microseconds, and waking it takes tens of them, longer than
//! the optimizer's pass over a small model. The parts of a batch take about as long as each other, and after them there is
//! work at once; so whoever finishes first stays awake until the last has.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How long a thread waits awake at most.
const PATIENCE: Duration = Duration::from_micros(200);

/// Some parts of work, of which each is to call `start` and `finish`.
pub(super) struct Gathering {
    parts: usize,
    started: AtomicUsize,
    finished: AtomicUsize,
}

impl Gathering {
    pub(super) fn new(parts: usize) -> Self {
        Self { parts, started: AtomicUsize::new(0), finished: AtomicUsize::new(0) }
    }

    pub(super) fn start(&self) {
        self.started.fetch_add(1, Ordering::Relaxed);
    }

    /// Waits for the other parts, unless one of them has no thread yet: this one may be needed for it.
    pub(super) fn finish(&self) {
        self.finished.fetch_add(1, Ordering::Relaxed);
        let start = Instant::now();
        while self.finished.load(Ordering::Relaxed) < self.parts
            && self.started.load(Ordering::Relaxed) == self.parts
            && start.elapsed() < PATIENCE
        {
            std::hint::spin_loop();
        }
    }
}
