//! The statements of a batch on Postgres. Each takes the columns of any number of rows as arrays, so that its text is the same for
//! every batch and is prepared once.
//!
//! Any number of gateways may write concurrently: rows are inserted and locked in the order of their keys.

use std::collections::{BTreeMap, BTreeSet};

use diesel::{
    PgConnection, QueryResult, RunQueryDsl,
    sql_types::{BigInt, Binary, Nullable, Text as SqlText, Timestamp as Instant},
};

use super::{
    batch::{Body, EventToWrite, InsertedRequest, KnownRequest, MessageToWrite, MessageUpdate, ResponsesAndIds},
    receipts::{ReceiptColumns, StoredReceipts},
    rows::{Duplicates, NewEvent, NewRequest, Placement},
};
use crate::store::{
    db::{
        key::{MessageKey, ShortKey},
        statement::{Column, Row, SqlTemplate, Statement},
    },
    fold::message::MessageState,
};

/// The columns of a message's key.
macro_rules! keys {
    ($keys:expr) => {
        (
            Column::<SqlText, _>::new($keys.iter().map(|key| &key.external_id)),
            Column::<SqlText, _>::new($keys.iter().map(|key| &key.service_type)),
            Column::<SqlText, _>::new($keys.iter().map(|key| &key.account)),
            Column::<SqlText, _>::new($keys.iter().map(|key| &key.recipient_key)),
        )
    };
}

struct InsertRequests;
impl SqlTemplate for InsertRequests {
    const PIECES: &'static [&'static [&'static str]] = &[
        &["INSERT INTO webhook_requests (", NewRequest::COLUMNS, ", ", Duplicates::COLUMNS, ") SELECT n.* FROM (SELECT "],
        &[", "],
        &[
            ") AS n (",
            NewRequest::COLUMNS,
            ", ",
            Duplicates::COLUMNS,
            ") WHERE NOT EXISTS (SELECT 1 FROM expired_keys AS x WHERE x.stored_key = n.dedupe_key) \
            ON CONFLICT (dedupe_key) DO NOTHING RETURNING id, dedupe_key",
        ],
    ];
    type Row = (BigInt, Binary);
}

/// Inserts the requests whose key is new and has not expired, in the given order.
pub(crate) fn insert_requests(
    connection: &mut PgConnection,
    rows: &[(&NewRequest, Duplicates)],
) -> QueryResult<Vec<Option<InsertedRequest>>> {
    let (requests, copies): (Vec<&NewRequest>, Vec<&Duplicates>) =
        rows.iter().map(|(request, copies)| (*request, copies)).unzip();
    let insert = Statement::new(InsertRequests, (NewRequest::columns(&requests), Duplicates::columns(&copies)));
    let inserted: Vec<(i64, Vec<u8>)> = insert.load(connection)?;
    let ids = align_ids(inserted, &requests.iter().map(|request| &request.dedupe_key[..]).collect::<Vec<_>>());
    Ok(ids.into_iter().map(|id| id.map(|id| InsertedRequest { id, first_event: 0 })).collect())
}

/// Aligns the ids of inserted rows with all rows. Postgres returns them in the order of the rows.
fn align_ids(inserted: Vec<(i64, Vec<u8>)>, keys: &[&[u8]]) -> Vec<Option<i64>> {
    let mut inserted = inserted.into_iter().peekable();
    keys.iter().map(|key| inserted.next_if(|(_, inserted_key)| inserted_key == key).map(|(id, _)| id)).collect()
}

struct StoredRequests;
impl SqlTemplate for StoredRequests {
    const PIECES: &'static [&'static [&'static str]] = &[
        &["SELECT wanted.dedupe_key, found.* FROM (SELECT "],
        &[
            ") AS wanted (dedupe_key) JOIN LATERAL (SELECT r.received_at, r.last_duplicate_at, r.answer FROM webhook_requests AS r \
            WHERE r.dedupe_key = wanted.dedupe_key LIMIT 1 FOR NO KEY UPDATE) AS found ON TRUE",
        ],
    ];
    type Row = (Binary, (Instant, Nullable<Instant>, BigInt));
}

