//! Rate and concurrency limits.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::time::Timestamp;

const MINUTE: u64 = 60_000_000;

/// Limits; 0 = none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// In any 60 seconds.
    pub per_minute: usize,
    /// In progress at once.
    pub concurrent: usize,
}

/// The remaining budget, for the `RateLimit-*` headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// The most in 60 seconds.
    pub limit: usize,
    pub remaining: usize,
    /// Seconds until `remaining` rises.
    pub reset: u64,
}

/// A callback over a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("over the endpoint's rate limit")]
pub struct RateLimited {
    /// Absent without a limit per minute.
    pub budget: Option<Budget>,
    /// Seconds until a retry may succeed.
    pub retry_after: u64,
}

/// One callback within the limits; its permit is released when it is dropped.
#[derive(Debug)]
pub struct Admitted<'l> {
    pub budget: Option<Budget>,
    _permit: Option<SemaphorePermit<'l>>,
}

/// Counts one endpoint's callbacks by a sliding log of the last minute's instants: a fixed window would admit up to twice as many,
/// and a leaky bucket more than the limit after a pause.
pub struct Limiter {
    limits: Limits,
    admitted: Mutex<VecDeque<i64>>,
    permits: Semaphore,
}

impl Limiter {
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            admitted: Mutex::new(VecDeque::new()),
            permits: Semaphore::new(limits.concurrent.min(Semaphore::MAX_PERMITS)),
        }
    }

    /// A limiter with other limits that has admitted the same callbacks. Those in progress do not count in it.
    #[must_use]
    pub fn with_limits(&self, limits: Limits) -> Self {
        let admitted = self.admitted.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Self { admitted: Mutex::new(admitted), ..Self::new(limits) }
    }

    /// Admits one callback at that instant, if the limits allow it.
    pub fn admit(&self, now: Timestamp) -> Result<Admitted<'_>, RateLimited> {
        let permit = match (self.limits.concurrent, self.permits.try_acquire()) {
            (0, _) => None,
            (_, Ok(permit)) => Some(permit),
            (_, Err(_)) => return Err(RateLimited { budget: self.budget(now), retry_after: 1 }),
        };
        match self.count(now.micros(), true) {
            (true, budget) => Ok(Admitted { budget, _permit: permit }),
            (false, budget) => Err(RateLimited { budget, retry_after: budget.map_or(1, |budget| budget.reset.max(1)) }),
        }
    }

    /// Returns true if there is nothing to count.
    pub fn is_unlimited(&self) -> bool {
        self.limits == Limits::default()
    }

    /// The remaining budget at that instant.
    pub fn budget(&self, now: Timestamp) -> Option<Budget> {
        self.count(now.micros(), false).1
    }

    /// Takes back the count of a callback that was admitted at that instant.
    pub fn refund(&self, at: Timestamp) {
        let mut admitted = self.admitted.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(index) = admitted.iter().rposition(|instant| *instant == at.micros()) {
            admitted.remove(index);
        }
    }

    /// Returns if one more fits into the minute before `now`, and the remaining budget; counts it if `admit` is set and it fits.
    fn count(&self, now: i64, admit: bool) -> (bool, Option<Budget>) {
        let limit = self.limits.per_minute;
        if limit == 0 {
            return (true, None);
        }
        let mut admitted = self.admitted.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that was set back must not lock the endpoint.
        admitted.retain(|instant| now.abs_diff(*instant) < MINUTE);
        let has_room = admitted.len() < limit;
        if admit && has_room {
            admitted.push_back(now);
        }
        let reset = admitted.front().map_or(0, |oldest| (MINUTE - now.abs_diff(*oldest)).div_ceil(1_000_000));
        (has_room, Some(Budget { limit, remaining: limit - admitted.len().min(limit), reset }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds).expect("an instant")
    }

    #[test]
    fn limit_holds_in_any_minute() {
        let limiter = Limiter::new(Limits { per_minute: 2, concurrent: 0 });
        let mut taken = Vec::new();
        for second in 0..300 {
            if let Ok(admission) = limiter.admit(at(second)) {
                assert_eq!(admission.budget.map(|budget| budget.limit), Some(2));
                taken.push(second);
            }
        }
        assert_eq!(taken, [0, 1, 60, 61, 120, 121, 180, 181, 240, 241]);
        let error = limiter.admit(at(250)).expect_err("no room");
        assert_eq!(error, RateLimited { budget: Some(Budget { limit: 2, remaining: 0, reset: 50 }), retry_after: 50 });
        assert!(limiter.admit(at(0)).is_ok(), "a clock that was set back");
    }

    #[test]
    fn refund_takes_back_one_count() {
        let limiter = Limiter::new(Limits { per_minute: 2, concurrent: 0 });
        let _both = [limiter.admit(at(0)).expect("room"), limiter.admit(at(0)).expect("room")];
        limiter.refund(at(0));
        limiter.refund(at(5));
        assert_eq!(limiter.budget(at(0)), Some(Budget { limit: 2, remaining: 1, reset: 60 }));
    }

    #[test]
    fn permits_are_released() {
        let limiter = Limiter::new(Limits { per_minute: 0, concurrent: 1 });
        let first = limiter.admit(at(0)).expect("room");
        assert!(limiter.admit(at(0)).is_err());
        drop(first);
        assert!(limiter.admit(at(0)).is_ok());
    }
}
