//! A semaphore for work that would delay other callbacks, fair between networks.
//!
//! Permits go to the networks in rotation, and within a network in order of arrival. A network comes last again when a permit of it is
//! released. However many requests one network sends, another waits for one permit of it.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;

use crate::network::Network;

/// Issues the permits.
pub struct FairSemaphore {
    state: Mutex<State>,
}

/// A request that waits.
type Waiting = (Network, oneshot::Sender<Permit>);

struct State {
    free: usize,
    /// The networks that wait, in the order in which they are next. Each has at least one request.
    networks: VecDeque<(Network, VecDeque<oneshot::Sender<Permit>>)>,
}

/// A permit, until it is dropped.
pub struct Permit {
    semaphore: Arc<FairSemaphore>,
    network: Network,
}

impl FairSemaphore {
    /// With so many permits.
    pub fn new(permits: usize) -> Arc<Self> {
        Arc::new(Self { state: Mutex::new(State { free: permits, networks: VecDeque::new() }) })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a permit; `None` never while the semaphore exists. A request that stops waiting takes none.
    pub async fn acquire(self: &Arc<Self>, network: Network) -> Option<Permit> {
        let receiver = {
            let mut state = self.lock();
            // While a permit is free no request waits.
            if state.free > 0 {
                state.free -= 1;
                return Some(Permit { semaphore: Arc::clone(self), network });
            }
            state.enqueue(network)
        };
        receiver.await.ok()
    }

    /// The request that gets the permit after one of that network; without a request the permit is free.
    fn pass_on(&self, ended: Network) -> Option<Waiting> {
        let mut state = self.lock();
        state.move_last(ended);
        let next = state.next();
        if next.is_none() {
            state.free += 1;
        }
        next
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some((network, next)) = self.semaphore.pass_on(self.network) {
            // A request that has just stopped waiting drops the permit, which passes it on.
            drop(next.send(Self { semaphore: Arc::clone(&self.semaphore), network }));
        }
    }
}

impl State {
    fn enqueue(&mut self, network: Network) -> oneshot::Receiver<Permit> {
        let (sender, receiver) = oneshot::channel();
        match self.networks.iter_mut().find(|(known, _)| *known == network) {
            Some((_, waiting)) => waiting.push_back(sender),
            None => self.networks.push_back((network, VecDeque::from([sender]))),
        }
        receiver
    }

    fn move_last(&mut self, network: Network) {
        if let Some(place) = self.networks.iter().position(|(known, _)| *known == network) {
            let waiting = self.networks.remove(place);
            self.networks.extend(waiting);
        }
    }

    /// The next request that still waits.
    fn next(&mut self) -> Option<Waiting> {
        while let Some((network, mut waiting)) = self.networks.pop_front() {
            waiting.retain(|sender| !sender.is_closed());
            let next = waiting.pop_front();
            if !waiting.is_empty() {
                self.networks.push_back((network, waiting));
            }
            if let Some(next) = next {
                return Some((network, next));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, future::LocalBoxFuture};

    use super::*;

    type Requests<'t> = Vec<(&'static str, LocalBoxFuture<'t, Option<Permit>>)>;

    fn take(semaphore: &Arc<FairSemaphore>, client: &str) -> Option<Permit> {
        semaphore.acquire(Network::from(client.parse().ok())).now_or_never().flatten()
    }

    fn wait<'t>(semaphore: &'t Arc<FairSemaphore>, clients: &[&'static str]) -> Requests<'t> {
        let wait = |client: &&'static str| {
            let mut permit = semaphore.acquire(Network::from(client.parse().ok())).boxed_local();
            assert!((&mut permit).now_or_never().is_none(), "a permit is free");
            (*client, permit)
        };
        clients.iter().map(wait).collect()
    }

    /// The requests in the order in which they get the permit after the first one.
    fn order(first: Permit, mut waiting: Requests<'_>) -> Vec<&'static str> {
        let (mut permit, mut order) = (Some(first), Vec::new());
        while permit.is_some() {
            drop(permit.take());
            let mut requests = waiting.iter_mut().enumerate();
            if let Some((place, next)) = requests.find_map(|(place, (_, permit))| Some((place, permit.now_or_never()?))) {
                order.push(waiting.remove(place).0);
                permit = next;
            }
        }
        order
    }

    #[test]
    fn permits_rotate_between_networks() {
        let semaphore = FairSemaphore::new(1);
        let first = take(&semaphore, "203.0.113.9").expect("a free permit");
        let waiting =
            wait(&semaphore, &["203.0.113.1", "203.0.113.2", "203.0.113.3", "198.51.100.7", "192.0.2.1", "198.51.100.8"]);
        let expected = ["198.51.100.7", "192.0.2.1", "203.0.113.1", "198.51.100.8", "203.0.113.2", "203.0.113.3"];
        assert_eq!(order(first, waiting), expected);
        assert!(take(&semaphore, "192.0.2.1").is_some(), "it is free again");
    }

    #[test]
    fn request_that_stops_waiting_takes_no_permit() {
        let semaphore = FairSemaphore::new(2);
        let [first, second] = [1, 2].map(|_| take(&semaphore, "203.0.113.9").expect("a free permit"));
        let mut waiting = wait(&semaphore, &["203.0.113.1", "203.0.113.2", "198.51.100.7", "192.0.2.1"]);
        drop(waiting.remove(0));
        // This one has been given the permit.
        drop(second);
        drop(waiting.remove(0));
        assert_eq!(order(first, waiting), ["198.51.100.7", "192.0.2.1"]);
        let _both = [1, 2].map(|_| take(&semaphore, "192.0.2.1").expect("both are free again"));
        assert!(take(&semaphore, "192.0.2.1").is_none());
    }
}
