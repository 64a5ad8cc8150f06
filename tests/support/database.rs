//! A database of one's own for each test: a SQLite file in a temporary folder, or a schema of its own in Postgres.

use std::{
    fs,
    path::PathBuf,
    sync::{LazyLock, Mutex},
};

use diesel::{
    Connection, PgConnection, QueryableByName, RunQueryDsl, SqliteConnection, connection::SimpleConnection, sql_types::Text,
};
use serde_json::{Map, Value};

/// Which kind of database.
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

/// A test's own database; gone when it is dropped.
pub enum Database {
    Sqlite { folder: tempfile::TempDir },
    // One connection serves all looks from outside: a new one costs Postgres a process.
    Postgres { server: String, schema: String, connection: Mutex<PgConnection>, is_kept: bool },
}

/// A migrated file, and the folder that it is in.
static READY_FILE: LazyLock<(tempfile::TempDir, PathBuf)> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("waybill.db");
    let url = format!("sqlite://{}", file.display()).parse().expect("a URL");
    waybill::store::migrate(&url).expect("migrations");
    (folder, file)
});

/// Migrated schemas that nobody uses at the moment.
static READY_SCHEMAS: Mutex<Vec<Database>> = Mutex::new(Vec::new());

/// Columns that are true or false; SQLite knows only numbers.
const BOOLEANS: [&str; 3] = ["is_final", "has_conflict", "is_partial"];

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    row: String,
}

impl Database {
    pub fn new(backend: Backend) -> Self {
        match backend {
            Backend::Sqlite => Self::Sqlite { folder: tempfile::tempdir().expect("a temporary folder") },
            Backend::Postgres => {
                let server = super::variable("TEST_DATABASE_URL")
                    .expect("TEST_DATABASE_URL names the Postgres to test with; `./test` starts one and sets it");
                let mut random = [0; 8];
                getrandom::fill(&mut random).expect("random bytes");
                let schema = format!("test_{}", hex::encode(random));
                let mut connection = PgConnection::establish(&server).expect("the Postgres of TEST_DATABASE_URL");
                connection.batch_execute(&format!("CREATE SCHEMA {schema}; SET search_path = {schema}")).expect("a schema");
                Self::Postgres { server, schema, connection: Mutex::new(connection), is_kept: false }
            }
        }
    }

    /// One that is migrated already, for tests that leave its tables as they are: a copy of a file, or a schema that another
    /// such test has left, emptied.
    pub fn ready(backend: Backend) -> Self {
        match backend {
            Backend::Sqlite => {
                let database = Self::new(backend);
                fs::copy(READY_FILE.1.as_path(), database.file()).expect("a copy of the file");
                database
            }
            Backend::Postgres => {
                let left = READY_SCHEMAS.lock().expect("not poisoned").pop();
                let mut database = left.unwrap_or_else(|| Self::new(backend));
                if let Self::Postgres { is_kept, .. } = &mut database {
                    *is_kept = true;
                }
                database
            }
        }
    }

    /// Drops the schemas that were kept for the next.
    pub fn drop_ready() {
        let left = std::mem::take(&mut *READY_SCHEMAS.lock().expect("not poisoned"));
        for mut database in left {
            if let Self::Postgres { is_kept, .. } = &mut database {
                *is_kept = false;
            }
        }
    }

    /// Empties every table, and lets numbers begin at 1 again.
    fn empty(&self) -> diesel::QueryResult<()> {
        let tables = self.query("SELECT tablename::text AS row FROM pg_tables WHERE schemaname = current_schema()");
        if !tables.iter().any(|table| table == "webhook_requests") {
            return Ok(());
        }
        // Later ones refer to earlier ones.
        let order = ["inbound_parts", "inbound_sets", "inbound_messages", "webhook_bodies", "webhook_events", "webhook_requests"];
        let order =
            order.into_iter().chain(["message_external_ids", "communication_metrics", "calls", "rooms", "rejected_requests"]);
        let empty = |table| format!("DELETE FROM {table}; SELECT setval(pg_get_serial_sequence('{table}', 'id'), 1, false);");
        let all: Vec<String> =
            order.map(|table| if table == "webhook_bodies" { format!("DELETE FROM {table};") } else { empty(table) }).collect();
        self.try_execute(&all.concat())
    }

    /// What `DATABASE_URL` is to be.
    pub fn url(&self) -> String {
        match self {
            Self::Sqlite { .. } => format!("sqlite://{}", self.file().display()),
            Self::Postgres { server, schema, .. } => {
                let glue = if server.contains('?') { '&' } else { '?' };
                format!("{server}{glue}options=-csearch_path%3D{schema}")
            }
        }
    }

