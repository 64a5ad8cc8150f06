//! What both listeners share: endpoints by path, the store, the clock and the tokens.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::sync::Semaphore;

use crate::{config::Config, endpoint::Endpoint, public_url::PublicUrl, secret::Secret, store::Store, time::Clock};

/// Bodies in work may take 128 MiB. It is counted as bytes arrive, so that a client that sends none takes no place.
const MAX_BODY_KIB: usize = 128 << 10;

/// A running gateway.
pub struct Gateway {
    endpoints: HashMap<String, Endpoint>,
    ops_tokens: Vec<Secret>,
    is_stopping: AtomicBool,
    /// Where everything is kept.
    pub store: Store,
    /// The idea of "now".
    pub clock: Clock,
    /// How long an answer may wait for its commit.
    pub timeout: Duration,
    /// Room for bodies in work, in KiB.
    pub body_room: Semaphore,
}

impl Gateway {
    /// Puts the parts together. Endpoints without a public address of their own get `fallback`.
    pub fn new(config: Config, ops_token: Secret, store: Store, clock: Clock, fallback: &PublicUrl) -> Self {
        let endpoints = config.endpoints.into_iter().map(|mut endpoint| {
            if endpoint.public_urls.is_empty() {
                endpoint.public_urls = Arc::from([fallback.clone()]);
            }
            (endpoint.path(), endpoint)
        });
        Self {
            endpoints: endpoints.collect(),
            ops_tokens: [ops_token].into_iter().chain(config.ops_read_token).collect(),
            is_stopping: AtomicBool::new(false),
            store,
            clock,
            timeout: config.timeout,
            body_room: Semaphore::new(MAX_BODY_KIB),
        }
    }

    /// The endpoint whose path this is, byte for byte.
    pub fn endpoint(&self, path: &str) -> Option<&Endpoint> {
        self.endpoints.get(path)
    }

    /// All endpoints.
    pub fn endpoints(&self) -> impl Iterator<Item = &Endpoint> {
        self.endpoints.values()
    }

    /// Whether the token may read at the ops listener.
    pub fn may_read(&self, token: &[u8]) -> bool {
        // Every token is compared, so that the time does not tell which one was meant.
        self.ops_tokens.iter().fold(false, |found, secret| secret.matches(token) | found)
    }

    /// What is asked for health: each check with `ok`, `warn` or `fail`.
    pub async fn check(self: Arc<Self>) -> BTreeMap<&'static str, &'static str> {
        let gateway = Arc::clone(&self);
        let reachable = tokio::task::spawn_blocking(move || gateway.store.is_reachable()).await.unwrap_or(false);
        let check = |good: bool, otherwise: &'static str| if good { "ok" } else { otherwise };
        BTreeMap::from([
            ("database", check(reachable, "fail")),
            ("verification", check(self.endpoints().all(|endpoint| endpoint.unverified.is_none()), "warn")),
            ("queue", check(self.store.has_room(), "warn")),
            ("writer", check(self.store.is_writing(), "fail")),
        ])
    }

    /// Tells load balancers to turn away.
    pub fn announce_stop(&self) {
        self.is_stopping.store(true, Ordering::Relaxed);
    }

    /// Whether the gateway is about to stop.
    pub fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Relaxed)
    }
}
