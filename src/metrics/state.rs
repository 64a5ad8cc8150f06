//! What stands in the tables, read now and then: figures of state, not of traffic.

use std::collections::BTreeMap;

use prometheus_client::{
    metrics::{family::Family, gauge::Gauge},
    registry::{Registry, Unit},
};
use strum::VariantArray;

use super::{gauges, labels::ByStatus};
use crate::{providers, status::Status, store::Gauges, time::Timestamp};

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
        let help = "Age of the oldest message that the application has not registered; 0 without one";
        registry.register_with_unit("oldest_unmatched", help, Unit::Seconds, state.oldest_unmatched.clone());
        let help = "Authentic requests that are kept and not applied, until they are replayed or discarded";
        registry.register("quarantined_requests", help, state.quarantined.clone());
        let help = "When the figures of the tables were read, as Unix time; 0 before the first time";
        registry.register_with_unit("state_read_timestamp", help, Unit::Seconds, state.read_at.clone());
        state
    }

    pub(super) fn set(&self, gauges: &Gauges, now: Timestamp) {
        // Rows of plain SQL may bear any name; they are left out. A status that no message has any more is 0.
        let mut messages: BTreeMap<(&str, &str), i64> = BTreeMap::new();
        for (service_type, status, count) in &gauges.messages {
            let known = providers::find(service_type).zip(status.parse::<Status>().ok());
            if let Some((spec, status)) = known {
                messages.insert((spec.name, status.into()), *count);
            }
        }
        for spec in providers::ALL {
            for status in Status::VARIANTS {
                let labels = ByStatus { provider: spec.name, status: status.into() };
                let count = messages.get(&(labels.provider, labels.status)).copied().unwrap_or(0);
                self.messages.get_or_create(&labels).set(count);
            }
        }
        self.unmatched.set(gauges.unmatched);
        let age = gauges.oldest_unmatched.map_or(0, |oldest| now.seconds() - oldest.seconds());
        self.oldest_unmatched.set(age.max(0));
        self.quarantined.set(gauges.quarantined);
        self.read_at.set(now.seconds());
    }
}
