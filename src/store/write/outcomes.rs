//! The outcomes of a batch's records, and their delivery to the waiting requests.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    thread::{self, ThreadId},
    time::Instant,
};

use tokio::sync::oneshot;

use super::committed::Committed;
use crate::store::db::error::StoreError;

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

/// Sends the outcome of a record to the request that waits for it, on that request's thread.
#[derive(Debug)]
pub(crate) struct OutcomeSender {
    thread: ThreadId,
    sender: oneshot::Sender<Outcome>,
}

/// The outcome of a record.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) result: Result<Committed, StoreError>,
    _deferred: DeferredOutcomes,
}

/// Outcomes for other requests on the same thread. They are sent when this is dropped, by the thread itself, so that a batch wakes each
/// thread once instead of once per record.
#[derive(Debug)]
struct DeferredOutcomes(Vec<(oneshot::Sender<Outcome>, Result<Committed, StoreError>)>);

impl Drop for DeferredOutcomes {
    fn drop(&mut self) {
        for (sender, result) in self.0.drain(..) {
            // The receiver may be gone, which does not cancel the write.
            drop(sender.send(Outcome { result, _deferred: Self(Vec::new()) }));
        }
    }
}

impl OutcomeSender {
    pub(crate) fn new() -> (Self, oneshot::Receiver<Outcome>) {
        let (sender, receiver) = oneshot::channel();
        (Self { thread: thread::current().id(), sender }, receiver)
    }
}

/// Sends each result to its request.
pub(crate) fn send(senders: Vec<OutcomeSender>, results: Vec<Result<Committed, StoreError>>) {
    let mut threads: HashMap<ThreadId, Vec<_>> = HashMap::new();
    for (OutcomeSender { thread, sender }, result) in senders.into_iter().zip(results) {
        threads.entry(thread).or_default().push((sender, result));
    }
    for mut deferred in threads.into_values() {
        let Some((first, result)) = deferred.pop() else { continue };
        // If that receiver is gone, the other outcomes are sent from here.
        drop(first.send(Outcome { result, _deferred: DeferredOutcomes(deferred) }));
    }
}
