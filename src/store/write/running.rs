//! The transaction that a writer runs. One that the database does not answer cannot be interrupted.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Time after which a transaction is not answered any more: each of its few statements has a timeout of its own in the database.
const MAX_TIME: Duration = Duration::from_secs(5);

/// The start of the running transaction of a writer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Running(Arc<Mutex<Option<Instant>>>);

impl Running {
    /// Runs a transaction, or opens the connection for it.
    pub(crate) fn watch<T>(&self, transaction: impl FnOnce() -> T) -> T {
        self.set(Some(Instant::now()));
        let outcome = transaction();
        self.set(None);
        outcome
    }

    /// True while the database does not answer the writer.
    pub(crate) fn is_stuck(&self) -> bool {
        let started = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        started.is_some_and(|started| started.elapsed() > MAX_TIME)
    }

    fn set(&self, started: Option<Instant>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = started;
    }
}
