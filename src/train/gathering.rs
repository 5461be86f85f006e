//! Lets threads that finish early wait for the others awake.
//!
//! A thread of the pool that finds no work falls asleep within microseconds, and waking it takes tens of them, longer
//! than the optimizer's pass over a small model. The parts of a batch take about as long as each other, and after them
//! there is work at once; so whoever finishes first stays awake until the last has.

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
        if self.parts == 1 {
            return;
        }
        let start = Instant::now();
        while self.others_are_at_work() && start.elapsed() < PATIENCE {
            std::hint::spin_loop();
        }
    }

    fn others_are_at_work(&self) -> bool {
        self.finished.load(Ordering::Relaxed) < self.parts && self.started.load(Ordering::Relaxed) == self.parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_parts_that_have_a_thread_are_waited_for() {
        let gathering = Gathering::new(2);
        gathering.start();
        assert!(!gathering.others_are_at_work(), "the second has not started");
        gathering.start();
        assert!(gathering.others_are_at_work());
        gathering.finish();
        assert!(gathering.others_are_at_work(), "one has finished");
        gathering.finish();
        assert!(!gathering.others_are_at_work());
    }

    #[test]
    fn patience_ends_where_a_part_never_does() {
        let gathering = Gathering::new(2);
        gathering.start();
        gathering.start();
        let start = Instant::now();
        gathering.finish();
        assert!(start.elapsed() >= PATIENCE, "it waits while the other part runs, and then returns");
    }
}
