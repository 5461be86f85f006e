//! What is counted and timed, as Prometheus reads it.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use std::time::Duration;

/// What is counted and timed. Labels are models that are served and routes that there are: what callers make up does not
/// become one, as each takes memory for ever.
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Request, Counter>,
    seconds: Family<Route, Histogram, fn() -> Histogram>,
    batches: Histogram,
    pub(crate) queue: Gauge,
    pub(crate) connections: Gauge,
    models: Family<ModelVersion, Gauge>,
    failures: Family<ModelName, Counter>,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Request {
    route: &'static str,
    model: String,
    status: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Route {
    route: &'static str,
    model: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ModelVersion {
    model: String,
    version: u64,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ModelName {
    model: String,
}

/// From a tenth of a millisecond to a good three seconds.
fn seconds() -> Histogram {
    Histogram::new(exponential_buckets(1e-4, 2.0, 16))
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("inkstone");
        let requests = Family::default();
        registry.register("requests", "Requests that were answered", requests.clone());
        let seconds = Family::new_with_constructor(seconds as fn() -> Histogram);
        registry.register("request_seconds", "Time from a request's header to its answer", seconds.clone());
        let batches = Histogram::new(exponential_buckets(1.0, 2.0, 8));
        registry.register("batch_examples", "Examples that were predicted together", batches.clone());
        let queue = Gauge::default();
        registry.register("queue", "Requests that wait for a thread", queue.clone());
        let connections = Gauge::default();
        registry.register("connections", "Open connections", connections.clone());
        let models = Family::default();
        registry.register("model_loaded_time_seconds", "When a version was loaded, in Unix time", models.clone());
        let failures = Family::default();
        registry.register("model_load_failures", "Files of models that did not load", failures.clone());
        Self { registry, requests, seconds, batches, queue, connections, models, failures }
    }

    /// - model: one that is served, or empty
    pub(crate) fn answered(&self, route: &'static str, model: &str, status: u16, time: Duration) {
        self.requests.get_or_create(&Request { route, model: model.to_owned(), status }).inc();
        self.seconds.get_or_create(&Route { route, model: model.to_owned() }).observe(time.as_secs_f64());
    }

    pub(crate) fn predicted(&self, examples: usize) {
        self.batches.observe(examples as f64);
    }

    pub(crate) fn loaded(&self, model: &str, version: u64) {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let labels = ModelVersion { model: model.to_owned(), version };
        self.models.get_or_create(&labels).set(now.as_secs() as i64);
    }

    pub(crate) fn removed(&self, model: &str, version: u64) {
        self.models.remove(&ModelVersion { model: model.to_owned(), version });
    }

    pub(crate) fn failed(&self, model: &str) {
        self.failures.get_or_create(&ModelName { model: model.to_owned() }).inc();
    }

    /// The text that Prometheus reads.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a text cannot fail.
        let _ = prometheus_client::encoding::text::encode(&mut text, &self.registry);
        text
    }
}
