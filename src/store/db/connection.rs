//! Connections to the database that [`DatabaseUrl`] selects: their settings, and the durability check at start-up.

use std::{
    fs::{self, File, TryLockError},
    path::Path,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use diesel::{
    Connection as _, ConnectionError, PgConnection, QueryDsl, QueryResult, RunQueryDsl, SqliteConnection,
    connection::{AnsiTransactionManager as Transactions, SimpleConnection, TransactionManager},
    r2d2::R2D2Connection,
    result::Error,
};

use super::{error::StoreError, migrations, postgres_url, url::DatabaseUrl};
use crate::files;

/// A connection to one of the two databases.
pub(crate) enum Connection {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// The time for which the statements of a transaction may run and wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// As set for the connection.
    Usual,
    /// A lock is known to be held: others are not waited for as long.
    ShortLocks,
    /// A statement writes so many rows that it takes longer.
    LongStatements,
}

/// Expands one Diesel expression for each database, so that it is type-checked against both connections.
macro_rules! on_either {
    ($connection:expr, $c:ident => $body:expr) => {
        match $connection {
            $crate::store::db::connection::Connection::Sqlite($c) => $body,
            $crate::store::db::connection::Connection::Postgres($c) => $body,
        }
    };
}
pub(crate) use on_either;

/// `synchronous = FULL` syncs the log at every commit. Keys are hashes, so a batch touches pages all over the indexes: the log may
/// grow to 64 MiB before they are written back together. The page cache is small because SQLite walks all of it at the end of each
/// transaction that splits a page; the operating system caches the rest of the file.
const SQLITE_SETUP: &str = "PRAGMA busy_timeout = 2000; PRAGMA synchronous = FULL; \
                            PRAGMA foreign_keys = ON; PRAGMA journal_size_limit = 67108864; \
                            PRAGMA wal_autocheckpoint = 16384; PRAGMA cache_size = -8192;";

/// A fallback that bounds the log at 128 MiB: `write::checkpoint` normally copies it earlier, outside a commit.
const SQLITE_WRITER: &str = "PRAGMA wal_autocheckpoint = 32768";

/// Bounds how long a statement can delay a response.
const POSTGRES_SETUP: &str = "SET statement_timeout = '1s'; SET lock_timeout = '500ms'; \
                              SET TIME ZONE 'UTC'; SET client_encoding = 'UTF8';";

/// A prepared statement keeps the plan chosen while the table was small. Each of the writer's statements has one index that suits
/// any table size, so only nested loops over indexes are allowed.
const POSTGRES_WRITER: &str = "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; \
                               SET enable_mergejoin = off; SET enable_hashjoin = off;";

/// For best-effort writes: short lock timeouts, no sync at commit, and no checkpoints, which are left to the writer.
const SQLITE_BEST_EFFORT: &str = "PRAGMA busy_timeout = 50; PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 0; \
                             PRAGMA cache_size = -2048;";
const POSTGRES_BEST_EFFORT: &str = "SET synchronous_commit = off; SET lock_timeout = '100ms';";

/// Longest wait for another gateway that creates the file, and the pause between two attempts.
const LOCK_TIMEOUT: Duration = Duration::from_secs(2);
const LOCK_INTERVAL: Duration = Duration::from_millis(10);

diesel::table! {
    pragma_journal_mode (journal_mode) { journal_mode -> Text, }
}

diesel::table! {
    pragma_synchronous (synchronous) { synchronous -> Integer, }
}

diesel::define_sql_function! {
    /// Value of a setting of the Postgres session.
    fn current_setting(name: diesel::sql_types::Text) -> diesel::sql_types::Text;
}

impl Connection {
    /// Opens a connection and applies its settings.
    pub(crate) fn open(url: &DatabaseUrl) -> Result<Self, ConnectionError> {
        let set_up = |error| ConnectionError::CouldntSetupConfiguration(error);
        match url {
            DatabaseUrl::Sqlite(path) => {
                let mut connection = SqliteConnection::establish(&path.to_string_lossy())?;
                connection.batch_execute(SQLITE_SETUP).map_err(set_up)?;
                Ok(Self::Sqlite(connection))
            }
            DatabaseUrl::Postgres(url) => {
                let mut connection = PgConnection::establish(&postgres_url::with_defaults(url.text()))?;
                connection.batch_execute(POSTGRES_SETUP).map_err(set_up)?;
                Ok(Self::Postgres(connection))
            }
        }
    }

    /// Opens a connection for writes that may be lost and must not delay other work.
    pub(crate) fn open_best_effort(url: &DatabaseUrl) -> Result<Self, ConnectionError> {
        let mut connection = Self::open(url)?;
        let set_up = |error| ConnectionError::CouldntSetupConfiguration(error);
        match &mut connection {
            Self::Sqlite(c) => c.batch_execute(SQLITE_BEST_EFFORT),
            Self::Postgres(c) => c.batch_execute(POSTGRES_BEST_EFFORT),
        }
        .map_err(set_up)?;
        Ok(connection)
    }

    /// Opens a connection that only reads.
    pub(crate) fn open_reader(url: &DatabaseUrl) -> Result<Self, ConnectionError> {
        let mut connection = Self::open(url)?;
        match &mut connection {
            Self::Sqlite(c) => c.batch_execute("PRAGMA query_only = ON"),
            Self::Postgres(c) => c.batch_execute("SET default_transaction_read_only = on"),
        }
        .map_err(ConnectionError::CouldntSetupConfiguration)?;
        Ok(connection)
    }

    /// Opens a writer's connection.
    pub(crate) fn open_writer(url: &DatabaseUrl) -> Result<Self, ConnectionError> {
        let mut connection = Self::open(url)?;
        match &mut connection {
            Self::Sqlite(c) => c.batch_execute(SQLITE_WRITER),
            Self::Postgres(c) => c.batch_execute(POSTGRES_WRITER),
        }
        .map_err(ConnectionError::CouldntSetupConfiguration)?;
        Ok(connection)
    }

    /// Runs `body` in a transaction and commits it on success. On SQLite the transaction takes the write lock at its start.
    pub(crate) fn transaction<T>(&mut self, body: impl FnOnce(&mut Self) -> QueryResult<T>) -> QueryResult<T> {
        match self {
            Self::Sqlite(c) => Transactions::begin_transaction_sql(c, "BEGIN IMMEDIATE")?,
            Self::Postgres(c) => Transactions::begin_transaction_sql(c, "BEGIN")?,
        }
        match body(self) {
            Ok(outcome) => {
                on_either!(self, c => Transactions::commit_transaction(c))?;
                Ok(outcome)
            }
            Err(error) => match on_either!(self, c => Transactions::rollback_transaction(c)) {
                Ok(()) | Err(Error::BrokenTransactionManager) => Err(error),
                Err(rollback) => Err(rollback),
            },
        }
    }

    /// Limits the waits of the rest of the transaction. On SQLite a transaction waits only at its start.
    pub(crate) fn set_patience(&mut self, patience: Patience) -> QueryResult<()> {
        let limit = match patience {
            Patience::Usual => return Ok(()),
            Patience::ShortLocks => "SET LOCAL lock_timeout = '200ms'",
            Patience::LongStatements => "SET LOCAL statement_timeout = '2s'",
        };
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(c) => c.batch_execute(limit),
        }
    }

    pub(crate) fn ping(&mut self) -> QueryResult<()> {
        on_either!(self, c => c.ping())
    }

    /// Checks the settings that durable commits depend on.
    pub(crate) fn check_durability(&mut self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(connection) => {
                if !is_durable(connection)? {
                    return Err(StoreError::NotDurable(SQLITE_DURABILITY));
                }
            }
            Self::Postgres(connection) => {
                let mut setting = |name: &str| diesel::select(current_setting(name)).get_result::<String>(connection);
                // Not set by the gateway: it may be stronger than `on`, and a weaker setting is reported, not overridden.
                if !["on", "remote_apply"].contains(&setting("synchronous_commit")?.as_str()) {
                    return Err(StoreError::NotDurable("Postgres must run with synchronous_commit=on or remote_apply"));
                }
                if setting("server_encoding")? != "UTF8" {
                    return Err(StoreError::NotDurable("the Postgres database must use the encoding UTF8"));
                }
                for name in ["fsync", "full_page_writes"] {
                    if setting(name)? != "on" {
                        tracing::warn!(
                            setting = name,
                            "Postgres runs with {name}=off: a power failure can lose acknowledged callbacks"
                        );
                    }
                }
                let language = setting("lc_messages")?;
                if !["C", "POSIX", "en"].iter().any(|plain| language.starts_with(plain)) && !language.is_empty() {
                    tracing::warn!(
                        language,
                        "lc_messages is not English: database timeouts cannot be distinguished from invalid rows"
                    );
                }
            }
        }
        Ok(())
    }
}

