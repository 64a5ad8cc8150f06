//! Gauges of the tables: state, not traffic.

use prometheus_client::{
    metrics::{family::Family, gauge::Gauge},
    registry::{Registry, Unit},
};

use super::{gauges, labels::ByStatus};
use crate::time::Timestamp;

/// The figures of the tables at one instant.
#[derive(Clone, Debug)]
pub struct TableFigures {
    /// The number of messages by provider and status, with the zeros.
    pub messages: Vec<((&'static str, &'static str), i64)>,
    pub unmatched: i64,
    /// The age of the oldest unmatched message; 0 without one.
    pub oldest_unmatched_seconds: i64,
    pub quarantined: i64,
    pub read_at: Timestamp,
}

/// Gauges of the tables.
#[derive(Debug)]
pub(super) struct State {
    messages: Family<ByStatus, Gauge>,
    unmatched: Gauge,
    oldest_unmatched: Gauge,
    quarantined: Gauge,
    read_at: Gauge,
}

impl State {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let state = Self {
            messages: gauges(registry, "messages", "Messages by their current status"),
            unmatched: Gauge::default(),
            oldest_unmatched: Gauge::default(),
            quarantined: Gauge::default(),
            read_at: Gauge::default(),
        };
        let help = "Messages that the application has not registered";
        registry.register("unmatched_messages", help, state.unmatched.clone());
        let help = "Age of the oldest message that the application has not registered; 0 if there is none";
        registry.register_with_unit("oldest_unmatched", help, Unit::Seconds, state.oldest_unmatched.clone());
        let help = "Requests in quarantine, until they are replayed or discarded";
        registry.register("quarantined_requests", help, state.quarantined.clone());
        let help = "Unix time of the last refresh of the table metrics; 0 before the first";
        registry.register_with_unit("state_read_timestamp", help, Unit::Seconds, state.read_at.clone());
        state
    }

    pub(super) fn set(&self, figures: &TableFigures) {
        for ((provider, status), count) in &figures.messages {
            self.messages.get_or_create(&ByStatus { provider, status }).set(*count);
        }
        self.unmatched.set(figures.unmatched);
        self.oldest_unmatched.set(figures.oldest_unmatched_seconds);
        self.quarantined.set(figures.quarantined);
        self.read_at.set(figures.read_at.seconds());
    }
}
