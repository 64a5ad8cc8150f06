//! Checkpoints of SQLite's write-ahead log. A separate thread copies most of the log into the database file while the writer continues;
//! the writer copies the rest between two transactions, and the log then restarts from its beginning. The thread also takes the reserve
//! that is released when the disk is full.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use diesel::{QueryResult, RunQueryDsl, SqliteConnection, sql_types::BigInt};

use super::disk::Disk;
use crate::{
    log_throttle::LogThrottle,
    store::db::{
        connection::Connection,
        error::StoreError,
        statement::{SqlTemplate, Statement},
        url::DatabaseUrl,
    },
};

/// Estimated log size of a transaction: a page of each table and index that grows at its end.
const BYTES_PER_TRANSACTION: usize = 32 << 10;

/// Estimated log size of a record without its body: its share of those pages, and a page of each of two randomly ordered indexes.
const BYTES_PER_RECORD: usize = 12 << 10;

/// Estimated log size at which the log is copied.
const THRESHOLD: usize = 48 << 20;

/// The room on the disk is read again after the log has grown by this much.
const LOOK_INTERVAL: usize = 1 << 20;

/// Pauses before the reserve is taken for the first time, and again.
const FIRST_RESERVE: Duration = Duration::from_secs(1);
const RESERVE_INTERVAL: Duration = Duration::from_secs(2);

/// The least time between two attempts to make room without a reserve: each may wait for readers.
const ROOM_INTERVAL: Duration = Duration::from_secs(1);

