//! The writer on Postgres: one statement per table and batch. A batch of rows is one JSON document, which Postgres turns
//! into rows of the table's own type, so that there is one parameter however many rows and columns there are.
//!
//! Any number of gateways may write at once: rows are locked in the order of their keys, and `ON CONFLICT` decides.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::LazyLock,
};

use chrono::NaiveDateTime;
use diesel::{
    Connection, PgConnection, QueryResult, QueryableByName, RunQueryDsl,
    deserialize::{self, FromSql},
    pg::{Pg, PgValue},
    serialize::{self, Output, ToSql},
    sql_types::{Array, BigInt, Binary, Nullable, Text, Timestamp},
};
use serde::Serialize;

use super::{
    commit::{BodyRow, Identity, Writer},
    correlation::{DATABASE, EMBEDDED, STRENGTH_LADDER},
    fold::EVIDENCE_LADDER,
    inbound::InboundRow,
    lists::{Horizon, Place},
    locks::{Lock, Locking},
    rows::{EventRow, MessageRow, RequestRow},
};

/// A key that was new, and the id its row got.
#[derive(QueryableByName)]
struct Inserted {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = Text)]
    service_type: String,
    #[diesel(sql_type = Text)]
    account: String,
    #[diesel(sql_type = Binary)]
    key: Vec<u8>,
}

/// A message row that was written, and the application's id if it has one.
#[derive(QueryableByName)]
struct Written {
    #[diesel(sql_type = Text)]
    service_type: String,
    #[diesel(sql_type = Text)]
    account: String,
    #[diesel(sql_type = Text)]
    external_id: String,
    #[diesel(sql_type = Text)]
    recipient_key: String,
    #[diesel(sql_type = Nullable<BigInt>)]
    message_id: Option<i64>,
}

/// What decided a message's status so far.
#[derive(QueryableByName)]
struct Decided {
    #[diesel(sql_type = Text)]
    service_type: String,
    #[diesel(sql_type = Text)]
    account: String,
    #[diesel(sql_type = Text)]
    external_id: String,
    #[diesel(sql_type = Text)]
    recipient_key: String,
    #[diesel(sql_type = Binary)]
    state_key: Vec<u8>,
}

impl Writer for PgConnection {
    fn atomically<T>(&mut self, body: impl FnOnce(&mut Self) -> QueryResult<T>) -> QueryResult<T> {
        self.transaction(body)
    }

    fn insert_requests(&mut self, rows: &[RequestRow]) -> QueryResult<Vec<Option<i64>>> {
        const INSERT: &str = "INSERT INTO webhook_requests (service_type, account, dedupe_key, state, reason, answer, \
            verified_by, method, url, headers, received_at) \
            SELECT service_type, account, dedupe_key, state, reason, answer, verified_by, method, url, headers, received_at \
            FROM json_populate_recordset(NULL::webhook_requests, $1::json) \
            ON CONFLICT (service_type, account, dedupe_key) DO NOTHING \
            RETURNING id, service_type, account, dedupe_key AS key";
        let ids = insert_new(self, INSERT, rows)?;
        Ok(rows.iter().map(|row| ids.get(&key(row.service_type, &row.account, &row.dedupe_key)).copied()).collect())
    }

