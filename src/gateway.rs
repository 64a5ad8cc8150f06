//! What both listeners share: endpoints by path, the store, the clock and the tokens.

use std::{
    net::IpAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use ipnet::IpNet;
use tokio::sync::Semaphore;

use crate::{
    config::Config,
    endpoint::Endpoint,
    endpoints::{Endpoints, Routed},
    metrics::Metrics,
    public_url::PublicUrl,
    rejections::Rejections,
    secret::Secret,
    store::{Heard, Store, StoreError},
    time::Clock,
};

/// Bodies in work may take 128 MiB. It is counted as bytes arrive, so that a client that sends none takes no place.
const MAX_BODY_KIB: usize = 128 << 10;

/// Streams of events that may be open at once: each asks the database once a second.
const MAX_STREAMS: usize = 32;

/// A running gateway.
pub struct Gateway {
    endpoints: Arc<Endpoints>,
    trusted_proxies: Vec<IpNet>,
    ops_token: Secret,
    ops_read_token: Option<Secret>,
    is_stopping: AtomicBool,
    /// When the endpoints, in their order, were last heard of, and when that was asked.
    pub(crate) heard: Mutex<Option<(Instant, Vec<Heard>)>>,
    metrics: Metrics,
    /// What becomes of requests that are not genuine.
    pub rejections: Rejections,
    /// Where everything is kept.
    pub store: Store,
    /// The idea of "now".
    pub clock: Clock,
    /// How long an answer may wait for its commit.
    pub timeout: Duration,
    /// Room for bodies in work, in KiB.
    pub body_room: Semaphore,
    /// Streams of events that may still be opened.
    pub streams: Arc<Semaphore>,
}

impl Gateway {
    /// Puts the parts together. Endpoints without a public address of their own get `fallback`.
    pub fn new(config: Config, ops_token: Secret, store: Store, clock: Clock, fallback: &PublicUrl) -> Self {
        let metrics = Metrics::new(store.metrics(), store.queue_capacity());
        let configured =
            config.endpoints.into_iter().map(|endpoint| Endpoint { metrics: metrics.endpoint(&endpoint), ..endpoint });
        let endpoints = Arc::new(Endpoints::new(configured.collect(), fallback.clone()));
        Self {
            rejections: Rejections::start(config.rejections_per_minute, Arc::clone(&endpoints), &config.database),
            endpoints,
            trusted_proxies: config.trusted_proxies,
            ops_token,
            ops_read_token: config.ops_read_token,
            is_stopping: AtomicBool::new(false),
            heard: Mutex::new(None),
            metrics,
            store,
            clock,
            timeout: config.timeout,
            body_room: Semaphore::new(MAX_BODY_KIB),
            streams: Arc::new(Semaphore::new(MAX_STREAMS)),
        }
    }

    /// Where a path leads, byte for byte. A wrong token at its end makes it an unknown path.
    pub fn route(&self, path: &str) -> Option<Routed<'_>> {
        self.endpoints.route(path)
    }

    /// Whether forwarded headers from that address are believed.
    pub fn trusts(&self, peer: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|network| network.contains(&peer))
    }

    /// The endpoint whose path this is, byte for byte.
    pub fn endpoint(&self, path: &str) -> Option<&Endpoint> {
        self.endpoints.at(path)
    }

    /// All endpoints, by path and by name.
    pub fn all_endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// All endpoints.
    pub fn endpoints(&self) -> impl Iterator<Item = &Endpoint> {
        self.endpoints.iter()
    }

    /// The ops token, from which the pages' forms derive their key.
    pub(crate) fn ops_token(&self) -> &Secret {
        &self.ops_token
    }

    /// Whether the token may read at the ops listener.
    pub fn may_read(&self, token: &[u8]) -> bool {
        // Both are compared, so that the time does not tell which one was meant.
        let may_read = self.ops_read_token.as_ref().is_some_and(|secret| secret.matches(token));
        self.may_write(token) | may_read
    }

    /// Whether the token may change something at the ops listener.
    pub fn may_write(&self, token: &[u8]) -> bool {
        self.ops_token.matches(token)
    }

    /// The text that Prometheus reads.
    pub fn exposition(&self) -> Result<String, std::fmt::Error> {
        self.metrics.exposition(self.store.queued())
    }

    /// Takes over from the store when the endpoints were last heard of before this start. Blocks.
    pub fn recall(&self) -> Result<(), StoreError> {
        let endpoints: Vec<_> =
            self.endpoints().map(|endpoint| (endpoint.spec.name, endpoint.account.as_str().to_owned())).collect();
        for (endpoint, heard) in self.endpoints().zip(self.store.heard(&endpoints)?) {
            heard.last.into_iter().for_each(|at| endpoint.metrics.heard(at));
        }
        Ok(())
    }

    /// Reads the figures of the tables. Blocks.
    pub fn take_stock(&self) -> Result<(), StoreError> {
        self.metrics.set_state(&self.store.gauges()?, self.clock.now());
        Ok(())
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
