//! Requests that were not genuine, kept for diagnosis in a ring. It has a connection of its own and never waits: what cannot
//! be written now is dropped, so that nobody can hold up the writer by sending what nobody believes.

use std::time::{Duration, Instant};

use bytes::Bytes;
use chrono::NaiveDateTime;
use diesel::{BoolExpressionMethods, ExpressionMethods, Insertable, OptionalExtension, QueryDsl, QueryResult, RunQueryDsl};
use serde_json::Value;

use super::{
    Store, StoreError,
    commit::Writer,
    connection::{Connection, on_either},
    failure::{Failure, classify},
    record::{KEPT_HEADERS, masked},
    schema::rejected_requests as r,
};
use crate::{
    callback::{Callback, Headers},
    config::DatabaseUrl,
    endpoint::Endpoint,
    signature::Rejected,
    text,
    time::Timestamp,
};

/// The ring's size: rows, bytes, and age in microseconds.
const MAX_ROWS: usize = 1_000;
const MAX_BYTES: usize = 10 << 20;
const MAX_AGE: i64 = 24 * 60 * 60 * 1_000_000;

/// How long a database that is away is left alone.
const PAUSE: Duration = Duration::from_secs(5);

/// Headers from which it can be told what a proxy changed.
const ROUTE_HEADERS: [&str; 5] = ["host", "x-forwarded-host", "x-forwarded-proto", "x-forwarded-port", "x-forwarded-prefix"];

diesel::define_sql_function! {
    /// Length of bytes.
    fn octet_length(bytes: diesel::sql_types::Binary) -> diesel::sql_types::Integer;
}

diesel::define_sql_function! {
    /// Length of a text in bytes.
    #[sql_name = "octet_length"]
    fn text_length(text: diesel::sql_types::Text) -> diesel::sql_types::Integer;
}

/// A request that was not genuine, as it is kept: no password, no cookie, secrets in its URL masked.
#[derive(Clone, Debug, Insertable)]
#[diesel(table_name = r, treat_none_as_default_value = false)]
pub struct Rejection {
    service_type: &'static str,
    account: String,
    cause: &'static str,
    finding: Option<String>,
    method: String,
    url: String,
    headers: String,
    body: Vec<u8>,
    received_at: NaiveDateTime,
}

impl Rejection {
    /// Everything that is needed to tell later why it was refused, and whether it still would be.
    pub fn new(endpoint: &Endpoint, callback: &Callback, cause: Rejected, finding: Option<String>) -> Self {
        let proofs = endpoint.provider.proof_headers();
        let known = [&KEPT_HEADERS[..], endpoint.spec.kept_headers, &ROUTE_HEADERS].concat();
        let is_kept = |name: &str, value: &[u8]| {
            let is_named = known.contains(&name) || proofs.iter().any(|proof| proof == name);
            is_named && (name != "authorization" || is_signed_token(value))
        };
        Self {
            service_type: endpoint.spec.name,
            account: endpoint.account.as_str().to_owned(),
            cause: cause.into(),
            finding,
            method: callback.method.clone(),
            url: text::clean(&masked(callback)).into_owned(),
            headers: Value::Object(callback.headers.keep_exactly(is_kept)).to_string(),
            body: callback.body.to_vec(),
            received_at: callback.received_at.naive(),
        }
    }

    fn size(&self) -> usize {
        self.body.len() + self.url.len() + self.headers.len()
    }
}

/// Whether an `Authorization` header holds a signed token, which is worth nothing elsewhere, and no password.
fn is_signed_token(value: &[u8]) -> bool {
    let is_bearer = value.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"bearer "));
    is_bearer && value.split(|byte| *byte == b'.').count() == 3
}

/// A row of `rejected_requests` that may be verified again.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each is the column of that name")]
pub struct Kept {
    pub service_type: String,
    pub account: String,
    pub method: String,
    pub url: String,
    pub headers: Headers,
    pub body: Bytes,
    pub received_at: Timestamp,
}

/// The one writer of `rejected_requests`. Blocks, but not for long.
pub struct Ring {
    url: DatabaseUrl,
    /// Opened when it is needed, and again when it was lost.
    connection: Option<Connection>,
    /// When it could not be opened.
    failed: Option<Instant>,
}

impl Ring {
    /// A ring in that database.
    pub fn new(url: &DatabaseUrl) -> Self {
        Self { url: url.clone(), connection: None, failed: None }
    }

