//! The requests that became durable last, so that their copies can be recognized, and answered, without the database.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::Durable;
use crate::signature::StoredKey;

/// Requests are spread over these by their keys, so that threads seldom wait for each other.
const SHARDS: usize = 16;

/// Requests in each. All together take at most 4 MB.
const SHARD_CAPACITY: usize = 4_096;

/// A request that was received before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recent {
    /// Not durable yet, or its outcome is unknown.
    InProgress,
    Durable(Durable),
}

/// The most recent requests by key.
#[derive(Default)]
pub struct RecentRequests([Mutex<Shard>; SHARDS]);

#[derive(Default)]
struct Shard {
    requests: HashMap<StoredKey, Recent>,
    /// Their keys, the oldest first.
    order: VecDeque<StoredKey>,
}

impl Shard {
    fn insert(&mut self, key: StoredKey, request: Recent) -> Option<Recent> {
        if let Some(before) = self.requests.insert(key, request) {
            return Some(before);
        }
        self.order.push_back(key);
        if self.order.len() > SHARD_CAPACITY
            && let Some(oldest) = self.order.pop_front()
        {
            self.requests.remove(&oldest);
        }
        None
    }
}

impl RecentRequests {
    /// Returns the request if it is known; otherwise it is in progress from now on.
    pub fn begin(&self, key: StoredKey) -> Option<Recent> {
        let mut shard = self.shard(key)?;
        let known = shard.requests.get(&key).copied();
        if known.is_none() {
            shard.insert(key, Recent::InProgress);
        }
        known
    }

    /// The outcome of a request that is known to be durable.
    pub fn durable(&self, key: StoredKey) -> Option<Durable> {
        match self.shard(key)?.requests.get(&key)? {
            Recent::Durable(durable) => Some(*durable),
            Recent::InProgress => None,
        }
    }

    /// Records that a request is durable. Returns true if that was known.
    pub fn finish(&self, key: StoredKey, durable: Durable) -> bool {
        let before = self.shard(key).and_then(|mut shard| shard.insert(key, Recent::Durable(durable)));
        matches!(before, Some(Recent::Durable(_)))
    }

    /// Removes a request that was not stored.
    pub fn forget(&self, key: StoredKey) {
        if let Some(mut shard) = self.shard(key) {
            shard.requests.remove(&key);
        }
    }

    fn shard(&self, key: StoredKey) -> Option<MutexGuard<'_, Shard>> {
        // Keys are hashes, so any of their bytes spreads them evenly.
        let [byte, ..] = key;
        let shard = self.0.get(usize::from(byte) % SHARDS)?;
        Some(shard.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::Queued;

    fn key(number: u16) -> StoredKey {
        let mut key = StoredKey::default();
        key.iter_mut().skip(1).zip(number.to_be_bytes()).for_each(|(byte, digit)| *byte = digit);
        key
    }

    fn durable() -> Durable {
        Durable::Queued(Queued::for_test())
    }

    #[test]
    fn requests_are_known_until_they_are_displaced_or_forgotten() {
        let recent = RecentRequests::default();
        assert_eq!(recent.begin(key(0)), None);
        assert_eq!(recent.begin(key(0)), Some(Recent::InProgress));
        recent.finish(key(0), durable());
        assert_eq!(recent.begin(key(0)), Some(Recent::Durable(durable())));
        assert_eq!(recent.begin(key(1)), None);
        recent.forget(key(1));
        assert_eq!(recent.begin(key(1)), None);
        for number in 2..10_000 {
            recent.begin(key(number));
        }
        let shard = recent.0.first().expect("a shard").lock().expect("not poisoned");
        assert_eq!((shard.requests.len(), shard.order.len()), (SHARD_CAPACITY, SHARD_CAPACITY));
        assert!(!shard.requests.contains_key(&key(0)) && shard.requests.contains_key(&key(9_999)));
    }
}
