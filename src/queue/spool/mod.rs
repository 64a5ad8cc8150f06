//! The spool: a folder on a local disk, in which verified requests wait for the database.
//!
//! A process appends requests to a segment, a SQLite file of its own, in groups with one sync each, and acknowledges them after the
//! commit. Another thread reads them back, writes them to the database, and deletes segments that are drained. A segment whose process
//! has ended is adopted by any other process with the same folder.

mod batch;
mod drainer;
mod file;
mod folder;
mod inspect;
mod lock;
mod log;
mod pace;
mod paths;
mod refused;
mod segment;
mod shared;
#[cfg(test)]
mod tests;
pub mod volume;
mod writer;
mod zeros;

use std::{
    io,
    sync::{Arc, Mutex, PoisonError, mpsc as std_mpsc},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use futures_util::future::BoxFuture;
use tokio::sync::mpsc::{
    self,
    error::{SendTimeoutError, TrySendError},
};

pub use self::inspect::{FileOwner, SpoolFile, inspect};
use self::{
    drainer::Drainer,
    file::Row,
    shared::Shared,
    writer::{CAPACITY, Job, Writer},
};
use super::{Queue, QueueError, QueueState, Queued, QueuedRequest, SpoolOptions, drain::Drain};
use crate::outcomes::OutcomeSender;

/// Longest wait for a place in the queue of the writer.
const SEND_TIMEOUT: Duration = Duration::from_millis(500);

/// Longest time in which the spool is drained when the gateway stops.
const DRAIN_AT_STOP: Duration = Duration::from_secs(3);

/// A folder of requests, with the threads that append to it and drain it.
pub struct Spool {
    shared: Arc<Shared>,
    jobs: mpsc::Sender<Job>,
    threads: Mutex<Option<Threads>>,
}

struct Threads {
    writer: JoinHandle<()>,
    drainer: JoinHandle<()>,
    /// Closed when the drainer has ended.
    drainer_ended: std_mpsc::Receiver<()>,
}

impl Spool {
    /// Prepares the folder, creates a segment in it, adopts those of processes that have ended, and starts the threads.
    pub fn start(options: &SpoolOptions, drain: Drain) -> io::Result<Self> {
        folder::prepare(&options.folder)?;
        let shared = Arc::new(Shared::new(options));
        let (jobs, queue) = mpsc::channel(CAPACITY);
        let writer = Writer::open(&shared, drain.metrics()).map_err(io::Error::other)?;
        let mut drainer = Drainer::new(&shared, drain, options.mode, jobs.clone())?;
        drainer.survey();
        let (ending, drainer_ended) = std_mpsc::channel();
        let thread = |name: &str| std::thread::Builder::new().name(name.to_owned());
        let drainer = thread("waybill-drain").spawn(move || {
            drainer.run();
            drop(ending);
        })?;
        shared.set_drainer(drainer.thread().clone());
        let writer = thread("waybill-spool").spawn(move || writer.run(queue))?;
        let threads = Mutex::new(Some(Threads { writer, drainer, drainer_ended }));
        Ok(Self { shared, jobs, threads })
    }

    async fn store(&self, row: Row) -> Result<(), QueueError> {
        if self.shared.is_full() {
            return Err(QueueError::Full);
        }
        let (sender, receiver) = OutcomeSender::new();
        match self.jobs.try_send(Job::Append(row, sender)) {
            Ok(()) => {}
            Err(TrySendError::Closed(_)) => return Err(QueueError::Unavailable),
            Err(TrySendError::Full(job)) => {
                self.jobs.send_timeout(job, SEND_TIMEOUT).await.map_err(|error| match error {
                    SendTimeoutError::Timeout(_) => QueueError::Busy,
                    SendTimeoutError::Closed(_) => QueueError::Unavailable,
                })?;
            }
        }
        receiver.await.map_or(Err(QueueError::Unavailable), |outcome| outcome.result)
    }
}

impl Queue for Spool {
    fn append(&self, request: QueuedRequest) -> BoxFuture<'_, Result<Queued, QueueError>> {
        Box::pin(async move {
            let row = Row { received_at: request.received_at().micros(), head: request.head(), body: request.body().clone() };
            self.store(row).await?;
            Ok(Queued::new(&request, false))
        })
    }

    fn is_filling(&self) -> bool {
        self.shared.is_filling()
    }

    fn has_backlog(&self) -> bool {
        self.shared.has_backlog()
    }

    fn state(&self) -> QueueState {
        let state = self.shared.state();
        // Nothing is appended after the writer has ended, also by a panic.
        QueueState { is_failing: state.is_failing || self.jobs.is_closed(), ..state }
    }

    /// Appends what is queued, drains what the database takes within a few seconds, and stops the threads. The rest stays in the folder.
    /// Blocks.
    fn close(&self) {
        let Some(threads) = self.threads.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
        // Fails if the writer has stopped already.
        drop(self.jobs.blocking_send(Job::Stop));
        if threads.writer.join().is_err() {
            tracing::error!("the spool's writer thread panicked");
        }
        self.shared.stop(Instant::now() + DRAIN_AT_STOP);
        // It may be waiting for a database that does not respond.
        match threads.drainer_ended.recv_timeout(DRAIN_AT_STOP + Duration::from_secs(1)) {
            Err(std_mpsc::RecvTimeoutError::Timeout) => tracing::warn!("the spool is still being drained"),
            _ if threads.drainer.join().is_err() => tracing::error!("the spool's drainer thread panicked"),
            _ => {}
        }
    }
}