/// The receipts of the stored requests among these, which are locked in the given order.
pub(crate) fn stored_receipts(
    connection: &mut PgConnection,
    keys: &[ShortKey],
) -> QueryResult<BTreeMap<ShortKey, StoredReceipts>> {
    let columns = (Column::<Binary, _>::new(keys.iter()),);
    let rows: Vec<(Vec<u8>, ReceiptColumns)> = Statement::new(StoredRequests, (columns,)).load(connection)?;
    Ok(rows.into_iter().filter_map(|(key, row)| Some((key.try_into().ok()?, row.into()))).collect())
}

const INSERT_MESSAGES: &str = "INSERT INTO message_external_ids (external_id, service_type, account, recipient_key, created_at, ";
const ON_KNOWN_MESSAGE: &str = " ON CONFLICT (external_id, service_type, account, recipient_key) DO NOTHING RETURNING ";

struct InsertMessages;
impl SqlTemplate for InsertMessages {
    const PIECES: &'static [&'static [&'static str]] =
        &[&[INSERT_MESSAGES, MessageState::COLUMNS, ") SELECT "], &[", "], &[ON_KNOWN_MESSAGE, "id, state_key"]];
    type Row = (BigInt, Binary);
}

/// Counts copies of known requests, then inserts messages: in one round trip, and in the order in which all gateways lock.
struct CountAndInsertMessages;
impl SqlTemplate for CountAndInsertMessages {
    const PIECES: &'static [&'static [&'static str]] = &[
        &["WITH counted AS (UPDATE webhook_requests AS r SET duplicate_count = r.duplicate_count + n.times, \
            last_duplicate_at = GREATEST(r.last_duplicate_at, n.last_at) FROM (SELECT "],
        &[
            ") AS n (dedupe_key, times, last_at) WHERE r.dedupe_key = n.dedupe_key RETURNING r.answer, r.dedupe_key), \
            new AS (",
            INSERT_MESSAGES,
            MessageState::COLUMNS,
            ") SELECT ",
        ],
        &[", "],
        &[
            ON_KNOWN_MESSAGE,
            "id, state_key) SELECT answer, dedupe_key, TRUE FROM counted UNION ALL SELECT id, state_key, FALSE FROM new",
        ],
    ];
    type Row = (BigInt, Binary, diesel::sql_types::Bool);
}

/// Counts copies of known requests and inserts the messages whose key is new, in the given order. Returns the response codes of
/// the requests by key, and the ids of the messages.
pub(crate) fn insert_messages(
    connection: &mut PgConnection,
    known: &[KnownRequest],
    rows: &[MessageToWrite<'_>],
) -> QueryResult<ResponsesAndIds> {
    let (keys, states): (Vec<&MessageKey>, Vec<&MessageState>) = rows.iter().map(|row| (row.key, row.state)).unzip();
    let created = Column::<Instant, _>::new(rows.iter().map(|row| row.created_at));
    let state_keys: Vec<&[u8]> = states.iter().map(|state| state.state_key.as_slice()).collect();
    if known.is_empty() {
        if rows.is_empty() {
            return Ok((BTreeMap::new(), Vec::new()));
        }
        let insert = Statement::new(InsertMessages, ((keys!(keys), created), MessageState::columns(&states)));
        return Ok((BTreeMap::new(), align_ids(insert.load(connection)?, &state_keys)));
    }
    let counts = (
        Column::<Binary, _>::new(known.iter().map(|known| known.dedupe_key)),
        Column::<BigInt, _>::new(known.iter().map(|known| known.times)),
        Column::<Instant, _>::new(known.iter().map(|known| known.last_at)),
    );
    let statement = Statement::new(CountAndInsertMessages, (counts, (keys!(keys), created), MessageState::columns(&states)));
    let (mut responses, mut inserted) = (BTreeMap::new(), Vec::new());
    for (value, key, is_response) in statement.load::<(i64, Vec<u8>, bool)>(connection)? {
        if is_response {
            responses.extend(ShortKey::try_from(key).ok().map(|key| (key, value)));
        } else {
            inserted.push((value, key));
        }
    }
    Ok((responses, align_ids(inserted, &state_keys)))
}

struct LockMessages;
impl SqlTemplate for LockMessages {
    const PIECES: &'static [&'static [&'static str]] = &[
        &["SELECT found.id, ", MessageState::COLUMNS, " FROM (SELECT "],
        &[
            ") AS wanted (external_id, service_type, account, recipient_key) JOIN LATERAL (SELECT * FROM message_external_ids AS m \
            WHERE m.external_id = wanted.external_id AND m.service_type = wanted.service_type AND m.account = wanted.account \
            AND m.recipient_key = wanted.recipient_key LIMIT 1 FOR UPDATE) AS found ON TRUE",
        ],
    ];
    type Row = (BigInt, <MessageState as Row>::SqlTypes);
}

/// Locks messages and reads them, in the given order.
pub(crate) fn lock_messages(connection: &mut PgConnection, keys: &[&MessageKey]) -> QueryResult<Vec<(i64, MessageState)>> {
    Statement::new(LockMessages, (keys!(keys),)).load(connection)
}

struct MatchedMessages;
impl SqlTemplate for MatchedMessages {
    const PIECES: &'static [&'static [&'static str]] = &[
        &["SELECT wanted.* FROM (SELECT "],
        &[
            ") AS wanted (external_id, service_type, account, recipient_key) JOIN LATERAL (SELECT 1 FROM message_external_ids AS m \
            WHERE m.external_id = wanted.external_id AND m.service_type = wanted.service_type AND m.account = wanted.account \
            AND m.recipient_key = wanted.recipient_key AND m.message_id IS NOT NULL LIMIT 1) AS found ON TRUE",
        ],
    ];
    type Row = (SqlText, SqlText, SqlText, SqlText);
}

/// The messages of these keys that have a message id.
pub(crate) fn matched_messages(connection: &mut PgConnection, keys: &[&MessageKey]) -> QueryResult<BTreeSet<MessageKey>> {
    Statement::new(MatchedMessages, (keys!(keys),)).load(connection).map(BTreeSet::from_iter)
}

const BODIES: &str = "bodies AS (INSERT INTO webhook_bodies (request_id, body, received_at) SELECT ";
const EVENTS: &str = ") INSERT INTO webhook_events (";

struct InsertBodiesAndEvents;
impl SqlTemplate for InsertBodiesAndEvents {
    const PIECES: &'static [&'static [&'static str]] =
        &[&["WITH ", BODIES], &[EVENTS, Placement::COLUMNS, ", ", NewEvent::COLUMNS, ") SELECT "], &[", "], &[]];
    type Row = ();
}

/// Also updates folded messages in the same round trip.
struct UpdateMessagesAndInsert;
impl SqlTemplate for UpdateMessagesAndInsert {
    const PIECES: &'static [&'static [&'static str]] = &[
        &[
            "WITH updated AS (UPDATE message_external_ids AS m SET (",
            MessageState::COLUMNS,
            ") = (",
            MessageState::NEW_COLUMNS,
            ") FROM (SELECT ",
        ],
        &[", "],
        &[") AS n (id, ", MessageState::COLUMNS, ") WHERE m.id = n.id), ", BODIES],
        &[EVENTS, Placement::COLUMNS, ", ", NewEvent::COLUMNS, ") SELECT "],
        &[", "],
        &[],
    ];
    type Row = ();
}

/// Updates folded messages, and inserts bodies and the events without a key.
pub(crate) fn write_rows(
    connection: &mut PgConnection,
    bodies: &[Body<'_>],
    events: &[EventToWrite<'_>],
    messages: &[MessageUpdate],
) -> QueryResult<()> {
    let body_columns = (
        Column::<BigInt, _>::new(bodies.iter().map(|body| body.request_id)),
        Column::<Binary, _>::new(bodies.iter().map(|body| body.bytes)),
        Column::<Instant, _>::new(bodies.iter().map(|body| body.received_at)),
    );
    let placements: Vec<&Placement> = events.iter().map(|event| &event.placement).collect();
    let rows: Vec<&NewEvent> = events.iter().map(|event| event.row).collect();
    let (placements, rows) = (Placement::columns(&placements), NewEvent::columns(&rows));
    if messages.is_empty() {
        return Statement::new(InsertBodiesAndEvents, (body_columns, placements, rows)).execute(connection).map(drop);
    }
    let ids = (Column::<BigInt, _>::new(messages.iter().map(|update| update.id)),);
    let states: Vec<&MessageState> = messages.iter().map(|update| &update.state).collect();
    let groups = (ids, MessageState::columns(&states), body_columns, placements, rows);
    Statement::new(UpdateMessagesAndInsert, groups).execute(connection).map(drop)
}

struct InsertKeyedEvents;
impl SqlTemplate for InsertKeyedEvents {
    const PIECES: &'static [&'static [&'static str]] = &[
        &["INSERT INTO webhook_events (", Placement::COLUMNS, ", ", NewEvent::COLUMNS, ") SELECT "],
        &[", "],
        &[" ON CONFLICT (event_key) WHERE event_key IS NOT NULL DO NOTHING"],
    ];
    type Row = ();
}

/// Inserts events with keys; returns the number of new ones.
pub(crate) fn insert_keyed_events(connection: &mut PgConnection, events: &[EventToWrite<'_>]) -> QueryResult<usize> {
    let placements: Vec<&Placement> = events.iter().map(|event| &event.placement).collect();
    let rows: Vec<&NewEvent> = events.iter().map(|event| event.row).collect();
    Statement::new(InsertKeyedEvents, (Placement::columns(&placements), NewEvent::columns(&rows))).execute(connection)
}

struct KnownEvents;
impl SqlTemplate for KnownEvents {
    const PIECES: &'static [&'static [&'static str]] = &[
        &["SELECT wanted.event_key FROM (SELECT "],
        &[
            ") AS wanted (event_key) JOIN LATERAL (SELECT 1 FROM webhook_events AS e WHERE e.event_key = wanted.event_key UNION ALL \
            SELECT 1 FROM expired_keys AS x WHERE x.stored_key = wanted.event_key LIMIT 1) AS found ON TRUE",
        ],
    ];
    type Row = Binary;
}

/// The keys of those events that are stored, or were before they expired.
pub(crate) fn known_events(connection: &mut PgConnection, keys: &BTreeSet<ShortKey>) -> QueryResult<BTreeSet<ShortKey>> {
    let known: Vec<Vec<u8>> = Statement::new(KnownEvents, ((Column::<Binary, _>::new(keys.iter()),),)).load(connection)?;
    Ok(known.into_iter().filter_map(|key| key.try_into().ok()).collect())
}

struct CountEvents;
impl SqlTemplate for CountEvents {
    const PIECES: &'static [&'static [&'static str]] = &[
        &["UPDATE webhook_events AS e SET duplicate_count = e.duplicate_count + n.times FROM (SELECT "],
        &[") AS n (event_key, times) WHERE e.event_key = n.event_key"],
    ];
    type Row = ();
}

/// Counts duplicates of stored events.
pub(crate) fn count_events(connection: &mut PgConnection, times: &BTreeMap<ShortKey, i64>) -> QueryResult<()> {
    let columns = (Column::<Binary, _>::new(times.keys()), Column::<BigInt, _>::new(times.values()));
    Statement::new(CountEvents, (columns,)).execute(connection).map(drop)
}
