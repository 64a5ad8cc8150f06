//! Connections to either database: which one is decided by [`DatabaseUrl`], set up once here, and checked at the start.

use std::{
    fs::{self, File},
    io,
    path::Path,
    sync::Arc,
    time::Duration,
};

use diesel::{
    Connection as _, ConnectionError, PgConnection, QueryDsl, QueryResult, RunQueryDsl, SqliteConnection,
    connection::SimpleConnection,
    r2d2::{ManageConnection, Pool, R2D2Connection},
};

use super::{StoreError, migrations};
use crate::config::DatabaseUrl;

/// A connection to one of the two databases.
pub(super) enum Connection {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// Stamps one Diesel expression per database: the text is the same, each is type-checked for its connection.
macro_rules! on_either {
    ($connection:expr, $c:ident => $body:expr) => {
        match $connection {
            $crate::store::connection::Connection::Sqlite($c) => $body,
            $crate::store::connection::Connection::Postgres($c) => $body,
        }
    };
}
pub(super) use on_either;

/// The same statements for both connections, each type-checked for its own.
macro_rules! for_both {
    (impl $Trait:ident for Connection { $($body:tt)* }) => {
        impl $Trait for diesel::SqliteConnection { $($body)* }
        impl $Trait for diesel::PgConnection { $($body)* }
    };
}
pub(super) use for_both;

/// A full sync: a commit is on the disk, or at least the operating system was told so. Keys are hashes, so a batch
/// touches pages all over the indexes: the log may grow to 64 MiB before they are written back together, and as many are kept
/// in memory.
const SQLITE_SETUP: &str = "PRAGMA busy_timeout = 2000; PRAGMA synchronous = FULL; \
                            PRAGMA foreign_keys = ON; PRAGMA journal_size_limit = 67108864; \
                            PRAGMA wal_autocheckpoint = 16384; PRAGMA cache_size = -65536;";

/// No statement may hold up an answer.
const POSTGRES_SETUP: &str = "SET statement_timeout = '1s'; SET lock_timeout = '500ms'; \
                              SET TIME ZONE 'UTC'; SET client_encoding = 'UTF8';";

/// Of what may be lost: it waits for nobody, syncs nothing, and leaves the log to the writer.
const SQLITE_CASUAL: &str = "PRAGMA busy_timeout = 50; PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 0; \
                             PRAGMA cache_size = -2048;";
const POSTGRES_CASUAL: &str = "SET synchronous_commit = off; SET lock_timeout = '100ms';";

diesel::table! {
    pragma_journal_mode (journal_mode) { journal_mode -> Text, }
}

diesel::table! {
    pragma_synchronous (synchronous) { synchronous -> Integer, }
}

diesel::define_sql_function! {
    /// The value of a setting of the Postgres session.
    fn current_setting(name: diesel::sql_types::Text) -> diesel::sql_types::Text;
}

impl Connection {
    /// Opens a connection and sets it up.
    pub(super) fn open(url: &DatabaseUrl) -> Result<Self, ConnectionError> {
        let set_up = |error| ConnectionError::CouldntSetupConfiguration(error);
        match url {
            DatabaseUrl::Sqlite(path) => {
                let mut connection = SqliteConnection::establish(&path.to_string_lossy())?;
                connection.batch_execute(SQLITE_SETUP).map_err(set_up)?;
                Ok(Self::Sqlite(connection))
            }
            DatabaseUrl::Postgres(url) => {
                let mut connection = PgConnection::establish(&super::postgres_url::complete(url.text()))?;
                connection.batch_execute(POSTGRES_SETUP).map_err(set_up)?;
                Ok(Self::Postgres(connection))
            }
        }
    }

    /// Opens a connection for what may be lost, and must not hold up anything else.
    pub(super) fn open_casually(url: &DatabaseUrl) -> Result<Self, ConnectionError> {
        let mut connection = Self::open(url)?;
        let set_up = |error| ConnectionError::CouldntSetupConfiguration(error);
        match &mut connection {
            Self::Sqlite(c) => c.batch_execute(SQLITE_CASUAL),
            Self::Postgres(c) => c.batch_execute(POSTGRES_CASUAL),
        }
        .map_err(set_up)?;
        Ok(connection)
    }

    /// Whether a statement gets through.
    pub(super) fn ping(&mut self) -> QueryResult<()> {
        on_either!(self, c => c.ping())
    }