    fn insert_bodies(&mut self, rows: &[BodyRow<'_>]) -> QueryResult<()> {
        const INSERT: &str = "INSERT INTO webhook_bodies (request_id, body, received_at) SELECT * FROM unnest($1, $2, $3)";
        if rows.is_empty() {
            return Ok(());
        }
        #[expect(clippy::disallowed_methods, reason = "the one file with SQL as text")]
        diesel::sql_query(INSERT)
            .bind::<Array<BigInt>, _>(rows.iter().map(|row| row.request_id).collect::<Vec<_>>())
            .bind::<Array<Binary>, _>(rows.iter().map(|row| row.body).collect::<Vec<_>>())
            .bind::<Array<Timestamp>, _>(rows.iter().map(|row| row.received_at).collect::<Vec<_>>())
            .execute(self)
            .map(drop)
    }

    fn states(&mut self, messages: &BTreeSet<Identity>) -> QueryResult<BTreeMap<Identity, Vec<u8>>> {
        const SELECT: &str = "SELECT service_type, account, external_id, recipient_key, state_key FROM message_external_ids \
            JOIN unnest($1, $2, $3, $4) AS wanted (service_type, account, external_id, recipient_key) \
            USING (service_type, account, external_id, recipient_key)";
        if messages.is_empty() {
            return Ok(BTreeMap::new());
        }
        let column = |place: usize| messages.iter().filter_map(|id| id.parts().get(place).cloned()).collect::<Vec<String>>();
        #[expect(clippy::disallowed_methods, reason = "the one file with SQL as text")]
        let states: Vec<Decided> = diesel::sql_query(SELECT)
            .bind::<Array<Text>, _>(column(0))
            .bind::<Array<Text>, _>(column(1))
            .bind::<Array<Text>, _>(column(2))
            .bind::<Array<Text>, _>(column(3))
            .load(self)?;
        let identity = |row: &Decided| Identity::of(&row.service_type, &row.account, &row.external_id, &row.recipient_key);
        Ok(states.into_iter().map(|row| (identity(&row), row.state_key)).collect())
    }

    fn insert_events(&mut self, rows: &[EventRow]) -> QueryResult<Vec<bool>> {
        const INSERT: &str = "INSERT INTO webhook_events (event_key, request_id, service_type, account, external_id, \
            recipient_key, event_type, provider_type, status, provider_status, evidence, error_code, state_key, \
            occurred_at, received_at, detail, applied_rule) \
            SELECT event_key, request_id, service_type, account, external_id, recipient_key, event_type, provider_type, \
            status, provider_status, evidence, error_code, state_key, occurred_at, received_at, detail, \
            applied_rule \
            FROM json_populate_recordset(NULL::webhook_events, $1::json) \
            ON CONFLICT (service_type, account, event_key) DO NOTHING \
            RETURNING id, service_type, account, event_key AS key";
        let ids = insert_new(self, INSERT, rows)?;
        Ok(rows.iter().map(|row| ids.contains_key(&key(row.service_type, &row.account, &row.event_key))).collect())
    }

    fn upsert_messages(&mut self, rows: &[MessageRow]) -> QueryResult<BTreeSet<Identity>> {
        if rows.is_empty() {
            return Ok(BTreeSet::new());
        }
        #[expect(clippy::disallowed_methods, reason = "the one file with SQL as text")]
        let written: Vec<Written> = diesel::sql_query(UPSERT_MESSAGES.as_str()).bind::<Text, _>(document(rows)?).load(self)?;
        let matched = written.iter().filter(|row| row.message_id.is_some());
        Ok(matched.map(|row| Identity::of(&row.service_type, &row.account, &row.external_id, &row.recipient_key)).collect())
    }

    fn upsert_inbound(&mut self, rows: &[InboundRow]) -> QueryResult<()> {
        if rows.is_empty() {
            return Ok(());
        }
        #[expect(clippy::disallowed_methods, reason = "the one file with SQL as text")]
        diesel::sql_query(UPSERT_INBOUND.as_str()).bind::<Text, _>(document(rows)?).execute(self).map(drop)
    }
}

impl Locking for PgConnection {
    fn lock(&mut self, locks: &BTreeSet<Lock>) -> QueryResult<()> {
        if locks.is_empty() {
            return Ok(());
        }
        // In the order of the array, which is theirs.
        #[expect(clippy::disallowed_methods, reason = "the one file with SQL as text")]
        diesel::sql_query("SELECT count(pg_advisory_xact_lock(key)) FROM unnest($1) AS key")
            .bind::<Array<BigInt>, _>(locks.iter().map(|lock| lock.key()).collect::<Vec<_>>())
            .execute(self)
            .map(drop)
    }
}

/// A number that was asked for.
#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

impl Horizon for PgConnection {
    fn horizon(&mut self) -> QueryResult<i64> {
        #[expect(clippy::disallowed_methods, reason = "the one file with SQL as text")]
        let query = diesel::sql_query("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS number");
        query.get_result(self).map(|Number { number }| number)
    }
}

impl FromSql<Timestamp, Pg> for Place {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        <NaiveDateTime as FromSql<Timestamp, Pg>>::from_sql(value).map(Self::of)
    }
}