    fn file(&self) -> PathBuf {
        match self {
            Self::Sqlite { folder } => folder.path().join("waybill.db"),
            Self::Postgres { .. } => panic!("not a file"),
        }
    }

    /// Runs statements as an application or an operator would.
    pub fn execute(&self, sql: &str) {
        self.try_execute(sql).unwrap_or_else(|error| panic!("{error}: {sql}"));
    }

    pub fn try_execute(&self, sql: &str) -> diesel::QueryResult<()> {
        match self {
            Self::Sqlite { .. } => self.sqlite().batch_execute(sql),
            Self::Postgres { .. } => self.with_postgres(|connection| connection.batch_execute(sql)),
        }
    }

    /// All rows of a table in the order of their ids, as JSON, without nulls: the same text on both databases.
    pub fn rows(&self, table: &str) -> Vec<Value> {
        let columns = self.columns(table);
        let order = if columns.iter().any(|column| column == "id") { "id" } else { "1" };
        let fields: Vec<String> = columns.iter().map(|column| self.field(table, column)).collect();
        let object = match self {
            Self::Sqlite { .. } => format!("json_object({})", fields.join(", ")),
            // Postgres takes 100 arguments at the most, which is 50 columns.
            Self::Postgres { .. } => format!("json_build_object({})::text", fields.join(", ")),
        };
        self.query(&format!("SELECT {object} AS row FROM {table} ORDER BY {order}")).into_iter().map(|row| clean(&row)).collect()
    }

    /// Texts of a query's column `row`.
    pub fn query(&self, sql: &str) -> Vec<String> {
        #[expect(clippy::disallowed_methods, reason = "tests look at tables from outside")]
        let query = diesel::sql_query(sql);
        let rows: diesel::QueryResult<Vec<Row>> = match self {
            Self::Sqlite { .. } => query.load(&mut self.sqlite()),
            Self::Postgres { .. } => self.with_postgres(|connection| query.load(connection)),
        };
        rows.unwrap_or_else(|error| panic!("{error}: {sql}")).into_iter().map(|row| row.row).collect()
    }

    pub fn columns(&self, table: &str) -> Vec<String> {
        match self {
            Self::Sqlite { .. } => self.query(&format!("SELECT name AS row FROM pragma_table_info('{table}') ORDER BY cid")),
            Self::Postgres { schema, .. } => self.query(&format!(
                "SELECT column_name::text AS row FROM information_schema.columns \
                 WHERE table_schema = '{schema}' AND table_name = '{table}' ORDER BY ordinal_position"
            )),
        }
    }

    /// Name and value of a column for a JSON object; bytes as hex.
    fn field(&self, table: &str, column: &str) -> String {
        let is_bytes = matches!((table, column), (_, "dedupe_key" | "event_key" | "state_key" | "body"));
        match (self, is_bytes) {
            (Self::Sqlite { .. }, true) => format!("'{column}', lower(hex({column}))"),
            (Self::Postgres { .. }, true) => format!("'{column}', encode({column}, 'hex')"),
            _ => format!("'{column}', {column}"),
        }
    }

    /// Keeps every writer out until it is released.
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
        connection
    }

    fn with_postgres<T>(&self, run: impl FnOnce(&mut PgConnection) -> T) -> T {
        let Self::Postgres { connection, .. } = self else { panic!("not Postgres") };
        run(&mut connection.lock().expect("not poisoned"))
    }

    pub fn postgres(&self) -> PgConnection {
        PgConnection::establish(&self.url()).expect("the Postgres of TEST_DATABASE_URL")
    }
}

/// A transaction that keeps every writer out.
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
        let nothing = || Self::Sqlite { folder: tempfile::tempdir().expect("a temporary folder") };
        if matches!(self, Self::Postgres { is_kept: true, .. }) && self.empty().is_ok() {
            READY_SCHEMAS.lock().expect("not poisoned").push(std::mem::replace(self, nothing()));
        } else if let Self::Postgres { schema, .. } = &*self {
            drop(self.try_execute(&format!("SET client_min_messages = error; DROP SCHEMA {schema} CASCADE")));
        }
    }
}

fn clean(row: &str) -> Value {
    let row: Map<String, Value> = serde_json::from_str(row).expect("a JSON object");
    let cleaned = row.into_iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| {
        let value = match value {
            Value::Number(number) if BOOLEANS.contains(&name.as_str()) => Value::Bool(number.as_i64() == Some(1)),
            // SQLite parts date and time with a blank, Postgres in JSON with a T; only Postgres drops the last zeros.
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
