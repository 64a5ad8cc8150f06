//! Isolation of records that the database does not accept, so that one record neither makes the writer unhealthy nor stops the others.
//!
//! An error's class does not show what caused it: one row can exceed the statement timeout or the database's memory, and the text of
//! an application's trigger can be any text. Therefore the database is tested with a request without content before it is blamed.

use std::time::{Duration, Instant};

use chrono::NaiveDateTime;
use diesel::{ExpressionMethods, QueryDsl, QueryResult, RunQueryDsl, result::Error};

use super::{
    batch::{self, Body},
    checkpoint::Checkpointer,
    committed::Committed,
    record::{PROCESSED, Record},
    rows::{Duplicates, NewRequest},
    writer::{MAX_BATCH, Writer},
};
use crate::{
    store::db::{
        connection::{Connection, Patience, on_either},
        error::StoreError,
        error_kind::ErrorKind,
        positions,
        schema::{message_external_ids as m, webhook_events as e},
    },
    time::Timestamp,
};

/// Records of one batch that may each take as long as the timeouts allow. The rest is not written, which delays the queue less.
const MAX_SLOW_RECORDS: usize = 2;

/// Time after which the rest of a batch is not written, once some of its records have an outcome.
const MAX_TIME: Duration = Duration::from_secs(3);

/// The parts of a batch that are tried after a timeout: each slow record costs a timeout per level, and the others a commit per part.
const PARTS: usize = 16;

/// Attempts at a record whose connection is lost each time, before the record is held to be the cause. A failover or a restarting pooler
/// ends connections as well, but not that many in a row at the same record, with a test that succeeds after each.
const MAX_LOST: usize = 5;

type Outcome = Result<Committed, StoreError>;

/// A batch that is being written.
struct Isolation<'w> {
    writer: &'w mut Writer,
    started: Instant,
    has_outcomes: bool,
    /// True once a lock was waited for in vain.
    is_locked: bool,
    slow_records: usize,
    /// True if the database failed the test.
    is_failing: bool,
}

/// Commits all records together, or the accepted ones without the others. The flag is true if the database fails.
pub(crate) fn write(writer: &mut Writer, records: &[Record]) -> (Vec<Outcome>, bool) {
    let started = Instant::now();
    let mut isolation = Isolation { writer, started, has_outcomes: false, is_locked: false, slow_records: 0, is_failing: false };
    let outcomes = isolation.write(records);
    (outcomes, isolation.is_failing)
}

