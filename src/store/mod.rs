//! The store: everything durable. Only this module names Diesel.
//!
//! A [`Record`] goes into a bounded queue; one writer commits whatever has queued up in one transaction. A [`Committed`]
//! is made after COMMIT and nowhere else, and no success can be answered without one.

mod apply;
mod backlog;
mod calls;
mod change;
mod commit;
mod connection;
mod correlation;
mod erase;
mod error;
mod failure;
mod fold;
mod gauges;
mod health;
mod heard;
mod inbound;
mod lists;
mod locks;
mod migrations;
mod parts;
mod postgres;
mod postgres_url;
mod prune;
mod reads;
mod rebuild;
mod record;
mod rederive;
mod registration;
mod rejected;
mod replay;
mod rooms;
mod rows;
mod rule;
mod schema;
mod shared;
mod sqlite;
mod steps;
mod stored;
mod story;
mod sweep;
mod telling;
mod unconfirmed;
mod writer;

use std::{
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use diesel::{QueryResult, r2d2::Pool};
use strum::VariantNames;
use tokio::sync::{mpsc, oneshot};

pub use backlog::{Backlog, COUNTED};
pub use change::Change;
pub use erase::{Erased, Table};
pub use error::StoreError;
pub use gauges::Gauges;
pub use heard::Heard;
pub use lists::{
    Bucket, Call, CallFilter, Cursor, Document, FeedCursor, FeedPage, Figures, InboundFilter, InboundMessage, Message,
    MessageFilter, NotACursor, NotARequestId, Page, RequestFilter, RequestId, RequestState, Room, RoomFilter, Stats, StatsFilter,
    StoredEvent, StoredRequest,
};
pub use migrations::{migrate, pending_migrations, probe};
pub use prune::{Pruned, Retention};
pub use reads::Counts;
pub use record::{Answer, Record};
pub use rederive::{Rederived, Rereading};
pub use registration::Registration;
pub use rejected::{Kept, Rejection, Ring};
pub use replay::Applied;
pub use rule::Rule;
pub use stored::AuthenticRequest;
pub use story::{MAX_EVENTS, RequestOfStory, Story, StoryEvent};

use self::{
    connection::{Connection, Manager, on_either},
    failure::Failure,
    writer::{Job, Writer},
};
use crate::{config::DatabaseUrl, metrics::StoreMetrics, time::Timestamp};

/// Records that may wait for the writer.
const QUEUE: usize = 256;

/// How long one more may wait for a place. Not all providers try again, so a burst should not be refused at once.
const QUEUE_PATIENCE: Duration = Duration::from_millis(500);

/// Proof that a record is durable, and what the first of its kind was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed {
    answer: Answer,
    duplicate: bool,
    unmatched: bool,
    quarantined: bool,
}

impl Committed {
    /// The answer this request got, now or the first time.
    pub fn answer(&self) -> Answer {
        self.answer
    }

    /// Whether nothing in it was new.
    pub fn is_duplicate(&self) -> bool {
        self.duplicate
    }

    /// Whether it was about messages none of which the application has registered.
    pub fn is_unmatched(&self) -> bool {
        self.unmatched
    }

    /// Whether it is kept and not applied.
    pub fn is_quarantined(&self) -> bool {
        self.quarantined
    }
}

/// How callbacks find the application's message, and how often a transaction is tried.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How often a transaction is tried again after a serialization failure.
    pub max_retries: u32,
    /// Whether a reference that the provider carries is looked up.
    pub matches_embedded: bool,
    /// How far from a callback a message of the same channel and recipient may have been sent to be taken for its own.
    pub timestamp_window: Option<Duration>,
    /// How long the parts of a long inbound message are waited for.
    pub part_timeout: Duration,
    /// How long what was received is kept.
    pub retention: Retention,
    /// After how long without a final report a message is marked `unconfirmed`; `None` = never.
    pub unconfirmed_after: Option<Duration>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_retries: 3,
            matches_embedded: true,
            timestamp_window: None,
            part_timeout: Duration::from_hours(1),
            retention: Retention::default(),
            unconfirmed_after: Some(Duration::from_hours(72)),
        }
    }
}

/// A database, its one writer and its readers.
pub struct Store {
    url: DatabaseUrl,
    jobs: mpsc::Sender<Job>,
    readers: Pool<Manager>,
    writer: Mutex<Option<JoinHandle<()>>>,
    last_failure: Arc<Mutex<Option<Instant>>>,
    health: Mutex<Option<(Instant, bool)>>,
    options: Options,
    metrics: StoreMetrics,
    /// To where the last sweep has come.
    progress: Mutex<sweep::Progress>,
}

impl Store {
    /// Opens the database, applies what migrations are pending, checks that commits are durable, and starts the writer.
    pub fn open(url: &DatabaseUrl, options: Options) -> Result<Self, StoreError> {
        migrate(url)?;
        Self::start(url, options)
    }

    /// Opens a database that is migrated already, for a command beside the gateway.
    pub fn attach(url: &DatabaseUrl, options: Options) -> Result<Self, StoreError> {
        if pending_migrations(url)?.is_empty() { Self::start(url, options) } else { Err(StoreError::NotMigrated) }
    }

