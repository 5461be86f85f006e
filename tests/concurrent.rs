//! Trainings and predictions side by side in a pool of two threads: none waits for another to end, and callbacks may
//! wait for each other.

use inkstone::Model;
use inkstone::callbacks::LambdaCallback;
use inkstone::prelude::*;
use ndarray::Array4;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, Mutex, Once, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// Gives the program two threads, whatever the machine has.
fn two_threads() {
    static BUILT: Once = Once::new();
    BUILT.call_once(|| rayon::ThreadPoolBuilder::new().num_threads(2).build_global().unwrap());
    assert_eq!(rayon::current_num_threads(), 2);
}

/// One test at a time: each counts on both threads.
fn alone() -> impl Drop {
    static LOCK: Mutex<()> = Mutex::new(());
    two_threads();
    LOCK.lock().unwrap_or_else(PoisonError::into_inner)
}

fn model() -> Model {
    Sequential::new([12, 12, 1])
        .add(Conv2D::new(16, (3, 3)).activation(Relu))
        .add(MaxPooling2D::new((2, 2)))
        .add(Flatten::new())
        .add(Dense::new(4).activation(Softmax))
        .seed(1)
        .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy])
        .unwrap()
}

fn images(count: usize) -> Array4<f32> {
    Array4::from_shape_fn((count, 12, 12, 1), |(n, y, x, _)| ((n * 31 + y * 7 + x * x) % 17) as f32 / 17.0)
}

fn dataset() -> Dataset {
    let images = Array4::from_shape_fn((640, 12, 12, 1), |(n, y, x, _)| (n * 31 + y * 7 + x * x) as u8);
    Dataset::from_bytes(images, (0..640).map(|n| n % 4).collect()).unwrap()
}

/// Runs `work` on a thread of its own; a panic if it does not end in time.
fn ends(what: &str, work: impl FnOnce() + Send + 'static) {
    let (sender, receiver) = mpsc::channel();
    let thread = thread::spawn(move || {
        work();
        sender.send(()).unwrap();
    });
    match receiver.recv_timeout(Duration::from_secs(60)) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("{what} did not end within a minute"),
        Ok(()) | Err(mpsc::RecvTimeoutError::Disconnected) => thread.join().unwrap(),
    }
}

#[test]
fn six_trainings_on_two_threads_whose_callbacks_share_a_lock_and_predict_under_it_end() {
    let _alone = alone();
    ends("six trainings", || {
        let (data, images, shared) = (dataset(), images(64), Mutex::new(model()));
        thread::scope(|scope| {
            for _ in 0..6 {
                scope.spawn(|| {
                    let look = LambdaCallback::new().on_train_batch_end(|_, _, _| {
                        let outputs = shared.lock().unwrap().predict_rows(&images)?;
                        assert_eq!(outputs.dim(), (64, 4));
                        Ok(())
                    });
                    let config = FitConfig::new().epochs(10).callback(look).verbose(0);
                    assert_eq!(model().fit(&data, config).unwrap().epochs.len(), 10);
                });
            }
        });
    });
}

#[test]
fn callbacks_of_more_trainings_than_threads_may_wait_for_each_other() {
    let _alone = alone();
    ends("three trainings at a barrier", || {
        let (data, barrier) = (dataset(), Arc::new(Barrier::new(3)));
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    let meet = LambdaCallback::new().on_epoch_end(|_, _, _| {
                        barrier.wait();
                        Ok(())
                    });
                    model().fit(&data, FitConfig::new().epochs(5).callback(meet).verbose(0)).unwrap();
                });
            }
        });
    });
}

/// The longest of the predictions made while three trainings run.
fn longest_prediction() -> Duration {
    let (data, images, over) = (dataset(), images(64), AtomicBool::new(false));
    let mut longest = Duration::ZERO;
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    model().fit(&data, FitConfig::new().epochs(100).verbose(0)).unwrap();
                }
            });
        }
        let predicting = model();
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(1) {
            let called = Instant::now();
            predicting.predict_rows(&images).unwrap();
            longest = longest.max(called.elapsed());
            thread::sleep(Duration::from_millis(1));
        }
        over.store(true, Ordering::Relaxed);
    });
    longest
}

#[test]
fn a_prediction_beside_three_trainings_waits_for_no_training() {
    let _alone = alone();
    // A busy machine may take a thread away for a while, but hardly in each of a few rounds. A prediction that could
    // run a whole training while it waits takes as long as that one in every round.
    let longest = (0..5).map(|_| longest_prediction()).min().unwrap();
    assert!(longest < Duration::from_millis(50), "the longest prediction took {longest:?}");
}
