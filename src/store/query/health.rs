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
        let mut health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        match *health {
            Some((checked, reachable)) if checked.elapsed() < CACHE_DURATION => reachable,
            _ => {
                let reachable = self.readers.monitor().is_ok();
                *health = Some((Instant::now(), reachable));
                reachable
            }
        }
    }

    /// Returns true if the writers run and committed their last batches. A failure expires: an unhealthy gateway that receives no more requests
    /// could otherwise never show that it has recovered.
    pub fn is_writer_healthy(&self) -> bool {
        !self.queues.is_closed() && self.queues.last_failures().all(|failed| failed.elapsed() > FAILURE_DURATION)
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
