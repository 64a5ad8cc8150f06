//! A private database for each test: a SQLite file in a temporary folder, or a schema in Postgres.

use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    sync::{LazyLock, Mutex},
};

use diesel::{
    Connection, PgConnection, QueryableByName, RunQueryDsl, SqliteConnection, connection::SimpleConnection, sql_types::Text,
};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use waybill::endpoint::Endpoint;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    Sqlite,
    Postgres,
}

pub const BACKENDS: [Backend; 2] = [Backend::Sqlite, Backend::Postgres];

impl Backend {
    pub fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }
}

/// A test's private database, deleted when it is dropped.
pub enum Database {
    /// A migrated database has one connection for all queries of its tests. A new one has none, because an open connection changes
    /// how SQLite closes the file.
    Sqlite { connection: Option<Mutex<SqliteConnection>>, folder: tempfile::TempDir },
    /// One connection serves all queries of a test, because Postgres starts a process for each.
    Postgres { server: String, schema: String, connection: Mutex<PgConnection>, is_reusable: bool },
}

/// A migrated file, and its folder.
static READY_FILE: LazyLock<(tempfile::TempDir, PathBuf)> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("waybill.db");
    let url = format!("sqlite://{}", file.display()).parse().expect("a URL");
    waybill::store::migrate(&url).expect("migrations");
    (folder, file)
});

/// Migrated schemas that no test is using.
static READY_SCHEMAS: Mutex<Vec<Database>> = Mutex::new(Vec::new());

/// Columns by backend and table of migrated databases, which no test changes.
static READY_COLUMNS: Mutex<BTreeMap<(&str, String), Vec<String>>> = Mutex::new(BTreeMap::new());

/// Boolean columns, which SQLite stores as numbers.
const BOOLEANS: [&str; 5] = ["is_final", "has_conflict", "is_partial", "is_near_miss", "is_active"];

/// Tables with an id, in the order in which they can be emptied: each before those it references.
const TABLES: [&str; 11] = [
    "audit_log",
    "inbound_parts",
    "inbound_sets",
    "inbound_messages",
    "webhook_events",
    "webhook_requests",
    "message_external_ids",
    "communication_metrics",
    "calls",
    "rooms",
    "suppressions",
];

/// On SQLite in a file of its own, which exists once a request was rejected.
const REJECTED: &str = "rejected_requests";

/// Tables without an id.
const TABLES_WITHOUT_ID: [&str; 6] =
    ["webhook_bodies", "message_addresses", "positions", "endpoint_activity", "id_ranges", "expired_keys"];

fn delete_all_sql() -> String {
    TABLES.iter().chain(&TABLES_WITHOUT_ID).map(|table| format!("DELETE FROM {table}")).collect::<Vec<_>>().join(";")
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    row: String,
}

impl Database {
    pub fn new(backend: Backend) -> Self {
        super::timing::start();
        match backend {
            Backend::Sqlite => Self::placeholder(),
            Backend::Postgres => {
                let server = super::variable("TEST_DATABASE_URL")
                    .expect("TEST_DATABASE_URL names the Postgres to test with; `./test` starts one and sets it");
                let mut random = [0; 8];
                getrandom::fill(&mut random).expect("random bytes");
                let schema = format!("test_{}", hex::encode(random));
                let mut connection = PgConnection::establish(&server).expect("the Postgres of TEST_DATABASE_URL");
                connection.batch_execute(&format!("CREATE SCHEMA {schema}; SET search_path = {schema}")).expect("a schema");
                Self::Postgres { server, schema, connection: Mutex::new(connection), is_reusable: false }
            }
        }
    }

    /// A placeholder for a database that is moved out.
    pub fn placeholder() -> Self {
        Self::Sqlite { connection: None, folder: tempfile::tempdir().expect("a temporary folder") }
    }

    /// A migrated and empty database, for tests that do not change its schema: a copy of a file, or the schema of an earlier such
    /// test.
    pub fn ready(backend: Backend) -> Self {
        match backend {
            Backend::Sqlite => {
                let mut database = Self::new(backend);
                fs::copy(READY_FILE.1.as_path(), database.file()).expect("a copy of the file");
                let opened = Mutex::new(database.sqlite());
                if let Self::Sqlite { connection, .. } = &mut database {
                    *connection = Some(opened);
                }
                database
            }
            Backend::Postgres => {
                let idle = READY_SCHEMAS.lock().expect("not poisoned").pop();
                let mut database = idle.unwrap_or_else(|| Self::new(backend));
                if let Self::Postgres { is_reusable, .. } = &mut database {
                    *is_reusable = true;
                }
                database
            }
        }
    }

