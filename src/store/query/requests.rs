//! The lists of verified requests (`webhook_requests`) and of rejected ones (`rejected_requests`).

use std::{borrow::Cow, fmt, str::FromStr};

use diesel::{ExpressionMethods, OptionalExtension, QueryDsl, QueryResult, Queryable, RunQueryDsl, Selectable, SelectableHelper};
use serde::{Serialize, Serializer};
use strum::{AsRefStr, EnumString, IntoStaticStr, VariantArray};

use super::{
    Cursor, JsonText, Page, filter, narrow,
    ranges::RangedTable,
    scan::{CANDIDATE_LIMIT, Candidates, scan},
};
use crate::{
    mask, providers,
    store::{
        db::{
            connection::{Connection, on_either},
            schema::{rejected_requests as j, webhook_bodies as b, webhook_requests as r},
        },
        write::record::{PROCESSED, PROXY_HEADERS, STORED_HEADERS},
    },
    time::Timestamp,
};

/// The state of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, AsRefStr, EnumString, IntoStaticStr, VariantArray, Serialize, utoipa::ToSchema)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum RequestState {
    /// Verified, and its events are applied.
    Processed,
    /// Verified and stored, but not applied.
    Quarantined,
    /// Verified and stored, and discarded by the operator.
    Discarded,
    /// Failed verification; retained for 24 hours for diagnosis.
    Rejected,
}

/// The id of a request: `12` is a verified one, `r12` a rejected one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RequestId {
    /// In `webhook_requests`.
    Verified(i64),
    /// In `rejected_requests`.
    Rejected(i64),
}

/// The error for a text that is not the id of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a request id, such as 12, or r12 for a rejected request")]
pub struct RequestIdError;

impl fmt::Display for RequestId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Verified(id) => write!(formatter, "{id}"),
            Self::Rejected(id) => write!(formatter, "r{id}"),
        }
    }
}

impl FromStr for RequestId {
    type Err = RequestIdError;

    fn from_str(text: &str) -> Result<Self, RequestIdError> {
        let number = |text: &str| {
            let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse().ok().filter(|_| is_plain).ok_or(RequestIdError)
        };
        match text.strip_prefix('r') {
            Some(rejected) => number(rejected).map(Self::Rejected),
            None => number(text).map(Self::Verified),
        }
    }
}

impl Serialize for RequestId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A stored request as it is shown. Secrets and signatures in its URL and headers are masked, so that a reader cannot send it.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct StoredRequest {
    /// `12`, or `r12` for a rejected one.
    #[schema(value_type = String, example = "12")]
    pub id: RequestId,
    /// `processed`, `quarantined`, `discarded` or `rejected`.
    pub state: String,
    pub service_type: String,
    pub account: String,
    /// The reason why it is quarantined or was rejected.
    pub reason: Option<String>,
    /// The verification doctor's finding about a rejected one.
    pub finding: Option<String>,
    /// The status of the response to it and to all retries; absent if it was rejected.
    pub answer: Option<i64>,
    /// The scheme and secret that verified it; absent if it was rejected.
    pub verified_by: Option<String>,
    pub method: String,
    /// Path and query, masked.
    pub url: String,
    pub headers: JsonText,
    pub received_at: Timestamp,
    /// Number of duplicates.
    pub duplicate_count: i64,
    /// Time of the last duplicate.
    pub last_duplicate_at: Option<Timestamp>,
    /// Length of the whole body of a rejected one, of which only the first 1,024 bytes may be stored.
    pub body_bytes: Option<i64>,
}

impl StoredRequest {
    /// The length of the whole body, if more than the stored bytes were received.
    pub fn whole_body(&self, stored: usize) -> Option<i64> {
        self.body_bytes.filter(|bytes| usize::try_from(*bytes).is_ok_and(|bytes| bytes > stored))
    }
}

#[derive(Queryable, Selectable, Serialize)]
#[diesel(table_name = r)]
struct RequestRow {
    id: i64,
    state: String,
    service_type: String,
    account: String,
    reason: Option<String>,
    answer: i64,
    verified_by: String,
    method: String,
    url: String,
    headers: JsonText,
    received_at: Timestamp,
    duplicate_count: i64,
    last_duplicate_at: Option<Timestamp>,
}

/// Headers that hold no proof are shown, and of all others only the names: a header that held a signature under another configuration
/// is among them.
fn shown_headers(JsonText(mut headers): JsonText, service_type: &str) -> JsonText {
    let of_provider = providers::find(service_type).map_or(&[][..], |spec| spec.stored_headers);
    let known = [&STORED_HEADERS[..], &PROXY_HEADERS, of_provider].concat();
    match headers.as_object_mut() {
        Some(headers) => mask::headers(headers, |name| known.contains(&name)),
        None => headers = mask::MASK.into(),
    }
    JsonText(headers)
}

