//! The bounded queues of the writers.

use std::{
    sync::{Mutex, PoisonError},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use tokio::sync::mpsc::{self, error::SendTimeoutError};

use super::{
    last_failure::LastFailure,
    writer::{Job, WriterHandle},
};
use crate::store::db::error::StoreError;

/// Jobs that may wait for one writer.
pub(crate) const CAPACITY: usize = 1_024;

/// Timeout for space in a full queue. Not all providers retry, so a burst is not rejected at once.
const SEND_TIMEOUT: Duration = Duration::from_millis(500);

/// The queues of all writers.
pub(crate) struct Queues {
    jobs: Vec<mpsc::Sender<Job>>,
    last_failures: Vec<LastFailure>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Queues {
    pub(crate) fn new(writers: Vec<WriterHandle>) -> Self {
        let (mut jobs, mut last_failures, mut threads) = (Vec::new(), Vec::new(), Vec::new());
        for writer in writers {
            jobs.push(writer.jobs);
            last_failures.push(writer.last_failure);
            threads.push(writer.thread);
        }
        Self { jobs, last_failures, threads: Mutex::new(threads) }
    }

    /// Queues a job. Jobs of the same partition go to the same writer, in order.
    pub(crate) async fn send(&self, partition: usize, job: Job) -> Result<(), StoreError> {
        let queue = partition.checked_rem(self.jobs.len()).and_then(|index| self.jobs.get(index));
        queue.ok_or(StoreError::Unavailable)?.send_timeout(job, SEND_TIMEOUT).await.map_err(|error| match error {
            SendTimeoutError::Timeout(_) => StoreError::Busy,
            SendTimeoutError::Closed(_) => StoreError::Unavailable,
        })
    }

    /// Number of writers.
    pub(crate) fn writers(&self) -> usize {
        self.jobs.len()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.jobs.iter().any(mpsc::Sender::is_closed)
    }

    /// The times of failure of those writers whose last batch failed.
    pub(crate) fn last_failures(&self) -> impl Iterator<Item = Instant> {
        self.last_failures.iter().filter_map(LastFailure::get)
    }

    pub(crate) fn waiting(&self) -> usize {
        self.capacity() - self.jobs.iter().map(mpsc::Sender::capacity).sum::<usize>()
    }

    pub(crate) fn capacity(&self) -> usize {
        self.jobs.iter().map(mpsc::Sender::max_capacity).sum()
    }

    pub(crate) fn has_room(&self) -> bool {
        self.jobs.iter().all(|queue| queue.capacity() > 0)
    }

    /// Commits all queued jobs and stops the writers. Blocks.
    pub(crate) fn close(&self) {
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        if threads.is_empty() {
            return;
        }
        for queue in &self.jobs {
            // Fails if the writer has stopped already.
            drop(queue.blocking_send(Job::Stop));
        }
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a writer thread panicked");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failing_writer_is_reported_beside_one_that_commits() {
        let (one, two) = (LastFailure::default(), LastFailure::default());
        let running = |last_failure: &LastFailure| {
            let (jobs, _) = mpsc::channel(1);
            WriterHandle { jobs, last_failure: last_failure.clone(), thread: std::thread::spawn(|| ()) }
        };
        let queues = Queues::new(vec![running(&one), running(&two)]);
        one.set(Some(Instant::now()));
        two.set(None);
        assert_eq!(queues.last_failures().count(), 1);
        one.set(None);
        assert_eq!(queues.last_failures().count(), 0);
    }
}
