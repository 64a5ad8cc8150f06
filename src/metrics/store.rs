//! What the store counts. It counts from its start on; the gateway registers it.

use std::time::Duration;

use prometheus_client::{
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::{Registry, Unit},
};

use super::{
    Histograms,
    labels::{ByEventType, ByKind, ByProvider, ByValueKind},
};
use crate::{
    event::{Event, EventType},
    status::{ErrorCategory, Status},
    time::Timestamp,
};

/// From a sync of a fast disk to past the statement's time-out.
fn durations() -> Histogram {
    Histogram::new([0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5])
}

fn batches() -> Histogram {
    Histogram::new([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0])
}

/// From half a second to a day: a provider tries again for hours.
fn lags() -> Histogram {
    Histogram::new([0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 21600.0, 86400.0])
}

/// The counters of one store. A clone counts into the same.
#[derive(Clone, Debug)]
pub struct StoreMetrics {
    commit_duration: Histogram,
    commit_batch_size: Histogram,
    errors: Family<ByKind, Counter>,
    retries: Counter,
    events: Family<ByEventType, Counter>,
    lag: Histograms<ByProvider>,
    unmapped: Family<ByValueKind, Counter>,
}

impl StoreMetrics {
    /// All from zero on, also each of these kinds of errors: the first one is to be seen as a rise.
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
        }
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        let help = "Time that a transaction of stored requests took, by all that committed";
        registry.register_with_unit("commit_duration", help, Unit::Seconds, self.commit_duration.clone());
        registry.register("commit_batch_size", "Requests in one transaction", self.commit_batch_size.clone());
        let help = "Transactions of the writer that did not commit, by kind of error";
        registry.register("database_errors", help, self.errors.clone());
        let help = "Transactions that were tried again because another was in the way";
        registry.register("transaction_retries", help, self.retries.clone());
        let help = "Distinct events that requests brought, by type; one that comes again is not counted again";
        registry.register("events", help, self.events.clone());
        let help = "Time from an event, as its provider tells it, to its receipt";
        registry.register_with_unit("event_lag", help, Unit::Seconds, self.lag.clone());
        let help = "Values of new events that no table knows, by kind: event_type, status or error_code";
        registry.register("unmapped_values", help, self.unmapped.clone());
    }

    /// Requests were committed together.
    pub fn committed(&self, requests: usize, took: Duration) {
        self.commit_duration.observe(took.as_secs_f64());
        self.commit_batch_size.observe(f64::from(u32::try_from(requests).unwrap_or(u32::MAX)));
    }

    /// A transaction did not commit.
    pub fn failed(&self, kind: &'static str) {
        self.errors.get_or_create(&ByKind { kind }).inc();
    }

    /// A transaction is tried again.
    pub fn retried(&self) {
        self.retries.inc();
    }

    /// An event was inserted that was not known.
    pub fn inserted(&self, provider: &'static str, event: &Event, received_at: Timestamp) {
        let event_type = event.event_type.into();
        self.events.get_or_create(&ByEventType { provider, event_type }).inc();
        if let Some(occurred_at) = event.occurred_at {
            // A provider's clock may be ahead of ours.
            let micros = u64::try_from(received_at.micros() - occurred_at.micros()).unwrap_or(0);
            self.lag.get_or_create(&ByProvider { provider }).observe(Duration::from_micros(micros).as_secs_f64());
        }
        let has_unknown_code =
            event.error.as_ref().is_some_and(|error| error.category == ErrorCategory::Unknown && error.code.is_some());
        for (kind, is_unmapped) in [
            ("event_type", event.event_type == EventType::Unknown),
            ("status", event.status == Some(Status::Unknown) || event.event_type == EventType::MessageStatus),
            ("error_code", has_unknown_code),
        ] {
            if is_unmapped {
                self.unmapped.get_or_create(&ByValueKind { provider, kind }).inc();
            }
        }
    }
}