/// The settings of SQLite that durable commits depend on.
pub(crate) const SQLITE_DURABILITY: &str = "SQLite must run with journal_mode=WAL and synchronous=FULL";

/// Returns true if the commits of a connection are durable.
pub(crate) fn is_durable(connection: &mut SqliteConnection) -> QueryResult<bool> {
    let journal: String = pragma_journal_mode::table.select(pragma_journal_mode::journal_mode).first(connection)?;
    let synchronous: i32 = pragma_synchronous::table.select(pragma_synchronous::synchronous).first(connection)?;
    Ok(journal == "wal" && synchronous >= 2)
}

/// The reason for a failed connection, in fixed words because libpq's message can quote the connection string.
pub(crate) fn connection_failure(error: &ConnectionError) -> &'static str {
    let text = error.to_string();
    let contains = |phrase: &str| text.contains(phrase);
    match error {
        _ if contains("authentication failed") => "authentication failed",
        _ if contains("does not exist") => "no such database or role",
        _ if contains("unable to open database file") => "the file cannot be opened",
        _ if contains("certificate") => "the certificate was rejected",
        ConnectionError::CouldntSetupConfiguration(_) => "the session settings cannot be applied",
        _ => "no connection",
    }
}

/// Creates a SQLite file and its folder, and switches the file to WAL, a mode it retains.
pub(crate) fn create_sqlite_file(url: &DatabaseUrl) -> Result<(), StoreError> {
    let DatabaseUrl::Sqlite(path) = url else { return Ok(()) };
    let folder = path.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."));
    let open = || fs::create_dir_all(folder).and_then(|()| File::open(folder));
    let folder = open().map_err(|error| StoreError::Folder(Arc::new(error)))?;
    // Held until the end: gateways that switch a new file to WAL concurrently fail at once, regardless of the busy timeout.
    lock(&folder)?;
    // SQLite reports why it cannot be opened.
    drop(files::create(path));
    tighten(url)?;
    let mut connection = SqliteConnection::establish(&path.to_string_lossy()).map_err(|error| unavailable(&error))?;
    connection.batch_execute("PRAGMA busy_timeout = 2000; PRAGMA journal_mode = WAL")?;
    Ok(())
}