    /// Keeps the rows and lets go of what is too much or too old at that instant.
    pub fn keep(&mut self, rows: &[Rejection], now: Timestamp) -> Result<(), StoreError> {
        if self.connection.is_none() && self.failed.is_none_or(|failed| failed.elapsed() > PAUSE) {
            self.connection = Connection::open_casually(&self.url).ok();
            self.failed = self.connection.is_none().then(Instant::now);
        }
        let connection = self.connection.as_mut().ok_or(StoreError::Unavailable)?;
        let kept = on_either!(connection, c => keep(c, rows, now));
        kept.map_err(|error| {
            if classify(&error) == Failure::Unavailable {
                self.connection = None;
            }
            StoreError::Unavailable
        })
    }
}

fn keep(writer: &mut impl Ringed, rows: &[Rejection], now: Timestamp) -> QueryResult<()> {
    // Looked up before the transaction, which is then as short as it can be.
    let sizes = writer.sizes()?;
    let fresh = rows.iter().map(|row| (None, row.size()));
    let kept = sizes.into_iter().map(|(id, body, url, headers)| (Some(id), [body, url, headers].map(length).iter().sum()));
    let mut bytes = 0;
    let last = fresh.chain(kept).enumerate().find_map(|(place, (id, size)): (usize, (Option<i64>, usize))| {
        bytes += size;
        id.filter(|_| place >= MAX_ROWS || bytes > MAX_BYTES)
    });
    let oldest = Timestamp::from_micros(now.micros() - MAX_AGE);
    writer.atomically(|writer| {
        rows.iter().try_for_each(|row| writer.insert(row))?;
        writer.forget(last.unwrap_or(0), oldest.map(Timestamp::naive).unwrap_or_default())
    })
}

fn length(octets: i32) -> usize {
    usize::try_from(octets).unwrap_or(0)
}

/// What the ring needs of either database.
trait Ringed: Writer {
    /// Number and lengths of every row, newest first.
    fn sizes(&mut self) -> QueryResult<Vec<(i64, i32, i32, i32)>>;
    fn insert(&mut self, row: &Rejection) -> QueryResult<()>;
    /// Deletes what is not newer than that row or older than that instant.
    fn forget(&mut self, last: i64, oldest: NaiveDateTime) -> QueryResult<()>;
}

super::connection::for_both! {
    impl Ringed for Connection {
        fn sizes(&mut self) -> QueryResult<Vec<(i64, i32, i32, i32)>> {
            let lengths = (r::id, octet_length(r::body), text_length(r::url), text_length(r::headers));
            r::table.select(lengths).order(r::id.desc()).load(self)
        }

        fn insert(&mut self, row: &Rejection) -> QueryResult<()> {
            diesel::insert_into(r::table).values(row).execute(self).map(drop)
        }

        fn forget(&mut self, last: i64, oldest: NaiveDateTime) -> QueryResult<()> {
            diesel::delete(r::table.filter(r::id.le(last).or(r::received_at.lt(oldest)))).execute(self).map(drop)
        }
    }
}

type KeptRow = (String, String, String, String, String, Vec<u8>, Timestamp);

impl Store {
    /// A kept request that was not genuine. Blocks.
    pub fn rejection(&self, id: i64) -> Result<Option<Kept>, StoreError> {
        let mut connection = self.readers.get().map_err(|_| StoreError::Unavailable)?;
        let columns = (r::service_type, r::account, r::method, r::url, r::headers, r::body, r::received_at);
        let row: Option<KeptRow> =
            on_either!(&mut *connection, c => r::table.filter(r::id.eq(id)).select(columns).first(c).optional())?;
        Ok(row.map(|(service_type, account, method, url, headers, body, received_at)| {
            let headers = Headers::restore(&serde_json::from_str(&headers).unwrap_or_default());
            Kept { service_type, account, method, url, headers, body: body.into(), received_at }
        }))
    }

    /// Deletes a kept request that was not genuine; whether it was there.
    pub async fn discard_rejection(&self, id: i64) -> Result<bool, StoreError> {
        let delete = move |connection: &mut Connection| on_either!(connection, c => diesel::delete(r::table.filter(r::id.eq(id))).execute(c));
        Ok(self.task(delete).await? > 0)
    }
}
