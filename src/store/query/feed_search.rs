//! The events of the feed that match a filter. They are searched in the order of the feed, in steps of bounded time, between the places
//! where events of the range of time can be ([`ranges`]).

use std::time::Instant;

use diesel::{
    ExpressionMethods, QueryDsl, QueryResult, RunQueryDsl, SelectableHelper,
    dsl::{max, min},
};

use super::{
    feed::{self, FeedCursor, FeedPage, StoredEvent},
    ranges::{self, RangedTable, SPAN},
    scan::TIME_LIMIT,
    size::{self, MAX_BYTES},
};
use crate::{
    store::db::{
        connection::{Connection, on_either},
        positions::Position,
        schema::webhook_events as e,
    },
    time::Timestamp,
};

/// Selects events.
#[derive(Clone, Debug, Default)]
pub struct FeedFilter {
    pub service_type: Option<&'static str>,
    pub account: Option<String>,
    /// Inclusive.
    pub since: Option<Timestamp>,
    /// Exclusive.
    pub until: Option<Timestamp>,
    /// Maximum number of events.
    pub limit: i64,
}

/// Events of one step.
const STEP: i64 = 2_048;

/// Ids by which events of one transaction can be apart from others with close transaction ids on Postgres. Transactions that write events are
/// short, so far fewer events are written by others between the start of one and its inserts.
const SLACK: i64 = 16 * SPAN;

/// Positions of the feed, between which events may match: ids on SQLite, transactions on Postgres. Both ends are inclusive.
type Interval = (i64, i64);

impl FeedFilter {
    fn is_empty(&self) -> bool {
        self.service_type.is_none() && self.account.is_none() && self.since.is_none() && self.until.is_none()
    }

    fn matches(&self, event: &feed::EventOrigin) -> bool {
        self.service_type.is_none_or(|service_type| event.service_type == service_type)
            && self.account.as_ref().is_none_or(|account| event.account == *account)
            && self.since.is_none_or(|since| event.received_at >= since)
            && self.until.is_none_or(|until| event.received_at < until)
    }
}

pub(crate) fn events(connection: &mut Connection, after: FeedCursor, filter: &FeedFilter) -> QueryResult<FeedPage> {
    if filter.is_empty() {
        return feed::events_after(connection, after, filter.limit);
    }
    let started = Instant::now();
    let limit = usize::try_from(filter.limit).unwrap_or(0);
    let (mut events, mut bytes, mut position) = (Vec::new(), 0, after);
    for (low, high) in intervals(connection, filter)? {
        position = position.max(before(connection, low));
        loop {
            if started.elapsed() > TIME_LIMIT {
                return Ok(FeedPage { events, next: position, has_more: true });
            }
            let step = feed::origins_after(connection, position, STEP)?;
            let is_last = step.len() < usize::try_from(STEP).unwrap_or(0);
            let inside: Vec<&feed::EventOrigin> = step.iter().take_while(|event| key(connection, event.cursor) <= high).collect();
            let matching: Vec<&feed::EventOrigin> = inside.iter().copied().filter(|event| filter.matches(event)).collect();
            for chunk in matching.chunks(usize::try_from(size::STEP).unwrap_or(1)) {
                let more = load(connection, chunk)?;
                let is_whole = size::push_while_small(&mut events, &mut bytes, more, size::json_size);
                if !is_whole || events.len() >= limit || bytes > MAX_BYTES {
                    events.truncate(limit);
                    let next = events.last().map_or(position, |event| event.cursor);
                    return Ok(FeedPage { events, next, has_more: true });
                }
            }
            position = inside.last().map_or(position, |event| event.cursor);
            if is_last || inside.len() < step.len() {
                break;
            }
        }
    }
    Ok(FeedPage { events, next: position, has_more: false })
}

fn load(connection: &mut Connection, events: &[&feed::EventOrigin]) -> QueryResult<Vec<StoredEvent>> {
    let ids: Vec<i64> = events.iter().map(|event| Position::from(event.cursor).id).collect();
    let rows = e::table.filter(e::id.eq_any(ids)).order((e::txid, e::id));
    on_either!(connection, c => rows.select(StoredEvent::as_select()).load(c))
}

/// The place of an event among the intervals.
fn key(connection: &Connection, cursor: FeedCursor) -> i64 {
    let Position { txid, id } = cursor.into();
    if matches!(connection, Connection::Sqlite(_)) { id } else { txid }
}

/// The position before all events of an interval.
fn before(connection: &Connection, low: i64) -> FeedCursor {
    let position = match connection {
        Connection::Sqlite(_) => Position { txid: 0, id: low.saturating_sub(1) },
        Connection::Postgres(_) => Position { txid: low.saturating_sub(1), id: i64::MAX },
    };
    position.into()
}

/// The intervals in which events of the filter's time can be, in the order of the feed.
fn intervals(connection: &mut Connection, filter: &FeedFilter) -> QueryResult<Vec<Interval>> {
    if filter.since.is_none() && filter.until.is_none() {
        return Ok(vec![(0, i64::MAX)]);
    }
    let mut intervals = Vec::new();
    for (low, high) in ranges::within(connection, RangedTable::Events, filter.since, filter.until)? {
        intervals.push(match connection {
            Connection::Sqlite(_) => (low, high.saturating_sub(1)),
            Connection::Postgres(_) => (first_transaction(connection, low)?, last_transaction(connection, high)?),
        });
    }
    intervals.sort_unstable();
    let mut merged: Vec<Interval> = Vec::new();
    for (low, high) in intervals {
        match merged.last_mut() {
            Some((_, end)) if low <= end.saturating_add(1) => *end = high.max(*end),
            _ => merged.push((low, high)),
        }
    }
    Ok(merged)
}

/// A transaction before those that wrote events from that id on.
fn first_transaction(connection: &mut Connection, id: i64) -> QueryResult<i64> {
    let earlier =
        e::table.filter(e::id.ge(id.saturating_sub(SLACK))).filter(e::id.lt(id.saturating_sub(SLACK).saturating_add(SPAN)));
    let first: Option<i64> = on_either!(connection, c => earlier.select(min(e::txid)).first(c))?;
    // The events before may have been deleted.
    Ok(first.filter(|_| id > SLACK).unwrap_or(0))
}

/// A transaction after those that wrote events before that id.
fn last_transaction(connection: &mut Connection, id: i64) -> QueryResult<i64> {
    let Some(end) = id.checked_add(SLACK) else { return Ok(i64::MAX) };
    let later = e::table.filter(e::id.ge(end - SPAN)).filter(e::id.lt(end));
    let last: Option<i64> = on_either!(connection, c => later.select(max(e::txid)).first(c))?;
    Ok(last.unwrap_or(i64::MAX))
}
