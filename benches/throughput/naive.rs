//! A naive design for comparison: one transaction per callback, over a pool of connections.

use diesel::{
    Connection, PgConnection, QueryResult, RunQueryDsl, SqliteConnection,
    connection::SimpleConnection,
    r2d2::{self, ConnectionManager},
    sql_types::{BigInt, Binary, Nullable, Text},
};
use waybill::{event::Event, signature::VerifiedCallback};

const TABLES: &str = "
CREATE TABLE naive_events (id SERIAL, dedupe_key BYTES UNIQUE, external_id TEXT NOT NULL, status TEXT, body BYTES NOT NULL);
CREATE INDEX naive_events_external_id ON naive_events (external_id);
CREATE TABLE naive_messages (id SERIAL, external_id TEXT NOT NULL UNIQUE, status TEXT, recipient TEXT);
";

/// The stored data of a callback.
pub struct Row {
    dedupe_key: Vec<u8>,
    external_id: String,
    status: Option<&'static str>,
    recipient: Option<String>,
    body: Vec<u8>,
}

impl Row {
    pub fn new(verified: &VerifiedCallback<'_>, event: &Event) -> Self {
        Self {
            dedupe_key: verified.proof().request_key().to_vec(),
            external_id: event.external_id.as_ref().expect("an id").as_str().to_owned(),
            status: event.status.map(Into::into),
            recipient: event.facts.recipient.clone(),
            body: verified.as_received().body.to_vec(),
        }
    }
}

/// A pool of a typical size; one connection for SQLite, which has one writer.
pub enum Pool {
    Sqlite(r2d2::Pool<ConnectionManager<SqliteConnection>>),
    Postgres(r2d2::Pool<ConnectionManager<PgConnection>>),
}

/// Opens a pool; `None` for an empty URL.
pub fn pool(url: &str) -> Option<Pool> {
    if url.is_empty() {
        return None;
    }
    Some(match url.strip_prefix("sqlite://") {
        Some(path) => {
            let pool = r2d2::Pool::builder().max_size(1).build(ConnectionManager::<SqliteConnection>::new(path)).expect("a pool");
            // A setting of the connection, not of the file.
            pool.get().expect("a connection").batch_execute("PRAGMA synchronous = FULL").expect("a pragma");
            Pool::Sqlite(pool)
        }
        None => Pool::Postgres(r2d2::Pool::builder().max_size(10).build(ConnectionManager::new(url)).expect("a pool")),
    })
}

macro_rules! write {
    ($connection:expr, $row:expr, $first:literal, $second:literal) => {
        $connection.transaction(|connection| {
            let inserted = diesel::sql_query($first)
                .bind::<Binary, _>(&$row.dedupe_key)
                .bind::<Text, _>(&$row.external_id)
                .bind::<Nullable<Text>, _>($row.status)
                .bind::<Binary, _>(&$row.body)
                .execute(connection)?;
            if inserted == 1 {
                diesel::sql_query($second)
                    .bind::<Text, _>(&$row.external_id)
                    .bind::<Nullable<Text>, _>($row.status)
                    .bind::<Nullable<Text>, _>(&$row.recipient)
                    .execute(connection)?;
            }
            Ok(())
        })
    };
}

#[expect(clippy::disallowed_methods, reason = "the naive design writes its statements as texts")]
impl Pool {
    /// Commits one callback; the last one wins.
    pub fn write(&self, row: &Row) -> QueryResult<()> {
        match self {
            Self::Sqlite(pool) => write!(
                pool.get().expect("a connection"),
                row,
                "INSERT INTO naive_events (dedupe_key, external_id, status, body) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                "INSERT INTO naive_messages (external_id, status, recipient) VALUES (?, ?, ?) \
                 ON CONFLICT (external_id) DO UPDATE SET status = excluded.status"
            ),
            Self::Postgres(pool) => write!(
                pool.get().expect("a connection"),
                row,
                "INSERT INTO naive_events (dedupe_key, external_id, status, body) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
                "INSERT INTO naive_messages (external_id, status, recipient) VALUES ($1, $2, $3) \
                 ON CONFLICT (external_id) DO UPDATE SET status = excluded.status"
            ),
        }
    }
}

/// Creates the tables.
pub fn prepare(url: &str) {
    if let Some(path) = url.strip_prefix("sqlite://") {
        let mut connection = SqliteConnection::establish(path).expect("the SQLite file");
        connection.batch_execute("PRAGMA journal_mode = WAL").expect("pragmas");
        let tables = TABLES.replace("id SERIAL", "id INTEGER PRIMARY KEY").replace("BYTES", "BLOB");
        connection.batch_execute(&tables).expect("tables");
    } else {
        let mut connection = PgConnection::establish(url).expect("a Postgres connection");
        let drop = "DROP TABLE IF EXISTS naive_events, naive_messages;";
        let tables = TABLES.replace("id SERIAL", "id BIGSERIAL PRIMARY KEY").replace("BYTES", "BYTEA");
        connection.batch_execute(&format!("{drop}{tables}")).expect("tables");
    }
}

#[derive(diesel::QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

/// Counts the stored callbacks.
#[expect(clippy::disallowed_methods, reason = "the naive design writes its statements as texts")]
pub fn rows(url: &str) -> u64 {
    let query = diesel::sql_query("SELECT count(*) AS count FROM naive_events");
    let count: Count = match url.strip_prefix("sqlite://") {
        Some(path) => query.get_result(&mut SqliteConnection::establish(path).expect("the SQLite file")),
        None => query.get_result(&mut PgConnection::establish(url).expect("a Postgres connection")),
    }
    .expect("a count");
    u64::try_from(count.count).expect("a count")
}
