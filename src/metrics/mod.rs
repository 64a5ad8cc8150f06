//! Metrics for Prometheus: one registry per gateway, no globals. Only this module names the library, and it knows labels
//! instead of the types that they are taken from.
//!
//! Every request is counted once as received and once by its outcome, so the sums are equal. The values of every label are a
//! closed set: names of providers, configured accounts, enum variants and signature schemes.

mod handles;
mod labels;
mod last_hour;
mod outcome;
mod queue;
mod request;
mod request_guard;
mod state;
mod store;

use std::sync::Arc;

use prometheus_client::{
    encoding::text,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

pub use self::{
    labels::EndpointLabels,
    last_hour::Hour,
    outcome::{FailedCause, Outcome, RejectedCause},
    queue::{QueueFigures, QueueMetrics},
    request::EndpointMetrics,
    request_guard::RequestGuard,
    state::TableFigures,
    store::{StoreMetrics, Unmapped},
};
use self::{
    labels::{ByResult, ByVersion},
    queue::QueueGauges,
    request::Requests,
    state::State,
};

/// A histogram for each set of labels, with buckets of its own.
type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;

/// The results of a reload.
const RELOAD_RESULTS: [&str; 2] = ["applied", "refused"];

/// The metrics of one gateway.
pub struct Metrics {
    registry: Registry,
    requests: Arc<Requests>,
    state: State,
    queue_depth: Gauge,
    queue: QueueGauges,
    unknown_paths: Counter,
    reloads: Family<ByResult, Counter>,
}

impl Metrics {
    /// Registers the gateway's own counters and those of its store.
    pub fn new(store: &StoreMetrics, queue_capacity: usize) -> Self {
        let mut registry = Registry::with_prefix("waybill");
        let build: Family<ByVersion, Gauge> = Family::default();
        build.get_or_create(&ByVersion { version: env!("CARGO_PKG_VERSION") }).set(1);
        registry.register("build_info", "Version of the gateway; always 1", build);
        let requests = Requests::register(&mut registry);
        store.register(&mut registry);
        let queue_depth = Gauge::default();
        registry.register("queue_depth", "Records waiting for the writer", queue_depth.clone());
        let capacity: Gauge = Gauge::default();
        capacity.set(count(queue_capacity));
        registry.register("queue_capacity", "Maximum number of records waiting for the writer", capacity);
        let queue = QueueGauges::register(&mut registry);
        let unknown_paths = Counter::default();
        let help =
            "Requests to paths of the public listener that no endpoint has; the log names the path that was probably meant";
        registry.register("unknown_paths", help, unknown_paths.clone());
        let reloads = counters(&mut registry, "reloads", "Reloads of the configuration, by result: applied or refused");
        for result in RELOAD_RESULTS {
            drop(reloads.get_or_create(&ByResult { result }));
        }
        let state = State::register(&mut registry);
        Self { registry, requests: Arc::new(requests), state, queue_depth, queue, unknown_paths, reloads }
    }

    /// The counters of one endpoint, beginning at zero.
    pub fn endpoint(&self, labels: &EndpointLabels) -> EndpointMetrics {
        EndpointMetrics::new(Arc::clone(&self.requests), labels)
    }

    /// Counts a request to a path that no endpoint has.
    pub fn count_unknown_path(&self) {
        self.unknown_paths.inc();
    }

    /// Counts a reload of the configuration.
    pub fn count_reload(&self, is_applied: bool) {
        let [applied, refused] = RELOAD_RESULTS;
        let result = if is_applied { applied } else { refused };
        self.reloads.get_or_create(&ByResult { result }).inc();
    }

    /// Sets the gauges of the tables.
    pub fn set_state(&self, figures: &TableFigures) {
        self.state.set(figures);
    }

    /// The metrics in the text format of `OpenMetrics` 1.0, with the records that wait for the writer and the state of the queue.
    pub fn exposition(&self, waiting: usize, queue: QueueFigures) -> Result<String, std::fmt::Error> {
        self.queue_depth.set(count(waiting));
        self.queue.set(queue);
        let mut exposition = String::new();
        text::encode(&mut exposition, &self.registry)?;
        Ok(exposition)
    }
}

fn count(things: usize) -> i64 {
    i64::try_from(things).unwrap_or(i64::MAX)
}

/// Registers a counter for each set of labels.
fn counters<L>(registry: &mut Registry, name: &str, help: &str) -> Family<L, Counter>
where
    L: labels::Labels,
{
    let family = Family::default();
    registry.register(name, help, family.clone());
    family
}

/// Registers a gauge for each set of labels.
fn gauges<L>(registry: &mut Registry, name: &str, help: &str) -> Family<L, Gauge>
where
    L: labels::Labels,
{
    let family = Family::default();
    registry.register(name, help, family.clone());
    family
}

/// Registers a histogram of seconds for each set of labels.
fn seconds<L>(registry: &mut Registry, name: &str, help: &str, histogram: fn() -> Histogram) -> Histograms<L>
where
    L: labels::Labels,
{
    let family = Family::new_with_constructor(histogram);
    registry.register_with_unit(name, help, Unit::Seconds, family.clone());
    family
}
