//! The store: all durable data. Only this module uses Diesel.
//!
//! A [`Record`] goes into a bounded queue, whose writer commits all queued records in one transaction. A [`Committed`] is only made after
//! COMMIT, and no success can be returned without one.
//!
//! Each part imports only parts before it: `db`, `fold`, `correlate`, `write`, `query`, `reprocess`, `maintain`, `opening`.

mod correlate;
mod db;
mod fold;
mod maintain;
mod opening;
mod query;
mod reprocess;
mod write;

use std::{
    num::NonZeroU8,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use diesel::QueryResult;
use tokio::sync::oneshot;

pub use self::correlate::registration::Registration;
pub use self::correlate::scope::UnscopedAccounts;
pub use self::db::audit::{Actor, Author};
pub use self::db::connection::probe;
pub(crate) use self::db::connection::{SQLITE_DURABILITY, is_durable};
pub use self::db::error::StoreError;
pub use self::db::migrations::pending_migrations;
pub(crate) use self::db::postgres_url::LOCAL_EXPECTED;
pub use self::db::readers::MAX_QUERIES;
pub use self::db::url::DatabaseUrl;
pub(crate) use self::db::url::EXPECTED as EXPECTED_DATABASE;
pub use self::fold::recipients::{Recipient, ReportScope};
pub use self::fold::rule::Rule;
pub use self::fold::suppression::{Report, SuppressionReason};
pub use self::maintain::data_subject::DataSubject;
pub use self::maintain::erase::{ErasedRows, Table};
pub use self::maintain::prune::{PruneCounts, Retention};
pub use self::maintain::rejected_requests::{RejectedRequest, Rejection, STORED_BODY, StoredRejection};
pub use self::maintain::ring::RingBuffer;
pub use self::opening::migrate;
pub use self::query::activity::{Activities, EndpointActivity};
pub use self::query::backlog::{Backlog, MAX_COUNT};
pub use self::query::counts::RowCounts;
pub use self::query::gauges::Gauges;
pub use self::query::history::{HistoryEvent, MAX_EVENTS, MessageHistory, RequestSummary};
pub use self::query::{
    AuditEntry, AuditFilter, Bucket, Call, CallFilter, Cursor, CursorError, EngagementCounts, FeedCursor, FeedFilter, FeedPage,
    InboundFilter, InboundMessage, JsonText, Message, MessageCounts, MessageFilter, MessageWithEvents, Page, RequestFilter,
    RequestId, RequestIdError, RequestState, Room, RoomFilter, Stats, StatsFilter, StoredEvent, StoredRequest, Suppression,
    SuppressionFilter, SuppressionPage, SuppressionState,
};
pub use self::reprocess::diff::RowDiff;
pub use self::reprocess::raw_request::RawRequest;
pub use self::reprocess::rederive::{RederiveOutcome, ReparsedRequest};
pub use self::reprocess::replay::ReplayOutcome;
pub(crate) use self::write::checkpoint::log_pages;
pub use self::write::committed::Committed;
pub(crate) use self::write::record::{PROCESSED, QUARANTINED};
pub use self::write::record::{Record, StoredResponse, Summary};

use self::{
    correlate::sweep,
    db::{
        connection::Connection,
        error_kind::{ErrorKind, classify},
        readers::Readers,
        rejected_file,
    },
    maintain::derived::Settled,
    query::counts,
    write::{
        isolate,
        queue::Queues,
        writer::{Job, Writer},
    },
};
use crate::{event::OptOutWords, metrics::StoreMetrics, outcomes::OutcomeSender};

/// Settings of matching, writing and retention.
#[derive(Clone, Debug)]
pub struct Options {
    /// Number of concurrent writers on Postgres.
    pub writers: NonZeroU8,
    /// Maximum number of retries of a transaction after serialization failures.
    pub max_retries: u32,
    /// True if messages are matched by the application's reference in a callback.
    pub matches_embedded: bool,
    /// Named accounts that also match messages registered without an account.
    pub unscoped_accounts: UnscopedAccounts,
    /// Maximum distance in time between a callback and a message on the same channel to the same recipient to match them; `None` disables
    /// matching by time.
    pub timestamp_window: Option<Duration>,
    /// Timeout for the parts of a long inbound message.
    pub part_timeout: Duration,
    /// Opt-out words of inbound messages that arrive in parts.
    pub opt_out_words: Arc<OptOutWords>,
    pub retention: Retention,
    /// Time without a final report after which a message is marked `unconfirmed`; `None` disables this.
    pub unconfirmed_after: Option<Duration>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            writers: NonZeroU8::MIN,
            max_retries: 3,
            matches_embedded: true,
            unscoped_accounts: UnscopedAccounts::default(),
            timestamp_window: None,
            part_timeout: Duration::from_hours(1),
            opt_out_words: Arc::default(),
            retention: Retention::default(),
            unconfirmed_after: Some(Duration::from_hours(72)),
        }
    }
}

