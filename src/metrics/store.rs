//! The metrics of the store, which the gateway registers.

use std::time::Duration;

use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

use super::{
    Histograms, QueueMetrics,
    labels::{ByEventType, ByKind, ByProvider, ByValueKind},
};
use crate::time::Timestamp;

/// From a sync of a fast disk to past the statement time-out.
fn durations() -> Histogram {
    Histogram::new([0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5])
}

fn batches() -> Histogram {
    Histogram::new([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 512.0, 2048.0])
}

/// From half a second to a day: a provider retries for hours.
fn lags() -> Histogram {
    Histogram::new([0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 21600.0, 86400.0])
}

/// The metrics of one store. A clone shares its counters.
#[derive(Clone, Debug)]
pub struct StoreMetrics {
    commit_duration: Histogram,
    commit_batch_size: Histogram,
    errors: Family<ByKind, Counter>,
    retries: Counter,
    events: Family<ByEventType, Counter>,
    lag: Histograms<ByProvider>,
    unmapped: Family<ByValueKind, Counter>,
    unindexed: Gauge,
    /// Of the queue in front of the store.
    pub queue: QueueMetrics,
}

impl StoreMetrics {
    /// Creates the counter of each error kind at zero, so that the first error shows as a rise.
    pub fn new(kinds: &[&'static str]) -> Self {
        let errors: Family<ByKind, Counter> = Family::default();
        for kind in kinds {
            drop(errors.get_or_create(&ByKind { kind }));
        }
        Self {
            commit_duration: durations(),
            commit_batch_size: batches(),
            errors,
            retries: Counter::default(),
            events: Family::default(),
            lag: Family::new_with_constructor(lags),
            unmapped: Family::default(),
            unindexed: Gauge::default(),
            queue: QueueMetrics::default(),
        }
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        let help = "Duration of committed transactions that store requests";
        registry.register_with_unit("commit_duration", help, Unit::Seconds, self.commit_duration.clone());
        registry.register("commit_batch_size", "Requests per transaction", self.commit_batch_size.clone());
        let help = "Writer transactions that did not commit, by kind of error";
        registry.register("database_errors", help, self.errors.clone());
        let help = "Transactions retried after a conflict with another transaction";
        registry.register("transaction_retries", help, self.retries.clone());
        let help = "Distinct events, by type; duplicates are not counted";
        registry.register("events", help, self.events.clone());
        let help = "Time from an event, as reported by its provider, to its receipt";
        registry.register_with_unit("event_lag", help, Unit::Seconds, self.lag.clone());
        let help = "Values of new events that have no mapping, by kind: event_type, status or error_code";
        registry.register("unmapped_values", help, self.unmapped.clone());
        let help = "Rows that the derived tables do not cover yet; searches read them one by one";
        registry.register("unindexed_rows", help, self.unindexed.clone());
        self.queue.register(registry);
    }

    /// Observes one commit.
    pub fn observe_commit(&self, requests: usize, took: Duration) {
        self.commit_duration.observe(took.as_secs_f64());
        self.commit_batch_size.observe(f64::from(u32::try_from(requests).unwrap_or(u32::MAX)));
    }

    pub fn count_error(&self, kind: &'static str) {
        self.errors.get_or_create(&ByKind { kind }).inc();
    }

    pub fn set_unindexed(&self, rows: i64) {
        self.unindexed.set(rows);
    }

    pub fn count_retry(&self) {
        self.retries.inc();
    }

    /// Counts a new event.
    pub fn count_event(
        &self,
        provider: &'static str,
        event_type: &'static str,
        occurred_at: Option<Timestamp>,
        received_at: Timestamp,
        unmapped: Unmapped,
    ) {
        self.events.get_or_create(&ByEventType { provider, event_type }).inc();
        if let Some(occurred_at) = occurred_at {
            // A provider's clock may be ahead of ours.
            let micros = u64::try_from(received_at.micros() - occurred_at.micros()).unwrap_or(0);
            self.lag.get_or_create(&ByProvider { provider }).observe(Duration::from_micros(micros).as_secs_f64());
        }
        for kind in unmapped.kinds() {
            self.unmapped.get_or_create(&ByValueKind { provider, kind }).inc();
        }
    }
}

/// The values of an event that no table maps.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unmapped {
    pub event_type: bool,
    pub status: bool,
    pub error_code: bool,
}

impl Unmapped {
    fn kinds(self) -> impl Iterator<Item = &'static str> {
        let kinds = [("event_type", self.event_type), ("status", self.status), ("error_code", self.error_code)];
        kinds.into_iter().filter(|(_, is_unmapped)| *is_unmapped).map(|(kind, _)| kind)
    }
}
