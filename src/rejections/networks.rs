//! The limit on rejected requests of a network: within its own network an attacker changes address at no cost.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

use ipnet::IpNet;

use crate::{
    limiter::{Limiter, Limits, RateLimited},
    time::Timestamp,
};

/// Networks that are counted; past it the oldest is forgotten.
const MAX_NETWORKS: usize = 4_096;

/// Microseconds between two summaries in the log.
const SUMMARY_INTERVAL: u64 = 60_000_000;

/// The prefix lengths of the networks that one operator usually has.
const V4_PREFIX: u8 = 24;
const V6_PREFIX: u8 = 64;

/// The network of an address; all clients of unknown address count as one network.
type Network = Option<IpNet>;

/// Counts rejected requests by network. Consulted only after a rejection, so that it never delays a verified callback.
pub(super) struct Networks {
    per_minute: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    limiters: HashMap<Network, Limiter>,
    /// In the order of their first request.
    order: VecDeque<Network>,
    summary: Summary,
    /// The time of the last summary.
    summarized_at: Option<Timestamp>,
}

/// Requests over the limit since the last summary.
#[derive(Default)]
struct Summary {
    requests: u64,
    networks: HashSet<Network>,
}

impl Networks {
    pub(super) fn new(per_minute: usize) -> Self {
        Self { per_minute, state: Mutex::default() }
    }

    /// Counts a rejected request of that client; fails when its network is over the limit.
    pub(super) fn count(&self, client: Option<IpAddr>, now: Timestamp) -> Result<(), RateLimited> {
        let network = client.and_then(network_of);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !state.limiters.contains_key(&network) {
            if state.order.len() >= MAX_NETWORKS
                && let Some(first) = state.order.pop_front()
            {
                state.limiters.remove(&first);
            }
            state.order.push_back(network);
        }
        let limits = Limits { per_minute: self.per_minute, concurrent: 0 };
        let limiter = state.limiters.entry(network).or_insert_with(|| Limiter::new(limits));
        let admission = limiter.admit(now).map(drop);
        if admission.is_err() {
            state.summary.requests += 1;
            // Bounded like the networks themselves; the summary has only their number.
            if state.summary.networks.len() < MAX_NETWORKS {
                state.summary.networks.insert(network);
            }
        }
        admission
    }

    /// The number of requests over the limit and of their networks since the last summary; at most once a minute.
    pub(super) fn take_summary(&self, now: Timestamp) -> Option<(u64, usize)> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let is_early = state.summarized_at.is_some_and(|last| now.micros().abs_diff(last.micros()) < SUMMARY_INTERVAL);
        if state.summary.requests == 0 || is_early {
            return None;
        }
        state.summarized_at = Some(now);
        let Summary { requests, networks } = std::mem::take(&mut state.summary);
        Some((requests, networks.len()))
    }
}

fn network_of(client: IpAddr) -> Network {
    let prefix = if client.is_ipv4() { V4_PREFIX } else { V6_PREFIX };
    IpNet::new(client, prefix).ok().map(|network| network.trunc())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds).expect("an instant")
    }

    fn is_counted(networks: &Networks, client: &str, second: i64) -> bool {
        networks.count(client.parse().ok(), at(second)).is_ok()
    }

    #[test]
    fn networks_are_limited_independently() {
        let networks = Networks::new(2);
        for (client, counts) in [
            ("203.0.113.1", true),
            ("203.0.113.200", true),
            ("203.0.113.3", false),
            ("203.0.112.1", true),
            ("2001:db8:0:1::1", true),
            ("2001:db8:0:1:ffff::2", true),
            ("2001:db8:0:1::3", false),
            ("2001:db8:0:2::1", true),
            ("unknown", true),
            ("?", true),
            ("", false),
        ] {
            assert_eq!(is_counted(&networks, client, 0), counts, "{client}");
        }
        let limited = networks.count("203.0.113.9".parse().ok(), at(45)).expect_err("no room");
        assert_eq!(limited.retry_after, 15);
        assert_eq!(networks.take_summary(at(45)), Some((4, 3)));
        assert!(!is_counted(&networks, "203.0.113.1", 46));
        assert_eq!(networks.take_summary(at(75)), None, "once a minute");
        assert_eq!(networks.take_summary(at(105)), Some((1, 1)));
        assert_eq!(networks.take_summary(at(200)), None, "no request since");
        assert!(is_counted(&networks, "203.0.113.1", 60), "a minute later");
    }

    #[test]
    fn number_of_networks_is_bounded_and_the_oldest_is_forgotten() {
        let networks = Networks::new(1);
        let client = |number: u32| Some(IpAddr::from(number.to_be_bytes()));
        for number in 0..5_000_u32 {
            assert!(networks.count(client(number << 8), at(0)).is_ok());
        }
        let state = networks.state.lock().expect("not poisoned");
        assert_eq!((state.limiters.len(), state.order.len()), (MAX_NETWORKS, MAX_NETWORKS));
        drop(state);
        assert!(networks.count(client(4_999 << 8), at(0)).is_err(), "the newest is known");
        assert!(networks.count(client(0), at(0)).is_ok(), "the first was forgotten");
    }
}
