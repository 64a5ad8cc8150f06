//! The metrics of one endpoint, looked up once.

use std::sync::OnceLock;

use prometheus_client::metrics::counter::Counter;

/// Counters of a closed set of keys. Each is looked up in its family when it is first incremented, which is also when its series
/// begins; from then on no label is hashed.
#[derive(Debug)]
pub(super) struct Counters<K>(Vec<(K, OnceLock<Counter>)>);

impl<K: Copy + PartialEq> Counters<K> {
    pub(super) fn new(keys: impl IntoIterator<Item = K>) -> Self {
        Self(keys.into_iter().map(|key| (key, OnceLock::new())).collect())
    }

    /// Increments the counter of a key, which `find` looks up. A key outside of the set is looked up each time.
    pub(super) fn inc(&self, key: K, find: impl FnOnce() -> Counter) {
        match self.0.iter().find(|(known, _)| *known == key) {
            Some((_, counter)) => counter.get_or_init(find).inc(),
            None => find().inc(),
        };
    }
}
