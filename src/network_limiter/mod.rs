//! A limit per network of clients: within its own network an attacker changes address at no cost.
//!
//! An IPv4 client is counted by its /24. Networks of IPv6 are assigned as /64, /56 or /48, so that a client is counted by all three at
//! once, and charged only if each of them has room. All clients of unknown address count as one network.

mod failures;
mod window;

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

use self::window::Window;
pub use self::{failures::FailureLimiter, window::MinuteLimiter};
use crate::{limiter::RateLimited, time::Timestamp};

/// Networks that are counted.
const MAX_NETWORKS: usize = 4_096;

/// Networks that are forgotten together once the table is full, so that a new network costs one step on average.
const FORGOTTEN: usize = MAX_NETWORKS / 4;

/// The prefix lengths of the networks of a client, and the limit of each as a multiple of the smallest one's.
const V4_PREFIX: u8 = 24;
const V6_PREFIXES: [(u8, u64); 3] = [(64, 1), (56, 2), (48, 4)];

/// The prefix length and the leading bits of a network.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Network {
    prefix: u8,
    bits: u64,
}

impl Network {
    const UNKNOWN: Self = Self { prefix: 0, bits: 0 };

    /// The networks of a client, and the multiple of the limit that each of them may use.
    fn of(client: Option<IpAddr>) -> impl Iterator<Item = (Self, u64)> + Clone {
        let (one, levels) = match client.map(|client| client.to_canonical()) {
            None => (Some(Self::UNKNOWN), None),
            Some(IpAddr::V4(address)) => {
                let shift = 32 - u32::from(V4_PREFIX);
                (Some(Self { prefix: V4_PREFIX, bits: u64::from(address.to_bits() >> shift) }), None)
            }
            Some(IpAddr::V6(address)) => (None, Some(address.segments())),
        };
        let levels = levels.into_iter().flat_map(|[first, second, third, fourth, ..]| {
            let bits = [first, second, third, fourth].into_iter().fold(0, |bits, segment| bits << 16 | u64::from(segment));
            V6_PREFIXES.into_iter().map(move |(prefix, multiple)| (Self { prefix, bits: bits >> (64 - prefix) }, multiple))
        });
        one.into_iter().map(|network| (network, 1)).chain(levels)
    }
}

/// Limits what the clients of a network may use in a minute: requests, bytes, attempts.
pub struct NetworkLimiter {
    per_minute: u64,
    windows: Mutex<HashMap<Network, Window>>,
}

impl NetworkLimiter {
    /// The limit of an IPv4 /24 and of an IPv6 /64; 0 = none. A /56 may use twice, and a /48 four times as much.
    pub fn new(per_minute: u64) -> Self {
        Self { per_minute, windows: Mutex::default() }
    }

    /// Charges a cost to the networks of a client, if each has room for it. A cost above the limit counts as the whole limit, so that a
    /// client that waits is admitted.
    pub fn charge(&self, client: Option<IpAddr>, cost: u64, now: Timestamp) -> Result<(), RateLimited> {
        let (cost, now) = (cost.min(self.per_minute), now.micros());
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        let networks = Network::of(client);
        let mut wait = 0;
        for (network, multiple) in networks.clone() {
            wait = wait.max(current(&mut windows, network, now).wait(cost, self.per_minute.saturating_mul(multiple), now));
        }
        if wait > 0 {
            return Err(RateLimited { budget: None, retry_after: wait.div_ceil(1_000_000) });
        }
        for (network, _) in networks {
            current(&mut windows, network, now).add(cost);
        }
        Ok(())
    }

    /// Fails if the networks of a client have no room. Charges nothing.
    pub fn check(&self, client: Option<IpAddr>, now: Timestamp) -> Result<(), RateLimited> {
        if self.per_minute == 0 {
            return Ok(());
        }
        let windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = |(network, multiple): (Network, u64)| {
            let mut window = *windows.get(&network)?;
            window.advance(now.micros());
            Some(window.wait(1, self.per_minute.saturating_mul(multiple), now.micros()))
        };
        match Network::of(client).filter_map(wait).max() {
            Some(wait) if wait > 0 => Err(RateLimited { budget: None, retry_after: wait.div_ceil(1_000_000) }),
            _ => Ok(()),
        }
    }

    /// Charges a cost that has arisen, as far as the networks of the client have room for it.
    pub fn count(&self, client: Option<IpAddr>, cost: u64, now: Timestamp) {
        let now = now.micros();
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        for (network, multiple) in Network::of(client) {
            let window = current(&mut windows, network, now);
            let room = self.per_minute.saturating_mul(multiple).saturating_sub(window.used(now));
            window.add(cost.min(room));
        }
    }
}

/// The window of a network at that time. In a full table it replaces others.
fn current(windows: &mut HashMap<Network, Window>, network: Network, now: i64) -> &mut Window {
    if windows.len() >= MAX_NETWORKS && !windows.contains_key(&network) {
        forget(windows, now);
    }
    let window = windows.entry(network).or_insert_with(|| Window::new(now));
    window.advance(now);
    window
}

