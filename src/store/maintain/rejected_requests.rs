//! A ring buffer of rejected requests, for diagnosis. It has its own connection and never waits: a row that cannot be written at once
//! is dropped, so that rejected requests cannot delay the writer.

use std::time::{Duration, Instant};

use bytes::Bytes;
use chrono::NaiveDateTime;
use diesel::{BoolExpressionMethods, ExpressionMethods, Insertable, OptionalExtension, QueryDsl, QueryResult, RunQueryDsl};
use serde_json::Value;

use crate::{
    callback::{Callback, Headers},
    endpoint::Endpoint,
    signature::VerifyError,
    store::{
        Store,
        db::{
            connection::{Connection, on_either},
            error::StoreError,
            error_kind::{ErrorKind, classify},
            schema::rejected_requests as r,
            url::DatabaseUrl,
        },
        write::record::{STORED_HEADERS, masked_url},
    },
    text,
    time::Timestamp,
};

/// Limits of the ring: rows, bytes, and age in microseconds.
const MAX_ROWS: usize = 1_000;
const MAX_BYTES: usize = 10 << 20;
const MAX_AGE: i64 = 24 * 60 * 60 * 1_000_000;

/// The interval between attempts to connect to an unavailable database.
const RECONNECT_INTERVAL: Duration = Duration::from_secs(5);

/// Headers that show how a proxy changed the request.
const PROXY_HEADERS: [&str; 5] = ["host", "x-forwarded-host", "x-forwarded-proto", "x-forwarded-port", "x-forwarded-prefix"];

diesel::define_sql_function! {
    /// Length of a blob in bytes.
    fn octet_length(bytes: diesel::sql_types::Binary) -> diesel::sql_types::Integer;
}

diesel::define_sql_function! {
    /// Length of a text in bytes.
    #[sql_name = "octet_length"]
    fn text_length(text: diesel::sql_types::Text) -> diesel::sql_types::Integer;
}

/// A rejected request as it is stored: without passwords and cookies, and with the secrets in its URL masked.
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
    /// A rejection with the data needed to diagnose it and to verify the request again.
    pub fn new(endpoint: &Endpoint, callback: &Callback, cause: VerifyError, finding: Option<String>) -> Self {
        let proofs = endpoint.provider.proof_headers();
        let known = [&STORED_HEADERS[..], endpoint.spec.stored_headers, &PROXY_HEADERS].concat();
        let is_stored = |name: &str, value: &[u8]| {
            let is_known = known.contains(&name) || proofs.iter().any(|proof| proof == name);
            is_known && (name != "authorization" || is_signed_token(value))
        };
        Self {
            service_type: endpoint.spec.name,
            account: endpoint.account.as_str().to_owned(),
            cause: cause.into(),
            finding,
            method: callback.method.clone(),
            url: text::clean(&masked_url(callback)).into_owned(),
            headers: Value::Object(callback.headers.to_map(is_stored)).to_string(),
            body: callback.body.to_vec(),
            received_at: callback.received_at.naive(),
        }
    }

    fn size(&self) -> usize {
        self.body.len() + self.url.len() + self.headers.len()
    }
}

/// Returns true if an `Authorization` header contains a signed token, which is useless elsewhere, instead of a password.
fn is_signed_token(value: &[u8]) -> bool {
    let is_bearer = value.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"bearer "));
    is_bearer && value.split(|byte| *byte == b'.').count() == 3
}

/// A rejected request, to be verified again.
#[derive(Clone, Debug)]
pub struct StoredRejection {
    pub service_type: String,
    pub account: String,
    pub method: String,
    pub url: String,
    pub headers: Headers,
    pub body: Bytes,
    pub received_at: Timestamp,
}

/// The writer of `rejected_requests`. Blocks briefly.
pub struct RingBuffer {
    url: DatabaseUrl,
    /// Opened on demand, and reopened after it was lost.
    connection: Option<Connection>,
    /// The time of the last failed attempt to open it.
    failed: Option<Instant>,
}

impl RingBuffer {
    pub fn new(url: &DatabaseUrl) -> Self {
        Self { url: url.clone(), connection: None, failed: None }
    }

    /// Inserts rows and deletes those that exceed the limits.
    pub fn insert(&mut self, rows: &[Rejection], now: Timestamp) -> Result<(), StoreError> {
        if self.connection.is_none() && self.failed.is_none_or(|failed| failed.elapsed() > RECONNECT_INTERVAL) {
            self.connection = Connection::open_best_effort(&self.url).ok();
            self.failed = self.connection.is_none().then(Instant::now);
        }
        let connection = self.connection.as_mut().ok_or(StoreError::Unavailable)?;
        insert(connection, rows, now).map_err(|error| {
            if classify(&error) == ErrorKind::Unavailable {
                self.connection = None;
            }
            StoreError::Unavailable
        })
    }
}

fn insert(connection: &mut Connection, rows: &[Rejection], now: Timestamp) -> QueryResult<()> {
    // Read before the transaction, to keep that short.
    let lengths = (r::id, octet_length(r::body), text_length(r::url), text_length(r::headers));
    let sizes: Vec<(i64, i32, i32, i32)> = on_either!(connection, c => r::table.select(lengths).order(r::id.desc()).load(c))?;
    let new = rows.iter().map(|row| (None, row.size()));
    let old = sizes.into_iter().map(|(id, body, url, headers)| (Some(id), [body, url, headers].map(length).iter().sum()));
    let mut bytes = 0;
    let last = new.chain(old).enumerate().find_map(|(index, (id, size)): (usize, (Option<i64>, usize))| {
        bytes += size;
        id.filter(|_| index >= MAX_ROWS || bytes > MAX_BYTES)
    });
    let oldest = Timestamp::from_micros(now.micros() - MAX_AGE).map(Timestamp::naive).unwrap_or_default();
    connection.transaction(|connection| {
        on_either!(connection, c => {
            rows.iter().try_for_each(|row| diesel::insert_into(r::table).values(row).execute(c).map(drop))?;
            let excess = r::table.filter(r::id.le(last.unwrap_or(0)).or(r::received_at.lt(oldest)));
            diesel::delete(excess).execute(c).map(drop)
        })
    })
}

fn length(octets: i32) -> usize {
    usize::try_from(octets).unwrap_or(0)
}

type StoredRejectionRow = (String, String, String, String, String, Vec<u8>, Timestamp);

impl Store {
    /// A rejected request. Blocks.
    pub fn rejection(&self, id: i64) -> Result<Option<StoredRejection>, StoreError> {
        let columns = (r::service_type, r::account, r::method, r::url, r::headers, r::body, r::received_at);
        let row: Option<StoredRejectionRow> = self
            .read(|connection| on_either!(connection, c => r::table.filter(r::id.eq(id)).select(columns).first(c).optional()))?;
        Ok(row.map(|(service_type, account, method, url, headers, body, received_at)| {
            let headers = Headers::from_map(&serde_json::from_str(&headers).unwrap_or_default());
            StoredRejection { service_type, account, method, url, headers, body: body.into(), received_at }
        }))
    }

    /// Deletes a rejected request; returns true if it existed.
    pub async fn discard_rejection(&self, id: i64) -> Result<bool, StoreError> {
        let delete = move |connection: &mut Connection| on_either!(connection, c => diesel::delete(r::table.filter(r::id.eq(id))).execute(c));
        Ok(self.write(delete).await? > 0)
    }
}
