//! The requests that were stored last, so that their copies can be recognized, and answered, without the database.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::committed::Committed;
use crate::store::db::key::ShortKey;

/// Requests are spread over these by their keys, so that threads seldom wait for each other.
const SHARDS: usize = 16;

/// Requests in each. All together take at most 4 MB.
const SHARD_CAPACITY: usize = 4_096;

/// A request that was received before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recent {
    /// Not committed yet, or its outcome is unknown.
    InProgress,
    Committed(Committed),
}

/// The most recent requests by key.
#[derive(Default)]
pub struct RecentRequests([Mutex<Shard>; SHARDS]);

#[derive(Default)]
struct Shard {
    requests: HashMap<ShortKey, Recent>,
    /// Their keys, the oldest first.
    order: VecDeque<ShortKey>,
}

impl Shard {
    fn insert(&mut self, key: ShortKey, request: Recent) {
        if self.requests.insert(key, request).is_some() {
            return;
        }
        self.order.push_back(key);
        if self.order.len() > SHARD_CAPACITY
            && let Some(oldest) = self.order.pop_front()
        {
            self.requests.remove(&oldest);
        }
    }
}

impl RecentRequests {
    /// Returns the request if it is known; otherwise it is in progress from now on.
    pub fn begin(&self, key: ShortKey) -> Option<Recent> {
        let mut shard = self.shard(key)?;
        let known = shard.requests.get(&key).copied();
        if known.is_none() {
            shard.insert(key, Recent::InProgress);
        }
        known
    }

    /// Records that a request is committed.
    pub fn finish(&self, key: ShortKey, committed: Committed) {
        if let Some(mut shard) = self.shard(key) {
            shard.insert(key, Recent::Committed(committed));
        }
    }

    /// Removes a request that was not stored.
    pub fn forget(&self, key: ShortKey) {
        if let Some(mut shard) = self.shard(key) {
            shard.requests.remove(&key);
        }
    }

    fn shard(&self, key: ShortKey) -> Option<MutexGuard<'_, Shard>> {
        // Keys are hashes, so any of their bytes spreads them evenly.
        let [byte, ..] = key;
        let shard = self.0.get(usize::from(byte) % SHARDS)?;
        Some(shard.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{StoredResponse, write::committed::Novelty};

    fn key(number: u16) -> ShortKey {
        let mut key = ShortKey::default();
        key.iter_mut().skip(1).zip(number.to_be_bytes()).for_each(|(byte, digit)| *byte = digit);
        key
    }

    fn committed() -> Committed {
        let response = StoredResponse::Success;
        Committed { response, novelty: Novelty::New, unmatched: false, quarantined: false }
    }

    #[test]
    fn requests_are_known_until_they_are_displaced_or_forgotten() {
        let recent = RecentRequests::default();
        assert_eq!(recent.begin(key(0)), None);
        assert_eq!(recent.begin(key(0)), Some(Recent::InProgress));
        recent.finish(key(0), committed());
        assert_eq!(recent.begin(key(0)), Some(Recent::Committed(committed())));
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
