//! What all requests share.

use crate::access::Keys;
use crate::arguments::Limits;
use crate::logs::Audit;
use crate::metrics::Metrics;
use crate::models::Registry;
use crate::queue::Queue;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use tokio::sync::Semaphore;

/// What all requests share.
pub(crate) struct State {
    pub(crate) models: Arc<Registry>,
    pub(crate) queue: Arc<Queue>,
    pub(crate) keys: Keys,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) audit: Option<Audit>,
    pub(crate) limits: Limits,
    /// How many pictures are decoded at a time.
    pub(crate) decoding: Arc<Semaphore>,
    /// Room for what requests take while they are answered, in KiB.
    pub(crate) room: Arc<Semaphore>,
    /// Whether the server was told to stop: it answers still, but is not ready.
    pub(crate) stopping: AtomicBool,
}

impl State {
    /// How long a request's header, and its body, may take.
    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_secs(self.limits.request_timeout.max(1))
    }
}
