//! Decides how work gets to threads: whoever is free takes the next task, and who finds none waits awake for the
//! others.
//!
//! A thread of the pool that finds no work falls asleep within microseconds, and waking it takes tens of them, longer
//! than the optimizer's pass over a small model. The shards of a batch take about as long as each other, and after them
//! there is work at once; so whoever finishes first stays awake until the last has.

use crate::clock::Instant;
use rayon::prelude::*;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How long a thread waits awake at most.
const PATIENCE: Duration = Duration::from_micros(200);

/// What comes after some tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// More work for all threads, at once.
    Work,
    Rest,
}

/// Does all tasks, in the order in which they come, on as many threads as there are workers.
///
/// - workers: what each thread has to itself, such as memory
/// - work: gets a task with its place, and the worker that has taken it
pub(super) fn hand_out<T: Send, W: Send>(
    tasks: impl ExactSizeIterator<Item = T> + Send,
    workers: &mut [W],
    then: Then,
    work: impl Fn(usize, T, &mut W) + Sync,
) {
    if let [worker] = workers {
        return tasks.enumerate().for_each(|(place, task)| work(place, task, worker));
    }
    let finished = Finished { tasks: tasks.len(), count: AtomicUsize::new(0) };
    let queue = Mutex::new(tasks.enumerate());
    // Held while the next task is taken, never while it is done.
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
    workers.par_iter_mut().with_max_len(1).for_each(|worker| {
        while let Some((place, task)) = next() {
            work(place, task, worker);
            finished.count.fetch_add(1, Ordering::Relaxed);
        }
        match then {
            Then::Work => finished.wait(),
            Then::Rest => {}
        }
    });
}

/// How many tasks are done.
struct Finished {
    tasks: usize,
    count: AtomicUsize,
}

impl Finished {
    /// Waits for the tasks that others have taken.
    fn wait(&self) {
        let start = Instant::now();
        while self.count.load(Ordering::Relaxed) < self.tasks && start.elapsed() < PATIENCE {
            std::hint::spin_loop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Condvar;
    use std::sync::atomic::AtomicBool;

    /// Each task waits until as many have begun as there are threads: that ends early only if every thread has got one.
    #[test]
    fn every_thread_of_the_pool_gets_work() {
        for threads in [1, 2, 3, 5, 8, 16] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let (begun, changed) = (Mutex::new(0), Condvar::new());
            let alone = AtomicBool::new(false);
            let mut workers = vec![0; threads];
            pool.install(|| {
                hand_out(0..threads, &mut workers, Then::Rest, |place, task, done: &mut usize| {
                    assert_eq!(place, task);
                    let mut begun = begun.lock().unwrap();
                    *begun += 1;
                    changed.notify_all();
                    let waited = changed.wait_timeout_while(begun, Duration::from_secs(60), |begun| *begun < threads);
                    alone.fetch_or(waited.unwrap().1.timed_out(), Ordering::Relaxed);
                    *done += 1;
                });
            });
            assert!(!alone.into_inner(), "{threads} threads");
            assert_eq!(workers, vec![1; threads]);
        }
    }

    #[test]
    fn a_free_thread_takes_the_next_task() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
        let others = AtomicUsize::new(0);
        let mut workers = [0; 2];
        // The first task lasts until all others are done, which the other thread has to do then.
        pool.install(|| {
            hand_out(0..10, &mut workers, Then::Work, |place, _, done: &mut usize| {
                *done += 1;
                if place > 0 {
                    others.fetch_add(1, Ordering::Relaxed);
                }
                let start = Instant::now();
                while place == 0 && others.load(Ordering::Relaxed) < 9 && start.elapsed() < Duration::from_secs(60) {
                    std::thread::yield_now();
                }
            });
        });
        workers.sort_unstable();
        assert_eq!(workers, [1, 9]);
    }

    #[test]
    fn patience_ends_where_a_task_never_does() {
        let start = Instant::now();
        Finished { tasks: 2, count: AtomicUsize::new(1) }.wait();
        assert!(start.elapsed() >= PATIENCE);
        Finished { tasks: 2, count: AtomicUsize::new(2) }.wait();
    }
}
