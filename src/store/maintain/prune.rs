//! Retention: raw bodies and the clients of opens and clicks expire first, then events if configured, and finally requests to which nothing refers. Message rows are
//! retained.
//!
//! The events of a message expire together, when the newest one is old enough, because a row cannot be rebuilt from a part of them. A
//! request's row is retained as long as its events. The keys of both remain for ever: without them a captured request would be new
//! again.

use std::time::Duration;

use chrono::{DateTime, NaiveDateTime};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, NullableExpressionMethods, QueryDsl, QueryResult, RunQueryDsl,
    dsl::{exists, not},
};
use serde::Serialize;

use super::{batch_size::AdaptiveBatch, clients, derived};
use crate::{
    store::{
        Store, StoreError,
        db::{
            advisory_locks::{self, Lock},
            connection::{Connection, on_either},
            expired_keys, positions,
            schema::{webhook_bodies as b, webhook_events as e, webhook_requests as r},
        },
    },
    time::Timestamp,
};

/// Retention periods; `None` retains data forever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    pub bodies: Option<Duration>,
    /// Events and requests.
    pub events: Option<Duration>,
}

/// The number of expired rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PruneCounts {
    /// Rows of `webhook_bodies`.
    pub bodies: u64,
    /// Rows of `webhook_events`.
    pub events: u64,
    /// Rows of `webhook_requests`.
    pub requests: u64,
}

/// The times before which data has expired.
#[derive(Clone, Copy)]
pub(crate) struct Cutoffs {
    bodies: NaiveDateTime,
    events: NaiveDateTime,
}

impl Cutoffs {
    fn new(retention: Retention, now: Timestamp) -> Self {
        let before = |period: Option<Duration>| {
            let period = period.and_then(|period| chrono::TimeDelta::from_std(period).ok());
            period.and_then(|period| now.naive().checked_sub_signed(period)).unwrap_or(DateTime::UNIX_EPOCH.naive_utc())
        };
        Self { bodies: before(retention.bodies), events: before(retention.events) }
    }
}

#[derive(Clone, Copy)]
enum Table {
    Bodies,
    Events,
    Requests,
}

/// The result of one batch.
struct BatchResult {
    expired: Vec<i64>,
    /// The row after which the next batch continues; `None` if no later row has expired.
    next: Option<i64>,
}

impl Store {
    /// Deletes expired rows, or only counts them. `on_progress` gets the counts after each batch.
    pub async fn prune(
        &self,
        now: Timestamp,
        is_dry_run: bool,
        mut on_progress: impl FnMut(PruneCounts),
    ) -> Result<PruneCounts, StoreError> {
        let retention = self.options.retention;
        let cutoffs = Cutoffs::new(retention, now);
        let mut pruned = PruneCounts::default();
        for table in [Table::Bodies, Table::Events, Table::Requests] {
            let is_retained = matches!(table, Table::Bodies) && retention.bodies.is_none()
                || matches!(table, Table::Events | Table::Requests) && retention.events.is_none();
            let (mut next, mut size) = ((!is_retained).then_some(0), AdaptiveBatch::new());
            while let Some(after) = next {
                let batch = move |c: &mut Connection, rows| prune_batch(c, table, cutoffs, after, rows, is_dry_run);
                let batch = self.run_batch(&mut size, batch).await?;
                let count = match table {
                    Table::Bodies => &mut pruned.bodies,
                    Table::Events => &mut pruned.events,
                    Table::Requests => &mut pruned.requests,
                };
                *count += u64::try_from(batch.expired.len()).unwrap_or(0);
                on_progress(pruned);
                next = batch.next;
            }
        }
        if !is_dry_run {
            if retention.bodies.is_some() {
                self.expire_clients(cutoffs).await?;
            }
            self.prune_audit_log(now).await?;
        }
        Ok(pruned)
    }
}

impl Store {
    async fn expire_clients(&self, cutoffs: Cutoffs) -> Result<(), StoreError> {
        let (mut has_more, mut size) = (true, AdaptiveBatch::new());
        while has_more {
            let expire = move |c: &mut Connection, rows| {
                c.transaction(|c| {
                    advisory_locks::take(c, &[Lock::pruning()].into())?;
                    clients::expire(c, cutoffs.bodies, rows)
                })
            };
            has_more = self.run_batch(&mut size, expire).await?;
        }
        Ok(())
    }
}

fn prune_batch(
    connection: &mut Connection,
    table: Table,
    cutoffs: Cutoffs,
    after: i64,
    limit: i64,
    is_dry_run: bool,
) -> QueryResult<BatchResult> {
    let rows = rows_after(connection, table, after, limit)?;
    let cutoff = if matches!(table, Table::Bodies) { cutoffs.bodies } else { cutoffs.events };
    let old: Vec<i64> = rows.iter().filter(|(_, received_at)| *received_at < cutoff).map(|(id, _)| *id).collect();
    // Ids are assigned approximately in the order of time: after a batch without old rows, no later row is old.
    let next = rows.last().map(|(id, _)| *id).filter(|_| !old.is_empty());
    let expired = match table {
        Table::Bodies => old,
        Table::Events => expired_events(connection, &old, cutoffs)?,
        Table::Requests => expired_requests(connection, &old, cutoffs)?,
    };
    if !is_dry_run && !expired.is_empty() {
        // Committed first: a writer that finds no row must find its key.
        connection.transaction(|connection| retain_keys(connection, table, &expired))?;
        connection.transaction(|connection| {
            // Gateways that share a database prune one at a time.
            advisory_locks::take(connection, &[Lock::pruning()].into())?;
            match table {
                Table::Bodies => delete_bodies(connection, &expired),
                Table::Events => delete_events(connection, &expired),
                Table::Requests => delete_requests(connection, &expired, cutoffs),
            }
        })?;
    }
    Ok(BatchResult { expired, next })
}

