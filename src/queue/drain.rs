//! Draining: queued requests are parsed again and written to the database.

use std::sync::Arc;

use super::{QueuedRequest, breaker::Breaker};
use crate::{
    metrics::QueueMetrics,
    provider::Spec,
    providers,
    store::{RawRequest, Record, Store, StoreError},
};

/// Parses a stored callback with today's parser; `None` if its endpoint is off.
pub type Parse = Arc<dyn Fn(&RawRequest) -> Option<Record> + Send + Sync>;

/// The record of a queued request; `None` if its provider is unknown.
pub type Parsed = Option<Record>;

/// The outcome of one queued request.
#[derive(Clone, Debug)]
pub enum Drained {
    /// In the database: the queue may forget it.
    Durable,
    /// Not in the database: the queue keeps it.
    Failed(StoreError),
    /// Its provider is unknown to this version: the queue keeps it for another one.
    UnknownProvider,
}

/// Writes queued requests to the database.
#[derive(Clone)]
pub struct Drain {
    store: Arc<Store>,
    parse: Parse,
    breaker: Arc<Breaker>,
}

impl Drain {
    pub fn new(store: &Arc<Store>, parse: Parse, breaker: &Arc<Breaker>) -> Self {
        Self { store: Arc::clone(store), parse, breaker: Arc::clone(breaker) }
    }

    /// The metrics of the queue.
    pub fn metrics(&self) -> &QueueMetrics {
        &self.store.metrics().queue
    }

    /// True while the database is known to be unavailable.
    pub fn is_database_away(&self) -> bool {
        self.breaker.is_open()
    }

    /// Tests the database after it was unavailable, and opens it if that was impossible so far; returns true if requests can be drained.
    pub async fn test_database(&self) -> bool {
        let store = Arc::clone(&self.store);
        let opened = tokio::task::spawn_blocking(move || store.try_open()).await;
        let is_available = matches!(opened, Ok(Ok(()))) && self.store.accepts_writes().await;
        if is_available {
            self.breaker.close();
        }
        is_available
    }

    /// True if the provider of a request is known to this version.
    pub fn knows(&self, request: &QueuedRequest) -> bool {
        spec(request.service_type()).is_some()
    }

    /// Writes requests in one transaction, as far as the database accepts them. The outcomes are in the order of the requests.
    pub async fn write(&self, requests: Vec<Parsed>) -> Vec<Drained> {
        let is_known: Vec<bool> = requests.iter().map(Option::is_some).collect();
        let mut results = self.store.append_all(requests.into_iter().flatten().collect()).await.into_iter();
        let outcome = |is_known: bool| match is_known.then(|| results.next()) {
            Some(Some(Ok(committed))) => {
                self.metrics().count_drained(committed.is_duplicate(), committed.is_quarantined());
                Drained::Durable
            }
            Some(Some(Err(error))) => Drained::Failed(error),
            Some(None) => Drained::Failed(StoreError::Unavailable),
            None => Drained::UnknownProvider,
        };
        let outcomes: Vec<Drained> = is_known.into_iter().map(outcome).collect();
        if outcomes.iter().any(|outcome| matches!(outcome, Drained::Durable)) {
            self.breaker.close();
        } else if outcomes.iter().any(|outcome| matches!(outcome, Drained::Failed(StoreError::Unavailable))) {
            self.breaker.open();
        }
        outcomes
    }

    /// Parses a request again. Its record has the response that was given.
    pub fn parse(&self, request: QueuedRequest) -> Parsed {
        let (response, raw) = (request.response(), request.into_raw());
        let record = (self.parse)(&raw).or_else(|| {
            let name = spec(&raw.service_type)?.name;
            // Kept until the endpoint is configured again, and replayed then.
            Some(raw.into_quarantined(name, "endpoint off"))
        })?;
        Some(record.answered(response).that_may_recur())
    }
}

/// The provider of that name, if this version knows it.
fn spec(name: &str) -> Option<&'static Spec> {
    providers::ALL.iter().copied().find(|spec| spec.name == name)
}
