//! The rows of a batch, and its statements for both databases.

use std::collections::{BTreeMap, BTreeSet};

use diesel::QueryResult;

use super::{
    postgres,
    receipts::StoredReceipts,
    rows::{Duplicates, NewEvent, NewRequest, Placement},
    sqlite,
};
use crate::{
    store::{
        db::{
            connection::Connection,
            key::{MessageKey, ShortKey},
        },
        fold::{entity::row_vanished, message::MessageState},
    },
    time::Timestamp,
};

/// A newly inserted request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InsertedRequest {
    pub(crate) id: i64,
    /// The id of its first event on SQLite; Postgres assigns ids itself.
    pub(crate) first_event: i64,
}

/// Copies of a stored request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KnownRequest {
    pub(crate) dedupe_key: ShortKey,
    pub(crate) times: i64,
    pub(crate) last_at: Timestamp,
}

/// The exact body of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Body<'r> {
    pub(crate) request_id: i64,
    pub(crate) bytes: &'r [u8],
    pub(crate) received_at: Timestamp,
}

/// An event with its placement.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EventToWrite<'r> {
    /// Set on SQLite; Postgres assigns ids itself.
    pub(crate) id: i64,
    pub(crate) placement: Placement,
    pub(crate) row: &'r NewEvent,
}

/// A message with the state that follows from the events of a batch alone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MessageToWrite<'r> {
    pub(crate) key: &'r MessageKey,
    pub(crate) state: &'r MessageState,
    /// The time of receipt of its first event.
    pub(crate) created_at: Timestamp,
}

/// The new state of a message's row.
#[derive(Clone, Debug)]
pub(crate) struct MessageUpdate {
    pub(crate) id: i64,
    pub(crate) state: MessageState,
    /// True if an indexed column changes.
    pub(crate) is_reindexed: bool,
}

impl MessageUpdate {
    pub(crate) fn new(id: i64, before: &MessageState, state: MessageState) -> Self {
        Self { id, is_reindexed: !state.has_equal_indexed_columns(before), state }
    }
}

/// Returns true if a transaction excludes all other writers from its start.
pub(crate) fn has_exclusive_transactions(connection: &Connection) -> bool {
    matches!(connection, Connection::Sqlite(_))
}

/// Inserts the requests whose key is new and has not expired.
pub(crate) fn insert_requests(
    connection: &mut Connection,
    rows: &[(&NewRequest, Duplicates)],
) -> QueryResult<Vec<Option<InsertedRequest>>> {
    match connection {
        Connection::Sqlite(c) => sqlite::insert_requests(c, rows),
        Connection::Postgres(c) => postgres::insert_requests(c, rows),
    }
}

/// The receipts of the stored requests among these, which are locked. The keys are sorted.
pub(crate) fn stored_receipts(connection: &mut Connection, keys: &[ShortKey]) -> QueryResult<BTreeMap<ShortKey, StoredReceipts>> {
    match connection {
        _ if keys.is_empty() => Ok(BTreeMap::new()),
        Connection::Sqlite(c) => sqlite::stored_receipts(c, keys),
        Connection::Postgres(c) => postgres::stored_receipts(c, keys),
    }
}

/// Stored response codes of known requests, except of those whose rows have expired, and the ids of the messages that were new.
pub(crate) type ResponsesAndIds = (BTreeMap<ShortKey, i64>, Vec<Option<i64>>);

/// Counts copies of known requests and inserts the messages whose key is new. Returns the response codes of the requests and the ids of
/// the new messages.
pub(crate) fn insert_messages(
    connection: &mut Connection,
    known: &[KnownRequest],
    rows: &[MessageToWrite<'_>],
) -> QueryResult<ResponsesAndIds> {
    match connection {
        Connection::Sqlite(c) => Ok((sqlite::count_requests(c, known)?, sqlite::insert_messages(c, rows)?)),
        Connection::Postgres(c) => postgres::insert_messages(c, known, rows),
    }
}

/// Locks messages and reads them, in the given order.
pub(crate) fn lock_messages(connection: &mut Connection, keys: &[&MessageKey]) -> QueryResult<Vec<(i64, MessageState)>> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let rows = match connection {
        Connection::Sqlite(c) => sqlite::read_messages(c, keys),
        Connection::Postgres(c) => postgres::lock_messages(c, keys),
    }?;
    if rows.len() == keys.len() { Ok(rows) } else { Err(row_vanished()) }
}

/// The messages of these keys that have a message id.
pub(crate) fn matched_messages(connection: &mut Connection, keys: &[&MessageKey]) -> QueryResult<BTreeSet<MessageKey>> {
    match connection {
        _ if keys.is_empty() => Ok(BTreeSet::new()),
        Connection::Sqlite(c) => sqlite::matched_messages(c, keys),
        Connection::Postgres(c) => postgres::matched_messages(c, keys),
    }
}

/// Updates folded messages, and inserts bodies and events. If another gateway has inserted one of the events since it was looked up,
/// the transaction is retried.
pub(crate) fn write_rows(
    connection: &mut Connection,
    bodies: &[Body<'_>],
    events: &[EventToWrite<'_>],
    messages: &[MessageUpdate],
) -> QueryResult<()> {
    let (keyed, unkeyed): (Vec<EventToWrite<'_>>, Vec<EventToWrite<'_>>) =
        events.iter().partition(|event| event.row.event_key.is_some());
    let inserted = match connection {
        Connection::Sqlite(c) => sqlite::write_rows(c, bodies, events, messages)? - unkeyed.len(),
        Connection::Postgres(c) => {
            let inserted = if keyed.is_empty() { 0 } else { postgres::insert_keyed_events(c, &keyed)? };
            if !(bodies.is_empty() && unkeyed.is_empty() && messages.is_empty()) {
                postgres::write_rows(c, bodies, &unkeyed, messages)?;
            }
            inserted
        }
    };
    if inserted == keyed.len() { Ok(()) } else { Err(row_vanished()) }
}

/// Assigns ids to events without a request, on SQLite; Postgres assigns ids itself.
pub(crate) fn assign_ids(connection: &mut Connection, events: &mut [EventToWrite<'_>]) -> QueryResult<()> {
    if let Connection::Sqlite(c) = connection {
        let first = sqlite::next_event_id(c)?;
        (first..).zip(events).for_each(|(id, event)| event.id = id);
    }
    Ok(())
}

/// The keys of those events that are stored, or were before they expired.
pub(crate) fn known_events(connection: &mut Connection, keys: &BTreeSet<ShortKey>) -> QueryResult<BTreeSet<ShortKey>> {
    match connection {
        _ if keys.is_empty() => Ok(BTreeSet::new()),
        Connection::Sqlite(c) => sqlite::known_events(c, keys),
        Connection::Postgres(c) => postgres::known_events(c, keys),
    }
}

/// Counts duplicates of stored events.
pub(crate) fn count_events(connection: &mut Connection, times: &BTreeMap<ShortKey, i64>) -> QueryResult<()> {
    match connection {
        _ if times.is_empty() => Ok(()),
        Connection::Sqlite(c) => sqlite::count_events(c, times),
        Connection::Postgres(c) => postgres::count_events(c, times),
    }
}