/// The next rows of a table after that id, with their times of receipt.
fn rows_after(connection: &mut Connection, table: Table, after: i64, limit: i64) -> QueryResult<Vec<(i64, NaiveDateTime)>> {
    macro_rules! after {
        ($table:ident, $id:ident) => {{
            let rows = $table::table.filter($table::$id.gt(after)).order($table::$id).limit(limit);
            on_either!(connection, c => rows.select(($table::$id, $table::received_at)).load(c))
        }};
    }
    match table {
        Table::Bodies => after!(b, request_id),
        Table::Events => after!(e, id),
        Table::Requests => after!(r, id),
    }
}

diesel::alias!(e as newer: Newer);

/// Returns true if a newer event of the same message is retained.
macro_rules! has_newer {
    ($cutoffs:expr) => {
        exists(newer.filter(newer.field(e::mapping_id).eq(e::mapping_id)).filter(newer.field(e::received_at).ge($cutoffs.events)))
    };
}

/// Those of the events whose messages have no newer events.
fn expired_events(connection: &mut Connection, old: &[i64], cutoffs: Cutoffs) -> QueryResult<Vec<i64>> {
    let expired = e::table.filter(e::id.eq_any(old)).filter(not(has_newer!(cutoffs)));
    on_either!(connection, c => expired.order(e::id).select(e::id).load(c))
}

/// Those of the requests without a retained body or event.
fn expired_requests(connection: &mut Connection, old: &[i64], cutoffs: Cutoffs) -> QueryResult<Vec<i64>> {
    macro_rules! expired {
        ($connection:expr, $is_of_request:expr) => {{
            let event = e::table.filter(e::request_id.eq(r::id.nullable())).filter($is_of_request);
            let event = event.filter(e::received_at.ge(cutoffs.events).or(has_newer!(cutoffs)));
            let body = b::table.filter(b::request_id.eq(r::id)).filter(b::received_at.ge(cutoffs.bodies));
            r::table
                .filter(r::id.eq_any(old))
                .filter(not(exists(event)))
                .filter(not(exists(body)))
                .order(r::id)
                .select(r::id)
                .load($connection)
        }};
    }
    match connection {
        Connection::Sqlite(c) => {
            expired!(c, e::id.nullable().ge(r::events_at).and(e::id.nullable().lt(r::events_at + r::event_count.nullable())))
        }
        Connection::Postgres(c) => expired!(c, e::txid.nullable().eq(r::events_at)),
    }
}

/// Retains the keys of rows that are to be deleted. Only requests, and the events in them, can be repeated.
fn retain_keys(connection: &mut Connection, table: Table, expired: &[i64]) -> QueryResult<()> {
    let keys: Vec<(Vec<u8>, NaiveDateTime)> = match table {
        Table::Bodies => return Ok(()),
        Table::Events => {
            let named =
                e::table.filter(e::id.eq_any(expired)).filter(e::event_key.is_not_null()).filter(e::request_id.is_not_null());
            on_either!(connection, c => named.select((e::event_key.assume_not_null(), e::received_at)).load(c))?
        }
        Table::Requests => {
            let requests = r::table.filter(r::id.eq_any(expired)).select((r::dedupe_key, r::received_at));
            on_either!(connection, c => requests.load(c))?
        }
    };
    expired_keys::insert(connection, keys)
}

fn delete_bodies(connection: &mut Connection, expired: &[i64]) -> QueryResult<()> {
    on_either!(connection, c => diesel::delete(b::table.filter(b::request_id.eq_any(expired))).execute(c)).map(drop)
}

fn delete_events(connection: &mut Connection, expired: &[i64]) -> QueryResult<()> {
    // They outlive the events from which they follow.
    derived::suppressions::derive_before_deletion(connection, expired)?;
    positions::raise_to(connection, positions::EVENTS, expired.iter().copied().max().unwrap_or(0))?;
    on_either!(connection, c => diesel::delete(e::table.filter(e::id.eq_any(expired))).execute(c)).map(drop)
}

/// Deletes requests, except those to which a row refers by now.
fn delete_requests(connection: &mut Connection, expired: &[i64], cutoffs: Cutoffs) -> QueryResult<()> {
    let expired = expired_requests(connection, expired, cutoffs)?;
    delete_bodies(connection, &expired)?;
    positions::raise_to(connection, positions::REQUESTS, expired.iter().copied().max().unwrap_or(0))?;
    on_either!(connection, c => diesel::delete(r::table.filter(r::id.eq_any(&expired))).execute(c)).map(drop)
}