/// Forgets the networks that used the least, and among equals those that were idle the longest: a client with many networks cannot
/// have one forgotten that is over its limit.
fn forget(windows: &mut HashMap<Network, Window>, now: i64) {
    let mut by_use: Vec<(u64, i64, Network)> = windows
        .iter()
        .map(|(network, window)| {
            let mut window = *window;
            let last = window.last;
            window.advance(now);
            (window.used(now), last, *network)
        })
        .collect();
    by_use.select_nth_unstable_by_key(FORGOTTEN, |(used, last, _)| (*used, *last));
    for (_, _, network) in by_use.into_iter().take(FORGOTTEN) {
        windows.remove(&network);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds).expect("an instant")
    }

    fn is_charged(limiter: &NetworkLimiter, client: &str, second: i64) -> bool {
        limiter.charge(client.parse().ok(), 1, at(second)).is_ok()
    }

    fn v6(network: u128, bits: u32) -> IpAddr {
        let start: u128 = 0x2001_0db8 << 96;
        IpAddr::from((start | network << (128 - bits)).to_be_bytes())
    }

    #[test]
    fn networks_are_limited_independently() {
        let limiter = NetworkLimiter::new(2);
        for (client, is_admitted) in [
            ("203.0.113.1", true),
            ("::ffff:203.0.113.200", true),
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
            assert_eq!(is_charged(&limiter, client, 0), is_admitted, "{client}");
        }
        let refusal = limiter.charge("203.0.113.9".parse().ok(), 1, at(45)).expect_err("no room");
        assert_eq!((refusal.budget, refusal.retry_after), (None, 45), "half of the next window");
        assert!(!is_charged(&limiter, "203.0.113.1", 89));
        assert!(is_charged(&limiter, "203.0.113.1", 90));
    }

    #[test]
    fn networks_of_one_customer_are_limited_together() {
        let limiter = NetworkLimiter::new(10);
        let charged = |range: std::ops::Range<u128>, bits| {
            range.filter(|network| limiter.charge(Some(v6(*network, bits)), 1, at(0)).is_ok()).count()
        };
        assert_eq!(charged(0..256, 64), 20, "256 networks of one /56");
        assert_eq!(charged(1..256, 56), 20, "all of one /48 together");
        assert_eq!(charged(256..65_536, 64), 0, "65,536 networks of one /48");
        assert_eq!(charged(1..11, 48), 10, "other customers");
    }

    /// Any use of the last minute counts, and use that was refused does not.
    #[test]
    fn limit_holds_in_two_windows() {
        let limiter = NetworkLimiter::new(60);
        let charged: Vec<usize> = (0..6_i64)
            .map(|minute| {
                let seconds = minute * 60..minute * 60 + 60;
                let many = seconds.flat_map(|second| (0..10).map(move |_| second));
                many.filter(|second| is_charged(&limiter, "203.0.113.1", *second)).count()
            })
            .collect();
        assert_eq!((charged[0], charged.iter().all(|count| *count <= 60)), (60, true), "{charged:?}");
        assert!(charged[1..].iter().all(|count| *count >= 29), "a client over its limit is admitted at times: {charged:?}");
        assert!(is_charged(&limiter, "203.0.113.1", 480), "after a pause");
        assert!(is_charged(&limiter, "203.0.113.1", 0), "a clock that was set back");
    }

    #[test]
    fn costs_are_weighted_and_retry_after_is_sufficient() {
        for (spent, cost) in [(1_000_000, 1), (1_000_000, 1_000_000), (600_000, 500_000), (0, u64::MAX), (1_000_000, u64::MAX)] {
            let limiter = NetworkLimiter::new(1_000_000);
            assert!(limiter.charge(None, spent, at(0)).is_ok());
            let Err(refusal) = limiter.charge(None, cost, at(30)) else {
                assert_eq!(spent, 0);
                continue;
            };
            let again = 30 + i64::try_from(refusal.retry_after).expect("seconds");
            assert!(limiter.charge(None, cost, at(again - 2)).is_err(), "{spent} {cost}: too early");
            assert!(limiter.charge(None, cost, at(again)).is_ok(), "{spent} {cost} after {again} s");
        }
    }

    #[test]
    fn number_of_networks_is_bounded_and_a_limited_one_is_not_forgotten() {
        let limiter = NetworkLimiter::new(2);
        assert!((0..2).all(|_| is_charged(&limiter, "198.51.100.1", 0)));
        for number in 0..50_000_u32 {
            let client = IpAddr::from((number << 8).to_be_bytes());
            assert!(limiter.charge(Some(client), 1, at(1)).is_ok());
            assert!(limiter.charge(Some(v6(u128::from(number), 48)), 1, at(1)).is_ok());
        }
        assert!(limiter.windows.lock().expect("not poisoned").len() <= MAX_NETWORKS);
        assert!(!is_charged(&limiter, "198.51.100.1", 2), "it is still over its limit");
    }
}
