//! A writer thread: it takes all queued records, commits them in one transaction and sends each outcome after the commit. A record that
//! the database does not accept is isolated from the others ([`isolate`]). SQLite has one writer.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread::{self, JoinHandle},
    time::Instant,
};

use diesel::QueryResult;
use tokio::sync::mpsc;

use super::{
    checkpoint::Checkpointer,
    commit::{CommitOutcome, commit},
    committed::Committed,
    isolate,
    last_failure::LastFailure,
    queue::CAPACITY,
    record::Record,
    running::Running,
};
use crate::{
    group::{self, Limits},
    metrics::StoreMetrics,
    outcomes::{self, OutcomeSender},
    store::{
        Options,
        db::{
            connection::{Connection, Patience},
            error::StoreError,
            error_kind::{ErrorKind, ErrorLabel, classify},
            url::DatabaseUrl,
        },
    },
};

/// Limits of one transaction: records, and approximate bytes.
pub(crate) const MAX_BATCH: usize = 256;
pub(crate) const MAX_BATCH_BYTES: usize = 8 << 20;
const LIMITS: Limits = Limits { items: MAX_BATCH, bytes: MAX_BATCH_BYTES };

/// The writer's jobs, executed in order.
pub(crate) enum Job {
    /// Commits a record and sends its outcome.
    Write(Box<Record>, OutcomeSender<Result<Committed, StoreError>>),
    /// Runs another write.
    Task(Box<dyn FnOnce(&mut Writer) + Send>),
    /// Stops the writer after all earlier jobs.
    Stop,
}

/// The store's handle of a writer thread.
pub(crate) struct WriterHandle {
    pub(crate) jobs: mpsc::Sender<Job>,
    pub(crate) last_failure: LastFailure,
    pub(crate) running: Running,
    pub(crate) thread: JoinHandle<()>,
}

pub(crate) struct Writer {
    pub(crate) url: DatabaseUrl,
    /// Reopened after it was lost.
    pub(crate) connection: Option<Connection>,
    /// Set on SQLite.
    pub(crate) checkpointer: Option<Checkpointer>,
    pub(crate) options: Options,
    pub(crate) last_failure: LastFailure,
    pub(crate) running: Running,
    pub(crate) metrics: StoreMetrics,
}

impl Writer {
    pub(crate) fn start(self) -> Result<WriterHandle, StoreError> {
        let (jobs, queue) = mpsc::channel(CAPACITY);
        let (last_failure, running) = (self.last_failure.clone(), self.running.clone());
        let thread = thread::Builder::new().name("waybill-writer".to_owned()).spawn(move || self.run(queue));
        let thread = thread.map_err(|error| StoreError::Thread(Arc::new(error)))?;
        Ok(WriterHandle { jobs, last_failure, running, thread })
    }

    /// Executes jobs until `Stop`, or until the queue is closed.
    fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        let mut next = None;
        while let Some(job) = next.take().or_else(|| jobs.blocking_recv()) {
            let (record, sender) = match job {
                Job::Write(record, sender) => (record, sender),
                Job::Task(task) => {
                    task(&mut self);
                    continue;
                }
                Job::Stop => break,
            };
            let size = |(record, _): &(Box<Record>, _)| record.size();
            let (group, job) = group::collect((record, sender), &mut jobs, LIMITS, size, |job| match job {
                Job::Write(record, sender) => Ok((record, sender)),
                job => Err(job),
            });
            next = job;
            let (records, senders): (Vec<Record>, Vec<_>) = group.into_iter().map(|(record, sender)| (*record, sender)).unzip();
            let bytes = records.iter().map(Record::size).sum();
            let results = self.write(&records);
            outcomes::send(senders, results);
            self.after_commit(records.len(), bytes);
        }
        if let Some(checkpointer) = self.checkpointer {
            checkpointer.close();
        }
    }

    /// Commits the records that the database accepts. To be followed by [`Self::after_commit`].
    pub(crate) fn write(&mut self, records: &[Record]) -> Vec<Result<Committed, StoreError>> {
        let (results, is_failing) = isolate::write(self, records);
        self.last_failure.set(is_failing.then(Instant::now));
        results
    }

    /// Work that no response waits for.
    pub(crate) fn after_commit(&mut self, records: usize, bytes: usize) {
        if let Some(checkpointer) = &mut self.checkpointer {
            checkpointer.after_commit(&mut self.connection, records, bytes);
        }
    }

    /// Commits all records in one transaction.
    pub(crate) fn try_commit(&mut self, records: &[Record], patience: Patience) -> Result<Vec<Committed>, ErrorKind> {
        let (options, started) = (self.options.clone(), Instant::now());
        let CommitOutcome { committed, new } =
            self.run_transaction(|connection| commit(connection, records, &options, patience))?;
        self.metrics.observe_commit(records.len(), started.elapsed());
        for (record, event) in new {
            let row = &event.row;
            self.metrics.count_event(
                record.request.service_type,
                row.event_type,
                row.occurred_at,
                row.received_at,
                event.unmapped,
            );
        }
        Ok(committed)
    }

    /// Runs a transaction, and retries it after a serialization failure, or after room was made on a full disk.
    pub(crate) fn run_transaction<T>(&mut self, body: impl Fn(&mut Connection) -> QueryResult<T>) -> Result<T, ErrorKind> {
        let mut outcome = self.try_transaction(&body);
        for _ in 0..self.options.max_retries {
            if !matches!(outcome, Err(ErrorKind::Transient)) {
                break;
            }
            self.metrics.count_retry();
            outcome = self.try_transaction(&body);
        }
        if matches!(outcome, Err(ErrorKind::Unavailable)) && self.make_room() {
            outcome = self.try_transaction(&body);
        }
        outcome
    }

    /// Makes room on a full disk; returns true if a retry may succeed.
    fn make_room(&mut self) -> bool {
        self.checkpointer.as_mut().is_some_and(|checkpointer| checkpointer.make_room(&mut self.connection, &self.url))
    }

    pub(crate) fn try_transaction<T>(&mut self, body: impl Fn(&mut Connection) -> QueryResult<T>) -> Result<T, ErrorKind> {
        let running = self.running.clone();
        running.watch(|| self.try_unwatched(body))
    }

    fn try_unwatched<T>(&mut self, body: impl Fn(&mut Connection) -> QueryResult<T>) -> Result<T, ErrorKind> {
        if self.connection.is_none() {
            self.connection = Connection::open_writer(&self.url).ok();
        }
        let Some(connection) = &mut self.connection else {
            tracing::error!("the writer cannot connect to the database");
            self.metrics.count_error(ErrorLabel::NoConnection.into());
            return Err(ErrorKind::Unavailable);
        };
        // A panic is a bug that one of the records triggers; the writer must survive it and store the others.
        let Ok(result) = catch_unwind(AssertUnwindSafe(|| body(connection))) else {
            tracing::error!("the writer thread panicked");
            self.metrics.count_error(ErrorLabel::Panic.into());
            self.connection = None;
            return Err(ErrorKind::Refused);
        };
        result.map_err(|error| {
            let failure = classify(&error);
            // The error's text can quote a row; its label cannot.
            let kind = <&str>::from(ErrorLabel::from(&error));
            tracing::warn!(kind, ?failure, "a transaction failed");
            self.metrics.count_error(kind);
            if failure == ErrorKind::Unavailable {
                self.connection = None;
            }
            failure
        })
    }
}
