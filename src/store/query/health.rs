//! Health of the database connection and of the writers.

use std::{
    sync::PoisonError,
    time::{Duration, Instant},
};

use crate::store::Store;

/// Time for which a check of the database connection is cached.
const CACHE_DURATION: Duration = Duration::from_secs(1);

/// Time for which a failed commit makes the writer unhealthy.
const FAILURE_DURATION: Duration = Duration::from_secs(5);

impl Store {
    /// Returns true if the database can be reached; at most a second old. Blocks.
    pub fn is_reachable(&self) -> bool {
        if let Some(reachable) = self.last_reachable() {
            return reachable;
        }
        let reachable = self.readers.monitor().is_ok();
        self.set_reachable(reachable);
        reachable
    }

    /// Returns true if the database could not be reached, or did not answer, within the last second.
    pub fn is_known_unreachable(&self) -> bool {
        !self.is_open() || self.last_reachable() == Some(false)
    }

    /// Records that the database did not answer in time.
    pub fn note_unreachable(&self) {
        self.set_reachable(false);
    }

    fn last_reachable(&self) -> Option<bool> {
        let health = *self.health.lock().unwrap_or_else(PoisonError::into_inner);
        health.filter(|(checked, _)| checked.elapsed() < CACHE_DURATION).map(|(_, reachable)| reachable)
    }

    pub(crate) fn set_reachable(&self, reachable: bool) {
        *self.health.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), reachable));
    }

    /// Returns true if the writers run and committed their last batches. A failure expires: an unhealthy gateway that receives no more requests
    /// could otherwise never show that it has recovered.
    pub fn is_writer_healthy(&self) -> bool {
        let is_running = !self.queues.is_closed() && !self.queues.is_any_stuck();
        is_running && self.queues.last_failures().all(|failed| failed.elapsed() > FAILURE_DURATION)
    }

    /// Number of jobs that are waiting for a writer.
    pub fn queued(&self) -> usize {
        self.queues.waiting()
    }

    pub fn queue_capacity(&self) -> usize {
        self.queues.capacity()
    }

    pub fn has_room(&self) -> bool {
        self.queues.has_room()
    }
}
