//! The pipeline: verify, parse, store, answer. Everything a callback goes through is on this page.

use std::time::Duration;

use tracing::{info, warn};

use crate::{
    callback::Callback,
    endpoint::Endpoint,
    limiter::{Budget, Limited},
    provider::Reply,
    signature::Rejected,
    store::{Committed, Record, Store, StoreError},
};

/// Why a callback got no answer out of the store.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// It is not genuine.
    #[error("not genuine: {0}")]
    Rejected(#[from] Rejected),
    /// It is genuine, and one too many.
    #[error(transparent)]
    Limited(#[from] Limited),
    /// It could not be made durable.
    #[error(transparent)]
    NotStored(#[from] StoreError),
    /// It was not durable in time; it may become so later.
    #[error("not durable in time")]
    Late,
}

/// A stored callback: what the store says about it, and in what form the provider wants to hear it.
#[derive(Debug)]
pub struct Received {
    /// What the store committed.
    pub committed: Committed,
    /// The form of the answer.
    pub reply: Reply,
    /// How many more may come.
    pub budget: Option<Budget>,
}

/// Takes one callback from the wire to the disk. Parsing sees only what is proven genuine, and an authentic callback is
/// stored whatever could be read out of it.
pub async fn receive(store: &Store, endpoint: &Endpoint, callback: &Callback, timeout: Duration) -> Result<Received, Refusal> {
    let verified = endpoint.verify(callback)?;
    endpoint.metrics.verified(&verified);
    let admission = endpoint.admit(&verified)?;
    let parsed = endpoint.parse(&verified);
    let reply = endpoint.reply(&verified);
    let record = Record::new(endpoint, &verified, parsed);
    let summary = record.summary();
    let committed = tokio::time::timeout(timeout, store.append(record)).await.map_err(|_| Refusal::Late)??;
    if summary.is_quarantined {
        warn!(provider = endpoint.spec.name, account = endpoint.account.as_str(), "authentic but unreadable: quarantined");
    } else if committed.is_unmatched() {
        warn!(
            provider = endpoint.spec.name,
            account = endpoint.account.as_str(),
            external_id = summary.external_id.as_deref(),
            "stored; the application has not registered this message"
        );
    } else {
        info!(
            provider = endpoint.spec.name,
            account = endpoint.account.as_str(),
            event_type = summary.event_type,
            external_id = summary.external_id.as_deref(),
            duplicate = committed.is_duplicate(),
            size_bytes = callback.body.len(),
            "stored"
        );
    }
    Ok(Received { committed, reply, budget: admission.budget })
}