    /// Reads the settings on which every promise stands back from the database.
    pub(super) fn check_durability(&mut self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(connection) => {
                let journal: String = pragma_journal_mode::table.select(pragma_journal_mode::journal_mode).first(connection)?;
                let synchronous: i32 = pragma_synchronous::table.select(pragma_synchronous::synchronous).first(connection)?;
                if journal != "wal" || synchronous < 2 {
                    return Err(StoreError::NotDurable("SQLite must run with journal_mode=WAL and synchronous=FULL"));
                }
            }
            Self::Postgres(connection) => {
                let mut setting = |name: &str| diesel::select(current_setting(name)).get_result::<String>(connection);
                // Not set by us: it may be stronger than `on`, and an operator who weakens it must be told, not overruled.
                if !["on", "remote_apply"].contains(&setting("synchronous_commit")?.as_str()) {
                    return Err(StoreError::NotDurable("Postgres must run with synchronous_commit=on or remote_apply"));
                }
                if setting("server_encoding")? != "UTF8" {
                    return Err(StoreError::NotDurable("the Postgres database must have the encoding UTF8"));
                }
                for name in ["fsync", "full_page_writes"] {
                    if setting(name)? != "on" {
                        tracing::warn!(
                            setting = name,
                            "Postgres runs with {name}=off: a power failure can lose what was acknowledged"
                        );
                    }
                }
                let language = setting("lc_messages")?;
                if !["C", "POSIX", "en"].iter().any(|plain| language.starts_with(plain)) && !language.is_empty() {
                    tracing::warn!(
                        language,
                        "lc_messages is not English: time-outs of the database cannot be told from bad rows"
                    );
                }
            }
        }
        Ok(())
    }
}

/// Why a database does not open, in words of ours: libpq's can quote a part of the connection string.
fn cause(error: &ConnectionError) -> &'static str {
    let text = error.to_string();
    let says = |phrase: &str| text.contains(phrase);
    match error {
        _ if says("authentication failed") => "authentication failed",
        _ if says("does not exist") => "no such database or role",
        _ if says("unable to open database file") => "the file cannot be opened",
        _ if says("certificate") => "the certificate is not accepted",
        ConnectionError::CouldntSetupConfiguration(_) => "the session cannot be set up",
        _ => "no connection",
    }
}

/// Opens connections for the pool of readers.
#[derive(Debug)]
pub(super) struct Manager(pub(super) DatabaseUrl);

impl ManageConnection for Manager {
    type Connection = Connection;
    type Error = diesel::r2d2::Error;

    fn connect(&self) -> Result<Connection, Self::Error> {
        Connection::open(&self.0).map_err(diesel::r2d2::Error::ConnectionError)
    }

    fn is_valid(&self, connection: &mut Connection) -> Result<(), Self::Error> {
        connection.ping().map_err(diesel::r2d2::Error::QueryError)
    }

    fn has_broken(&self, connection: &mut Connection) -> bool {
        on_either!(connection, c => c.is_broken())
    }
}

/// The pool of readers. It opens its connections when they are needed, so that a gateway starts fast.
pub(super) fn readers(url: &DatabaseUrl) -> Pool<Manager> {
    Pool::builder()
        .max_size(4)
        .min_idle(Some(0))
        .connection_timeout(Duration::from_millis(300))
        .error_handler(Box::new(LogConnectionError))
        .build_unchecked(Manager(url.clone()))
}

/// r2d2's own handler would print the error's text, which can name hosts and users.
#[derive(Debug)]
struct LogConnectionError;

impl diesel::r2d2::HandleError<diesel::r2d2::Error> for LogConnectionError {
    fn handle_error(&self, _error: diesel::r2d2::Error) {
        tracing::warn!("a reader cannot connect to the database");
    }
}

/// Makes a SQLite file and its folder and switches it to WAL, which it then stays, so that the first start needs no
/// preparation.
pub(super) fn prepare(url: &DatabaseUrl) -> Result<(), StoreError> {
    let DatabaseUrl::Sqlite(path) = url else { return Ok(()) };
    let folder = path.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."));
    let lock = || -> io::Result<File> {
        fs::create_dir_all(folder)?;
        let folder = File::open(folder)?;
        folder.lock()?;
        Ok(folder)
    };
    // Two gateways that switch a new file at the same moment refuse each other at once, whatever the busy time-out says.
    let _held_until_switched: File = lock().map_err(|error| StoreError::Folder(Arc::new(error)))?;
    let mut connection = SqliteConnection::establish(&path.to_string_lossy()).map_err(|error| unavailable(&error))?;
    connection.batch_execute("PRAGMA busy_timeout = 2000; PRAGMA journal_mode = WAL")?;
    Ok(())
}

/// Whether the database could be written to now. Creates nothing and changes nothing.
pub(super) fn probe(url: &DatabaseUrl) -> Result<(), StoreError> {
    match url {
        DatabaseUrl::Sqlite(path) if !path.exists() => {
            // Folders that are missing are made by a start, below the first that is there.
            let is_there = |folder: &&Path| folder.exists();
            let folder = path.ancestors().skip(1).find(is_there).unwrap_or(Path::new("."));
            tempfile::tempfile_in(folder).map(drop).map_err(|error| StoreError::Folder(Arc::new(error)))
        }
        // A start switches it to WAL, if it is not.
        DatabaseUrl::Sqlite(_) => migrations::look(&mut open(url)?).map(drop),
        DatabaseUrl::Postgres(_) => {
            let mut connection = open(url)?;
            connection.check_durability()?;
            migrations::look(&mut connection).map(drop)
        }
    }
}

/// Opens a connection; the log says why it does not.
pub(super) fn open(url: &DatabaseUrl) -> Result<Connection, StoreError> {
    Connection::open(url).map_err(|error| unavailable(&error))
}

/// The error of a database that does not open; the log says why.
pub(super) fn unavailable(error: &ConnectionError) -> StoreError {
    tracing::error!(cause = cause(error), "the database does not open");
    StoreError::Unavailable
}
