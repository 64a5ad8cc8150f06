//! Reprocessing of stored callbacks: quarantined and rejected ones are applied after their cause is fixed, and all since an instant
//! can be parsed again after a change of the parser.

use serde::Serialize;

use crate::{
    doctor::reverify::{Reverified, reverify},
    router::Router,
    signature::VerifiedCallback,
    store::{Author, RawRequest, Record, RederiveOutcome, ReparsedRequest, RequestId, RowDiff, Store, StoreError},
    time::Timestamp,
};

/// A stored callback that is neither applied nor discarded; it stays as it was.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ReplayError {
    #[error("there is no such request")]
    NotFound,
    #[error("it is not quarantined but {0}")]
    NotQuarantined(String),
    #[error("its body has expired")]
    BodyExpired,
    /// Its provider or account is not configured here.
    #[error("its endpoint is off: configure {0} first")]
    EndpointOff(String),
    #[error("verification still fails: {0}")]
    NotVerified(String),
    #[error("it still cannot be parsed: {0}")]
    NotParsed(String),
    #[error("the database still rejects its rows")]
    Poison,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The effect of a replay, or of its dry run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Replayed {
    /// True if the request was applied; false after a dry run.
    pub applied: bool,
    /// For a rejected request: the scheme and secret that verify it now.
    pub verified_by: Option<String>,
    /// True if a retry was already processed, so that nothing changed.
    pub duplicate: bool,
    /// For a quarantined request: its number of events.
    pub events: Option<usize>,
    /// For a quarantined request: the message rows that change.
    pub changes: Vec<RowDiff>,
}

/// Applies a quarantined or rejected request; a dry run only returns what would change.
pub async fn replay(
    store: &Store,
    router: &Router,
    id: RequestId,
    dry_run: bool,
    author: Author,
) -> Result<Replayed, ReplayError> {
    match id {
        RequestId::Verified(id) => replay_quarantined(store, router, id, dry_run, author).await,
        RequestId::Rejected(id) => replay_rejected(store, router, id, dry_run, author).await,
    }
}

/// Discards a request: a quarantined one stays stored as `discarded`, a rejected one is deleted, so that a
/// retry of it is accepted.
pub async fn discard(store: &Store, id: RequestId, author: Author) -> Result<(), ReplayError> {
    let is_done = match id {
        RequestId::Verified(row) => store.discard(row, author).await?,
        RequestId::Rejected(row) => store.discard_rejection(row).await?,
    };
    if !is_done {
        let state = store.request(id)?.map(|request| request.state);
        return Err(state.map_or(ReplayError::NotFound, ReplayError::NotQuarantined));
    }
    if matches!(id, RequestId::Rejected(_)) {
        store.record_discard(id, author).await?;
    }
    Ok(())
}

async fn replay_quarantined(
    store: &Store,
    router: &Router,
    id: i64,
    dry_run: bool,
    author: Author,
) -> Result<Replayed, ReplayError> {
    let stored = store.raw_request(id)?.ok_or(ReplayError::NotFound)?;
    if stored.state != "quarantined" {
        return Err(ReplayError::NotQuarantined(stored.state));
    }
    let record = parse(router, &stored)?;
    if let Some(reason) = record.quarantine_reason() {
        return Err(ReplayError::NotParsed(reason.to_owned()));
    }
    match store.apply(id, record, dry_run, author).await {
        Ok(Some(applied)) => {
            Ok(Replayed { applied: !dry_run, events: Some(applied.events), changes: applied.changes, ..Replayed::default() })
        }
        Ok(None) => Err(ReplayError::NotQuarantined("in another state by now".to_owned())),
        Err(StoreError::Refused) => Err(ReplayError::Poison),
        Err(error) => Err(error.into()),
    }
}

async fn replay_rejected(
    store: &Store,
    router: &Router,
    id: i64,
    dry_run: bool,
    author: Author,
) -> Result<Replayed, ReplayError> {
    match reverify(router, store, id, dry_run).await? {
        Reverified::NotFound => Err(ReplayError::NotFound),
        Reverified::NoEndpoint => Err(ReplayError::EndpointOff("its path".to_owned())),
        Reverified::NotVerified { finding, .. } => Err(ReplayError::NotVerified(finding)),
        Reverified::Verified { verified_by } => Ok(Replayed { verified_by: Some(verified_by), ..Replayed::default() }),
        Reverified::Stored(committed) => {
            store.record_replay(RequestId::Rejected(id), author).await?;
            Ok(Replayed { applied: true, duplicate: committed.is_duplicate(), ..Replayed::default() })
        }
    }
}

/// Parses a stored callback with today's parser.
pub fn parse(router: &Router, stored: &RawRequest) -> Result<Record, ReplayError> {
    let off = || ReplayError::EndpointOff(format!("{}/{}", stored.service_type, stored.account));
    let endpoint = router.find(&stored.service_type, &stored.account).ok_or_else(off)?;
    let body = stored.body.as_ref().ok_or(ReplayError::BodyExpired)?;
    let callback = stored.callback(endpoint, body);
    let proof = stored.recorded.restore(&callback, endpoint.spec.schemes, endpoint.provider.is_listed()).ok_or_else(off)?;
    let verified = VerifiedCallback::from(proof);
    Ok(Record::new(endpoint, &verified, endpoint.parse(&verified).events))
}

/// Callbacks that are parsed again in one transaction: few enough not to delay the gateway's writer.
const BATCH: i64 = 20;

/// A batch of callbacks that were parsed again.
#[derive(Clone, Debug, Default)]
pub struct RederivedBatch {
    /// The id of the last request.
    pub last: i64,
    pub requests: usize,
    /// Requests of which only the stored events are used: their bodies have expired or their endpoints are off.
    pub unread: usize,
    pub outcome: RederiveOutcome,
}

/// Parses the next batch of processed callbacks since an instant again; `None` at the end.
pub async fn rederive(
    store: &Store,
    router: &Router,
    since: Timestamp,
    after: i64,
    dry_run: bool,
) -> Result<Option<RederivedBatch>, StoreError> {
    let stored = store.raw_requests("processed", after, Some(since), BATCH)?;
    let Some(last) = stored.last().map(|request| request.id) else { return Ok(None) };
    // A callback that was parsed on receipt and cannot be parsed now keeps its events.
    let parsed = |request: &RawRequest| parse(router, request).ok().filter(|record| record.quarantine_reason().is_none());
    let reparsed: Vec<ReparsedRequest> = stored.iter().map(|request| (request.id, parsed(request))).collect();
    let unread = reparsed.iter().filter(|(_, record)| record.is_none()).count();
    let outcome = store.rederive(reparsed, dry_run).await?;
    Ok(Some(RederivedBatch { last, requests: stored.len(), unread, outcome }))
}
