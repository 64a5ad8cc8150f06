//! The one writer of a database: it takes whatever has queued up, commits it in one transaction and answers each waiter
//! after that commit. A row that the database refuses is kept aside; it never takes its neighbours with it.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use diesel::{
    QueryResult,
    result::{DatabaseErrorKind, Error},
};
use tokio::sync::{mpsc, oneshot};

use super::{
    Committed, StoreError,
    commit::commit,
    connection::{Connection, on_either},
    record::Record,
};
use crate::config::DatabaseUrl;

/// At most this many records and about this many bytes in one transaction.
const MAX_BATCH: usize = 128;
const MAX_BATCH_BYTES: usize = 8 << 20;

/// What the writer is asked to do, in the order asked.
pub(super) enum Job {
    /// Commit a record and tell what became of it.
    Write(Box<Record>, oneshot::Sender<Result<Committed, StoreError>>),
    /// End, after everything before it.
    Stop,
}

/// Why a transaction did not commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failure {
    /// Another writer was in the way; trying again can help.
    Transient,
    /// The database refused a row.
    Refused,
    /// The connection is gone or the database cannot write; whether it committed may be unknown.
    Unavailable,
}

/// The writer's state.
pub(super) struct Writer {
    pub(super) url: DatabaseUrl,
    /// Opened again when it was lost.
    pub(super) connection: Option<Connection>,
    pub(super) max_retries: u32,
    /// When the last batch could not be committed; empty after one that could.
    pub(super) last_failure: Arc<Mutex<Option<Instant>>>,
}

