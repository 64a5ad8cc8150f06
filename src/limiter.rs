//! How many genuine callbacks an endpoint takes. Only what was verified is counted, so that nobody can use up the room of
//! somebody else.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::time::Timestamp;

const MINUTE: u64 = 60_000_000;

/// The most that is taken; 0 = no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// In any 60 seconds.
    pub per_minute: usize,
    /// In work at once.
    pub concurrent: usize,
}

/// What is left, for the `RateLimit-*` headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// The most in 60 seconds.
    pub limit: usize,
    /// How many more may come now.
    pub remaining: usize,
    /// Seconds until there is room for one more than now.
    pub reset: u64,
}

/// There is no room now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more than the endpoint's limit")]
pub struct Limited {
    /// What is left, if there is a limit per minute.
    pub budget: Option<Budget>,
    /// Seconds until it is worth trying again.
    pub retry_after: u64,
}

/// A place in work, given back when it is dropped.
#[derive(Debug)]
pub struct Admission<'l> {
    /// What is left after it.
    pub budget: Option<Budget>,
    _place: Option<SemaphorePermit<'l>>,
}

/// Counts one endpoint's callbacks. The instants of the last minute are kept one by one: a window that starts anew each
/// minute would let through twice as many, and a leaky bucket more than promised after a pause.
pub struct Limiter {
    limits: Limits,
    taken: Mutex<VecDeque<i64>>,
    places: Semaphore,
}

impl Limiter {
    /// Starts with all the room there is.
    pub fn new(limits: Limits) -> Self {
        Self { limits, taken: Mutex::new(VecDeque::new()), places: Semaphore::new(limits.concurrent.min(Semaphore::MAX_PERMITS)) }
    }

    /// Takes a place, if there is one at that instant.
    pub fn admit(&self, now: Timestamp) -> Result<Admission<'_>, Limited> {
        let place = match (self.limits.concurrent, self.places.try_acquire()) {
            (0, _) => None,
            (_, Ok(place)) => Some(place),
            (_, Err(_)) => return Err(Limited { budget: self.left(now.micros(), false).1, retry_after: 1 }),
        };
        match self.left(now.micros(), true) {
            (true, budget) => Ok(Admission { budget, _place: place }),
            (false, budget) => Err(Limited { budget, retry_after: budget.map_or(1, |budget| budget.reset.max(1)) }),
        }
    }

    /// Whether there is room in the minute before now, one more counted if it is `taking` and there is, and what is left.
    fn left(&self, now: i64, taking: bool) -> (bool, Option<Budget>) {
        let limit = self.limits.per_minute;
        if limit == 0 {
            return (true, None);
        }
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that was set back must not lock the endpoint.
        taken.retain(|instant| now.abs_diff(*instant) < MINUTE);
        let has_room = taken.len() < limit;
        if taking && has_room {
            taken.push_back(now);
        }
        let reset = taken.front().map_or(0, |oldest| (MINUTE - now.abs_diff(*oldest)).div_ceil(1_000_000));
        (has_room, Some(Budget { limit, remaining: limit - taken.len().min(limit), reset }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds).expect("an instant")
    }

    #[test]
    fn never_more_than_the_limit_in_any_minute() {
        let limiter = Limiter::new(Limits { per_minute: 2, concurrent: 0 });
        let mut taken = Vec::new();
        for second in 0..300 {
            if let Ok(admission) = limiter.admit(at(second)) {
                assert_eq!(admission.budget.map(|budget| budget.limit), Some(2));
                taken.push(second);
            }
        }
        assert_eq!(taken, [0, 1, 60, 61, 120, 121, 180, 181, 240, 241]);
        let refused = limiter.admit(at(250)).expect_err("no room");
        assert_eq!(refused, Limited { budget: Some(Budget { limit: 2, remaining: 0, reset: 50 }), retry_after: 50 });
        assert!(limiter.admit(at(0)).is_ok(), "a clock that was set back");
    }

    #[test]
    fn places_are_given_back() {
        let limiter = Limiter::new(Limits { per_minute: 0, concurrent: 1 });
        let first = limiter.admit(at(0)).expect("room");
        assert!(limiter.admit(at(0)).is_err());
        drop(first);
        assert!(limiter.admit(at(0)).is_ok());
    }
}
