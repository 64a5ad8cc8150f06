//! Figures of the tables, for monitoring. Each is answered out of an index.

use diesel::{ExpressionMethods, OptionalExtension, QueryDsl, QueryResult, RunQueryDsl, dsl::count_star};

use super::{
    Store, StoreError,
    connection::{Connection, on_either},
    schema::{message_external_ids as m, webhook_requests as r},
};
use crate::{metrics::StoreMetrics, time::Timestamp};

/// What stands in the tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gauges {
    /// Provider, status, and how many messages have it.
    pub messages: Vec<(String, String, i64)>,
    /// Messages without a message id.
    pub unmatched: i64,
    /// Since when the first of them is there.
    pub oldest_unmatched: Option<Timestamp>,
    /// Requests that are kept and not applied.
    pub quarantined: i64,
}

impl Store {
    /// Figures of the tables. Blocks.
    pub fn gauges(&self) -> Result<Gauges, StoreError> {
        self.read(gauges)
    }

    /// What it counts.
    pub fn metrics(&self) -> &StoreMetrics {
        &self.metrics
    }
}

fn gauges(connection: &mut Connection) -> QueryResult<Gauges> {
    on_either!(connection, c => Ok(Gauges {
        messages: m::table.group_by((m::service_type, m::status)).select((m::service_type, m::status, count_star())).load(c)?,
        unmatched: m::table.filter(m::message_id.is_null()).count().get_result(c)?,
        oldest_unmatched: m::table
            .filter(m::message_id.is_null())
            .order(m::id)
            .select(m::created_at)
            .first(c)
            .optional()?
            .map(Timestamp::from_naive),
        quarantined: r::table.filter(r::state.eq("quarantined")).count().get_result(c)?,
    }))
}
