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

/// When an endpoint was last heard of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastGenuine {
    /// The provider.
    pub service_type: &'static str,
    /// The account there.
    pub account: String,
    /// When its last authentic request came.
    pub received_at: Timestamp,
}

impl Store {
    /// Figures of the tables. Blocks.
    pub fn gauges(&self) -> Result<Gauges, StoreError> {
        self.read(gauges)
    }

    /// When these providers' accounts were last heard of. Blocks.
    pub fn last_genuine(&self, endpoints: &[(&'static str, String)]) -> Result<Vec<LastGenuine>, StoreError> {
        self.read(|connection| last_genuine(connection, endpoints))
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

/// When the endpoints of these providers and accounts were last heard of, as far as they ever were.
fn last_genuine(connection: &mut Connection, endpoints: &[(&'static str, String)]) -> QueryResult<Vec<LastGenuine>> {
    let mut heard = Vec::new();
    for (service_type, account) in endpoints {
        let last = on_either!(connection, c => r::table
            .filter(r::service_type.eq(service_type))
            .filter(r::account.eq(account))
            .order(r::received_at.desc())
            .select(r::received_at)
            .first(c)
            .optional()?);
        heard.extend(last.map(|received_at| LastGenuine {
            service_type,
            account: account.clone(),
            received_at: Timestamp::from_naive(received_at),
        }));
    }
    Ok(heard)
}
