//! Retention: raw bodies go first, then, if that is asked for, events, and in the end the requests that nothing refers to any
//! more. Message rows stay.
//!
//! The events of a message go together, when the youngest is old enough: from a part of them its row could not be rebuilt. A
//! request's row holds the key by which its repetition is known, so it stays as long as its events.

use std::time::Duration;

use chrono::{DateTime, NaiveDateTime};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, NullableExpressionMethods, QueryDsl, QueryResult, RunQueryDsl,
    dsl::{exists, not},
};
use serde::Serialize;

use super::{
    Store, StoreError,
    commit::Writer,
    connection::{for_both, on_either},
    locks::Lock,
    schema::{webhook_bodies as b, webhook_events as e, webhook_requests as r},
    steps::Steps,
};
use crate::time::Timestamp;

/// How long what was received is kept; nothing = for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Raw bodies.
    pub bodies: Option<Duration>,
    /// Events, and requests.
    pub events: Option<Duration>,
}

/// How much has expired.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Pruned {
    /// Rows of `webhook_bodies`.
    pub bodies: u64,
    /// Rows of `webhook_events`.
    pub events: u64,
    /// Rows of `webhook_requests`.
    pub requests: u64,
}

/// Before which instants what was received has expired.
#[derive(Clone, Copy)]
pub(super) struct Cutoffs {
    bodies: NaiveDateTime,
    events: NaiveDateTime,
}

impl Cutoffs {
    fn of(retention: Retention, now: Timestamp) -> Self {
        let before = |kept: Option<Duration>| {
            let kept = kept.and_then(|kept| chrono::TimeDelta::from_std(kept).ok());
            kept.and_then(|kept| now.naive().checked_sub_signed(kept)).unwrap_or(DateTime::UNIX_EPOCH.naive_utc())
        };
        Self { bodies: before(retention.bodies), events: before(retention.events) }
    }
}

/// A table from which rows expire.
#[derive(Clone, Copy)]
enum Table {
    Bodies,
    Events,
    Requests,
}

/// What a step came to.
struct Stepped {
    expired: Vec<i64>,
    /// Behind which row the next one goes on; nothing if all that follows is too young.
    next: Option<i64>,
}

impl Store {
    /// Deletes what has expired, or only counts it, and tells after each step how much there was.
    pub async fn prune(&self, now: Timestamp, dry_run: bool, mut tell: impl FnMut(Pruned)) -> Result<Pruned, StoreError> {
        let retention = self.options.retention;
        let cutoffs = Cutoffs::of(retention, now);
        let mut pruned = Pruned::default();
        for table in [Table::Bodies, Table::Events, Table::Requests] {
            let is_kept = matches!(table, Table::Bodies) && retention.bodies.is_none()
                || matches!(table, Table::Events | Table::Requests) && retention.events.is_none();
            let (mut next, mut steps) = ((!is_kept).then_some(0), Steps::new());
            while let Some(after) = next {
                let step = move |c: &mut _, rows| on_either!(c, c => step(c, table, cutoffs, after, rows, dry_run));
                let stepped = self.step(&mut steps, step).await?;
                let count = match table {
                    Table::Bodies => &mut pruned.bodies,
                    Table::Events => &mut pruned.events,
                    Table::Requests => &mut pruned.requests,
                };
                *count += u64::try_from(stepped.expired.len()).unwrap_or(0);
                tell(pruned);
                next = stepped.next;
            }
        }
        Ok(pruned)
    }
}

fn step(writer: &mut impl Writer, table: Table, cutoffs: Cutoffs, after: i64, rows: i64, dry_run: bool) -> QueryResult<Stepped> {
    let seen = match table {
        Table::Bodies => writer.bodies_after(after, rows)?,
        Table::Events => writer.events_after(after, rows)?,
        Table::Requests => writer.requests_after(after, rows)?,
    };
    let cutoff = if matches!(table, Table::Bodies) { cutoffs.bodies } else { cutoffs.events };
    let old: Vec<i64> = seen.iter().filter(|(_, received_at)| *received_at < cutoff).map(|(id, _)| *id).collect();
    // Numbers are given out about in the order of time: where nothing is old any more, nothing behind it is.
    let next = seen.last().map(|(id, _)| *id).filter(|_| !old.is_empty());
    let expired = match table {
        Table::Bodies => old,
        Table::Events => writer.expired_events(&old, cutoffs)?,
        Table::Requests => writer.expired_requests(&old, cutoffs)?,
    };
    if !dry_run && !expired.is_empty() {
        writer.atomically(|writer| {
            // Gateways that share a database prune one after the other.
            writer.lock(&[Lock::pruning()].into())?;
            match table {
                Table::Bodies => writer.delete_bodies(&expired),
                Table::Events => writer.delete_events(&expired),
                Table::Requests => writer.delete_requests(&expired, cutoffs),
            }
        })?;
    }
    Ok(Stepped { expired, next })
}