    fn start(url: &DatabaseUrl, options: Options) -> Result<Self, StoreError> {
        let mut connection = connection::open(url)?;
        connection.check_durability()?;
        let last_failure = Arc::new(Mutex::new(None));
        let metrics = StoreMetrics::new(failure::Kind::VARIANTS);
        let writer = Writer {
            url: url.clone(),
            connection: Some(connection),
            options,
            poison_in_a_row: 0,
            last_failure: Arc::clone(&last_failure),
            metrics: metrics.clone(),
        };
        let (jobs, queue) = mpsc::channel(QUEUE);
        let thread = std::thread::Builder::new()
            .name("waybill-writer".to_owned())
            .spawn(move || writer.run(queue))
            .map_err(|error| StoreError::Thread(Arc::new(error)))?;
        Ok(Self {
            url: url.clone(),
            jobs,
            readers: connection::readers(url),
            writer: Mutex::new(Some(thread)),
            last_failure,
            health: Mutex::new(None),
            options,
            metrics,
            progress: Mutex::default(),
        })
    }

    /// Makes a record durable. Once it is queued, dropping the future does not cancel the write.
    pub async fn append(&self, record: Record) -> Result<Committed, StoreError> {
        let (waiter, outcome) = oneshot::channel();
        self.queue(Job::Write(Box::new(record), waiter)).await?;
        outcome.await.unwrap_or(Err(StoreError::Unavailable))
    }

    /// Registers messages of the application; the numbers of their rows in the order given. What came before a failure stays,
    /// and telling it again is safe.
    pub async fn register(&self, registrations: Vec<Registration>) -> Result<Vec<i64>, StoreError> {
        let options = self.options;
        let mut ids = Vec::with_capacity(registrations.len());
        for step in registration::steps(registrations) {
            ids.extend(self.task(move |c| on_either!(c, c => registration::register(c, &step, &options))).await?);
        }
        Ok(ids)
    }

    /// Releases parts that have waited long enough, links what plain SQL left and marks what was never confirmed, in short steps.
    /// None keeps the others from being done.
    pub async fn sweep(&self, now: Timestamp) -> Result<(), StoreError> {
        let released = self.release(now).await;
        let linked = self.link().await;
        let marked = self.mark_unconfirmed(now).await;
        released.and(linked).and(marked)
    }

    async fn release(&self, now: Timestamp) -> Result<(), StoreError> {
        let (now, timeout) = (now.naive(), self.options.part_timeout);
        let overdue = self.task(move |c| on_either!(c, c => parts::overdue(c, now, timeout))).await?;
        let mut outcome = Ok(());
        for set in overdue {
            let released = self.task(move |c| on_either!(c, c => parts::release_partial(c, set, now))).await;
            outcome = outcome.and(released);
        }
        outcome
    }

    async fn link(&self) -> Result<(), StoreError> {
        let options = self.options;
        while self.task(|c| on_either!(c, c => sweep::explain(c))).await? {}
        let mut progress = *self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        let mut from = self.task(move |c| on_either!(c, c => sweep::start(c, progress))).await?;
        loop {
            let (last, is_more) = self.task(move |c| on_either!(c, c => sweep::link(c, from, &options))).await?;
            from = last;
            if !is_more {
                break;
            }
        }
        // The newest of those without a match, and some of the others in turn.
        let oldest = progress.unmatched;
        self.task(move |c| on_either!(c, c => sweep::match_unmatched(c, None, &options))).await?;
        progress.unmatched = self.task(move |c| on_either!(c, c => sweep::match_unmatched(c, oldest, &options))).await?;
        progress.metric = Some(from);
        *self.progress.lock().unwrap_or_else(PoisonError::into_inner) = progress;
        Ok(())
    }

    /// Has the writer do something that writes, after everything that is queued.
    async fn task<T: Send + 'static>(
        &self,
        body: impl Fn(&mut Connection) -> QueryResult<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (waiter, outcome) = oneshot::channel();
        let task = move |writer: &mut Writer| {
            // Nobody is left to tell if the caller hung up.
            drop(waiter.send(writer.transact(body).map_err(|failure| match failure {
                Failure::Refused => StoreError::Refused,
                _ => StoreError::Unavailable,
            })));
        };
        self.queue(Job::Task(Box::new(task))).await?;
        outcome.await.unwrap_or(Err(StoreError::Unavailable))
    }

    async fn queue(&self, job: Job) -> Result<(), StoreError> {
        self.jobs.send_timeout(job, QUEUE_PATIENCE).await.map_err(|error| match error {
            mpsc::error::SendTimeoutError::Timeout(_) => StoreError::Busy,
            mpsc::error::SendTimeoutError::Closed(_) => StoreError::Unavailable,
        })
    }

    /// Number of stored requests, events and messages. Blocks.
    pub fn counts(&self) -> Result<Counts, StoreError> {
        self.read(reads::counts)
    }

    /// Asks something of the database. Blocks.
    fn read<T>(&self, body: impl FnOnce(&mut Connection) -> QueryResult<T>) -> Result<T, StoreError> {
        let mut connection = self.readers.get().map_err(|_| StoreError::Unavailable)?;
        Ok(body(&mut connection)?)
    }

    /// The file of an embedded database.
    pub fn file(&self) -> Option<&std::path::Path> {
        match &self.url {
            DatabaseUrl::Sqlite(path) => Some(path),
            DatabaseUrl::Postgres(_) => None,
        }
    }

    /// Commits everything that is queued and ends the writer. Blocks.
    pub fn close(&self) {
        let thread = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // A writer that has ended already takes no more jobs, and there is nothing left to wait for.
            if self.jobs.blocking_send(Job::Stop).is_ok() && thread.join().is_err() {
                tracing::error!("the writer ended by a panic");
            }
        }
    }
}
