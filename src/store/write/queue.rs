//! The bounded queues of the writers.

use std::{
    sync::{Mutex, OnceLock, PoisonError},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use tokio::sync::mpsc::{
    self,
    error::{SendTimeoutError, TrySendError},
};

use super::{
    last_failure::LastFailure,
    running::Running,
    writer::{Job, WriterHandle},
};
use crate::{store::db::error::StoreError, threads::wait};

/// Jobs that may wait for one writer.
pub(crate) const CAPACITY: usize = 1_024;

/// Timeout for space in a full queue. Not all providers retry, so a burst is not rejected at once.
const SEND_TIMEOUT: Duration = Duration::from_millis(500);

/// Longest wait at the end for transactions that fail one after the other. No client waits for them any more.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(8);

/// The interval at which waits look for a database that does not answer.
const STUCK_INTERVAL: Duration = Duration::from_secs(1);

/// The queues of all writers.
pub(crate) struct Queues {
    /// Number of writers.
    count: usize,
    /// Absent until the database is open, and empty if the queues were closed before that.
    writers: OnceLock<Writers>,
}

#[derive(Default)]
struct Writers {
    jobs: Vec<mpsc::Sender<Job>>,
    last_failures: Vec<LastFailure>,
    running: Vec<Running>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Queues {
    /// Queues for that many writers, which accept nothing before they are started.
    pub(crate) fn new(count: usize) -> Self {
        Self { count, writers: OnceLock::new() }
    }

    /// Accepts jobs for these writers.
    pub(crate) fn start(&self, handles: Vec<WriterHandle>) {
        let mut writers = Writers::default();
        for WriterHandle { jobs, last_failure, running, thread } in handles {
            writers.jobs.push(jobs);
            writers.last_failures.push(last_failure);
            writers.running.push(running);
            writers.threads.get_mut().unwrap_or_else(PoisonError::into_inner).push(thread);
        }
        // Writers that are started after the queues were closed end, because nothing can send them a job.
        drop(self.writers.set(writers));
    }

    pub(crate) fn is_started(&self) -> bool {
        self.writers.get().is_some()
    }

    /// Queues a job. Jobs of the same partition go to the same writer, in order.
    pub(crate) async fn send(&self, partition: usize, job: Job) -> Result<(), StoreError> {
        let writers = self.writers.get().ok_or(StoreError::Unavailable)?;
        let index = partition.checked_rem(writers.jobs.len()).ok_or(StoreError::Unavailable)?;
        if self.is_stuck(index) {
            return Err(StoreError::Unavailable);
        }
        let queue = writers.jobs.get(index).ok_or(StoreError::Unavailable)?;
        queue.send_timeout(job, SEND_TIMEOUT).await.map_err(|error| match error {
            SendTimeoutError::Timeout(_) => StoreError::Busy,
            SendTimeoutError::Closed(_) => StoreError::Unavailable,
        })
    }

    /// Number of writers.
    pub(crate) fn writers(&self) -> usize {
        self.count
    }

    /// True while the database does not answer a writer.
    pub(crate) fn is_stuck(&self, writer: usize) -> bool {
        self.writers.get().and_then(|writers| writers.running.get(writer)).is_some_and(Running::is_stuck)
    }

    /// Resolves once the database does not answer a writer.
    pub(crate) async fn stuck(&self, writer: usize) {
        while !self.is_stuck(writer) {
            tokio::time::sleep(STUCK_INTERVAL).await;
        }
    }

    pub(crate) fn is_any_stuck(&self) -> bool {
        (0..self.count).any(|writer| self.is_stuck(writer))
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.jobs().is_empty() || self.jobs().iter().any(mpsc::Sender::is_closed)
    }

    /// The times of failure of those writers whose last batch failed.
    pub(crate) fn last_failures(&self) -> impl Iterator<Item = Instant> {
        self.writers.get().into_iter().flat_map(|writers| &writers.last_failures).filter_map(LastFailure::get)
    }

    pub(crate) fn waiting(&self) -> usize {
        self.jobs().iter().map(|queue| queue.max_capacity() - queue.capacity()).sum()
    }

    pub(crate) fn capacity(&self) -> usize {
        self.count * CAPACITY
    }

    pub(crate) fn has_room(&self) -> bool {
        self.jobs().iter().all(|queue| queue.capacity() > 0)
    }

    fn jobs(&self) -> &[mpsc::Sender<Job>] {
        self.writers.get().map_or(&[], |writers| &writers.jobs)
    }

    /// Commits all queued jobs and stops the writers, except those that the database does not answer, within seconds. Blocks.
    pub(crate) fn close(&self) {
        let writers = self.writers.get_or_init(Writers::default);
        let threads = std::mem::take(&mut *writers.threads.lock().unwrap_or_else(PoisonError::into_inner));
        let deadline = Instant::now() + CLOSE_TIMEOUT;
        for (index, (queue, thread)) in writers.jobs.iter().zip(threads).enumerate() {
            let is_given_up = || self.is_stuck(index) || Instant::now() >= deadline;
            let is_answered = wait(|| !matches!(queue.try_send(Job::Stop), Err(TrySendError::Full(_))), is_given_up)
                && wait(|| thread.is_finished(), is_given_up);
            if !is_answered {
                tracing::error!("the database does not answer: what waits for it is not committed");
            } else if thread.join().is_err() {
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
            let (last_failure, running) = (last_failure.clone(), Running::default());
            WriterHandle { jobs, last_failure, running, thread: std::thread::spawn(|| ()) }
        };
        let queues = Queues::new(2);
        queues.start(vec![running(&one), running(&two)]);
        one.set(Some(Instant::now()));
        two.set(None);
        assert_eq!(queues.last_failures().count(), 1);
        one.set(None);
        assert_eq!(queues.last_failures().count(), 0);
    }
}
