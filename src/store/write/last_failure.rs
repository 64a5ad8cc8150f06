//! Failures of a writer, for health checks.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

/// The time at which a writer's last batch failed; `None` if it was committed.
#[derive(Clone, Debug, Default)]
pub(crate) struct LastFailure(Arc<Mutex<Option<Instant>>>);

impl LastFailure {
    pub(crate) fn get(&self) -> Option<Instant> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set(&self, failed: Option<Instant>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = failed;
    }
}