    /// Drops the schemas that are kept for reuse.
    pub fn drop_ready() {
        let idle = std::mem::take(&mut *READY_SCHEMAS.lock().expect("not poisoned"));
        for mut database in idle {
            if let Self::Postgres { is_reusable, .. } = &mut database {
                *is_reusable = false;
            }
        }
    }

    /// Empties every table and restarts the ids at 1.
    fn empty(&self) -> diesel::QueryResult<()> {
        let tables = self.query("SELECT tablename::text AS row FROM pg_tables WHERE schemaname = current_schema()");
        if !tables.iter().any(|table| table == "webhook_requests") {
            return Ok(());
        }
        let restart = TABLES
            .iter()
            .chain([&REJECTED])
            .map(|table| format!("SELECT setval(pg_get_serial_sequence('{table}', 'id'), 1, false);"));
        self.try_execute(&(delete_all_sql() + ";DELETE FROM rejected_requests;" + &restart.collect::<String>()))
    }

    /// Empties every table.
    pub fn clear(&self) {
        self.execute(&delete_all_sql());
        if !self.columns(REJECTED).is_empty() {
            self.execute("DELETE FROM rejected_requests");
        }
    }

    /// The value of `DATABASE_URL`.
    pub fn url(&self) -> String {
        match self {
            Self::Sqlite { .. } => format!("sqlite://{}", self.file().display()),
            Self::Postgres { server, schema, .. } => {
                let separator = if server.contains('?') { '&' } else { '?' };
                format!("{server}{separator}options=-csearch_path%3D{schema}")
            }
        }
    }

    fn file(&self) -> PathBuf {
        match self {
            Self::Sqlite { folder, .. } => folder.path().join("waybill.db"),
            Self::Postgres { .. } => panic!("not a file"),
        }
    }

    /// Where SQLite has the rejected requests.
    pub fn rejected_file(&self) -> PathBuf {
        self.file().with_file_name("waybill.db-rejected")
    }

    /// Makes the table of rejected requests, which SQLite has only after a request was rejected.
    pub fn make_rejected(&self) {
        let mut ring = waybill::store::RingBuffer::new(&self.url().parse().expect("a URL"));
        ring.insert(&[], waybill::time::Timestamp::from_seconds(0).expect("an instant")).expect("an empty ring");
    }

    /// Runs statements as an application or an operator would.
    pub fn execute(&self, sql: &str) {
        self.try_execute(sql).unwrap_or_else(|error| panic!("{error}: {sql}"));
    }

    pub fn try_execute(&self, sql: &str) -> diesel::QueryResult<()> {
        match self {
            Self::Sqlite { .. } => self.with_sqlite(|connection| connection.batch_execute(sql)),
            Self::Postgres { .. } => self.with_postgres(|connection| connection.batch_execute(sql)),
        }
    }

    /// All rows of a table in the order of their ids, as JSON, without nulls: the same text on both databases.
    pub fn rows(&self, table: &str) -> Vec<Value> {
        let columns = self.known_columns(table);
        let order = if columns.iter().any(|column| column == "id") { "id" } else { "1" };
        let fields: Vec<String> = columns.iter().map(|column| self.field(table, column)).collect();
        let object = match self {
            Self::Sqlite { .. } => format!("json_object({})", fields.join(", ")),
            // Postgres accepts at most 100 arguments, which is 50 columns.
            Self::Postgres { .. } => format!("json_build_object({})::text", fields.join(", ")),
        };
        self.query(&format!("SELECT {object} AS row FROM {table} ORDER BY {order}"))
            .into_iter()
            .map(|row| normalized(&row))
            .collect()
    }

    /// The values of a query's column `row`.
    pub fn query(&self, sql: &str) -> Vec<String> {
        #[expect(clippy::disallowed_methods, reason = "tests inspect tables without the store")]
        let query = diesel::sql_query(sql);
        let rows: diesel::QueryResult<Vec<Row>> = match self {
            Self::Sqlite { .. } => self.with_sqlite(|connection| query.load(connection)),
            Self::Postgres { .. } => self.with_postgres(|connection| query.load(connection)),
        };
        rows.unwrap_or_else(|error| panic!("{error}: {sql}")).into_iter().map(|row| row.row).collect()
    }

    pub fn columns(&self, table: &str) -> Vec<String> {
        match self {
            Self::Sqlite { .. } => self.query(&format!("SELECT name AS row FROM pragma_table_info('{table}') ORDER BY cid")),
            // The views of `information_schema` take milliseconds.
            Self::Postgres { schema, .. } => self.query(&format!(
                "SELECT attname::text AS row FROM pg_attribute \
                 WHERE attrelid = to_regclass('{schema}.{table}') AND attnum > 0 AND NOT attisdropped ORDER BY attnum"
            )),
        }
    }