/// A database, its writers and its readers.
pub struct Store {
    url: DatabaseUrl,
    queues: Queues,
    readers: Readers,
    health: Mutex<Option<(Instant, bool)>>,
    options: Options,
    metrics: StoreMetrics,
    progress: Mutex<sweep::Progress>,
    settled: Settled,
    /// Held while derived tables are updated, for which there is one connection.
    deriving: tokio::sync::Mutex<()>,
    opening: opening::Turn,
}

impl Store {
    /// The named accounts that also match messages without an account; a reload changes them.
    pub(crate) fn unscoped_accounts(&self) -> &UnscopedAccounts {
        &self.options.unscoped_accounts
    }

    /// Commits a record. Once it is queued, dropping the future does not cancel the write.
    pub async fn append(&self, record: Record) -> Result<Committed, StoreError> {
        let (sender, receiver) = OutcomeSender::new();
        self.queues.send(record.partition(), Job::Write(Box::new(record), sender)).await?;
        receiver.await.map_or(Err(StoreError::Unavailable), |outcome| outcome.result)
    }

    /// Tests if the database accepts a write. Changes nothing.
    pub async fn accepts_writes(&self) -> bool {
        self.write(isolate::store_and_roll_back).await.is_ok()
    }

    /// Runs a transaction on a writer, after all jobs in its queue.
    async fn write<T: Send + 'static>(
        &self,
        body: impl Fn(&mut Connection) -> QueryResult<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (sender, receiver) = oneshot::channel();
        let task = move |writer: &mut Writer| {
            // The receiver may be gone.
            drop(sender.send(writer.run_transaction(body).map_err(|kind| match kind {
                ErrorKind::Refused => StoreError::Refused,
                _ => StoreError::Unavailable,
            })));
        };
        self.queues.send(0, Job::Task(Box::new(task))).await?;
        tokio::select! {
            outcome = receiver => outcome.unwrap_or(Err(StoreError::Unavailable)),
            // Unknown whether it will be committed.
            () = self.queues.stuck(0) => Err(StoreError::Unavailable),
        }
    }

    /// Counts the rows of the tables. Blocks.
    pub fn counts(&self) -> Result<RowCounts, StoreError> {
        self.read(counts::counts)
    }

    /// Runs a client's query. Blocks.
    fn read<T>(&self, body: impl FnOnce(&mut Connection) -> QueryResult<T>) -> Result<T, StoreError> {
        body(&mut *self.readers.query()?).map_err(|error| match classify(&error) {
            ErrorKind::Locked => StoreError::Locked,
            ErrorKind::TimedOut => StoreError::TimedOut,
            _ => error.into(),
        })
    }

    /// Runs a query for monitoring. Blocks.
    fn monitor<T>(&self, body: impl FnOnce(&mut Connection) -> QueryResult<T>) -> Result<T, StoreError> {
        Ok(body(&mut *self.readers.monitor()?)?)
    }

    /// Runs a query on the rejected requests, which SQLite has in a file of their own. Blocks.
    fn read_rejected<T: Default>(&self, body: impl FnOnce(&mut Connection) -> QueryResult<T>) -> Result<T, StoreError> {
        match &self.url {
            DatabaseUrl::Sqlite(path) => read_rejected_file(path, body),
            DatabaseUrl::Postgres(_) => self.read(body),
        }
    }

    /// Runs a write on the rejected requests.
    async fn write_rejected<T: Default + Send + 'static>(
        &self,
        body: impl Fn(&mut Connection) -> QueryResult<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        match &self.url {
            DatabaseUrl::Sqlite(path) => {
                let path = path.clone();
                let write = tokio::task::spawn_blocking(move || read_rejected_file(&path, body));
                write.await.unwrap_or(Err(StoreError::Unavailable))
            }
            DatabaseUrl::Postgres(_) => self.write(body).await,
        }
    }

    /// The file of a SQLite database.
    pub fn file(&self) -> Option<&std::path::Path> {
        match &self.url {
            DatabaseUrl::Sqlite(path) => Some(path),
            DatabaseUrl::Postgres(_) => None,
        }
    }

    /// Commits all queued jobs and stops the writers. Blocks.
    pub fn close(&self) {
        self.queues.close();
    }
}

/// Runs a statement on the file of rejected requests beside a SQLite database. Without the file there are none.
fn read_rejected_file<T: Default>(
    database: &std::path::Path,
    body: impl FnOnce(&mut Connection) -> QueryResult<T>,
) -> Result<T, StoreError> {
    match rejected_file::open_existing(database).map_err(|_| StoreError::Unavailable)? {
        Some(mut connection) => Ok(body(&mut connection)?),
        None => Ok(T::default()),
    }
}