struct PassiveCheckpoint;
impl SqlTemplate for PassiveCheckpoint {
    const PIECES: &'static [&'static [&'static str]] = &[&["PRAGMA wal_checkpoint(PASSIVE)"]];
    type Row = (BigInt, BigInt, BigInt);
}

struct NoCheckpoint;
impl SqlTemplate for NoCheckpoint {
    const PIECES: &'static [&'static [&'static str]] = &[&["PRAGMA wal_checkpoint(NOOP)"]];
    type Row = (BigInt, BigInt, BigInt);
}

/// The number of pages in the log.
pub(crate) fn log_pages(connection: &mut SqliteConnection) -> QueryResult<u64> {
    let (_is_busy, pages, _copied): (i64, i64, i64) = Statement::new(NoCheckpoint, ()).get_result(connection)?;
    Ok(u64::try_from(pages).unwrap_or(0))
}

struct TruncateCheckpoint;
impl SqlTemplate for TruncateCheckpoint {
    const PIECES: &'static [&'static [&'static str]] = &[&["PRAGMA wal_checkpoint(TRUNCATE)"]];
    type Row = (BigInt, BigInt, BigInt);
}

/// Copies the whole log and gives its room back to the disk; returns true on success.
fn empty(connection: &mut SqliteConnection) -> QueryResult<bool> {
    let (is_busy, _, _): (i64, i64, i64) = Statement::new(TruncateCheckpoint, ()).get_result(connection)?;
    Ok(is_busy == 0)
}

/// Copies as much of the log as possible without waiting for other connections; returns true if that was all.
fn copy(connection: &mut SqliteConnection) -> QueryResult<bool> {
    let (_is_busy, pages, copied): (i64, i64, i64) = Statement::new(PassiveCheckpoint, ()).get_result(connection)?;
    Ok(pages == copied)
}

/// The checkpoint thread, and the estimate that decides when it copies.
#[derive(Debug)]
pub(crate) struct Checkpointer {
    /// Estimated size of the log.
    log_size: usize,
    /// The size at which it is copied, and the one at which that is computed again.
    max_log: usize,
    next_look: usize,
    disk: Disk,
    /// The last attempt to make room.
    made_room: Option<Instant>,
    is_full: LogThrottle,
    requests: SyncSender<()>,
    is_requested: bool,
    /// True if the thread has copied what it could.
    is_copied: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Checkpointer {
    /// Starts the thread; `None` for Postgres, which checkpoints by itself.
    pub(crate) fn start(url: &DatabaseUrl) -> Result<Option<Self>, StoreError> {
        let DatabaseUrl::Sqlite(path) = url else { return Ok(None) };
        let (url, disk) = (url.clone(), Disk::new(path));
        let of_thread = disk.clone();
        let (requests, queue) = sync_channel(1);
        let is_copied = Arc::new(AtomicBool::new(false));
        let copied = Arc::clone(&is_copied);
        let thread = std::thread::Builder::new().name("waybill-checkpoint".to_owned());
        let thread =
            thread.spawn(move || run(&url, &queue, &copied, &of_thread)).map_err(|error| StoreError::Thread(Arc::new(error)))?;
        Ok(Some(Self {
            log_size: 0,
            max_log: THRESHOLD,
            next_look: 0,
            disk,
            made_room: None,
            is_full: LogThrottle::default(),
            requests,
            is_requested: false,
            is_copied,
            thread,
        }))
    }

    /// Counts a transaction of that many records and bytes, and has the log copied once it is large enough.
    pub(crate) fn after_commit(&mut self, connection: &mut Option<Connection>, records: usize, bytes: usize) {
        self.log_size += BYTES_PER_TRANSACTION + records * BYTES_PER_RECORD + bytes;
        if self.is_copied.swap(false, Ordering::SeqCst) {
            self.is_requested = false;
            let is_all = match connection {
                Some(Connection::Sqlite(connection)) => copy(connection).unwrap_or(false),
                _ => false,
            };
            // A reader may still use the log: do not retry at once.
            self.set_log_size(if is_all { 0 } else { self.max_log / 2 });
        }
        if self.log_size >= self.next_look {
            self.next_look = self.log_size + LOOK_INTERVAL;
            self.max_log = self.disk.max_log().min(THRESHOLD);
        }
        if self.log_size > self.max_log && !self.is_requested {
            self.is_requested = self.requests.try_send(()).is_ok();
        }
    }

    fn set_log_size(&mut self, bytes: usize) {
        (self.log_size, self.next_look) = (bytes, bytes);
    }

    /// True if a transaction may fail for lack of room.
    pub(crate) fn is_disk_low(&self) -> bool {
        self.disk.is_low()
    }

    /// After a failed transaction: if the disk is full, releases the reserve and empties the log. Returns true if there may be room now.
    pub(crate) fn make_room(&mut self, connection: &mut Option<Connection>, url: &DatabaseUrl) -> bool {
        if !self.disk.is_low() {
            return false;
        }
        let released = self.disk.release_reserve();
        if released == 0 && self.made_room.is_some_and(|last| last.elapsed() < ROOM_INTERVAL) {
            return false;
        }
        self.made_room = Some(Instant::now());
        if connection.is_none() {
            *connection = Connection::open_writer(url).ok();
        }
        let is_log_empty = match connection {
            Some(Connection::Sqlite(connection)) => empty(connection).unwrap_or(false),
            _ => false,
        };
        if is_log_empty {
            self.set_log_size(0);
        }
        let has_room = released > 0 || is_log_empty;
        if has_room {
            tracing::error!(
                released,
                is_log_empty,
                "the disk is full: released the reserve, and copied the log into the database"
            );
        } else if self.is_full.count().is_some() {
            tracing::error!("the disk is full: callbacks are answered with 503 until it has room; logged at most once a minute");
        }
        has_room
    }

    pub(crate) fn close(self) {
        drop(self.requests);
        if self.thread.join().is_err() {
            tracing::error!("the checkpoint thread panicked");
        }
    }
}

fn run(url: &DatabaseUrl, queue: &Receiver<()>, is_copied: &AtomicBool, disk: &Disk) {
    let (mut connection, mut due) = (None, Instant::now() + FIRST_RESERVE);
    loop {
        match queue.recv_timeout(due.saturating_duration_since(Instant::now())) {
            Ok(()) => {
                connection = connection.or_else(|| Connection::open_best_effort(url).ok());
                if let Some(Connection::Sqlite(open)) = &mut connection
                    && copy(open).is_err()
                {
                    connection = None;
                }
                is_copied.store(true, Ordering::SeqCst);
            }
            Err(RecvTimeoutError::Timeout) => {
                due = Instant::now() + RESERVE_INTERVAL;
                take_reserve(disk);
            }
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
}

fn take_reserve(disk: &Disk) {
    match disk.take_reserve() {
        Ok(Some(bytes)) => tracing::debug!(bytes, "took the reserve for a full disk"),
        Ok(None) => {}
        Err(error) => tracing::debug!("cannot take the reserve for a full disk: {error}"),
    }
}