/// Number and arrival of a row.
type Seen = (i64, NaiveDateTime);

/// What is asked of either database.
pub(super) trait Prune {
    /// The next bodies behind that number.
    fn bodies_after(&mut self, after: i64, limit: i64) -> QueryResult<Vec<Seen>>;
    /// The next events behind that number.
    fn events_after(&mut self, after: i64, limit: i64) -> QueryResult<Vec<Seen>>;
    /// The next requests behind that number.
    fn requests_after(&mut self, after: i64, limit: i64) -> QueryResult<Vec<Seen>>;
    /// Of these events those about messages of which nothing younger is known.
    fn expired_events(&mut self, old: &[i64], cutoffs: Cutoffs) -> QueryResult<Vec<i64>>;
    /// Of these requests those to which no body and no event belongs that stays.
    fn expired_requests(&mut self, old: &[i64], cutoffs: Cutoffs) -> QueryResult<Vec<i64>>;
    /// Deletes bodies.
    fn delete_bodies(&mut self, expired: &[i64]) -> QueryResult<()>;
    /// Deletes events.
    fn delete_events(&mut self, expired: &[i64]) -> QueryResult<()>;
    /// Deletes requests, unless something belongs to them by now.
    fn delete_requests(&mut self, expired: &[i64], cutoffs: Cutoffs) -> QueryResult<()>;
}

diesel::alias!(e as younger: Younger);

/// Whether a younger event of the same message stays.
macro_rules! has_younger {
    ($cutoffs:expr) => {
        exists(
            younger
                .filter(younger.field(e::service_type).eq(e::service_type))
                .filter(younger.field(e::account).eq(e::account))
                .filter(younger.field(e::external_id).eq(e::external_id))
                .filter(younger.field(e::received_at).ge($cutoffs.events)),
        )
    };
}

for_both! {
    impl Prune for Connection {
        fn bodies_after(&mut self, after: i64, limit: i64) -> QueryResult<Vec<Seen>> {
            b::table.filter(b::request_id.gt(after)).order(b::request_id).limit(limit).select((b::request_id, b::received_at)).load(self)
        }

        fn events_after(&mut self, after: i64, limit: i64) -> QueryResult<Vec<Seen>> {
            e::table.filter(e::id.gt(after)).order(e::id).limit(limit).select((e::id, e::received_at)).load(self)
        }

        fn requests_after(&mut self, after: i64, limit: i64) -> QueryResult<Vec<Seen>> {
            r::table.filter(r::id.gt(after)).order(r::id).limit(limit).select((r::id, r::received_at)).load(self)
        }

        fn expired_events(&mut self, old: &[i64], cutoffs: Cutoffs) -> QueryResult<Vec<i64>> {
            e::table.filter(e::id.eq_any(old)).filter(not(has_younger!(cutoffs))).order(e::id).select(e::id).load(self)
        }

        fn expired_requests(&mut self, old: &[i64], cutoffs: Cutoffs) -> QueryResult<Vec<i64>> {
            let event = e::table
                .filter(e::request_id.eq(r::id.nullable()))
                .filter(e::received_at.ge(cutoffs.events).or(has_younger!(cutoffs)));
            let body = b::table.filter(b::request_id.eq(r::id)).filter(b::received_at.ge(cutoffs.bodies));
            r::table
                .filter(r::id.eq_any(old))
                .filter(not(exists(event)))
                .filter(not(exists(body)))
                .order(r::id)
                .select(r::id)
                .load(self)
        }

        fn delete_bodies(&mut self, expired: &[i64]) -> QueryResult<()> {
            diesel::delete(b::table.filter(b::request_id.eq_any(expired))).execute(self).map(drop)
        }

        fn delete_events(&mut self, expired: &[i64]) -> QueryResult<()> {
            diesel::delete(e::table.filter(e::id.eq_any(expired))).execute(self).map(drop)
        }

        fn delete_requests(&mut self, expired: &[i64], cutoffs: Cutoffs) -> QueryResult<()> {
            let still = self.expired_requests(expired, cutoffs)?;
            diesel::delete(r::table.filter(r::id.eq_any(still))).execute(self).map(drop)
        }
    }
}
