//! The metrics of the queue in front of the database.

use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::{Registry, Unit},
};

use super::labels::ByDrained;

/// The outcomes of a request that was drained, as those of a request that the database commits directly.
const OUTCOMES: [&str; 3] = ["accepted", "duplicate", "quarantined"];

/// Requests that went through the queue. A clone shares its counters.
#[derive(Clone, Debug)]
pub struct QueueMetrics {
    queued: Counter,
    drained: Family<ByDrained, Counter>,
}

impl Default for QueueMetrics {
    fn default() -> Self {
        let drained: Family<ByDrained, Counter> = Family::default();
        for outcome in OUTCOMES {
            drop(drained.get_or_create(&ByDrained { outcome }));
        }
        Self { queued: Counter::default(), drained }
    }
}

impl QueueMetrics {
    /// Counts requests that are durable in the queue.
    pub fn count_queued(&self, requests: u64) {
        self.queued.inc_by(requests);
    }

    /// Counts a request of the queue that the database has committed.
    pub fn count_drained(&self, is_duplicate: bool, is_quarantined: bool) {
        let [accepted, duplicate, quarantined] = OUTCOMES;
        let outcome = match (is_duplicate, is_quarantined) {
            (true, _) => duplicate,
            (false, true) => quarantined,
            (false, false) => accepted,
        };
        self.drained.get_or_create(&ByDrained { outcome }).inc();
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        let help = "Requests that this gateway stored in the spool or the broker";
        registry.register("queued", help, self.queued.clone());
        let help = "Requests of the spool or the broker that this gateway wrote to the database, by outcome: accepted, duplicate or \
                    quarantined";
        registry.register("drained", help, self.drained.clone());
    }
}

/// The state of the queue at one instant.
#[derive(Clone, Copy, Debug, Default)]
pub struct QueueFigures {
    pub pending: u64,
    pub oldest_seconds: u64,
    pub bytes: u64,
    pub max_bytes: u64,
    pub is_failing: bool,
    pub unreadable_files: u64,
    pub dead_messages: u64,
    pub is_database_away: bool,
}

/// Gauges of the queue, which stay 0 without one.
#[derive(Debug, Default)]
pub(super) struct QueueGauges {
    pending: Gauge,
    oldest: Gauge,
    bytes: Gauge,
    max_bytes: Gauge,
    failing: Gauge,
    unreadable_files: Gauge,
    dead_messages: Gauge,
    database_away: Gauge,
}

impl QueueGauges {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let gauges = Self::default();
        let help = "Acknowledged requests in the spool or the broker that are not in the tables yet";
        registry.register("queue_pending_requests", help, gauges.pending.clone());
        let help = "Age of the oldest request that is not in the tables yet; 0 if there is none";
        registry.register_with_unit("queue_oldest", help, Unit::Seconds, gauges.oldest.clone());
        registry.register_with_unit("queue_size", "Size of the spool or the stream", Unit::Bytes, gauges.bytes.clone());
        let help = "Maximum size of the spool or the stream; 0 without one";
        registry.register_with_unit("queue_max_size", help, Unit::Bytes, gauges.max_bytes.clone());
        let help = "1 while the spool or the broker accepts no request: it is full or unavailable";
        registry.register("queue_failing", help, gauges.failing.clone());
        let help = "Files of the spool that hold acknowledged requests and cannot be read";
        registry.register("queue_unreadable_files", help, gauges.unreadable_files.clone());
        let help =
            "Messages of the broker that no writer of this version can store, in the stream with _DEAD at the end of its name";
        registry.register("queue_dead_messages", help, gauges.dead_messages.clone());
        let help = "1 while the database is known to be unavailable and the spool or the broker takes its place";
        registry.register("database_away", help, gauges.database_away.clone());
        gauges
    }

    pub(super) fn set(&self, figures: QueueFigures) {
        let set = |gauge: &Gauge, value: u64| {
            gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        };
        set(&self.pending, figures.pending);
        set(&self.oldest, figures.oldest_seconds);
        set(&self.bytes, figures.bytes);
        set(&self.max_bytes, figures.max_bytes);
        set(&self.failing, figures.is_failing.into());
        set(&self.unreadable_files, figures.unreadable_files);
        set(&self.dead_messages, figures.dead_messages);
        set(&self.database_away, figures.is_database_away.into());
    }
}
