//! The SQLite file of a segment. Its requests are in its write-ahead log, which is appended to and never copied into the file. A copy
//! would be made when the last connection is closed, except by a connection that only reads: so each segment has one for as long as it
//! exists.

use std::{fs::File, io, os::unix::ffi::OsStrExt, path::Path};

use bytes::Bytes;
use diesel::{
    Connection, ConnectionError, ExpressionMethods, QueryDsl, QueryResult, RunQueryDsl, SqliteConnection,
    connection::{AnsiTransactionManager as Transactions, DefaultLoadingMode, SimpleConnection, TransactionManager},
    dsl::max,
    result::Error,
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use super::paths::Paths;
use crate::{
    files,
    store::{SQLITE_DURABILITY, is_durable, log_pages},
};

/// The version of the table. A process leaves files of a later version to a later process.
pub(super) const VERSION: i32 = 1;

/// SQLite's default.
pub(super) const PAGE_SIZE: u32 = 4_096;

/// No journal and no sync: the file is synced before it gets its name.
const CREATE: &str = "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA user_version = 1; \
    CREATE TABLE requests ( \
        id INTEGER PRIMARY KEY NOT NULL, \
        received_at INTEGER NOT NULL, \
        head TEXT NOT NULL, \
        body BLOB NOT NULL \
    ) STRICT; \
    PRAGMA journal_mode = WAL;";

/// SQLite walks its page cache at the end of each transaction, so it is small. The last statement is a commit that writes the log for
/// the first time: if that is possible, so are others.
const APPENDER: &str = "PRAGMA busy_timeout = 2000; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0; \
                        PRAGMA cache_size = -1024; PRAGMA user_version = 1;";

const READER: &str = "PRAGMA busy_timeout = 2000; PRAGMA query_only = ON; PRAGMA cache_size = -1024;";

/// Messages of a file that is damaged, or is no segment.
const DAMAGE: [&str; 4] = ["malformed", "not a database", "no such table", "no such column"];

diesel::table! {
    requests (id) {
        id -> BigInt,
        received_at -> BigInt,
        head -> Text,
        body -> Binary,
    }
}

/// Sizes of the header of a log, and of the header of a page in it (sqlite.org/fileformat2.html, section 4.1).
pub(super) const LOG_HEADER: u32 = 32;
pub(super) const FRAME_HEADER: u32 = 24;

diesel::table! {
    pragma_user_version (user_version) { user_version -> Integer, }
}

/// A request as the file holds it.
#[derive(Clone)]
pub(super) struct Row {
    /// Microseconds since 1970.
    pub(super) received_at: i64,
    /// Everything but the body, as one line of JSON.
    pub(super) head: String,
    pub(super) body: Bytes,
}

crate::secret::opaque!(Row);

impl Row {
    /// An estimate of the room that it takes, which is rather too large.
    pub(super) fn size(&self) -> u64 {
        const PAGE: usize = PAGE_SIZE as usize;
        let bytes = self.head.len() + self.body.len();
        // A large row begins on a page of its own.
        let rest = if bytes > PAGE / 4 { PAGE } else { 64 };
        u64::try_from(bytes + bytes / 16 + rest).unwrap_or(u64::MAX)
    }
}

/// Reason for which a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum FileError {
    #[error("it is damaged, or is no file of a spool")]
    Damaged,
    #[error("it was written by a later version of Waybill")]
    Newer,
    /// Possible later.
    #[error("{0}")]
    Unavailable(String),
}

impl From<Error> for FileError {
    fn from(error: Error) -> Self {
        match error {
            Error::DatabaseError(_, information) if DAMAGE.iter().any(|phrase| information.message().contains(phrase)) => {
                Self::Damaged
            }
            Error::DeserializationError(_) => Self::Damaged,
            error => Self::Unavailable(error.to_string()),
        }
    }
}