impl Isolation<'_> {
    fn write(&mut self, records: &[Record]) -> Vec<Outcome> {
        if self.is_failing {
            return all_failed(records, &StoreError::Unavailable);
        }
        if self.slow_records >= MAX_SLOW_RECORDS || (self.has_outcomes && self.started.elapsed() > MAX_TIME) {
            return all_failed(records, &StoreError::Busy);
        }
        match (self.writer.try_commit(records, self.patience(records)), records) {
            (Ok(committed), _) => {
                self.has_outcomes = true;
                committed.into_iter().map(Ok).collect()
            }
            (Err(ErrorKind::Refused), [record]) => vec![self.quarantine(record)],
            // Found by halves, because such an error takes no time.
            (Err(ErrorKind::Refused), _) => self.write_parts(records, 2),
            (Err(kind), [record]) => vec![self.write_again(record, kind)],
            (Err(kind), _) if self.is_working(kind) => {
                self.is_locked |= kind == ErrorKind::Locked;
                self.write_parts(records, PARTS)
            }
            (Err(_), _) => all_failed(records, &StoreError::Unavailable),
        }
    }

    fn write_parts(&mut self, records: &[Record], parts: usize) -> Vec<Outcome> {
        records.chunks(records.len().div_ceil(parts).max(1)).flat_map(|part| self.write(part)).collect()
    }

    fn patience(&self, records: &[Record]) -> Patience {
        match self.is_locked {
            true => Patience::ShortLocks,
            false if records.len() > MAX_BATCH => Patience::LongStatements,
            false => Patience::Usual,
        }
    }

    /// Writes a record that alone failed for a reason that may have passed by now.
    fn write_again(&mut self, record: &Record, kind: ErrorKind) -> Outcome {
        self.slow_records += 1;
        self.has_outcomes = true;
        if !self.is_working(kind) {
            return Err(StoreError::Unavailable);
        }
        // The application may hold the lock for as long as it likes; a retry will find the row unlocked.
        if kind == ErrorKind::Locked {
            return Err(StoreError::Locked);
        }
        let mut outcome = self.writer.try_commit(std::slice::from_ref(record), Patience::Usual);
        for _ in 1..MAX_LOST {
            if !matches!(outcome, Err(ErrorKind::Unavailable)) {
                break;
            }
            if !self.is_working(ErrorKind::Unavailable) {
                return Err(StoreError::Unavailable);
            }
            outcome = self.writer.try_commit(std::slice::from_ref(record), Patience::Usual);
        }
        match outcome {
            Ok(committed) => committed.into_iter().next().ok_or(StoreError::Unavailable),
            Err(ErrorKind::Locked) => Err(StoreError::Locked),
            Err(_) => self.quarantine(record),
        }
    }

    /// Stores a record without its normalized rows. If that succeeds, those rows were the cause.
    fn quarantine(&mut self, record: &Record) -> Outcome {
        let (provider, account) = (record.request.service_type, &record.request.account);
        self.has_outcomes = true;
        match self.writer.try_commit(&[record.as_poison()], Patience::Usual) {
            Ok(committed) => {
                tracing::error!(provider, account, "the database rejected a row; its request is quarantined as poison");
                committed.into_iter().next().ok_or(StoreError::Unavailable)
            }
            Err(kind) if self.is_working(kind) => {
                tracing::error!(provider, account, "the database rejected a request, but stores others");
                Err(StoreError::Refused)
            }
            Err(_) => Err(StoreError::Unavailable),
        }
    }

    /// Returns true if the database works although a transaction failed.
    fn is_working(&mut self, kind: ErrorKind) -> bool {
        // A transaction that excludes all others waits for no row.
        let is_locked_out =
            kind == ErrorKind::Locked && self.writer.connection.as_ref().is_some_and(batch::has_exclusive_transactions);
        // On a full disk a record that is small enough may still fit.
        let is_full = kind == ErrorKind::Unavailable && self.writer.checkpointer.as_ref().is_some_and(Checkpointer::is_disk_low);
        let works = !is_locked_out
            && !is_full
            && self.writer.try_transaction(store_and_roll_back).is_ok()
            && self.writer.try_transaction(positions::count_test).is_ok();
        self.is_failing |= !works;
        works
    }
}

fn all_failed(records: &[Record], error: &StoreError) -> Vec<Outcome> {
    records.iter().map(|_| Err(error.clone())).collect()
}

/// Stores a request without content and rolls it back. The tables of messages and events are only locked as for a write, because a
/// trigger of the application may reject any row.
pub(crate) fn store_and_roll_back(connection: &mut Connection) -> QueryResult<()> {
    let received_at = Timestamp::from_naive(NaiveDateTime::default());
    let request = NewRequest {
        service_type: "none",
        account: String::new(),
        dedupe_key: Default::default(),
        state: PROCESSED,
        reason: None,
        answer: 0,
        verified_by: String::new(),
        method: String::new(),
        url: String::new(),
        headers: "{}".to_owned(),
        received_at,
        event_count: 0,
    };
    let stored = connection.transaction(|connection| {
        // The records have waited for a timeout already, and nothing else locks this row.
        connection.set_patience(Patience::ShortLocks)?;
        let inserted = batch::insert_requests(connection, &[(&request, Duplicates::default())])?;
        let body =
            inserted.into_iter().flatten().next().map(|inserted| Body { request_id: inserted.id, bytes: b"", received_at });
        batch::write_rows(connection, body.as_slice(), &[], &[])?;
        on_either!(connection, c => {
            diesel::update(m::table.filter(m::id.eq(-1))).set(m::status.eq(m::status)).execute(c)?;
            diesel::update(e::table.filter(e::id.eq(-1))).set(e::duplicate_count.eq(e::duplicate_count)).execute(c)?;
        });
        Err::<(), _>(Error::RollbackTransaction)
    });
    match stored {
        Err(Error::RollbackTransaction) => Ok(()),
        outcome => outcome,
    }
}