impl From<RequestRow> for StoredRequest {
    fn from(row: RequestRow) -> Self {
        Self {
            id: RequestId::Verified(row.id),
            headers: shown_headers(row.headers, &row.service_type),
            state: row.state,
            service_type: row.service_type,
            account: row.account,
            reason: row.reason,
            finding: None,
            answer: Some(row.answer),
            verified_by: Some(row.verified_by),
            method: row.method,
            url: mask::url(&row.url),
            received_at: row.received_at,
            duplicate_count: row.duplicate_count,
            last_duplicate_at: row.last_duplicate_at,
            body_bytes: None,
        }
    }
}

#[derive(Queryable, Selectable, Serialize)]
#[diesel(table_name = j)]
struct RejectedRow {
    id: i64,
    service_type: String,
    account: String,
    cause: String,
    finding: Option<String>,
    method: String,
    url: String,
    headers: JsonText,
    received_at: Timestamp,
    body_bytes: i64,
}

impl From<RejectedRow> for StoredRequest {
    fn from(row: RejectedRow) -> Self {
        Self {
            id: RequestId::Rejected(row.id),
            headers: shown_headers(row.headers, &row.service_type),
            state: RequestState::Rejected.as_ref().to_owned(),
            service_type: row.service_type,
            account: row.account,
            reason: Some(row.cause),
            finding: row.finding,
            answer: None,
            verified_by: None,
            method: row.method,
            url: mask::url(&row.url),
            received_at: row.received_at,
            duplicate_count: 0,
            last_duplicate_at: None,
            body_bytes: Some(row.body_bytes),
        }
    }
}

filter! {
    /// Selects requests by their time of receipt and other conditions; rejected ones only by their state.
    pub struct RequestFilter {
        state: Option<RequestState>,
    }
}

pub(crate) fn requests(connection: &mut Connection, filter: &RequestFilter) -> QueryResult<Page<StoredRequest>> {
    let is_rare = matches!(filter.state, Some(RequestState::Quarantined | RequestState::Discarded));
    let page: Page<RequestRow> =
        scan!(connection, filter, r, RequestRow, received_at, RangedTable::Requests, is_rare.then(unprocessed), |query| {
            narrow!(query, filter, r: service_type, account);
            if let Some(state) = filter.state {
                query = query.filter(r::state.eq(state.as_ref().to_owned()));
            }
        });
    Ok(page.map(StoredRequest::from))
}

/// Quarantined and discarded requests.
fn unprocessed<'f>() -> Candidates<'f> {
    Box::new(|connection, below| {
        let rows = r::table.filter(r::state.ne(PROCESSED)).filter(r::id.lt(below)).order(r::id.desc());
        on_either!(connection, c => rows.limit(CANDIDATE_LIMIT).select(r::id).load(c))
    })
}

/// Rejected requests. There are few enough to be scanned.
pub(crate) fn rejected(connection: &mut Connection, filter: &RequestFilter) -> QueryResult<Page<StoredRequest>> {
    let limit = usize::try_from(filter.limit).unwrap_or(0);
    let mut rows: Vec<RejectedRow> = on_either!(connection, c => {
        let mut query = j::table.select(RejectedRow::as_select()).order(j::id.desc()).limit(filter.limit + 1).into_boxed();
        narrow!(query, filter, j: service_type, account);
        if let Some(since) = filter.since {
            query = query.filter(j::received_at.ge(since.naive()));
        }
        if let Some(until) = filter.until {
            query = query.filter(j::received_at.lt(until.naive()));
        }
        if let Some(cursor) = &filter.cursor {
            query = query.filter(j::id.lt(cursor.0));
        }
        query.load(c)?
    });
    let has_more = rows.len() > limit;
    rows.truncate(limit);
    let next_cursor = rows.last().filter(|_| has_more).map(|row| Cursor(row.id));
    Ok(Page { items: rows, next_cursor }.map(StoredRequest::from))
}

pub(crate) fn verified_request(connection: &mut Connection, id: i64) -> QueryResult<Option<StoredRequest>> {
    let row: Option<RequestRow> =
        on_either!(connection, c => r::table.find(id).select(RequestRow::as_select()).first(c).optional())?;
    Ok(row.map(Into::into))
}

pub(crate) fn rejected_request(connection: &mut Connection, id: i64) -> QueryResult<Option<StoredRequest>> {
    let row: Option<RejectedRow> =
        on_either!(connection, c => j::table.find(id).select(RejectedRow::as_select()).first(c).optional())?;
    Ok(row.map(Into::into))
}

pub(crate) fn verified_body(connection: &mut Connection, id: i64) -> QueryResult<Option<Vec<u8>>> {
    let body: Option<Vec<u8>> = on_either!(connection, c => b::table.find(id).select(b::body).first(c).optional())?;
    Ok(body.map(masked))
}

pub(crate) fn rejected_body(connection: &mut Connection, id: i64) -> QueryResult<Option<Vec<u8>>> {
    let body: Option<Vec<u8>> = on_either!(connection, c => j::table.find(id).select(j::body).first(c).optional())?;
    Ok(body.map(masked))
}

/// A body as it is shown.
fn masked(body: Vec<u8>) -> Vec<u8> {
    match mask::body(&body) {
        Cow::Owned(masked) => masked,
        Cow::Borrowed(_) => body,
    }
}
