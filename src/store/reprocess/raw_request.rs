//! Stored callbacks with their exact bodies, to be parsed again.

use std::sync::Arc;

use bytes::Bytes;
use diesel::{
    ExpressionMethods, JoinOnDsl, NullableExpressionMethods, OptionalExtension, QueryDsl, QueryResult, Queryable, RunQueryDsl,
    Selectable, SelectableHelper,
};
use serde_json::{Map, Value};

use crate::{
    callback::Callback,
    endpoint::Endpoint,
    signature::{StoredKey, recorded_proof::RecordedProof},
    store::{
        Store,
        db::{
            connection::{Connection, on_either},
            error::StoreError,
            schema::{webhook_bodies as b, webhook_requests as r},
        },
        query::ranges::{self, RangedTable},
        write::{
            record::{QUARANTINED, Record, StoredResponse},
            rows::NewRequest,
        },
    },
    time::Timestamp,
    url_token,
};

/// A row of `webhook_requests` with its body.
#[derive(Clone)]
pub struct RawRequest {
    pub id: i64,
    pub service_type: String,
    pub account: String,
    /// `processed`, `quarantined` or `discarded`.
    pub state: String,
    /// `None` once it has expired.
    pub body: Option<Bytes>,
    pub recorded: RecordedProof,
    pub(crate) method: String,
    pub(crate) url: String,
    pub(crate) headers: String,
    pub(crate) received_at: Timestamp,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = r)]
struct Row {
    id: i64,
    service_type: String,
    account: String,
    dedupe_key: Vec<u8>,
    state: String,
    verified_by: String,
    method: String,
    url: String,
    headers: String,
    received_at: Timestamp,
}

impl RawRequest {
    fn new(row: Row, body: Option<Vec<u8>>) -> Self {
        let Row { id, service_type, account, dedupe_key, state, verified_by, method, url, headers, received_at } = row;
        // Keys of unexpected length never match.
        let stored_key: StoredKey = dedupe_key.try_into().unwrap_or_default();
        let recorded = RecordedProof::from_row(stored_key, verified_by);
        Self { id, service_type, account, state, body: body.map(Bytes::from), recorded, method, url, headers, received_at }
    }

    /// The callback as received, except for data that is not stored: credentials, most signatures, the client's address.
    pub fn callback(&self, endpoint: &Endpoint, body: &Bytes) -> Callback {
        let headers: Map<String, Value> = serde_json::from_str(&self.headers).unwrap_or_default();
        let path = self.url.split('?').next().unwrap_or_default();
        let path = path.rsplit_once(url_token::SEGMENT).map_or(path, |(path, _)| path);
        Callback {
            method: self.method.clone(),
            target: self.url.clone(),
            route: endpoint.paths().find(|(known, _)| known == path).map_or("", |(_, route)| route),
            url_token: None,
            client: None,
            public_urls: Arc::clone(&endpoint.public_urls),
            headers: headers.into_iter().map(|(name, value)| (name, value.as_str().unwrap_or_default().to_owned())).collect(),
            body: body.clone(),
            received_at: self.received_at,
        }
    }

    /// A quarantined record of it, for a callback that is not in the database yet.
    pub(crate) fn into_quarantined(self, service_type: &'static str, reason: &str) -> Record {
        let (dedupe_key, verified_by) = self.recorded.into_row();
        let request = NewRequest {
            service_type,
            account: self.account,
            dedupe_key,
            state: QUARANTINED,
            reason: Some(reason.to_owned()),
            answer: StoredResponse::Success.code(),
            verified_by,
            method: self.method,
            url: self.url,
            headers: self.headers,
            received_at: self.received_at,
            event_count: 0,
        };
        Record::without_events(request, self.body.unwrap_or_default())
    }
}

impl Store {
    /// A stored callback. Blocks.
    pub fn raw_request(&self, id: i64) -> Result<Option<RawRequest>, StoreError> {
        self.read(|connection| find(connection, id))
    }

    /// Stored callbacks in that state after an id, oldest first. Blocks.
    pub fn raw_requests(
        &self,
        state: &str,
        after: i64,
        since: Option<Timestamp>,
        limit: i64,
    ) -> Result<Vec<RawRequest>, StoreError> {
        self.read(|connection| find_after(connection, state, after, since, limit))
    }
}

fn find(connection: &mut Connection, id: i64) -> QueryResult<Option<RawRequest>> {
    let row = on_either!(connection, c => {
        r::table
            .left_join(b::table.on(b::request_id.eq(r::id)))
            .filter(r::id.eq(id))
            .select((Row::as_select(), b::body.nullable()))
            .first::<(Row, Option<Vec<u8>>)>(c)
            .optional()?
    });
    Ok(row.map(|(row, body)| RawRequest::new(row, body)))
}

fn find_after(
    connection: &mut Connection,
    state: &str,
    id: i64,
    since: Option<Timestamp>,
    limit: i64,
) -> QueryResult<Vec<RawRequest>> {
    // Skips older requests without reading them.
    let first = since.map(|since| ranges::first_since(connection, RangedTable::Requests, since)).transpose()?;
    let rows = on_either!(connection, c => {
        let mut query = r::table
            .left_join(b::table.on(b::request_id.eq(r::id)))
            .filter(r::state.eq(state))
            .filter(r::id.gt(first.map_or(id, |first| id.max(first - 1))))
            .order(r::id)
            .limit(limit)
            .select((Row::as_select(), b::body.nullable()))
            .into_boxed();
        if let Some(since) = since {
            query = query.filter(r::received_at.ge(since.naive()));
        }
        query.load::<(Row, Option<Vec<u8>>)>(c)?
    });
    Ok(rows.into_iter().map(|(row, body)| RawRequest::new(row, body)).collect())
}

crate::secret::opaque!(RawRequest);
