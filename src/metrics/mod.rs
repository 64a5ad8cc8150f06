//! What the gateway counts, for Prometheus: one registry per gateway, and no globals. Only this module names the library.
//!
//! Every request is counted once as received and once by its outcome, whatever becomes of it, so the sums are equal. The
//! values of every label are a closed set: names of providers and configured accounts, of enums, of signature schemes.

mod labels;
mod outcome;
mod request;
mod state;
mod store;

use std::sync::Arc;

use prometheus_client::{
    encoding::text,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

use self::{labels::ByVersion, request::Requests, state::State};
pub use self::{
    outcome::{FailedCause, Outcome, RejectedCause},
    request::{Counted, EndpointMetrics},
    store::StoreMetrics,
};
use crate::{endpoint::Endpoint, store::Gauges, time::Timestamp};

/// A histogram for each set of labels, with buckets of its own.
type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;

/// Everything that one gateway counts.
pub struct Metrics {
    registry: Registry,
    requests: Arc<Requests>,
    state: State,
    queue_depth: Gauge,
}

impl Metrics {
    /// Registers the gateway's own counters and those of its store.
    pub fn new(store: &StoreMetrics, queue_capacity: usize) -> Self {
        let mut registry = Registry::with_prefix("waybill");
        let build: Family<ByVersion, Gauge> = Family::default();
        build.get_or_create(&ByVersion { version: env!("CARGO_PKG_VERSION") }).set(1);
        registry.register("build_info", "The version that runs; always 1", build);
        let requests = Requests::register(&mut registry);
        store.register(&mut registry);
        let queue_depth = Gauge::default();
        registry.register("queue_depth", "Records that wait for the writer", queue_depth.clone());
        let capacity: Gauge = Gauge::default();
        capacity.set(count(queue_capacity));
        registry.register("queue_capacity", "Records that may wait for the writer; one more is refused", capacity);
        let state = State::register(&mut registry);
        Self { registry, requests: Arc::new(requests), state, queue_depth }
    }

    /// The counters of one endpoint, from zero on.
    pub fn endpoint(&self, endpoint: &Endpoint) -> EndpointMetrics {
        EndpointMetrics::new(Arc::clone(&self.requests), endpoint)
    }

    /// Takes over what the store says about its rows.
    pub fn set_state(&self, gauges: &Gauges, now: Timestamp) {
        self.state.set(gauges, now);
    }

    /// The text that Prometheus reads, in the format of `OpenMetrics` 1.0.
    pub fn exposition(&self, queued: usize) -> Result<String, std::fmt::Error> {
        self.queue_depth.set(count(queued));
        let mut exposition = String::new();
        text::encode(&mut exposition, &self.registry)?;
        Ok(exposition)
    }
}

/// A number of things, for a gauge.
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
