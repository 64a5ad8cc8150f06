//! Turns for work that would delay other callbacks: a few at once, shared fairly between networks.
//!
//! Turns go to the networks in rotation, and within a network in order of arrival. A network comes last again when a turn of it ends.
//! However many requests one network sends, another waits for one turn of it.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;

use crate::network::Network;

/// Hands out the turns.
pub struct Turns {
    state: Mutex<State>,
}

/// A request that waits.
type Waiting = (Network, oneshot::Sender<Turn>);

struct State {
    free: usize,
    /// The networks that wait, in the order in which they are next. Each has at least one request.
    networks: VecDeque<(Network, VecDeque<oneshot::Sender<Turn>>)>,
}

/// A turn, until it is dropped.
pub struct Turn {
    turns: Arc<Turns>,
    network: Network,
}

impl Turns {
    /// So many turns at once.
    pub fn new(at_once: usize) -> Arc<Self> {
        Arc::new(Self { state: Mutex::new(State { free: at_once, networks: VecDeque::new() }) })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a turn; `None` never while the turns exist. A request that stops waiting takes none.
    pub async fn take(self: &Arc<Self>, network: Network) -> Option<Turn> {
        let receiver = {
            let mut state = self.lock();
            // While a turn is free no request waits.
            if state.free > 0 {
                state.free -= 1;
                return Some(Turn { turns: Arc::clone(self), network });
            }
            state.enqueue(network)
        };
        receiver.await.ok()
    }

    /// The request that has the turn after one of that network; without a request the turn is free.
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

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some((network, next)) = self.turns.pass_on(self.network) {
            // A request that has just stopped waiting drops the turn, which passes it on.
            drop(next.send(Self { turns: Arc::clone(&self.turns), network }));
        }
    }
}

impl State {
    fn enqueue(&mut self, network: Network) -> oneshot::Receiver<Turn> {
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

    type Requests<'t> = Vec<(&'static str, LocalBoxFuture<'t, Option<Turn>>)>;

    fn take(turns: &Arc<Turns>, client: &str) -> Option<Turn> {
        turns.take(Network::from(client.parse().ok())).now_or_never().flatten()
    }

    fn wait<'t>(turns: &'t Arc<Turns>, clients: &[&'static str]) -> Requests<'t> {
        let wait = |client: &&'static str| {
            let mut turn = turns.take(Network::from(client.parse().ok())).boxed_local();
            assert!((&mut turn).now_or_never().is_none(), "a turn is free");
            (*client, turn)
        };
        clients.iter().map(wait).collect()
    }

    /// The requests in the order in which they get the turn after the first one.
    fn order(first: Turn, mut waiting: Requests<'_>) -> Vec<&'static str> {
        let (mut turn, mut order) = (Some(first), Vec::new());
        while turn.is_some() {
            drop(turn.take());
            let mut requests = waiting.iter_mut().enumerate();
            if let Some((place, next)) = requests.find_map(|(place, (_, turn))| Some((place, turn.now_or_never()?))) {
                order.push(waiting.remove(place).0);
                turn = next;
            }
        }
        order
    }

    #[test]
    fn networks_take_turns_however_many_requests_each_has() {
        let turns = Turns::new(1);
        let first = take(&turns, "203.0.113.9").expect("a free turn");
        let waiting = wait(&turns, &["203.0.113.1", "203.0.113.2", "203.0.113.3", "198.51.100.7", "192.0.2.1", "198.51.100.8"]);
        let expected = ["198.51.100.7", "192.0.2.1", "203.0.113.1", "198.51.100.8", "203.0.113.2", "203.0.113.3"];
        assert_eq!(order(first, waiting), expected);
        assert!(take(&turns, "192.0.2.1").is_some(), "it is free again");
    }

    #[test]
    fn request_that_stops_waiting_takes_no_turn() {
        let turns = Turns::new(2);
        let [first, second] = [1, 2].map(|_| take(&turns, "203.0.113.9").expect("a free turn"));
        let mut waiting = wait(&turns, &["203.0.113.1", "203.0.113.2", "198.51.100.7", "192.0.2.1"]);
        drop(waiting.remove(0));
        // This one has been given the turn.
        drop(second);
        drop(waiting.remove(0));
        assert_eq!(order(first, waiting), ["198.51.100.7", "192.0.2.1"]);
        let _both = [1, 2].map(|_| take(&turns, "192.0.2.1").expect("both are free again"));
        assert!(take(&turns, "192.0.2.1").is_none());
    }
}
