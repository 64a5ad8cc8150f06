//! The file of rejected requests beside a SQLite database. Anyone can cause rejected requests, so they share no file with verified data.
//!
//! The file serves diagnosis only. It is bounded by SQLite itself, is never synced, and has no journal on the disk. If a crash has damaged
//! it, it is deleted and made again.

use std::{
    fs,
    path::{Path, PathBuf},
};

use diesel::{Connection as _, ConnectionError, SqliteConnection, connection::SimpleConnection, result::Error};

use super::connection::Connection;
use crate::files;

/// 10 MiB, in pages of 4 KiB.
const SETUP: &str = "PRAGMA page_size = 4096; PRAGMA max_page_count = 2560; PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF; \
                     PRAGMA cache_size = -1024;";

/// The recorder never waits for long; readers may.
const RECORDER_TIMEOUT: &str = "PRAGMA busy_timeout = 50;";
const READER_TIMEOUT: &str = "PRAGMA busy_timeout = 2000;";

/// The columns of the table on Postgres.
const TABLE: &str = "CREATE TABLE IF NOT EXISTS rejected_requests ( \
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, \
    service_type TEXT NOT NULL, \
    account TEXT NOT NULL, \
    cause TEXT NOT NULL, \
    finding TEXT, \
    method TEXT NOT NULL, \
    url TEXT NOT NULL, \
    headers TEXT NOT NULL, \
    body BLOB NOT NULL, \
    received_at TEXT NOT NULL, \
    network TEXT NOT NULL DEFAULT '', \
    is_near_miss INTEGER NOT NULL DEFAULT 0, \
    body_bytes INTEGER NOT NULL DEFAULT 0 \
) STRICT;";

/// Messages of a file that is damaged, has other columns, or cannot take another row.
const DAMAGE: [&str; 7] =
    ["malformed", "not a database", "no such table", "no such column", "no column named", "disk is full", "disk I/O error"];

/// The file that belongs to a database.
pub(crate) fn path(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push("-rejected");
    name.into()
}

/// Opens the file for the recorder; creates it and its table if necessary.
pub(crate) fn open(database: &Path) -> Result<Connection, ConnectionError> {
    // SQLite reports why it cannot be opened.
    drop(files::create(&path(database)));
    establish(&path(database), RECORDER_TIMEOUT, TABLE).or_else(|error| {
        let is_damaged = matches!(&error, ConnectionError::CouldntSetupConfiguration(error) if is_damaged(error));
        if !is_damaged {
            return Err(error);
        }
        remove(database);
        drop(files::create(&path(database)));
        establish(&path(database), RECORDER_TIMEOUT, TABLE)
    })
}

/// Opens the file for a reader; `None` if nothing was ever rejected.
pub(crate) fn open_existing(database: &Path) -> Result<Option<Connection>, ConnectionError> {
    let path = path(database);
    if path.exists() { establish(&path, READER_TIMEOUT, "").map(Some) } else { Ok(None) }
}

fn establish(path: &Path, timeout: &str, then: &str) -> Result<Connection, ConnectionError> {
    let mut connection = SqliteConnection::establish(&path.to_string_lossy())?;
    connection.batch_execute(&[timeout, SETUP, then].concat()).map_err(ConnectionError::CouldntSetupConfiguration)?;
    Ok(Connection::Sqlite(connection))
}

/// True if the file has to be made again.
pub(crate) fn is_damaged(error: &Error) -> bool {
    matches!(error, Error::DatabaseError(_, information) if DAMAGE.iter().any(|phrase| information.message().contains(phrase)))
}

/// Deletes the file.
pub(crate) fn remove(database: &Path) {
    match fs::remove_file(path(database)) {
        Ok(()) => tracing::warn!("the file of rejected requests was damaged or full: deleted, and a new one is made"),
        Err(error) => tracing::debug!("cannot delete the file of rejected requests: {error}"),
    }
}
