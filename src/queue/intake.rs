//! Makes verified callbacks durable: in the database, or in the queue in front of it.

use std::{io, sync::Arc, time::Duration};

use tokio::time::timeout;

use super::{
    Durable, Queue, QueueError, QueueOptions, QueuedRequest, Role, SpoolMode,
    breaker::Breaker,
    broker::Broker,
    drain::{Drain, Parse},
    recent::RecentRequests,
    spool::Spool,
};
use crate::store::{Record, Store, StoreError};

/// Longest wait for the database before a request goes to the spool. The response may take 4 seconds in all.
const DATABASE_TIMEOUT: Duration = Duration::from_secs(1);

/// Longest wait for the database if there is no queue: the provider then has its response within 3 seconds.
const DIRECT_TIMEOUT: Duration = Duration::from_millis(2_500);

/// A callback is not durable, or it is unknown whether it is.
#[derive(Clone, Debug, thiserror::Error)]
pub enum NotDurable {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Queue(#[from] QueueError),
}

/// Reason for which a queue did not start.
#[derive(Debug, thiserror::Error)]
pub enum QueueStartError {
    #[error("SPOOL_PATH: {0}")]
    Spool(io::Error),
    #[error("QUEUE_URL: {0}")]
    Broker(io::Error),
}

impl QueueStartError {
    /// True if the same configuration fails again: the folder of the spool cannot be one, or not be written to by this user.
    pub fn is_of_configuration(&self) -> bool {
        use io::ErrorKind::{
            AlreadyExists, InvalidFilename, InvalidInput, NotADirectory, NotFound, PermissionDenied, ReadOnlyFilesystem,
        };
        match self {
            Self::Spool(error) => matches!(
                error.kind(),
                AlreadyExists | InvalidFilename | InvalidInput | NotADirectory | NotFound | PermissionDenied | ReadOnlyFilesystem
            ),
            Self::Broker(_) => false,
        }
    }
}

/// The way of a verified callback into the database.
pub enum Way {
    /// The database commits it, or it is not durable.
    Direct,
    /// The database commits it; while that is impossible, the queue takes it.
    Fallback(Arc<dyn Queue>, Arc<Breaker>),
    /// The queue takes it.
    Queue(Arc<dyn Queue>, Arc<Breaker>),
}

/// Makes verified callbacks durable.
pub struct Intake {
    store: Arc<Store>,
    way: Way,
    /// The requests that became durable last, and those at endpoints with limits that are in progress.
    pub recent: RecentRequests,
}

impl Intake {
    pub fn new(store: &Arc<Store>, way: Way) -> Self {
        Self { store: Arc::clone(store), way, recent: RecentRequests::default() }
    }

    /// Starts the queue, if one is configured.
    pub fn start(options: &QueueOptions, store: &Arc<Store>, parse: Parse) -> Result<Self, QueueStartError> {
        let breaker = Arc::new(Breaker::default());
        if !store.is_open() && options.role() != Role::Gateway {
            breaker.open();
        }
        let drain = Drain::new(store, parse, &breaker);
        let way = match options {
            QueueOptions::None => Way::Direct,
            QueueOptions::Spool(options) => {
                let spool = Arc::new(Spool::start(options, drain).map_err(QueueStartError::Spool)?);
                match options.mode {
                    SpoolMode::Outage => Way::Fallback(spool, breaker),
                    SpoolMode::Always => Way::Queue(spool, breaker),
                }
            }
            QueueOptions::Broker(options) => {
                Way::Queue(Arc::new(Broker::start(options, drain).map_err(QueueStartError::Broker)?), breaker)
            }
        };
        Ok(Self::new(store, way))
    }

    /// Stops the queue. What is not drained remains in it. Blocks.
    pub fn close(&self) {
        if let Some(queue) = self.queue() {
            queue.close();
        }
    }

    /// Without a queue.
    pub fn direct(store: &Arc<Store>) -> Self {
        Self::new(store, Way::Direct)
    }

    /// The queue, if there is one.
    pub fn queue(&self) -> Option<&dyn Queue> {
        match &self.way {
            Way::Direct => None,
            Way::Fallback(queue, _) | Way::Queue(queue, _) => Some(&**queue),
        }
    }

    /// Longest wait of a response until its callback is durable, at most the configured one.
    pub fn limit(&self, timeout: Duration) -> Duration {
        match self.way {
            Way::Direct => timeout.min(DIRECT_TIMEOUT),
            Way::Fallback(..) | Way::Queue(..) => timeout,
        }
    }

    /// True if the rows of events are written with the callback, and not when it is drained.
    pub fn writes_events(&self) -> bool {
        !matches!(self.way, Way::Queue(..))
    }

    /// True while the database is known to be unavailable, and the queue takes its place.
    pub fn is_database_away(&self) -> bool {
        matches!(&self.way, Way::Fallback(_, breaker) | Way::Queue(_, breaker) if breaker.is_open())
    }

    /// Makes a record durable. Once it is passed to the database or the queue, dropping the future does not cancel the write.
    pub async fn append(&self, record: Record) -> Result<Durable, NotDurable> {
        let (queue, breaker) = match &self.way {
            Way::Direct => return Ok(Durable::Committed(self.store.append(record).await?)),
            Way::Queue(queue, _) => return Ok(self.enqueue(&**queue, QueuedRequest::new(&record)).await?),
            Way::Fallback(queue, breaker) => (&**queue, breaker),
        };
        let request = QueuedRequest::new(&record);
        // What is in the queue is written first, so that a copy does not overtake its original.
        if !breaker.is_open() && !queue.has_backlog() {
            match timeout(DATABASE_TIMEOUT, self.store.append(record.that_may_recur())).await {
                Ok(Ok(committed)) => return Ok(Durable::Committed(committed)),
                // Only this record is at fault, and the queue could not be drained past it.
                Ok(Err(StoreError::Refused)) => return Err(StoreError::Refused.into()),
                Ok(Err(StoreError::Busy | StoreError::Locked | StoreError::TimedOut)) => {}
                Ok(Err(_)) | Err(_) => breaker.open(),
            }
        }
        Ok(self.enqueue(queue, request).await?)
    }

    /// Queues a request. A copy is recognized if the request is among the most recent ones.
    async fn enqueue(&self, queue: &dyn Queue, request: QueuedRequest) -> Result<Durable, QueueError> {
        let key = request.key();
        // No client can fill the queue with copies.
        if queue.is_filling()
            && let Some(known) = self.recent.durable(key)
        {
            return Ok(known.as_copy());
        }
        let durable = Durable::Queued(queue.append(request).await?);
        let is_copy = self.recent.finish(key, durable);
        Ok(if is_copy { durable.as_copy() } else { durable })
    }
}
