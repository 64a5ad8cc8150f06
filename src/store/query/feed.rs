//! The events of a message, and the append-only feed of all events.

use std::{fmt, str::FromStr};

use diesel::{
    BoolExpressionMethods, ExpressionMethods, OptionalExtension, QueryDsl, QueryResult, Queryable, RunQueryDsl, Selectable,
    SelectableHelper, backend::Backend, dsl::max, sql_types::BigInt,
};
use serde::{Serialize, Serializer};

use super::{CursorError, JsonText, Message, size};
use crate::{
    event::Engagement,
    store::{
        MAX_EVENTS,
        db::{
            connection::{Connection, on_either},
            positions::Position,
            schema::webhook_events as e,
            statement::{SqlTemplate, Statement},
        },
    },
    time::Timestamp,
};

/// A stored event.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct StoredEvent {
    /// Position in the feed.
    #[schema(value_type = String, example = "7012-345")]
    pub cursor: FeedCursor,
    pub id: i64,
    pub request_id: Option<i64>,
    pub service_type: String,
    pub account: String,
    pub external_id: Option<String>,
    pub recipient_key: String,
    pub event_type: String,
    pub provider_type: Option<String>,
    pub status: Option<String>,
    pub provider_status: Option<String>,
    pub evidence: Option<String>,
    pub error_code: Option<String>,
    pub occurred_at: Option<Timestamp>,
    pub received_at: Timestamp,
    /// Everything else that the event reports.
    pub detail: JsonText,
    /// The client of an open or a click, and the machine, if it was one; null for all other events.
    pub engagement: Option<Engagement>,
    /// The rule that decided about it when it arrived.
    pub applied_rule: Option<String>,
    /// Number of duplicates in other requests.
    pub duplicate_count: i64,
}

/// The columns of a stored event.
#[derive(Queryable, Selectable)]
#[diesel(table_name = e)]
pub struct EventRow {
    #[diesel(embed)]
    cursor: FeedCursor,
    id: i64,
    request_id: Option<i64>,
    service_type: String,
    account: String,
    external_id: Option<String>,
    recipient_key: String,
    event_type: String,
    provider_type: Option<String>,
    status: Option<String>,
    provider_status: Option<String>,
    evidence: Option<String>,
    error_code: Option<String>,
    occurred_at: Option<Timestamp>,
    received_at: Timestamp,
    detail: JsonText,
    applied_rule: Option<String>,
    duplicate_count: i64,
}

impl From<EventRow> for StoredEvent {
    fn from(mut row: EventRow) -> Self {
        let engagement = row.detail.0.as_object_mut().and_then(|fields| fields.remove("engagement"));
        Self {
            cursor: row.cursor,
            id: row.id,
            request_id: row.request_id,
            service_type: row.service_type,
            account: row.account,
            external_id: row.external_id,
            recipient_key: row.recipient_key,
            event_type: row.event_type,
            provider_type: row.provider_type,
            status: row.status,
            provider_status: row.provider_status,
            evidence: row.evidence,
            error_code: row.error_code,
            occurred_at: row.occurred_at,
            received_at: row.received_at,
            detail: row.detail,
            engagement: engagement.and_then(|engagement| serde_json::from_value(engagement).ok()),
            applied_rule: row.applied_rule,
            duplicate_count: row.duplicate_count,
        }
    }
}

impl<DB: Backend> Selectable<DB> for StoredEvent
where
    EventRow: Selectable<DB>,
{
    type SelectExpression = <EventRow as Selectable<DB>>::SelectExpression;

    fn construct_selection() -> Self::SelectExpression {
        EventRow::construct_selection()
    }
}

impl<Sql, DB: Backend> Queryable<Sql, DB> for StoredEvent
where
    EventRow: Queryable<Sql, DB>,
{
    type Row = <EventRow as Queryable<Sql, DB>>::Row;

    fn build(row: Self::Row) -> diesel::deserialize::Result<Self> {
        EventRow::build(row).map(Self::from)
    }
}

/// A position in the feed, after an event. The default is before all events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Queryable, Selectable)]
#[diesel(table_name = e)]
pub struct FeedCursor {
    txid: i64,
    id: i64,
}