impl From<io::Error> for FileError {
    fn from(error: io::Error) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl From<ConnectionError> for FileError {
    fn from(error: ConnectionError) -> Self {
        match error {
            ConnectionError::CouldntSetupConfiguration(error) => error.into(),
            error => Self::Unavailable(error.to_string()),
        }
    }
}

/// A connection that appends to a segment.
pub(super) struct Appender(SqliteConnection);

/// A connection that reads a segment.
pub(super) struct Reader(SqliteConnection);

/// Creates the file of a segment, durably, and opens it.
pub(super) fn create(paths: &Paths) -> Result<(Appender, Reader), FileError> {
    let (new, segment) = (paths.new_segment(), paths.segment());
    files::create(&new)?;
    SqliteConnection::establish(&uri(&new, "rw"))?.batch_execute(CREATE)?;
    // No connection is open: closing a file releases the locks that SQLite has on it.
    File::open(&new).and_then(|file| file.sync_all())?;
    std::fs::rename(&new, &segment)?;
    let appender = Appender::open(&segment)?;
    let reader = Reader::open(&segment)?;
    sync_folder(&segment)?;
    Ok((appender, reader))
}

/// Makes the names of new files durable. SQLite ignores an error of this.
fn sync_folder(file: &Path) -> io::Result<()> {
    file.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

/// The URI of an existing file; SQLite decodes any path in it.
fn uri(path: &Path, mode: &str) -> String {
    const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_');
    format!("file:{}?mode={mode}", percent_encode(path.as_os_str().as_bytes(), ENCODED))
}

impl Appender {
    fn open(path: &Path) -> Result<Self, FileError> {
        let mut connection = SqliteConnection::establish(&uri(path, "rw"))?;
        connection.batch_execute(APPENDER)?;
        if !is_durable(&mut connection)? {
            return Err(FileError::Unavailable(SQLITE_DURABILITY.to_owned()));
        }
        Ok(Self(connection))
    }

    /// Appends requests in one transaction; the first one gets that id. After an error nothing may be appended any more.
    pub(super) fn append(&mut self, first: i64, rows: &[Row]) -> QueryResult<()> {
        let connection = &mut self.0;
        Transactions::begin_transaction_sql(connection, "BEGIN IMMEDIATE")?;
        for (id, row) in (first..).zip(rows) {
            let values = (
                requests::id.eq(id),
                requests::received_at.eq(row.received_at),
                requests::head.eq(row.head.as_str()),
                requests::body.eq(&row.body[..]),
            );
            diesel::insert_into(requests::table).values(values).execute(connection)?;
        }
        Transactions::commit_transaction(connection)
    }

    /// The place in the log at which the next transaction begins.
    pub(super) fn log_end(&mut self) -> Result<u64, FileError> {
        Ok(u64::from(LOG_HEADER) + log_pages(&mut self.0)? * u64::from(FRAME_HEADER + PAGE_SIZE))
    }
}

impl Reader {
    /// Opens a file, after a crash as well. Fails for one that this version cannot read.
    pub(super) fn open(path: &Path) -> Result<Self, FileError> {
        let mut connection = SqliteConnection::establish(&uri(path, "ro"))?;
        connection.batch_execute(READER)?;
        let version: i32 = pragma_user_version::table.select(pragma_user_version::user_version).first(&mut connection)?;
        match version {
            VERSION => {}
            later if later > VERSION => return Err(FileError::Newer),
            _ => return Err(FileError::Damaged),
        }
        Ok(Self(connection))
    }

    /// The id of the last request; 0 if there is none.
    pub(super) fn last(&mut self) -> Result<i64, FileError> {
        let last: Option<i64> = requests::table.select(max(requests::id)).first(&mut self.0)?;
        Ok(last.unwrap_or(0))
    }

    /// The time of receipt of the first request after an id.
    pub(super) fn received_after(&mut self, id: i64) -> Result<Option<i64>, FileError> {
        let after = requests::table.filter(requests::id.gt(id)).order(requests::id).limit(1);
        let times: Vec<i64> = after.select(requests::received_at).load(&mut self.0)?;
        Ok(times.first().copied())
    }

    /// Requests after an id with their ids, in order: at most that many, and few more than that many bytes.
    pub(super) fn read(&mut self, after: i64, most: i64, most_bytes: usize) -> Result<Vec<(i64, Row)>, FileError> {
        type Columns = (i64, i64, String, Vec<u8>);
        let query = requests::table.filter(requests::id.gt(after)).order(requests::id).limit(most);
        let selected = query.select((requests::id, requests::received_at, requests::head, requests::body));
        let (mut rows, mut bytes) = (Vec::new(), 0);
        for row in selected.load_iter::<Columns, DefaultLoadingMode>(&mut self.0)? {
            let (id, received_at, head, body) = row?;
            bytes += head.len() + body.len();
            rows.push((id, Row { received_at, head, body: body.into() }));
            if bytes >= most_bytes {
                break;
            }
        }
        Ok(rows)
    }
}

/// Creates a file with a connection of its own, and runs statements on it.
#[cfg(test)]
pub(super) fn execute(path: &Path, sql: &str) {
    SqliteConnection::establish(&path.to_string_lossy()).unwrap().batch_execute(sql).unwrap();
}
