//! The statements of a batch on SQLite: loops over single rows, each statement prepared once. A statement of one row that returns
//! nothing needs no statement journal; the writer can assign the ids, because its transaction excludes all other writers.

use std::collections::{BTreeMap, BTreeSet};

use diesel::{
    ExpressionMethods, OptionalExtension, QueryDsl, QueryResult, RunQueryDsl, SelectableHelper, SqliteConnection,
    dsl::max,
    sql_types::{BigInt, Binary, Nullable, Text as SqlText, Timestamp as Instant},
};

use super::{
    batch::{Body, EventToWrite, InsertedRequest, KnownRequest, MessageToWrite, MessageUpdate},
    receipts::{ReceiptColumns, StoredReceipts},
    rows::{Duplicates, NewEvent, NewRequest, Placement},
};
use crate::store::{
    db::{
        expired_keys,
        key::{MessageKey, ShortKey, with_key},
        positions,
        schema::{message_external_ids as m, positions as p, webhook_events as e, webhook_requests as r},
        statement::{Row as _, SqlTemplate, Statement, Value},
    },
    fold::message::MessageState,
};

struct InsertRequest;
impl SqlTemplate for InsertRequest {
    const PIECES: &'static [&'static [&'static str]] = &[
        &["INSERT INTO webhook_requests (id, events_at, ", NewRequest::COLUMNS, ", ", Duplicates::COLUMNS, ") VALUES ("],
        &[", "],
        &[", "],
        &[") ON CONFLICT (dedupe_key) DO NOTHING"],
    ];
    type Row = ();
}

/// Inserts the requests whose key is new and has not expired.
pub(crate) fn insert_requests(
    connection: &mut SqliteConnection,
    rows: &[(&NewRequest, Duplicates)],
) -> QueryResult<Vec<Option<InsertedRequest>>> {
    let last: Option<i64> = r::table.select(max(r::id)).get_result(connection)?;
    let mut id = next_id(connection, last, positions::REQUESTS)?;
    let mut first_event = next_event_id(connection)?;
    let has_expired_keys = expired_keys::exist(connection)?;
    let mut insert = |(request, copies): &(&NewRequest, Duplicates)| {
        if has_expired_keys && expired_keys::contain(connection, request.dedupe_key)? {
            return Ok(None);
        }
        let ids = (Value::<BigInt, _>::new(id), Value::<Nullable<BigInt>, _>::new(Some(first_event)));
        let inserted = Statement::new(InsertRequest, (ids, request.values(), copies.values())).execute(connection)?;
        if inserted == 0 {
            return Ok(None);
        }
        let inserted = InsertedRequest { id, first_event };
        id += 1;
        first_event += request.event_count;
        Ok(Some(inserted))
    };
    rows.iter().map(&mut insert).collect()
}

/// The least id that no event has had.
pub(crate) fn next_event_id(connection: &mut SqliteConnection) -> QueryResult<i64> {
    let last: Option<i64> = e::table.select(max(e::id)).get_result(connection)?;
    next_id(connection, last, positions::EVENTS)
}

/// The id after a table's last one, even if that row has been deleted.
fn next_id(connection: &mut SqliteConnection, last: Option<i64>, table: &str) -> QueryResult<i64> {
    let deleted: Option<i64> = p::table.find(table).select(p::id).get_result(connection).optional()?;
    Ok(last.max(deleted).unwrap_or(0) + 1)
}

/// The receipts of the stored requests among these.
pub(crate) fn stored_receipts(
    connection: &mut SqliteConnection,
    keys: &[ShortKey],
) -> QueryResult<BTreeMap<ShortKey, StoredReceipts>> {
    let columns = (r::received_at, r::last_duplicate_at, r::answer);
    let mut read = |key: &ShortKey| {
        let row = r::table.filter(r::dedupe_key.eq(&key[..])).select(columns).get_result::<ReceiptColumns>(connection);
        Ok(row.optional()?.map(|row| (*key, row.into())))
    };
    keys.iter().filter_map(|key| read(key).transpose()).collect()
}

/// Counts copies of known requests; returns the response codes of those whose rows have not expired.
pub(crate) fn count_requests(connection: &mut SqliteConnection, known: &[KnownRequest]) -> QueryResult<BTreeMap<ShortKey, i64>> {
    let mut count = |known: &KnownRequest| {
        let last_at = known.last_at.naive();
        let response = diesel::update(r::table.filter(r::dedupe_key.eq(&known.dedupe_key[..])))
            .set((r::duplicate_count.eq(r::duplicate_count + known.times), r::last_duplicate_at.eq(last_at)))
            .returning(r::answer)
            .get_result(connection)
            .optional()?;
        Ok(response.map(|response| (known.dedupe_key, response)))
    };
    known.iter().filter_map(|known| count(known).transpose()).collect()
}

struct InsertMessage;
impl SqlTemplate for InsertMessage {
    const PIECES: &'static [&'static [&'static str]] = &[
        &[
            "INSERT INTO message_external_ids (id, external_id, service_type, account, recipient_key, created_at, ",
            MessageState::COLUMNS,
            ") VALUES (",
        ],
        &[", "],
        &[") ON CONFLICT (external_id, service_type, account, recipient_key) DO NOTHING"],
    ];
    type Row = ();
}