impl ToSql<Timestamp, Pg> for Place {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        let instant = self.instant().ok_or("not an instant")?;
        <NaiveDateTime as ToSql<Timestamp, Pg>>::to_sql(&instant, &mut out.reborrow())
    }
}

/// Inserts rows and tells the ids of those whose key was new.
fn insert_new<R: Serialize>(connection: &mut PgConnection, insert: &str, rows: &[R]) -> QueryResult<HashMap<Key, i64>> {
    if rows.is_empty() {
        return Ok(HashMap::new());
    }
    #[expect(clippy::disallowed_methods, reason = "the one file with SQL as text")]
    let inserted: Vec<Inserted> = diesel::sql_query(insert).bind::<Text, _>(document(rows)?).load(connection)?;
    Ok(inserted.into_iter().map(|row| ((row.service_type, row.account, row.key), row.id)).collect())
}

type Key = (String, String, Vec<u8>);

fn key(service_type: &str, account: &str, key: &[u8]) -> Key {
    (service_type.to_owned(), account.to_owned(), key.to_vec())
}

fn document<R: Serialize>(rows: &[R]) -> QueryResult<String> {
    serde_json::to_string(rows).map_err(|error| diesel::result::Error::SerializationError(Box::new(error)))
}

/// What a message's row is unique by.
const IDENTITY: [&str; 4] = ["service_type", "account", "external_id", "recipient_key"];
/// Those of the event with the greatest state key.
const WINNER: [&str; 10] = [
    "status",
    "provider_status",
    "is_final",
    "error_code",
    "error_message",
    "error_category",
    "error_permanence",
    "status_at",
    "verified_by",
    "state_key",
];
const LEAST: [&str; 7] = ["delivered_at", "failed_at", "read_at", "opened_at", "clicked_at", "complained_at", "unsubscribed_at"];
const GREATEST_TEXT: [&str; 6] = ["recipient", "sender", "channel", "direction", "price", "price_currency"];
/// Counts of distinct events: only those inserted in this transaction are counted in the new row.
const SUM: [&str; 3] = ["open_count", "click_count", "revision"];

// `m` is the row that is there, `EXCLUDED` the one that events make. `LEAST` and `GREATEST` ignore an absent value; text
// compares by byte.

fn least(c: &str) -> String {
    format!("LEAST(m.{c}, EXCLUDED.{c})")
}

fn least_text(c: &str) -> String {
    format!("LEAST(m.{c} COLLATE \"C\", EXCLUDED.{c} COLLATE \"C\")")
}

fn greatest(c: &str) -> String {
    format!("GREATEST(m.{c}, EXCLUDED.{c})")
}

fn greatest_text(c: &str) -> String {
    format!("GREATEST(m.{c} COLLATE \"C\", EXCLUDED.{c} COLLATE \"C\")")
}

/// An upsert being written: into which table, and the rule of each column.
struct Upsert {
    table: &'static str,
    identity: &'static [&'static str],
    columns: Vec<&'static str>,
    folds: Vec<String>,
}