impl fmt::Display for FeedCursor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}", self.txid, self.id)
    }
}

impl FromStr for FeedCursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        let number = |text: &str| {
            let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse().ok().filter(|_| is_plain).ok_or(CursorError)
        };
        let (txid, id) = text.split_once('-').ok_or(CursorError)?;
        Ok(Self { txid: number(txid)?, id: number(id)? })
    }
}

impl Serialize for FeedCursor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl From<Position> for FeedCursor {
    fn from(Position { txid, id }: Position) -> Self {
        Self { txid, id }
    }
}

impl From<FeedCursor> for Position {
    fn from(FeedCursor { txid, id }: FeedCursor) -> Self {
        Self { txid, id }
    }
}

/// An event with its order among the events of its message.
pub(crate) type KeyedEvent = (StoredEvent, Vec<u8>);

/// A page of the feed, oldest event first.
#[derive(Clone, Debug)]
pub struct FeedPage {
    pub events: Vec<StoredEvent>,
    /// The cursor of the next page, also if this one is empty.
    pub next: FeedCursor,
    /// True if the next page may have events already.
    pub has_more: bool,
}

struct SelectSnapshot;
impl SqlTemplate for SelectSnapshot {
    const PIECES: &'static [&'static [&'static str]] =
        &[&["SELECT pg_snapshot_xmin(s)::text::bigint, pg_snapshot_xmax(s)::text::bigint FROM pg_current_snapshot() AS s"]];
    type Row = (BigInt, BigInt);
}

/// The oldest transaction that may still be running, and the next one; `None` on SQLite, which has no concurrent writers.
pub(crate) fn running_transactions(connection: &mut Connection) -> QueryResult<Option<(i64, i64)>> {
    match connection {
        Connection::Sqlite(_) => Ok(None),
        Connection::Postgres(c) => Statement::new(SelectSnapshot, ()).get_result(c).map(Some),
    }
}

/// The oldest transaction that may still commit. All earlier ones have ended, and new ones have greater numbers.
fn visible_before(connection: &mut Connection) -> QueryResult<i64> {
    Ok(running_transactions(connection)?.map_or(i64::MAX, |(running, _)| running))
}

/// The events after a position, up to the first at which another event can still appear. Ids are assigned at the insert but visible
/// at the commit, so a reader that follows ids alone would skip the events of a slower writer.
macro_rules! events_after {
    ($connection:expr, $after:expr, $limit:expr, $columns:expr) => {{
        // Read before the rows, so that all events of the transactions before it are visible.
        let visible_before = visible_before($connection)?;
        let FeedCursor { txid, id } = $after;
        match $connection {
            Connection::Sqlite(c) => e::table.filter(e::id.gt(id)).order(e::id).limit($limit).select($columns).load(c)?,
            Connection::Postgres(c) => {
                // The first condition follows from the second and selects the range of the index.
                let window = e::table.filter(e::txid.ge(txid)).filter(e::txid.gt(txid).or(e::id.gt(id)));
                let window = window.filter(e::txid.lt(visible_before)).order((e::txid, e::id));
                window.limit($limit).select($columns).load(c)?
            }
        }
    }};
}

pub(crate) fn events_after(connection: &mut Connection, after: FeedCursor, limit: i64) -> QueryResult<FeedPage> {
    let end = |events: &[StoredEvent]| events.last().map_or(after, |event| event.cursor);
    let events = size::load_in_steps(limit, size::json_size, |before: &[StoredEvent], step| {
        Ok(events_after!(connection, end(before), step, StoredEvent::as_select()))
    })?;
    Ok(FeedPage { next: end(&events.rows), events: events.rows, has_more: events.has_more })
}

/// An event's position, message and time of receipt.
pub(crate) type EventArrival = (FeedCursor, Option<i64>, Timestamp);

/// The arrivals of the events after a position.
pub(crate) fn arrivals_after(connection: &mut Connection, after: FeedCursor, limit: i64) -> QueryResult<Vec<EventArrival>> {
    Ok(events_after!(connection, after, limit, (FeedCursor::as_select(), e::mapping_id, e::received_at)))
}

/// An event's position, type and status, and the row that it is about.
#[derive(Queryable, Selectable)]
#[diesel(table_name = e)]
pub(crate) struct TypedEvent {
    #[diesel(embed)]
    pub(crate) cursor: FeedCursor,
    pub(crate) event_type: String,
    pub(crate) status: Option<String>,
    pub(crate) service_type: String,
    pub(crate) account: String,
    pub(crate) external_id: Option<String>,
}

/// The types of the events after a position.
pub(crate) fn types_after(connection: &mut Connection, after: FeedCursor, limit: i64) -> QueryResult<Vec<TypedEvent>> {
    Ok(events_after!(connection, after, limit, TypedEvent::as_select()))
}

/// An event's position, endpoint and time of receipt.
#[derive(Queryable, Selectable)]
#[diesel(table_name = e)]
pub(crate) struct EventOrigin {
    #[diesel(embed)]
    pub(crate) cursor: FeedCursor,
    pub(crate) service_type: String,
    pub(crate) account: String,
    pub(crate) received_at: Timestamp,
}

/// The origins of the events after a position.
pub(crate) fn origins_after(connection: &mut Connection, after: FeedCursor, limit: i64) -> QueryResult<Vec<EventOrigin>> {
    Ok(events_after!(connection, after, limit, EventOrigin::as_select()))
}

/// The number of events after a position, also of those that no reader may see yet: exact if it is 0, else an estimate.
pub(crate) fn count_after(connection: &mut Connection, after: FeedCursor) -> QueryResult<i64> {
    let FeedCursor { txid, id } = after;
    let newest: Option<i64> = match connection {
        Connection::Sqlite(c) => e::table.select(max(e::id)).first(c)?,
        Connection::Postgres(c) => {
            let later = e::table.filter(e::txid.ge(txid)).filter(e::txid.gt(txid).or(e::id.gt(id)));
            let later: Option<i64> = later.order((e::txid, e::id)).select(e::id).first(c).optional()?;
            if later.is_none() {
                return Ok(0);
            }
            let newest: Option<i64> = e::table.select(max(e::id)).first(c)?;
            return Ok(newest.map_or(0, |newest| (newest - id).max(1)));
        }
    };
    Ok(newest.map_or(0, |newest| (newest - id).max(0)))
}

/// The current end of the feed.
pub(crate) fn end(connection: &mut Connection) -> QueryResult<FeedCursor> {
    let visible_before = visible_before(connection)?;
    let last: Option<(i64, i64)> = match connection {
        Connection::Sqlite(c) => e::table.order(e::id.desc()).select((e::txid, e::id)).first(c).optional()?,
        Connection::Postgres(c) => {
            let visible = e::table.filter(e::txid.lt(visible_before)).order((e::txid.desc(), e::id.desc()));
            visible.select((e::txid, e::id)).first(c).optional()?
        }
    };
    Ok(last.map_or_else(FeedCursor::default, |(txid, id)| FeedCursor { txid, id }))
}

/// The events of a message in the order of arrival, each with its state key.
pub(crate) fn events_of_message(connection: &mut Connection, message: &Message) -> QueryResult<Vec<KeyedEvent>> {
    let ids = e::table.filter(e::mapping_id.eq(message.id)).order((e::received_at, e::id)).limit(MAX_EVENTS).select(e::id);
    let ids: Vec<i64> = on_either!(connection, c => ids.load(c))?;
    let size = |(event, _): &KeyedEvent| size::json_size(event);
    let events = size::load_in_steps(MAX_EVENTS, size, |before: &[KeyedEvent], step| {
        let events = e::table.filter(e::id.eq_any(size::next_ids(&ids, before, step))).order((e::received_at, e::id));
        on_either!(connection, c => events.select((StoredEvent::as_select(), e::state_key)).load(c))
    })?;
    Ok(events.rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursor_round_trips_and_rejects_other_texts() {
        let cursor = FeedCursor { txid: 12, id: 345 };
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
        for wrong in ["", "12", "12-", "-3", "12--3", "+1-2", "1-2-3", "x-y", "99999999999999999999-1"] {
            assert_eq!(wrong.parse::<FeedCursor>(), Err(CursorError), "{wrong}");
        }
    }
}
