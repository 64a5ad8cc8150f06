//! Authentic callbacks read again: what was recorded of each, and its exact bytes.

use std::sync::Arc;

use bytes::Bytes;
use diesel::{
    ExpressionMethods, JoinOnDsl, NullableExpressionMethods, OptionalExtension, QueryDsl, QueryResult, Queryable, RunQueryDsl,
    Selectable, SelectableHelper,
};
use serde_json::{Map, Value};

use super::{
    Store, StoreError,
    connection::{Connection, on_either},
    schema::{webhook_bodies as b, webhook_requests as r},
};
use crate::{
    callback::Callback,
    endpoint::Endpoint,
    signature::{RequestKey, stored::Recorded, url_token},
    time::Timestamp,
};

/// A row of `webhook_requests` with its body.
#[derive(Clone, Debug)]
pub struct AuthenticRequest {
    /// Its number.
    pub id: i64,
    /// The provider.
    pub service_type: String,
    /// The account.
    pub account: String,
    /// `processed`, `quarantined` or `discarded`.
    pub state: String,
    /// Why it was not applied.
    pub reason: Option<String>,
    /// The exact body, unless it has expired.
    pub body: Option<Bytes>,
    /// What was recorded of its proof.
    pub recorded: Recorded,
    method: String,
    url: String,
    headers: String,
    received_at: Timestamp,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = r)]
struct Row {
    id: i64,
    service_type: String,
    account: String,
    dedupe_key: Vec<u8>,
    state: String,
    reason: Option<String>,
    verified_by: String,
    method: String,
    url: String,
    headers: String,
    received_at: Timestamp,
}

impl AuthenticRequest {
    fn new(row: Row, body: Option<Vec<u8>>) -> Self {
        let Row { id, service_type, account, dedupe_key, state, reason, verified_by, method, url, headers, received_at } = row;
        // A key of another length is none of ours; its callback is then the same as no other.
        let request_key: RequestKey = dedupe_key.try_into().unwrap_or_default();
        let recorded = Recorded::of_row(request_key, verified_by);
        Self {
            id,
            service_type,
            account,
            state,
            reason,
            body: body.map(Bytes::from),
            recorded,
            method,
            url,
            headers,
            received_at,
        }
    }

    /// The callback as it came, but for what is not kept: credentials, most signatures, the client's address.
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
}

impl Store {
    /// One authentic callback as it is stored. Blocks.
    pub fn authentic_request(&self, id: i64) -> Result<Option<AuthenticRequest>, StoreError> {
        self.read(|connection| one(connection, id))
    }

    /// Authentic callbacks in that state behind a number, oldest first. Blocks.
    pub fn authentic_requests(
        &self,
        state: &str,
        after: i64,
        since: Option<Timestamp>,
        limit: i64,
    ) -> Result<Vec<AuthenticRequest>, StoreError> {
        self.read(|connection| after_number(connection, state, after, since, limit))
    }
}

/// One request.
fn one(connection: &mut Connection, id: i64) -> QueryResult<Option<AuthenticRequest>> {
    let row = on_either!(connection, c => {
        r::table
            .left_join(b::table.on(b::request_id.eq(r::id)))
            .filter(r::id.eq(id))
            .select((Row::as_select(), b::body.nullable()))
            .first::<(Row, Option<Vec<u8>>)>(c)
            .optional()?
    });
    Ok(row.map(|(row, body)| AuthenticRequest::new(row, body)))
}

/// How far numbers may lag behind instants: they are given out before their transactions end.
const SLACK: i64 = 10_000;

/// Requests in that state behind a number that came since an instant, and how many at the most.
fn after_number(
    connection: &mut Connection,
    state: &str,
    id: i64,
    since: Option<Timestamp>,
    limit: i64,
) -> QueryResult<Vec<AuthenticRequest>> {
    let rows = on_either!(connection, c => {
        let mut from = id;
        let mut query = r::table
            .left_join(b::table.on(b::request_id.eq(r::id)))
            .filter(r::state.eq(state))
            .order(r::id)
            .limit(limit)
            .select((Row::as_select(), b::body.nullable()))
            .into_boxed();
        if let Some(since) = since {
            let first = r::table.filter(r::received_at.ge(since.naive())).order((r::received_at, r::id)).select(r::id);
            // What is older need not be read to be passed over.
            from = from.max(first.first::<i64>(c).optional()?.map_or(id, |first| first - SLACK));
            query = query.filter(r::received_at.ge(since.naive()));
        }
        query.filter(r::id.gt(from)).load::<(Row, Option<Vec<u8>>)>(c)?
    });
    Ok(rows.into_iter().map(|(row, body)| AuthenticRequest::new(row, body)).collect())
}
