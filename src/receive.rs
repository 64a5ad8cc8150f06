//! The pipeline of a callback, whole: verify, limit, parse, store.

use std::time::Duration;

use tracing::{Level, debug, warn};

use crate::{
    admission::Admission,
    callback::Callback,
    endpoint::Endpoint,
    limiter::{Budget, RateLimited},
    provider::{Parsed, Reply},
    store::{Committed, Record, Store, StoreError},
    verifier::{Unverified, Verifier},
};

/// A callback was not stored.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    #[error(transparent)]
    Unverified(#[from] Unverified),
    /// Verified, but over the endpoint's rate limit.
    #[error(transparent)]
    Limited(#[from] RateLimited),
    #[error(transparent)]
    NotStored(#[from] StoreError),
    /// Not durable before the deadline; it may still be committed later.
    #[error("not durable before the deadline")]
    Late,
}

/// A stored callback: the result of its commit and the form of the response.
#[derive(Debug)]
pub struct Received {
    pub committed: Committed,
    pub reply: Reply,
    pub budget: Option<Budget>,
}

type Stages<'g> = (&'g Verifier, &'g Store);
type Prepared<'e> = (Record, Reply, Admission<'e>);

/// Verifies, parses and stores one callback. Only a verified callback is parsed, and it is stored even if it cannot be parsed.
pub async fn receive(
    stages: Stages<'_>,
    endpoint: &Endpoint,
    callback: &Callback,
    timeout: Duration,
) -> Result<Received, ReceiveError> {
    let (record, reply, mut admission) = prepare(stages, endpoint, callback)?;
    let summary = (record.quarantine_reason().is_some() || tracing::enabled!(Level::DEBUG)).then(|| record.summary());
    let committed = tokio::time::timeout(timeout, admission.append(record)).await.map_err(|_| ReceiveError::Late)??;
    let (provider, account) = (endpoint.spec.name, endpoint.account.as_str());
    match summary {
        Some(summary) if summary.is_quarantined => warn!(provider, account, "verified but not parsable: quarantined"),
        Some(summary) => debug!(
            provider,
            account,
            event_type = summary.event_type,
            external_id = summary.external_id.as_deref(),
            duplicate = committed.is_duplicate(),
            registered = !committed.is_unmatched(),
            size_bytes = callback.body.len(),
            "stored"
        ),
        None => {}
    }
    if let Some(count) = committed.is_unmatched().then(|| endpoint.metrics.count_unmatched()).flatten() {
        warn!(count, "stored callbacks for messages that are not registered; logged at most once a minute");
    }
    Ok(Received { committed, reply, budget: admission.budget })
}

fn prepare<'e>((limits, store): Stages<'e>, endpoint: &'e Endpoint, callback: &Callback) -> Result<Prepared<'e>, ReceiveError> {
    let verified = limits.verify(endpoint, callback)?;
    endpoint.count_verified(&verified);
    let admission = Admission::new(store, endpoint, &verified)?;
    let Parsed { reply, events } = endpoint.parse(&verified);
    Ok((Record::new(endpoint, &verified, events), reply, admission))
}
