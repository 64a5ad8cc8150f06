//! Callbacks that are in the store read once more: quarantined and rejected ones, to apply them after what was wrong is mended, and
//! all since an instant, to take what is read out of them now for what was read then.

use serde::Serialize;

use crate::{
    callback::VerifiedCallback,
    doctor::reverify::{self, reverify},
    endpoints::Endpoints,
    store::{AuthenticRequest, Change, Record, Rederived, RequestId, Rereading, Store, StoreError},
    time::Timestamp,
};

/// Why a stored callback is not applied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotApplied {
    /// There is none of that number.
    #[error("there is no such request")]
    NotFound,
    /// Nothing is to be done.
    #[error("it is not quarantined but {0}")]
    State(String),
    /// Its bytes are gone.
    #[error("its body has expired")]
    Expired,
    /// Its provider or account is not configured here.
    #[error("its endpoint is off: configure {0} first")]
    Off(String),
    /// It was rejected, and is not genuine under today's configuration either.
    #[error("it still is not genuine: {0}")]
    NotGenuine(String),
    /// It cannot be read now either.
    #[error("it still cannot be read: {0}")]
    Unreadable(String),
    /// The database refuses what it says now too.
    #[error("the database still refuses its rows")]
    Refused,
}

/// Why nothing can be told.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ReplayError {
    /// It is not applied, and stays as it was.
    #[error(transparent)]
    NotApplied(#[from] NotApplied),
    /// The store does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What applying a request did, or would do.
#[derive(Clone, Debug, Default, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Replayed {
    /// Whether it is applied now; false after a dry run.
    pub applied: bool,
    /// Of a rejected request: by which scheme and secret it is genuine now.
    pub verified_by: Option<String>,
    /// Whether it had come again meanwhile, so that nothing was left to do.
    pub duplicate: bool,
    /// Of a quarantined request: how many events it carries.
    pub events: Option<usize>,
    /// Of a quarantined request: the rows of messages that change.
    pub changes: Vec<Change>,
}

/// Applies one request that was quarantined or rejected, or tells what that would change.
pub async fn replay(store: &Store, endpoints: &Endpoints, id: RequestId, is_dry: bool) -> Result<Replayed, ReplayError> {
    match id {
        RequestId::Authentic(id) => apply(store, endpoints, id, is_dry).await,
        RequestId::Rejected(id) => verify_again(store, endpoints, id, is_dry).await,
    }
}

/// Puts a request aside for good: a quarantined one is kept as discarded, a rejected one is let go. Whether there was anything to do.
pub async fn discard(store: &Store, id: RequestId) -> Result<bool, StoreError> {
    match id {
        RequestId::Authentic(id) => store.discard(id).await,
        RequestId::Rejected(id) => store.discard_rejection(id).await,
    }
}

async fn apply(store: &Store, endpoints: &Endpoints, id: i64, is_dry: bool) -> Result<Replayed, ReplayError> {
    let stored = store.authentic_request(id)?.ok_or(NotApplied::NotFound)?;
    if stored.state != "quarantined" {
        return Err(NotApplied::State(stored.state).into());
    }
    let record = read(endpoints, &stored)?;
    if let Some(reason) = record.unread() {
        return Err(NotApplied::Unreadable(reason.to_owned()).into());
    }
    match store.apply(id, record, is_dry).await {
        Ok(Some(applied)) => {
            Ok(Replayed { applied: !is_dry, events: Some(applied.events), changes: applied.changes, ..Replayed::default() })
        }
        Ok(None) => Err(NotApplied::State("quarantined no longer".to_owned()).into()),
        Err(StoreError::Refused) => Err(NotApplied::Refused.into()),
        Err(error) => Err(error.into()),
    }
}

async fn verify_again(store: &Store, endpoints: &Endpoints, id: i64, is_dry: bool) -> Result<Replayed, ReplayError> {
    match reverify(endpoints, store, id, is_dry).await? {
        reverify::Outcome::Unknown => Err(NotApplied::NotFound.into()),
        reverify::Outcome::NoEndpoint => Err(NotApplied::Off("its path".to_owned()).into()),
        reverify::Outcome::Refused { finding, .. } => Err(NotApplied::NotGenuine(finding).into()),
        reverify::Outcome::Genuine { verified_by } => Ok(Replayed { verified_by: Some(verified_by), ..Replayed::default() }),
        reverify::Outcome::Stored(committed) => {
            Ok(Replayed { applied: true, duplicate: committed.is_duplicate(), ..Replayed::default() })
        }
    }
}

/// What a stored callback says now.
fn read(endpoints: &Endpoints, stored: &AuthenticRequest) -> Result<Record, NotApplied> {
    let off = || NotApplied::Off(format!("{}/{}", stored.service_type, stored.account));
    let endpoint = endpoints.find(&stored.service_type, &stored.account).ok_or_else(off)?;
    let body = stored.body.as_ref().ok_or(NotApplied::Expired)?;
    let callback = stored.callback(endpoint, body);
    let proof = stored.recorded.prove(&callback, endpoint.spec.schemes).ok_or_else(off)?;
    let verified = VerifiedCallback::from(proof);
    Ok(Record::new(endpoint, &verified, endpoint.parse(&verified)))
}

/// Callbacks that are read anew in one transaction: short enough that nobody waits for it.
const STEP: i64 = 20;

/// How far reading anew has come, and what it did or would do.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// The number of the last request that was looked at.
    pub last: i64,
    /// Requests that were looked at.
    pub requests: usize,
    /// Of these, those of which only the stored events count: their bytes have expired or their endpoint is off.
    pub unread: usize,
    /// What it came to.
    pub rederived: Rederived,
}

/// Reads the next few processed callbacks since an instant anew; `None` at the end.
pub async fn rederive(
    store: &Store,
    endpoints: &Endpoints,
    since: Timestamp,
    after: i64,
    is_dry: bool,
) -> Result<Option<Progress>, StoreError> {
    let stored = store.authentic_requests("processed", after, Some(since), STEP)?;
    let Some(last) = stored.last().map(|request| request.id) else { return Ok(None) };
    // One that was read when it came and cannot be read now keeps its events.
    let readable = |request: &AuthenticRequest| read(endpoints, request).ok().filter(|record| record.unread().is_none());
    let readings: Vec<Rereading> = stored.iter().map(|request| (request.id, readable(request))).collect();
    let unread = readings.iter().filter(|(_, record)| record.is_none()).count();
    let rederived = store.reread(readings, is_dry).await?;
    Ok(Some(Progress { last, requests: stored.len(), unread, rederived }))
}
