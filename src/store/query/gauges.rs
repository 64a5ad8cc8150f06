//! Table statistics for monitoring.

use std::collections::BTreeMap;

use chrono::NaiveDateTime;
use diesel::{
    BoolExpressionMethods, ExpressionMethods, NullableExpressionMethods, QueryDsl, QueryResult, RunQueryDsl,
    dsl::{case_when, count, count_star, min},
};

use super::ranges;
use crate::{
    metrics::StoreMetrics,
    store::{
        Store,
        db::{
            connection::{Connection, on_either},
            error::StoreError,
            schema::{message_external_ids as m, webhook_requests as r},
        },
        fold::message::least,
        write::record::{PROCESSED, QUARANTINED},
    },
    time::Timestamp,
};

/// Table statistics for monitoring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gauges {
    /// Number of messages by provider and status.
    pub messages: BTreeMap<(String, String), i64>,
    /// Messages without a message id.
    pub unmatched: i64,
    /// Creation time of the oldest of them.
    pub oldest_unmatched: Option<Timestamp>,
    /// Quarantined requests.
    pub quarantined: i64,
}

impl Store {
    /// Reads the table statistics; `None` if `is_stopping` becomes true before the end. Blocks.
    pub fn gauges(&self, is_stopping: impl Fn() -> bool) -> Result<Option<Gauges>, StoreError> {
        self.monitor(|connection| gauges(connection, is_stopping))
    }

    pub fn metrics(&self) -> &StoreMetrics {
        &self.metrics
    }
}

/// Ids in one statement, so that its duration does not depend on the size of the table.
const ID_SPAN: i64 = 65_536;

/// Provider, status, number of messages, number of matched ones, and creation time of the oldest unmatched one.
type StatusCount = (String, String, i64, i64, Option<NaiveDateTime>);

fn gauges(connection: &mut Connection, is_stopping: impl Fn() -> bool) -> QueryResult<Option<Gauges>> {
    let quarantined = r::table.filter(r::state.ne(PROCESSED)).filter(r::state.eq(QUARANTINED)).count();
    let mut gauges = Gauges {
        messages: BTreeMap::new(),
        unmatched: 0,
        oldest_unmatched: None,
        quarantined: on_either!(connection, c => quarantined.get_result(c))?,
    };
    // Ids without rows are skipped: the application may have written any id.
    let mut next = ranges::first_message(connection, 0)?;
    while let Some(first) = next {
        if is_stopping() {
            return Ok(None);
        }
        for (service_type, status, count, matched, oldest) in count_by_status(connection, first)? {
            *gauges.messages.entry((service_type, status)).or_default() += count;
            gauges.unmatched += count - matched;
            gauges.oldest_unmatched = least(gauges.oldest_unmatched, oldest.map(Timestamp::from_naive));
        }
        next = ranges::first_message(connection, first.saturating_add(ID_SPAN))?;
    }
    Ok(Some(gauges))
}

fn count_by_status(connection: &mut Connection, first: i64) -> QueryResult<Vec<StatusCount>> {
    let unmatched_at = case_when(m::message_id.is_null(), m::created_at.nullable());
    on_either!(connection, c => {
        m::table
            .filter(m::id.ge(first).and(m::id.lt(first.saturating_add(ID_SPAN))))
            .group_by((m::service_type, m::status))
            .select((m::service_type, m::status, count_star(), count(m::message_id), min(unmatched_at)))
            .load(c)
    })
}
