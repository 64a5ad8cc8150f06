//! Requests: authentic ones of `webhook_requests`, and what failed authentication, of `rejected_requests`.

use std::{fmt, str::FromStr};

use diesel::{ExpressionMethods, OptionalExtension, QueryDsl, QueryResult, Queryable, RunQueryDsl, Selectable, SelectableHelper};
use serde::{Serialize, Serializer};
use strum::{AsRefStr, EnumString, IntoStaticStr, VariantArray};

use super::{Cursor, Document, Page, narrow, page};
use crate::{
    store::{
        connection::{Connection, on_either},
        schema::{rejected_requests as j, webhook_bodies as b, webhook_requests as r},
    },
    time::Timestamp,
};

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, AsRefStr, EnumString, IntoStaticStr, VariantArray, Serialize, utoipa::ToSchema)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum RequestState {
    /// Authentic, and its events are applied.
    Processed,
    /// Authentic, kept, not applied.
    Quarantined,
    /// Authentic, kept, and not to be applied.
    Discarded,
    /// Not authentic; kept for a while, for diagnosis.
    Rejected,
}

/// A request's number, and in which table: `12` is authentic, `r12` was rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RequestId {
    /// Of `webhook_requests`.
    Authentic(i64),
    /// Of `rejected_requests`.
    Rejected(i64),
}

/// What was given as a request's id is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the id of a request: 12, or r12 for a rejected one")]
pub struct NotARequestId;

impl fmt::Display for RequestId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Authentic(id) => write!(formatter, "{id}"),
            Self::Rejected(id) => write!(formatter, "r{id}"),
        }
    }
}

impl FromStr for RequestId {
    type Err = NotARequestId;

    fn from_str(text: &str) -> Result<Self, NotARequestId> {
        let number = |text: &str| {
            let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse().ok().filter(|_| is_plain).ok_or(NotARequestId)
        };
        match text.strip_prefix('r') {
            Some(rejected) => number(rejected).map(Self::Rejected),
            None => number(text).map(Self::Authentic),
        }
    }
}

impl Serialize for RequestId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A request as it is shown. Secrets and tokens in its URL are masked, and of its headers only harmless ones are kept.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct StoredRequest {
    /// `12`, or `r12` if it was rejected.
    #[schema(value_type = String, example = "12")]
    pub id: RequestId,
    /// `processed`, `quarantined`, `discarded` or `rejected`.
    pub state: String,
    /// Provider.
    pub service_type: String,
    /// Account.
    pub account: String,
    /// Why it is quarantined or was rejected.
    pub reason: Option<String>,
    /// What the verification doctor says of a rejected one.
    pub finding: Option<String>,
    /// The status it was answered with, and every retry of it is; none if it was rejected.
    pub answer: Option<i64>,
    /// Scheme and secret that proved it; none if it was rejected.
    pub verified_by: Option<String>,
    /// Method.
    pub method: String,
    /// Path and query, masked.
    pub url: String,
    /// The headers that are kept.
    pub headers: Document,
    /// When it came first.
    pub received_at: Timestamp,
    /// How often it came again.
    pub duplicate_count: i64,
    /// When it came again last.
    pub last_duplicate_at: Option<Timestamp>,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = r)]
struct Authentic {
    id: i64,
    state: String,
    service_type: String,
    account: String,
    reason: Option<String>,
    answer: i64,
    verified_by: String,
    method: String,
    url: String,
    headers: Document,
    received_at: Timestamp,
    duplicate_count: i64,
    last_duplicate_at: Option<Timestamp>,
}

impl From<Authentic> for StoredRequest {
    fn from(row: Authentic) -> Self {
        Self {
            id: RequestId::Authentic(row.id),
            state: row.state,
            service_type: row.service_type,
            account: row.account,
            reason: row.reason,
            finding: None,
            answer: Some(row.answer),
            verified_by: Some(row.verified_by),
            method: row.method,
            url: row.url,
            headers: row.headers,
            received_at: row.received_at,
            duplicate_count: row.duplicate_count,
            last_duplicate_at: row.last_duplicate_at,
        }
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = j)]
struct Rejected {
    id: i64,
    service_type: String,
    account: String,
    cause: String,
    finding: Option<String>,
    method: String,
    url: String,
    headers: Document,
    received_at: Timestamp,
}

impl From<Rejected> for StoredRequest {
    fn from(row: Rejected) -> Self {
        Self {
            id: RequestId::Rejected(row.id),
            state: RequestState::Rejected.as_ref().to_owned(),
            service_type: row.service_type,
            account: row.account,
            reason: Some(row.cause),
            finding: row.finding,
            answer: None,
            verified_by: None,
            method: row.method,
            url: row.url,
            headers: row.headers,
            received_at: row.received_at,
            duplicate_count: 0,
            last_duplicate_at: None,
        }
    }
}

/// Which requests to show. Rejected ones only if they are asked for by their state.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "each is the column of that name")]
pub struct RequestFilter {
    pub state: Option<RequestState>,
    pub service_type: Option<&'static str>,
    pub account: Option<String>,
    /// Received at or after.
    pub since: Option<Timestamp>,
    /// Received before.
    pub until: Option<Timestamp>,
    /// Only rows behind this one.
    pub cursor: Option<Cursor>,
    /// How many at the most.
    pub limit: i64,
}

pub(super) fn requests(connection: &mut Connection, filter: &RequestFilter) -> QueryResult<Page<StoredRequest>> {
    let rows: Vec<(Authentic, _, _)> = on_either!(connection, c => {
        let mut query = r::table.select((Authentic::as_select(), r::received_at, r::id)).into_boxed();
        narrow!(query, filter, r: service_type, account);
        if let Some(state) = filter.state {
            query = query.filter(r::state.eq(state.as_ref().to_owned()));
        }
        page!(query, c, filter, r, received_at)
    });
    Ok(Page::of(rows, filter.limit).map(StoredRequest::from))
}

pub(super) fn rejected(connection: &mut Connection, filter: &RequestFilter) -> QueryResult<Page<StoredRequest>> {
    let rows: Vec<(Rejected, _, _)> = on_either!(connection, c => {
        let mut query = j::table.select((Rejected::as_select(), j::received_at, j::id)).into_boxed();
        narrow!(query, filter, j: service_type, account);
        page!(query, c, filter, j, received_at)
    });
    Ok(Page::of(rows, filter.limit).map(StoredRequest::from))
}

pub(super) fn request(connection: &mut Connection, id: RequestId) -> QueryResult<Option<StoredRequest>> {
    on_either!(connection, c => match id {
        RequestId::Authentic(id) => {
            let row: Option<Authentic> = r::table.find(id).select(Authentic::as_select()).first(c).optional()?;
            Ok(row.map(Into::into))
        }
        RequestId::Rejected(id) => {
            let row: Option<Rejected> = j::table.find(id).select(Rejected::as_select()).first(c).optional()?;
            Ok(row.map(Into::into))
        }
    })
}

/// The exact bytes of a request; none once they have expired.
pub(super) fn body(connection: &mut Connection, id: RequestId) -> QueryResult<Option<Vec<u8>>> {
    on_either!(connection, c => match id {
        RequestId::Authentic(id) => b::table.find(id).select(b::body).first(c).optional(),
        RequestId::Rejected(id) => j::table.find(id).select(j::body).first(c).optional(),
    })
}
