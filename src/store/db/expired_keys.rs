//! Keys that outlive the rows of their requests and events, so that a copy of a captured request is never new.

use chrono::{DateTime, NaiveDateTime};
use diesel::{
    ExpressionMethods, OptionalExtension, QueryDsl, QueryResult, RunQueryDsl, SqliteConnection,
    dsl::exists,
    sql_types::{BigInt, Binary},
};

use super::{
    connection::Connection,
    key::ShortKey,
    schema::expired_keys as x,
    statement::{Column, SqlTemplate, Statement},
};

struct InsertKeys;
impl SqlTemplate for InsertKeys {
    const PIECES: &'static [&'static [&'static str]] =
        &[&["INSERT INTO expired_keys (stored_key, day) SELECT "], &[" ON CONFLICT (stored_key) DO NOTHING"]];
    type Row = ();
}

/// Keeps keys, each with the time of receipt of its row.
pub(crate) fn insert(connection: &mut Connection, mut keys: Vec<(Vec<u8>, NaiveDateTime)>) -> QueryResult<()> {
    keys.sort_unstable();
    let day = |received_at: &NaiveDateTime| (*received_at - DateTime::UNIX_EPOCH.naive_utc()).num_days();
    match connection {
        Connection::Sqlite(c) => keys.iter().try_for_each(|(key, received_at)| {
            let row = (x::stored_key.eq(key), x::day.eq(day(received_at)));
            diesel::insert_into(x::table).values(row).on_conflict_do_nothing().execute(c).map(drop)
        }),
        Connection::Postgres(c) => {
            let columns = (
                Column::<Binary, _>::new(keys.iter().map(|(key, _)| key.as_slice())),
                Column::<BigInt, _>::new(keys.iter().map(|(_, received_at)| day(received_at))),
            );
            Statement::new(InsertKeys, (columns,)).execute(c).map(drop)
        }
    }
}

/// Returns true if there are any on SQLite. Without `EVENT_RETENTION_DAYS` there are none, and no key is looked up.
pub(crate) fn exist(connection: &mut SqliteConnection) -> QueryResult<bool> {
    diesel::select(exists(x::table.select(x::day))).get_result(connection)
}

/// Returns true if that key has expired on SQLite. On Postgres the statements of a batch look keys up themselves.
pub(crate) fn contain(connection: &mut SqliteConnection, key: ShortKey) -> QueryResult<bool> {
    let day: Option<i64> = x::table.find(&key[..]).select(x::day).get_result(connection).optional()?;
    Ok(day.is_some())
}
