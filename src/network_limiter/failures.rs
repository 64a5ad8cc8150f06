//! Failures of networks, checked before each request at the cost of one read while there are none.

use std::{
    net::IpAddr,
    sync::atomic::{AtomicI64, Ordering},
};

use super::NetworkLimiter;
use crate::{limiter::RateLimited, time::Timestamp};

/// After this time without a failure no window holds one, in microseconds.
const RECENT: u64 = 120_000_000;

/// Limits what the failures of a network may use in a minute. Only failures are counted, and they are counted once they have happened.
pub struct FailureLimiter {
    limiter: NetworkLimiter,
    /// The time of the last failure of any network.
    last: AtomicI64,
}

impl FailureLimiter {
    /// The limit of an IPv4 /24 and of an IPv6 /64; 0 = none.
    pub fn new(per_minute: u64) -> Self {
        Self { limiter: NetworkLimiter::new(per_minute), last: AtomicI64::new(i64::MIN) }
    }

    /// True if no network has failed lately.
    pub fn has_no_recent_failure(&self, now: Timestamp) -> bool {
        now.micros().abs_diff(self.last.load(Ordering::Relaxed)) > RECENT
    }

    /// Fails if the networks of the client have no room for another failure.
    pub fn check(&self, client: Option<IpAddr>, now: Timestamp) -> Result<(), RateLimited> {
        if self.has_no_recent_failure(now) { Ok(()) } else { self.limiter.check(client, now) }
    }

    /// Counts a failure.
    pub fn count(&self, client: Option<IpAddr>, cost: u64, now: Timestamp) {
        self.last.store(now.micros(), Ordering::Relaxed);
        self.limiter.count(client, cost, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds).expect("an instant")
    }

    #[test]
    fn failures_use_up_the_limit_and_checks_do_not() {
        let (limiter, client, other) = (FailureLimiter::new(3), "203.0.113.1".parse().ok(), "203.0.112.1".parse().ok());
        for second in 0..3 {
            assert!((0..100).all(|_| limiter.check(client, at(second)).is_ok()), "{second}");
            limiter.count(client, 1, at(second));
        }
        assert!(limiter.check(client, at(3)).is_err());
        assert!(limiter.check(other, at(3)).is_ok());
        limiter.count(client, 1_000, at(4));
        assert!(limiter.check(client, at(122)).is_ok(), "no more is counted than the limit");
        assert!(limiter.check(client, at(1_000)).is_ok());
    }

    #[test]
    fn limit_of_zero_is_none() {
        let limiter = FailureLimiter::new(0);
        limiter.count(None, u64::MAX, at(0));
        assert!(limiter.check(None, at(0)).is_ok());
    }
}
