//! The pipeline of a callback, whole: verify, limit, parse, store.

use std::time::Duration;

use crate::{
    admission::Admission,
    callback::Callback,
    endpoint::Endpoint,
    limiter::{Budget, RateLimited},
    prepared::{LogLine, Prepared, Stages},
    provider::Reply,
    queue::{Durable, Intake, NotDurable},
    store::Record,
    verifier::{Effort, Unverified},
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
    NotDurable(#[from] NotDurable),
    /// Not durable before the deadline; it may still be committed later.
    #[error("not durable before the deadline")]
    Late,
}

/// A durable callback and the form of the response.
#[derive(Debug)]
pub struct Received {
    pub durable: Durable,
    pub reply: Reply,
    pub budget: Option<Budget>,
}

type Outcome = Result<Received, ReceiveError>;
type Admitted<'e> = (Prepared, Admission<'e>);

/// Verifies, parses and stores one callback, if that is no more than the usual work. Only a verified callback is parsed, and it is
/// stored even if it cannot be parsed.
pub async fn receive(stages: Stages<'_>, endpoint: &Endpoint, callback: &Callback, timeout: Duration) -> Outcome {
    let admitted = prepare(stages, endpoint, callback)?;
    append(endpoint, admitted, timeout).await
}

/// Stores a callback that was verified and parsed on another thread.
pub async fn store(intake: &Intake, endpoint: &Endpoint, prepared: Prepared, timeout: Duration) -> Outcome {
    let record = &prepared.record;
    let admission = Admission::new(intake, endpoint, record.received_at(), || record.stored_key())?;
    append(endpoint, (prepared, admission), timeout).await
}

fn prepare<'e>((limits, intake): Stages<'e>, endpoint: &'e Endpoint, callback: &Callback) -> Result<Admitted<'e>, ReceiveError> {
    let verified = limits.verify(endpoint, callback, Effort::Usual)?;
    endpoint.count_verified(&verified);
    let admission = Admission::new(intake, endpoint, callback.received_at, || Record::key(endpoint, &verified))?;
    Ok((Prepared::new(endpoint, &verified, intake.writes_events()), admission))
}

async fn append(endpoint: &Endpoint, (prepared, mut admission): Admitted<'_>, timeout: Duration) -> Outcome {
    let Prepared { record, reply } = prepared;
    let line = LogLine::of(&record);
    let durable = tokio::time::timeout(timeout, admission.append(record)).await.map_err(|_| ReceiveError::Late)??;
    line.write(endpoint, &durable);
    Ok(Received { durable, reply, budget: admission.budget })
}