/// Inserts the messages whose key is new; returns their ids.
pub(crate) fn insert_messages(connection: &mut SqliteConnection, rows: &[MessageToWrite<'_>]) -> QueryResult<Vec<Option<i64>>> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let last: Option<i64> = m::table.select(max(m::id)).get_result(connection)?;
    let mut id = last.unwrap_or(0);
    let mut insert = |MessageToWrite { key, state, created_at }: &MessageToWrite<'_>| {
        let values = (
            Value::<BigInt, _>::new(id + 1),
            Value::<SqlText, _>::new(&key.external_id),
            Value::<SqlText, _>::new(&key.service_type),
            Value::<SqlText, _>::new(&key.account),
            Value::<SqlText, _>::new(&key.recipient_key),
            Value::<Instant, _>::new(*created_at),
        );
        let inserted = Statement::new(InsertMessage, (values, state.values())).execute(connection)?;
        id += i64::try_from(inserted).unwrap_or(0);
        Ok((inserted > 0).then_some(id))
    };
    rows.iter().map(&mut insert).collect()
}

/// Reads messages, in the given order.
pub(crate) fn read_messages(connection: &mut SqliteConnection, keys: &[&MessageKey]) -> QueryResult<Vec<(i64, MessageState)>> {
    let read = |key: &&MessageKey| with_key!(m, key).select((m::id, MessageState::as_select())).get_result(connection);
    keys.iter().map(read).collect()
}

/// The messages of these keys that have a message id.
pub(crate) fn matched_messages(connection: &mut SqliteConnection, keys: &[&MessageKey]) -> QueryResult<BTreeSet<MessageKey>> {
    let mut matched = BTreeSet::new();
    for key in keys {
        let row = with_key!(m, key).filter(m::message_id.is_not_null()).select(m::id);
        if row.get_result::<i64>(connection).optional()?.is_some() {
            matched.insert((*key).clone());
        }
    }
    Ok(matched)
}

struct UpdateMessage;
impl SqlTemplate for UpdateMessage {
    const PIECES: &'static [&'static [&'static str]] =
        &[&["UPDATE message_external_ids SET (", MessageState::COLUMNS, ") = ("], &[") WHERE id = "], &[]];
    type Row = ();
}

/// Sets only unindexed columns: SQLite rewrites an index entry even if the column is set to the same value.
struct UpdateUnindexedColumns;
impl SqlTemplate for UpdateUnindexedColumns {
    const PIECES: &'static [&'static [&'static str]] =
        &[&["UPDATE message_external_ids SET (", MessageState::UNINDEXED_COLUMNS, ") = ("], &[") WHERE id = "], &[]];
    type Row = ();
}

struct InsertBody;
impl SqlTemplate for InsertBody {
    const PIECES: &'static [&'static [&'static str]] =
        &[&["INSERT INTO webhook_bodies (request_id, body, received_at) VALUES ("], &[")"]];
    type Row = ();
}

struct InsertEvent;
impl SqlTemplate for InsertEvent {
    const PIECES: &'static [&'static [&'static str]] = &[
        &["INSERT INTO webhook_events (id, ", Placement::COLUMNS, ", ", NewEvent::COLUMNS, ") VALUES ("],
        &[", "],
        &[", "],
        &[") ON CONFLICT (event_key) WHERE event_key IS NOT NULL DO NOTHING"],
    ];
    type Row = ();
}

/// Updates folded messages, and inserts bodies and events; returns the number of new events.
pub(crate) fn write_rows(
    connection: &mut SqliteConnection,
    bodies: &[Body<'_>],
    events: &[EventToWrite<'_>],
    messages: &[MessageUpdate],
) -> QueryResult<usize> {
    for MessageUpdate { id, state, is_reindexed } in messages {
        let id = (Value::<BigInt, _>::new(*id),);
        if *is_reindexed {
            Statement::new(UpdateMessage, (state.values(), id)).execute(connection)?;
        } else {
            Statement::new(UpdateUnindexedColumns, (state.unindexed_values(), id)).execute(connection)?;
        }
    }
    for body in bodies {
        let row = (
            Value::<BigInt, _>::new(body.request_id),
            Value::<Binary, _>::new(body.bytes),
            Value::<Instant, _>::new(body.received_at),
        );
        Statement::new(InsertBody, (row,)).execute(connection)?;
    }
    let mut inserted = 0;
    for event in events {
        let groups = ((Value::<BigInt, _>::new(event.id),), event.placement.values(), event.row.values());
        inserted += Statement::new(InsertEvent, groups).execute(connection)?;
    }
    Ok(inserted)
}

/// The keys of those events that are stored, or were before they expired.
pub(crate) fn known_events(connection: &mut SqliteConnection, keys: &BTreeSet<ShortKey>) -> QueryResult<BTreeSet<ShortKey>> {
    let mut known = BTreeSet::new();
    for key in keys {
        let event = e::table.filter(e::event_key.eq(&key[..])).select(e::id);
        if event.get_result::<i64>(connection).optional()?.is_some() || expired_keys::contain(connection, *key)? {
            known.insert(*key);
        }
    }
    Ok(known)
}

/// Counts duplicates of stored events.
pub(crate) fn count_events(connection: &mut SqliteConnection, times: &BTreeMap<ShortKey, i64>) -> QueryResult<()> {
    times.iter().try_for_each(|(key, times)| {
        let event = diesel::update(e::table.filter(e::event_key.eq(&key[..])));
        event.set(e::duplicate_count.eq(e::duplicate_count + *times)).execute(connection).map(drop)
    })
}
