//! How many requests that are not genuine one network may send: the address of a liar is cheap within its own network.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

use ipnet::IpNet;

use crate::{
    limiter::{Limited, Limiter, Limits},
    time::Timestamp,
};

/// Networks that are counted; one more, and the one that came first is forgotten.
const MAX_NETWORKS: usize = 4_096;

/// Microseconds between two summaries in the log.
const SUMMARY_INTERVAL: u64 = 60_000_000;

/// What an operator of one client usually holds.
const V4_PREFIX: u8 = 24;
const V6_PREFIX: u8 = 64;

/// The network of an address; a client whose address is not known counts to one of its own.
type Network = Option<IpNet>;

/// Counts failures by network. It is asked only after one, so that it never delays what is genuine.
pub(super) struct Networks {
    per_minute: usize,
    counted: Mutex<Counted>,
}

#[derive(Default)]
struct Counted {
    limiters: HashMap<Network, Limiter>,
    /// In the order in which they came.
    order: VecDeque<Network>,
    turned_away: TurnedAway,
    /// When it was last told.
    told: Option<Timestamp>,
}

/// What was refused without a word since the last summary.
#[derive(Default)]
struct TurnedAway {
    requests: u64,
    networks: HashSet<Network>,
}

impl Networks {
    pub(super) fn new(per_minute: usize) -> Self {
        Self { per_minute, counted: Mutex::default() }
    }

    /// Counts a failure of that client, if there is room for one more.
    pub(super) fn count(&self, client: Option<IpAddr>, now: Timestamp) -> Result<(), Limited> {
        let network = client.and_then(network_of);
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        if !counted.limiters.contains_key(&network) {
            if counted.order.len() >= MAX_NETWORKS
                && let Some(first) = counted.order.pop_front()
            {
                counted.limiters.remove(&first);
            }
            counted.order.push_back(network);
        }
        let limits = Limits { per_minute: self.per_minute, concurrent: 0 };
        let limiter = counted.limiters.entry(network).or_insert_with(|| Limiter::new(limits));
        let counts = limiter.admit(now).map(drop);
        if counts.is_err() {
            counted.turned_away.requests += 1;
            // Bounded like the networks themselves: what is not in the set is not told one by one anyway.
            if counted.turned_away.networks.len() < MAX_NETWORKS {
                counted.turned_away.networks.insert(network);
            }
        }
        counts
    }

    /// How many requests of how many networks were refused without a word since this was last told; at most once a minute.
    pub(super) fn turned_away(&self, now: Timestamp) -> Option<(u64, usize)> {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let is_early = counted.told.is_some_and(|told| now.micros().abs_diff(told.micros()) < SUMMARY_INTERVAL);
        if counted.turned_away.requests == 0 || is_early {
            return None;
        }
        counted.told = Some(now);
        let TurnedAway { requests, networks } = std::mem::take(&mut counted.turned_away);
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
    fn a_network_is_one_client_and_knows_nothing_of_the_others() {
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
        let refused = networks.count("203.0.113.9".parse().ok(), at(45)).expect_err("no room");
        assert_eq!(refused.retry_after, 15);
        assert_eq!(networks.turned_away(at(45)), Some((4, 3)));
        assert!(!is_counted(&networks, "203.0.113.1", 46));
        assert_eq!(networks.turned_away(at(75)), None, "told once a minute");
        assert_eq!(networks.turned_away(at(105)), Some((1, 1)));
        assert_eq!(networks.turned_away(at(200)), None, "nothing to tell");
        assert!(is_counted(&networks, "203.0.113.1", 60), "a minute later");
    }

    #[test]
    fn memory_is_bounded_and_the_first_network_is_forgotten_first() {
        let networks = Networks::new(1);
        let client = |number: u32| Some(IpAddr::from(number.to_be_bytes()));
        for number in 0..5_000_u32 {
            assert!(networks.count(client(number << 8), at(0)).is_ok());
        }
        let counted = networks.counted.lock().expect("not poisoned");
        assert_eq!((counted.limiters.len(), counted.order.len()), (MAX_NETWORKS, MAX_NETWORKS));
        drop(counted);
        assert!(networks.count(client(4_999 << 8), at(0)).is_err(), "the newest is known");
        assert!(networks.count(client(0), at(0)).is_ok(), "the first was forgotten");
    }
}
