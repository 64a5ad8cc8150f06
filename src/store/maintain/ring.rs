//! The ring of rejected requests. It has its own connection and never waits: a row that cannot be written at once is dropped, so that
//! rejected requests cannot delay the writer.

use std::time::{Duration, Instant};

use diesel::{ExpressionMethods, PgConnection, QueryDsl, QueryResult, RunQueryDsl, connection::SimpleConnection};

use super::{
    rejected_requests::Rejection,
    ring_shares::{StoredRow, surplus},
};
use crate::{
    store::db::{
        connection::{Connection, on_either},
        error::StoreError,
        error_kind::{ErrorKind, classify},
        rejected_file,
        schema::rejected_requests as r,
        url::DatabaseUrl,
    },
    time::Timestamp,
};

/// The age at which a row is deleted, in microseconds.
const MAX_AGE: i64 = 24 * 60 * 60 * 1_000_000;

/// The interval between attempts to connect to an unavailable database.
const RECONNECT_INTERVAL: Duration = Duration::from_secs(5);

/// Sizes of the table on Postgres, with the room of deleted rows, from which that room is reclaimed, and from which the table is emptied.
/// The file of SQLite is bounded by SQLite.
const VACUUM_BYTES: i64 = 12 << 20;
const MAX_TABLE_BYTES: i64 = 16 << 20;

diesel::define_sql_function! {
    /// Length of a blob in bytes.
    fn octet_length(bytes: diesel::sql_types::Binary) -> diesel::sql_types::Integer;
}

diesel::define_sql_function! {
    /// Length of a text in bytes.
    #[sql_name = "octet_length"]
    fn text_length(text: diesel::sql_types::Text) -> diesel::sql_types::Integer;
}

diesel::define_sql_function! {
    /// Bytes on the disk of a table and all that belongs to it.
    fn pg_total_relation_size(table: diesel::sql_types::Text) -> diesel::sql_types::BigInt;
}

/// The writer of `rejected_requests`. Blocks briefly.
pub struct RingBuffer {
    url: DatabaseUrl,
    /// Opened on demand, and reopened after it was lost.
    connection: Option<Connection>,
    /// The time of the last failed attempt to open it.
    failed: Option<Instant>,
}

impl RingBuffer {
    pub fn new(url: &DatabaseUrl) -> Self {
        Self { url: url.clone(), connection: None, failed: None }
    }

    /// Inserts rows and deletes those that exceed the limits.
    pub fn insert(&mut self, rows: &[Rejection], now: Timestamp) -> Result<(), StoreError> {
        self.run(|connection| insert(connection, rows, now))
    }

    /// Deletes expired rows, and bounds the table's size on the disk.
    pub fn trim(&mut self, now: Timestamp) -> Result<(), StoreError> {
        self.run(|connection| {
            insert(connection, &[], now)?;
            bound_size(connection)
        })
    }

    fn run<T>(&mut self, body: impl FnOnce(&mut Connection) -> QueryResult<T>) -> Result<T, StoreError> {
        if let DatabaseUrl::Sqlite(path) = &self.url
            && !rejected_file::path(path).exists()
        {
            // Deleted by hand, or by another gateway that found it damaged.
            self.connection = None;
        }
        if self.connection.is_none() && self.failed.is_none_or(|failed| failed.elapsed() > RECONNECT_INTERVAL) {
            self.connection = match &self.url {
                DatabaseUrl::Sqlite(path) => rejected_file::open(path).ok(),
                DatabaseUrl::Postgres(_) => Connection::open_best_effort(&self.url).ok(),
            };
            self.failed = self.connection.is_none().then(Instant::now);
        }
        let connection = self.connection.as_mut().ok_or(StoreError::Unavailable)?;
        body(connection).map_err(|error| {
            match &self.url {
                DatabaseUrl::Sqlite(path) if rejected_file::is_damaged(&error) => {
                    self.connection = None;
                    rejected_file::remove(path);
                }
                _ if classify(&error) == ErrorKind::Unavailable => self.connection = None,
                _ => {}
            }
            StoreError::Unavailable
        })
    }
}

fn insert(connection: &mut Connection, rows: &[Rejection], now: Timestamp) -> QueryResult<()> {
    let oldest = Timestamp::from_micros(now.micros() - MAX_AGE).map(Timestamp::naive).unwrap_or_default();
    connection.transaction(|connection| {
        on_either!(connection, c => {
            rows.iter().try_for_each(|row| diesel::insert_into(r::table).values(row).execute(c).map(drop))?;
            diesel::delete(r::table.filter(r::received_at.lt(oldest))).execute(c)?;
        });
        let surplus = surplus(stored(connection)?);
        on_either!(connection, c => diesel::delete(r::table.filter(r::id.eq_any(surplus))).execute(c)).map(drop)
    })
}

type Lengths = (i32, i32, i32);

/// The stored rows, oldest first, without their contents.
fn stored(connection: &mut Connection) -> QueryResult<Vec<StoredRow>> {
    let lengths = (octet_length(r::body), text_length(r::url), text_length(r::headers));
    let columns = (r::id, r::service_type, r::account, r::network, r::is_near_miss, lengths);
    let rows: Vec<(i64, String, String, String, bool, Lengths)> =
        on_either!(connection, c => r::table.select(columns).order(r::id).load(c))?;
    let rows = rows.into_iter().map(|(id, provider, account, network, is_near_miss, (body, url, headers))| {
        let bytes = [body, url, headers].into_iter().map(|length| usize::try_from(length).unwrap_or(0)).sum();
        StoredRow { id, endpoint: (provider, account), network, is_near_miss, bytes }
    });
    Ok(rows.collect())
}

/// Postgres keeps the room of deleted rows, and may vacuum them later than they are replaced.
fn bound_size(connection: &mut Connection) -> QueryResult<()> {
    let Connection::Postgres(connection) = connection else { return Ok(()) };
    let size = |c: &mut PgConnection| diesel::select(pg_total_relation_size("rejected_requests")).get_result::<i64>(c);
    if size(connection)? <= VACUUM_BYTES {
        return Ok(());
    }
    connection.batch_execute("VACUUM rejected_requests")?;
    if size(connection)? > MAX_TABLE_BYTES {
        tracing::warn!("the table of rejected requests was emptied: its deleted rows took too much room on the disk");
        connection.batch_execute("TRUNCATE rejected_requests")?;
    }
    Ok(())
}
