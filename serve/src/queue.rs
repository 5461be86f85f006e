//! Threads that predict, and the requests that wait for them.
//!
//! A thread takes what waits for one model and predicts it together: the more there is to do, the larger batches become,
//! and no request waits for others to come.

use crate::fault::Refusal;
use crate::metrics::Metrics;
use crate::models::Loaded;
use axum::http::StatusCode;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// The most examples of several requests that are predicted together: more are not faster.
const MAX_BATCH: usize = 64;

/// Where requests wait.
pub(crate) struct Queue {
    waiting: Mutex<VecDeque<Job>>,
    is_work: Condvar,
    capacity: usize,
    metrics: Arc<Metrics>,
}

/// Examples to predict, and who waits for them.
struct Job {
    model: Arc<Loaded>,
    examples: usize,
    values: Vec<f32>,
    answer: oneshot::Sender<Answer>,
}

/// The outputs, or what is wrong with the examples.
type Answer = Result<Vec<f32>, Fault>;

enum Fault {
    Request(String),
    Panic,
}

impl Queue {
    /// - threads: that predict; capacity: how many requests may wait
    pub(crate) fn start(threads: usize, capacity: usize, metrics: Arc<Metrics>) -> std::io::Result<Arc<Self>> {
        let waiting = Mutex::new(VecDeque::with_capacity(capacity));
        let queue = Arc::new(Self { waiting, is_work: Condvar::new(), capacity, metrics });
        for number in 0..threads.max(1) {
            let queue = queue.clone();
            std::thread::Builder::new().name(format!("predict-{number}")).spawn(move || queue.work())?;
        }
        Ok(queue)
    }

    /// Predicts, when it is this request's turn.
    ///
    /// # Errors
    /// [`Refusal`] if too many wait already, or the examples are wrong.
    pub(crate) async fn predict(
        &self,
        model: Arc<Loaded>,
        examples: usize,
        values: Vec<f32>,
    ) -> Result<Vec<f32>, Refusal> {
        let (answer, answered) = oneshot::channel();
        {
            let mut waiting = self.lock();
            if waiting.len() >= self.capacity {
                let text = format!("{} requests wait already: ask again later", self.capacity);
                return Err(Refusal::too_many(text, 1));
            }
            waiting.push_back(Job { model, examples, values, answer });
            self.metrics.queue.set(waiting.len() as i64);
        }
        self.is_work.notify_one();
        match answered.await {
            Ok(Ok(outputs)) => Ok(outputs),
            Ok(Err(Fault::Request(text))) => Err(Refusal::bad(text)),
            Ok(Err(Fault::Panic)) | Err(_) => {
                Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "predicting failed: the server's log says more"))
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Job>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Predicts what waits, until the process ends.
    fn work(&self) {
        loop {
            let batch = self.next();
            let examples = batch.iter().map(|job| job.examples).sum();
            self.metrics.predicted(examples);
            answer(batch, examples);
        }
    }

    /// What waits longest, and what goes with it.
    fn next(&self) -> Vec<Job> {
        let mut waiting = self.lock();
        let first = loop {
            match waiting.pop_front() {
                // Nobody waits any more: the connection was closed.
                Some(job) if job.answer.is_closed() => {}
                Some(job) => break job,
                None => waiting = self.is_work.wait(waiting).unwrap_or_else(PoisonError::into_inner),
            }
        };
        let mut examples = first.examples;
        let mut batch = vec![first];
        let mut at = 0;
        while at < waiting.len() && examples < MAX_BATCH {
            let job = &waiting[at];
            if Arc::ptr_eq(&job.model, &batch[0].model) && examples + job.examples <= MAX_BATCH {
                examples += job.examples;
                batch.extend(waiting.remove(at));
            } else {
                at += 1;
            }
        }
        self.metrics.queue.set(waiting.len() as i64);
        batch
    }
}

/// Predicts together; if that fails, each alone, so that what is wrong with one is no other's fault.
fn answer(batch: Vec<Job>, examples: usize) {
    let model = batch[0].model.clone();
    let len = model.output_len();
    if let [_, _, ..] = &batch[..] {
        let values: Vec<f32> = batch.iter().flat_map(|job| job.values.iter().copied()).collect();
        if let Ok(outputs) = predict(&model, examples, &values) {
            let mut rest = &outputs[..];
            for job in batch {
                let (own, others) = rest.split_at(job.examples * len);
                rest = others;
                let _ = job.answer.send(Ok(own.to_vec()));
            }
            return;
        }
    }
    for job in batch {
        // Whoever asked may be gone.
        let _ = job.answer.send(predict(&model, job.examples, &job.values));
    }
}

fn predict(model: &Loaded, examples: usize, values: &[f32]) -> Answer {
    match catch_unwind(AssertUnwindSafe(|| model.predict(examples, values))) {
        Ok(outputs) => outputs.map_err(Fault::Request),
        Err(_) => {
            tracing::error!(model = %model.name, version = model.version, "predicting panicked");
            Err(Fault::Panic)
        }
    }
}
