//! Checkpoints of SQLite's write-ahead log. A separate thread copies most of the log into the database file while the writer continues;
//! the writer copies the rest between two transactions, and the log then restarts from its beginning.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::JoinHandle,
};

use diesel::{QueryResult, RunQueryDsl, SqliteConnection, sql_types::BigInt};

use crate::store::db::{
    connection::Connection,
    error::StoreError,
    statement::{SqlTemplate, Statement},
    url::DatabaseUrl,
};

/// Estimated log size of a transaction: a page of each table and index that grows at its end.
const BYTES_PER_TRANSACTION: usize = 32 << 10;

/// Estimated log size of a record without its body: its share of those pages, and a page of each of two randomly ordered indexes.
const BYTES_PER_RECORD: usize = 12 << 10;

/// Estimated log size at which the log is copied.
const THRESHOLD: usize = 48 << 20;

struct PassiveCheckpoint;
impl SqlTemplate for PassiveCheckpoint {
    const PIECES: &'static [&'static [&'static str]] = &[&["PRAGMA wal_checkpoint(PASSIVE)"]];
    type Row = (BigInt, BigInt, BigInt);
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
    requests: SyncSender<()>,
    is_requested: bool,
    /// True if the thread has copied what it could.
    is_copied: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Checkpointer {
    /// Starts the thread; `None` for Postgres, which checkpoints by itself.
    pub(crate) fn start(url: &DatabaseUrl) -> Result<Option<Self>, StoreError> {
        if matches!(url, DatabaseUrl::Postgres(_)) {
            return Ok(None);
        }
        let url = url.clone();
        let (requests, queue) = sync_channel(1);
        let is_copied = Arc::new(AtomicBool::new(false));
        let copied = Arc::clone(&is_copied);
        let thread = std::thread::Builder::new().name("waybill-checkpoint".to_owned());
        let thread = thread.spawn(move || run(&url, &queue, &copied)).map_err(|error| StoreError::Thread(Arc::new(error)))?;
        Ok(Some(Self { log_size: 0, requests, is_requested: false, is_copied, thread }))
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
            self.log_size = if is_all { 0 } else { THRESHOLD / 2 };
        }
        if self.log_size > THRESHOLD && !self.is_requested {
            self.is_requested = self.requests.try_send(()).is_ok();
        }
    }

    pub(crate) fn close(self) {
        drop(self.requests);
        if self.thread.join().is_err() {
            tracing::error!("the checkpoint thread panicked");
        }
    }
}

fn run(url: &DatabaseUrl, queue: &Receiver<()>, is_copied: &AtomicBool) {
    let mut connection = None;
    while queue.recv().is_ok() {
        connection = connection.or_else(|| Connection::open_best_effort(url).ok());
        if let Some(Connection::Sqlite(open)) = &mut connection
            && copy(open).is_err()
        {
            connection = None;
        }
        is_copied.store(true, Ordering::SeqCst);
    }
}