/// Locks a folder, and waits for others as long as SQLite waits for a lock.
fn lock(folder: &File) -> Result<(), StoreError> {
    let deadline = Instant::now() + LOCK_TIMEOUT;
    loop {
        match folder.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::Error(error)) => return Err(StoreError::Folder(Arc::new(error))),
            Err(TryLockError::WouldBlock) if Instant::now() >= deadline => return Err(StoreError::Locked),
            Err(TryLockError::WouldBlock) => thread::park_timeout(LOCK_INTERVAL),
        }
    }
}

/// Removes the access of other users to the files of a database. SQLite gives each log the mode of its database.
pub(crate) fn tighten(url: &DatabaseUrl) -> Result<(), StoreError> {
    for path in url.files() {
        if files::tighten(&path).map_err(|error| StoreError::Permissions(Arc::new(error)))? {
            tracing::warn!("{} was open to other users; it is now accessible to its owner only", path.display());
        }
    }
    Ok(())
}

/// Checks that the database could be opened and written to, without creating or changing anything.
pub fn probe(url: &DatabaseUrl) -> Result<(), StoreError> {
    match url {
        DatabaseUrl::Sqlite(path) if !path.exists() => {
            // Start-up creates missing folders below the nearest existing one.
            let exists = |folder: &&Path| folder.exists();
            let folder = path.ancestors().skip(1).find(exists).unwrap_or(Path::new("."));
            tempfile::tempfile_in(folder).map(drop).map_err(|error| StoreError::Folder(Arc::new(error)))
        }
        // Start-up switches it to WAL if necessary.
        DatabaseUrl::Sqlite(_) => migrations::pending(&mut open(url)?).map(drop),
        DatabaseUrl::Postgres(_) => {
            let mut connection = open(url)?;
            connection.check_durability()?;
            migrations::pending(&mut connection).map(drop)
        }
    }
}

/// Opens a connection; logs why it cannot.
pub(crate) fn open(url: &DatabaseUrl) -> Result<Connection, StoreError> {
    Connection::open(url).map_err(|error| unavailable(&error))
}

/// Opens a writer's connection; logs why it cannot.
pub(crate) fn open_writer(url: &DatabaseUrl) -> Result<Connection, StoreError> {
    Connection::open_writer(url).map_err(|error| unavailable(&error))
}

/// Logs why the database cannot be opened.
fn unavailable(error: &ConnectionError) -> StoreError {
    tracing::error!(cause = connection_failure(error), "cannot open the database");
    StoreError::Unavailable
}