    fn known_columns(&self, table: &str) -> Vec<String> {
        let backend = match self {
            Self::Sqlite { connection: Some(_), .. } => Backend::Sqlite,
            Self::Postgres { is_reusable: true, .. } => Backend::Postgres,
            _ => return self.columns(table),
        };
        let mut known = READY_COLUMNS.lock().expect("not poisoned");
        known.entry((backend.name(), table.to_owned())).or_insert_with(|| self.columns(table)).clone()
    }

    /// Name and value of a column for a JSON object; bytes as hex.
    fn field(&self, table: &str, column: &str) -> String {
        let is_bytes = matches!((table, column), (_, "dedupe_key" | "event_key" | "state_key" | "stored_key" | "body"));
        match (self, is_bytes) {
            (Self::Sqlite { .. }, true) => format!("'{column}', CASE WHEN {column} IS NOT NULL THEN lower(hex({column})) END"),
            (Self::Postgres { .. }, true) => format!("'{column}', encode({column}, 'hex')"),
            _ => format!("'{column}', {column}"),
        }
    }

    /// Blocks every writer until the lock is released.
    pub fn lock(&self) -> Lock {
        let mut lock = match self {
            Self::Sqlite { .. } => Lock::Sqlite(self.sqlite()),
            Self::Postgres { .. } => Lock::Postgres(self.postgres()),
        };
        lock.execute("BEGIN IMMEDIATE", "BEGIN; LOCK TABLE webhook_requests IN ACCESS EXCLUSIVE MODE");
        lock
    }

    pub fn sqlite(&self) -> SqliteConnection {
        let mut connection = SqliteConnection::establish(&self.file().to_string_lossy()).expect("the file");
        connection.batch_execute("PRAGMA busy_timeout = 10000; PRAGMA foreign_keys = ON").expect("pragmas");
        let rejected = self.rejected_file();
        if rejected.exists() {
            connection
                .batch_execute(&format!("ATTACH '{}' AS rejected", rejected.display()))
                .expect("the file of rejected requests");
        }
        connection
    }

    fn with_sqlite<T>(&self, run: impl FnOnce(&mut SqliteConnection) -> T) -> T {
        match self {
            Self::Sqlite { connection: Some(connection), .. } => run(&mut connection.lock().expect("not poisoned")),
            _ => run(&mut self.sqlite()),
        }
    }

    fn with_postgres<T>(&self, run: impl FnOnce(&mut PgConnection) -> T) -> T {
        let Self::Postgres { connection, .. } = self else { panic!("not Postgres") };
        run(&mut connection.lock().expect("not poisoned"))
    }

    pub fn postgres(&self) -> PgConnection {
        PgConnection::establish(&self.url()).expect("the Postgres of TEST_DATABASE_URL")
    }
}

/// A transaction that blocks every writer.
pub enum Lock {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Lock {
    pub fn release(mut self) {
        self.execute("ROLLBACK", "ROLLBACK");
    }

    fn execute(&mut self, sqlite: &str, postgres: &str) {
        match self {
            Self::Sqlite(connection) => connection.batch_execute(sqlite),
            Self::Postgres(connection) => connection.batch_execute(postgres),
        }
        .expect("a lock");
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if matches!(self, Self::Postgres { is_reusable: true, .. }) && self.empty().is_ok() {
            READY_SCHEMAS.lock().expect("not poisoned").push(std::mem::replace(self, Self::placeholder()));
        } else if let Self::Postgres { schema, .. } = &*self {
            drop(self.try_execute(&format!("SET client_min_messages = error; DROP SCHEMA {schema} CASCADE")));
        }
    }
}

/// The `dedupe_key` of a request, in hex: 16 bytes of a hash of its endpoint and its key.
pub fn stored_key(endpoint: &Endpoint, key: &[u8]) -> String {
    let endpoint_prefix = format!("{}\0{}\0", endpoint.spec.name, endpoint.account.as_str());
    hex::encode(&Sha256::new().chain_update(endpoint_prefix).chain_update(key).finalize()[..16])
}

fn normalized(row: &str) -> Value {
    let row: Map<String, Value> = serde_json::from_str(row).expect("a JSON object");
    let cleaned = row.into_iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| {
        let value = match value {
            Value::Number(number) if BOOLEANS.contains(&name.as_str()) => Value::Bool(number.as_i64() == Some(1)),
            // SQLite separates date and time by a blank, Postgres by a T in JSON; only Postgres omits trailing zeros.
            Value::String(text) if name.ends_with("_at") && text.contains('.') => {
                Value::String(text.replacen('T', " ", 1).trim_end_matches('0').trim_end_matches('.').to_owned())
            }
            Value::String(text) if name.ends_with("_at") => Value::String(text.replacen('T', " ", 1)),
            value => value,
        };
        (name, value)
    });
    Value::Object(cleaned.collect())
}
