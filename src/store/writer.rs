//! The one writer of a database: it takes whatever has queued up, commits it in one transaction and answers each waiter
//! after that commit. A row that the database refuses is kept aside; it never takes its neighbours with it.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use diesel::QueryResult;
use tokio::sync::{mpsc, oneshot};

use super::{
    Committed, Options, StoreError,
    commit::{Commit, commit},
    connection::{Connection, on_either},
    failure::{Failure, Kind, classify},
    record::Record,
};
use crate::{config::DatabaseUrl, metrics::StoreMetrics};

/// At most this many records and about this many bytes in one transaction.
const MAX_BATCH: usize = 128;
const MAX_BATCH_BYTES: usize = 8 << 20;

/// What the writer is asked to do, in the order asked.
pub(super) enum Job {
    /// Commit a record and tell what became of it.
    Write(Box<Record>, oneshot::Sender<Result<Committed, StoreError>>),
    /// Do something else that writes.
    Task(Box<dyn FnOnce(&mut Writer) + Send>),
    /// End, after everything before it.
    Stop,
}

/// After so many refused records in a row it is taken for the database's trouble: a row is bad now and then, not always.
const MAX_POISON_IN_A_ROW: u32 = 3;

/// The writer's state.
pub(super) struct Writer {
    pub(super) url: DatabaseUrl,
    /// Opened again when it was lost.
    pub(super) connection: Option<Connection>,
    pub(super) options: Options,
    /// Records refused since one with events was taken.
    pub(super) poison_in_a_row: u32,
    /// When the last batch could not be committed; empty after one that could.
    pub(super) last_failure: Arc<Mutex<Option<Instant>>>,
    /// What it counts.
    pub(super) metrics: StoreMetrics,
}

impl Writer {
    /// Serves jobs until it is told to stop or nobody can ask any more.
    pub(super) fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        let mut taken = None;
        while let Some(job) = taken.take().or_else(|| jobs.blocking_recv()) {
            let (record, waiter) = match job {
                Job::Write(record, waiter) => (record, waiter),
                Job::Task(task) => {
                    task(&mut self);
                    continue;
                }
                Job::Stop => break,
            };
            let mut bytes = record.size();
            let (mut records, mut waiters) = (vec![*record], vec![waiter]);
            while records.len() < MAX_BATCH && bytes < MAX_BATCH_BYTES {
                match jobs.try_recv() {
                    Ok(Job::Write(record, waiter)) => {
                        bytes += record.size();
                        records.push(*record);
                        waiters.push(waiter);
                    }
                    // It waits until the batch is committed, as it would have waited behind it.
                    Ok(job) => {
                        taken = Some(job);
                        break;
                    }
                    Err(_) => break,
                }
            }
            let outcomes = self.write(&records);
            let failed = outcomes.iter().any(Result::is_err).then(Instant::now);
            *self.last_failure.lock().unwrap_or_else(PoisonError::into_inner) = failed;
            for (waiter, outcome) in waiters.into_iter().zip(outcomes) {
                // A caller that hung up does not cancel its write; nobody is left to tell.
                drop(waiter.send(outcome));
            }
        }
    }

    /// Commits all records together, or, if the database refuses one, each alone.
    fn write(&mut self, records: &[Record]) -> Vec<Result<Committed, StoreError>> {
        let all = |error: StoreError| records.iter().map(|_| Err(error.clone())).collect();
        match self.try_commit(records) {
            Ok(committed) => committed.into_iter().map(Ok).collect(),
            Err(Failure::Refused) => self.isolate(records),
            Err(_) => all(StoreError::Unavailable),
        }
    }

    /// Commits each record in a transaction of its own. Trouble of the database ends it for the rest of the batch.
    fn isolate(&mut self, records: &[Record]) -> Vec<Result<Committed, StoreError>> {
        let mut away = false;
        let mut one = |record: &Record| {
            if away {
                return Err(StoreError::Unavailable);
            }
            let outcome = match self.try_commit(std::slice::from_ref(record)) {
                Err(Failure::Refused) => self.quarantine(record),
                outcome => outcome,
            };
            away = matches!(outcome, Err(Failure::Transient | Failure::Blocked | Failure::Unavailable));
            outcome.ok().and_then(|committed| committed.into_iter().next()).ok_or(StoreError::Unavailable)
        };
        records.iter().map(&mut one).collect()
    }

    /// Keeps a record that is refused alone without its normalized rows: if that is taken, they were what was wrong.
    fn quarantine(&mut self, record: &Record) -> Result<Vec<Committed>, Failure> {
        self.poison_in_a_row += 1;
        let (provider, account) = (record.service_type, &record.account);
        if self.poison_in_a_row > MAX_POISON_IN_A_ROW {
            tracing::error!(provider, account, "the database refuses every row; nothing is stored until it takes one again");
            return Err(Failure::Unavailable);
        }
        tracing::error!(provider, account, "the database refused a row; its request is quarantined as poison");
        self.try_commit(&[record.poisoned()])
    }

    fn try_commit(&mut self, records: &[Record]) -> Result<Vec<Committed>, Failure> {
        let (options, started) = (self.options, Instant::now());
        let Commit { committed, new } = self.transact(|connection| on_either!(connection, c => commit(c, records, &options)))?;
        if records.iter().any(|record| !record.events().is_empty()) {
            self.poison_in_a_row = 0;
        }
        self.metrics.committed(records.len(), started.elapsed());
        for (record, event) in new {
            self.metrics.inserted(record.service_type, event, record.received_at);
        }
        Ok(committed)
    }

    /// Does something with the database, again if it met a serialization failure.
    pub(super) fn transact<T>(&mut self, body: impl Fn(&mut Connection) -> QueryResult<T>) -> Result<T, Failure> {
        let mut outcome = self.transact_once(&body);
        for _ in 0..self.options.max_retries {
            if !matches!(outcome, Err(Failure::Transient)) {
                break;
            }
            self.metrics.retried();
            outcome = self.transact_once(&body);
        }
        outcome
    }

    fn transact_once<T>(&mut self, body: impl Fn(&mut Connection) -> QueryResult<T>) -> Result<T, Failure> {
        if self.connection.is_none() {
            self.connection = Connection::open(&self.url).ok();
        }
        let Some(connection) = &mut self.connection else {
            tracing::error!("the writer cannot connect to the database");
            self.metrics.failed(Kind::NoConnection.into());
            return Err(Failure::Unavailable);
        };
        // A panic is a bug of ours in one of the records; the writer must outlive it, and the others must be stored.
        let Ok(result) = catch_unwind(AssertUnwindSafe(|| body(connection))) else {
            tracing::error!("the writer panicked");
            self.metrics.failed(Kind::Panic.into());
            self.connection = None;
            return Err(Failure::Refused);
        };
        result.map_err(|error| {
            let failure = classify(&error);
            // The error's text can quote a row; its kind cannot.
            let kind = <&str>::from(Kind::from(&error));
            tracing::warn!(kind, ?failure, "a transaction did not commit");
            self.metrics.failed(kind);
            if failure == Failure::Unavailable {
                self.connection = None;
            }
            failure
        })
    }
}