impl Writer {
    /// Serves jobs until it is told to stop or nobody can ask any more.
    pub(super) fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        while let Some(Job::Write(record, waiter)) = jobs.blocking_recv() {
            let mut bytes = record.size();
            let (mut records, mut waiters) = (vec![*record], vec![waiter]);
            let mut stop = false;
            while records.len() < MAX_BATCH && bytes < MAX_BATCH_BYTES && !stop {
                match jobs.try_recv() {
                    Ok(Job::Write(record, waiter)) => {
                        bytes += record.size();
                        records.push(*record);
                        waiters.push(waiter);
                    }
                    Ok(Job::Stop) => stop = true,
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
            if stop {
                break;
            }
        }
    }

    /// Commits all records together, or, if the database refuses one, each alone.
    fn write(&mut self, records: &[Record]) -> Vec<Result<Committed, StoreError>> {
        let all = |error: StoreError| records.iter().map(|_| Err(error.clone())).collect();
        match self.try_commit(records) {
            Ok(committed) => committed.into_iter().map(Ok).collect(),
            Err(Failure::Refused) => self.isolate(records),
            Err(Failure::Transient | Failure::Unavailable) => all(StoreError::Unavailable),
        }
    }

    /// Commits each record in a transaction of its own; what is refused alone is poison and quarantined.
    fn isolate(&mut self, records: &[Record]) -> Vec<Result<Committed, StoreError>> {
        let mut lost = false;
        let mut one = |record: &Record| {
            if lost {
                return Err(StoreError::Unavailable);
            }
            let outcome = match self.try_commit(std::slice::from_ref(record)) {
                Err(Failure::Refused) => {
                    // If the request alone is taken, it was the normalized row that the database did not want.
                    tracing::error!(
                        provider = record.service_type,
                        account = record.account,
                        "the database refused a row; its request is quarantined as poison"
                    );
                    self.try_commit(&[record.poisoned()])
                }
                outcome => outcome,
            };
            lost = outcome.is_err();
            outcome.ok().and_then(|committed| committed.into_iter().next()).ok_or(StoreError::Unavailable)
        };
        records.iter().map(&mut one).collect()
    }

    fn try_commit(&mut self, records: &[Record]) -> Result<Vec<Committed>, Failure> {
        let mut failure = Failure::Unavailable;
        for _ in 0..=self.max_retries {
            failure = match self.commit_once(records) {
                Ok(committed) => return Ok(committed),
                Err(failure) => failure,
            };
            if failure != Failure::Transient {
                break;
            }
        }
        Err(failure)
    }

    fn commit_once(&mut self, records: &[Record]) -> Result<Vec<Committed>, Failure> {
        if self.connection.is_none() {
            self.connection = Connection::open(&self.url).ok();
        }
        let Some(connection) = &mut self.connection else {
            tracing::error!("the writer cannot connect to the database");
            return Err(Failure::Unavailable);
        };
        let result: QueryResult<Vec<Committed>> = on_either!(connection, c => commit(c, records));
        result.map_err(|error| {
            let failure = classify(&error);
            // The error's text can quote a row; its kind cannot.
            tracing::warn!(kind = kind(&error), ?failure, records = records.len(), "a transaction did not commit");
            if failure == Failure::Unavailable {
                self.connection = None;
            }
            failure
        })
    }
}

/// Diesel tells no SQLSTATE, so what it calls unknown is told apart by the database's own words. Whatever is not
/// recognized counts as refused: the record is then tried alone, and without its normalized row.
fn classify(error: &Error) -> Failure {
    const TRANSIENT: [&str; 5] =
        ["database is locked", "database table is locked", "deadlock detected", "lock timeout", "statement timeout"];
    const UNAVAILABLE: [&str; 7] = [
        "disk is full",
        "disk I/O error",
        "readonly database",
        "No space left",
        "unable to open database",
        "terminating connection",
        "read-only transaction",
    ];
    let Error::DatabaseError(kind, information) = error else {
        return match error {
            Error::SerializationError(_) | Error::DeserializationError(_) | Error::QueryBuilderError(_) => Failure::Refused,
            _ => Failure::Unavailable,
        };
    };
    let says = |phrases: &[&str]| phrases.iter().any(|phrase| information.message().contains(phrase));
    match kind {
        DatabaseErrorKind::SerializationFailure => Failure::Transient,
        DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::UnableToSendCommand | DatabaseErrorKind::ReadOnlyTransaction => {
            Failure::Unavailable
        }
        _ if says(&TRANSIENT) => Failure::Transient,
        _ if says(&UNAVAILABLE) => Failure::Unavailable,
        _ => Failure::Refused,
    }
}

fn kind(error: &Error) -> &'static str {
    match error {
        Error::DatabaseError(DatabaseErrorKind::UniqueViolation, _) => "unique violation",
        Error::DatabaseError(DatabaseErrorKind::ForeignKeyViolation, _) => "foreign key violation",
        Error::DatabaseError(DatabaseErrorKind::NotNullViolation, _) => "not null violation",
        Error::DatabaseError(DatabaseErrorKind::CheckViolation, _) => "check violation",
        Error::DatabaseError(DatabaseErrorKind::SerializationFailure, _) => "serialization failure",
        Error::DatabaseError(DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::UnableToSendCommand, _) => {
            "connection lost"
        }
        Error::DatabaseError(_, _) => "database",
        _ => "client",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database(kind: DatabaseErrorKind, message: &str) -> Failure {
        classify(&Error::DatabaseError(kind, Box::new(message.to_owned())))
    }

    #[test]
    fn trouble_of_the_database_is_never_taken_for_a_bad_row() {
        use DatabaseErrorKind::{CheckViolation, ClosedConnection, SerializationFailure, Unknown};
        assert_eq!(database(SerializationFailure, ""), Failure::Transient);
        assert_eq!(database(Unknown, "database is locked"), Failure::Transient);
        assert_eq!(database(Unknown, "canceling statement due to lock timeout"), Failure::Transient);
        assert_eq!(database(ClosedConnection, ""), Failure::Unavailable);
        assert_eq!(database(Unknown, "database or disk is full"), Failure::Unavailable);
        assert_eq!(database(CheckViolation, ""), Failure::Refused);
        assert_eq!(database(Unknown, "invalid byte sequence"), Failure::Refused);
        assert_eq!(classify(&Error::BrokenTransactionManager), Failure::Unavailable);
    }
}
