//! Outcomes of a writer's batch, and their delivery to the waiting requests.

use std::{
    collections::HashMap,
    thread::{self, ThreadId},
};

use tokio::sync::oneshot;

/// Sends an outcome to the request that waits for it, on that request's thread.
#[derive(Debug)]
pub(crate) struct OutcomeSender<T> {
    thread: ThreadId,
    sender: oneshot::Sender<Outcome<T>>,
}

/// The outcome for one request.
#[derive(Debug)]
pub(crate) struct Outcome<T> {
    pub(crate) result: T,
    _deferred: DeferredOutcomes<T>,
}

/// Outcomes for other requests on the same thread. They are sent when this is dropped, by the thread itself, so that a batch wakes each
/// thread once instead of once per request.
#[derive(Debug)]
struct DeferredOutcomes<T>(Vec<(oneshot::Sender<Outcome<T>>, T)>);

impl<T> Drop for DeferredOutcomes<T> {
    fn drop(&mut self) {
        for (sender, result) in self.0.drain(..) {
            // The receiver may be gone, which does not cancel the write.
            drop(sender.send(Outcome { result, _deferred: Self(Vec::new()) }));
        }
    }
}

impl<T> OutcomeSender<T> {
    pub(crate) fn new() -> (Self, oneshot::Receiver<Outcome<T>>) {
        let (sender, receiver) = oneshot::channel();
        (Self { thread: thread::current().id(), sender }, receiver)
    }
}

/// Sends each result to its request.
pub(crate) fn send<T>(senders: Vec<OutcomeSender<T>>, results: impl IntoIterator<Item = T>) {
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