impl Upsert {
    fn into(table: &'static str, identity: &'static [&'static str]) -> Self {
        Self { table, identity, columns: identity.to_vec(), folds: Vec::new() }
    }

    fn fold(mut self, names: &[&'static str], rule: impl Fn(&str) -> String) -> Self {
        self.columns.extend(names);
        self.folds.extend(names.iter().map(|name| format!("{name} = {}", rule(name))));
        self
    }

    fn sql(&self) -> String {
        let Self { table, .. } = self;
        let columns = self.columns.join(", ");
        format!(
            "INSERT INTO {table} AS m ({columns}) SELECT {columns} FROM json_populate_recordset(NULL::{table}, $1::json) \
             ON CONFLICT ({}) DO UPDATE SET {}",
            self.identity.join(", "),
            self.folds.join(", "),
        )
    }
}

/// How strong the match of a row is. One that is not the gateway's own, or whose word is not known, is the application's.
fn strength(row: &str) -> String {
    let strongest = STRENGTH_LADDER.len();
    let own = format!("{row}.matched_id = {row}.message_id");
    let word = format!("NULLIF(strpos('{STRENGTH_LADDER}', NULLIF({row}.matched_by, '')), 0)");
    format!("CASE WHEN {row}.message_id IS NULL THEN 0 WHEN {own} THEN COALESCE({word}, {strongest}) ELSE {strongest} END")
}

/// Whether the match of the new row is the stronger one; of two carried references the lesser in byte order counts.
fn yields() -> String {
    let embedded = STRENGTH_LADDER.find(EMBEDDED).map_or(0, |place| place + 1);
    let (new, there) = (strength("EXCLUDED"), strength("m"));
    let lesser = "m.embedded_id IS NULL OR EXCLUDED.embedded_id COLLATE \"C\" <= m.embedded_id COLLATE \"C\"";
    format!("(({new}) > ({there}) OR (({new}) = {embedded} AND ({there}) = {embedded} AND ({lesser})))")
}

/// What the row's own match is called when it stays.
fn kept(c: &str) -> String {
    match c {
        "matched_by" => format!(
            "CASE WHEN m.message_id IS NULL OR COALESCE(m.matched_id = m.message_id, FALSE) THEN m.matched_by ELSE '{DATABASE}' END"
        ),
        _ => "m.message_id".to_owned(),
    }
}

static UPSERT_MESSAGES: LazyLock<String> = LazyLock::new(|| {
    let upsert = Upsert::into("message_external_ids", &IDENTITY)
        .fold(&WINNER, |c| format!("CASE WHEN EXCLUDED.state_key > m.state_key THEN EXCLUDED.{c} ELSE m.{c} END"))
        .fold(&["message_id", "matched_by", "matched_id"], |c| {
            format!("CASE WHEN {} THEN EXCLUDED.{c} ELSE {} END", yields(), kept(c))
        })
        .fold(&LEAST, least)
        .fold(&["embedded_id"], least_text)
        .fold(&["parts_total", "updated_at"], greatest)
        .fold(&GREATEST_TEXT, greatest_text)
        .fold(&SUM, |c| format!("m.{c} + EXCLUDED.{c}"))
        .fold(&["evidence"], |c| {
            let height = |row: &str| format!("COALESCE(strpos('{EVIDENCE_LADDER}', {row}.{c}), 0)");
            format!("CASE WHEN {} > {} THEN EXCLUDED.{c} ELSE m.{c} END", height("EXCLUDED"), height("m"))
        })
        .fold(&["has_conflict"], |c| {
            let embedded_differ = "COALESCE(m.embedded_id <> EXCLUDED.embedded_id, FALSE)";
            format!("m.{c} OR EXCLUDED.{c} OR COALESCE({CONTRADICTS}, FALSE) OR {embedded_differ}")
        });
    format!("{} RETURNING m.service_type, m.account, m.external_id, m.recipient_key, m.message_id", upsert.sql())
});

/// A receipt (not merely a conclusion) and a failure of the same message.
const CONTRADICTS: &str = "COALESCE(m.delivered_at, EXCLUDED.delivered_at) IS NOT NULL AND COALESCE(m.failed_at, EXCLUDED.failed_at) IS NOT NULL \
     AND (COALESCE(m.evidence <> 'inferred', FALSE) OR COALESCE(EXCLUDED.evidence <> 'inferred', FALSE))";

static UPSERT_INBOUND: LazyLock<String> = LazyLock::new(|| {
    Upsert::into("inbound_messages", &["service_type", "account", "external_id"])
        .fold(&["sender", "recipient", "text", "opt_out", "media"], greatest_text)
        .fold(&["parts_total", "parts_received"], greatest)
        .fold(&["provider_status", "channel"], least_text)
        .fold(&["occurred_at", "received_at"], least)
        .fold(&["is_partial"], |c| format!("m.{c}"))
        .sql()
});
