//! How the store is.

use std::{
    sync::PoisonError,
    time::{Duration, Instant},
};

use super::Store;

/// The age up to which the answer to "is the database there" is not asked again.
const HEALTH_AGE: Duration = Duration::from_secs(1);

/// How long a failed commit counts against the writer's health.
const FAILURE_MEMORY: Duration = Duration::from_secs(5);

impl Store {
    /// Whether a reader gets through to the database; the answer is at most a second old. Blocks.
    pub fn is_reachable(&self) -> bool {
        let mut health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        match *health {
            Some((asked, reachable)) if asked.elapsed() < HEALTH_AGE => reachable,
            _ => {
                let reachable = self.readers.get().is_ok();
                *health = Some((Instant::now(), reachable));
                reachable
            }
        }
    }

    /// Whether the writer runs and committed its last batch. A failure is forgotten after a while: a gateway that nobody asks any
    /// more because it is unhealthy could never show that it has recovered.
    pub fn is_writing(&self) -> bool {
        let last_failure = self.last_failure.lock().unwrap_or_else(PoisonError::into_inner);
        !self.jobs.is_closed() && last_failure.is_none_or(|failed| failed.elapsed() > FAILURE_MEMORY)
    }

    /// How many jobs wait for the writer.
    pub fn queued(&self) -> usize {
        self.jobs.max_capacity() - self.jobs.capacity()
    }

    /// How many may wait.
    pub fn queue_capacity(&self) -> usize {
        self.jobs.max_capacity()
    }

    /// Whether the queue has room.
    pub fn has_room(&self) -> bool {
        self.jobs.capacity() > 0
    }
}
