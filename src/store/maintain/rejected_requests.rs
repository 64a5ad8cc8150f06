//! Rejected requests as they are stored, for diagnosis, and as they are verified again.

use bytes::Bytes;
use chrono::NaiveDateTime;
use diesel::{ExpressionMethods, Insertable, OptionalExtension, QueryDsl, RunQueryDsl};
use serde_json::Value;

use crate::{
    callback::{Callback, Headers},
    endpoint::Endpoint,
    mask,
    network::Network,
    signature::VerifyError,
    store::{
        Store,
        db::{
            connection::{Connection, on_either},
            error::StoreError,
            schema::rejected_requests as r,
        },
        write::record::{PROXY_HEADERS, STORED_HEADERS},
    },
    text,
    time::Timestamp,
};

/// A rejected request as it is stored: without passwords and cookies, and with the secrets in its URL masked.
#[derive(Clone, Insertable)]
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
    network: String,
    is_near_miss: bool,
    body_bytes: i64,
}

/// The part of a body that is stored, unless the doctor found a near miss.
pub const STORED_BODY: usize = 1 << 10;

/// A rejected request, and what was found out about it.
#[derive(Clone)]
pub struct RejectedRequest {
    /// Its body may be cut off.
    pub callback: Callback,
    /// Length of the whole body.
    pub body_bytes: usize,
    pub cause: VerifyError,
    pub finding: Option<String>,
    pub is_near_miss: bool,
}

impl RejectedRequest {
    pub fn new(callback: Callback, cause: VerifyError) -> Self {
        Self { body_bytes: callback.body.len(), callback, cause, finding: None, is_near_miss: false }
    }

    /// Bytes in memory and, about, in the ring.
    pub fn size(&self) -> usize {
        self.callback.body.len() + self.callback.target.len() + self.callback.headers.size()
    }

    /// Drops all but the beginning of the body.
    pub fn cut_body(&mut self) {
        let Some(beginning) = self.callback.body.get(..STORED_BODY) else { return };
        // The end may fall inside a character.
        let end = std::str::from_utf8(beginning).err().filter(|error| error.error_len().is_none());
        let beginning = end.and_then(|error| beginning.get(..error.valid_up_to())).unwrap_or(beginning);
        // A copy, because a slice would keep the whole body in memory.
        self.callback.body = Bytes::copy_from_slice(beginning);
    }
}

impl Rejection {
    /// A rejection with the data needed to diagnose it and, if its body is whole, to verify the request again.
    pub fn new(endpoint: &Endpoint, rejected: RejectedRequest) -> Self {
        let RejectedRequest { callback, body_bytes, cause, finding, is_near_miss } = rejected;
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
            url: text::clean_owned(url(endpoint, &callback)),
            headers: Value::Object(callback.headers.to_map(is_stored)).to_string(),
            body: callback.body.to_vec(),
            received_at: callback.received_at.naive(),
            network: Network::from(callback.client).to_string(),
            is_near_miss,
            body_bytes: i64::try_from(body_bytes).unwrap_or(i64::MAX),
        }
    }
}

/// The URL with its secrets masked. What a signature may cover is stored, so that the request can be verified again: the URL, if the
/// provider signs it, and otherwise the parameters of a request without a body.
fn url(endpoint: &Endpoint, callback: &Callback) -> String {
    let may_be_signed = endpoint.spec.signs_url() || callback.body.is_empty();
    let masked = if may_be_signed { mask::signed_url } else { mask::stored_url };
    masked(&callback.target, callback.url_token.is_some())
}

/// Returns true if an `Authorization` header contains a signed token, which is useless elsewhere, instead of a password.
fn is_signed_token(value: &[u8]) -> bool {
    let is_bearer = value.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"bearer "));
    is_bearer && value.split(|byte| *byte == b'.').count() == 3
}

/// A rejected request, to be verified again.
#[derive(Clone)]
pub struct StoredRejection {
    pub service_type: String,
    pub account: String,
    pub method: String,
    pub url: String,
    pub headers: Headers,
    pub body: Bytes,
    /// Length of the whole body.
    pub body_bytes: usize,
    pub received_at: Timestamp,
}

impl StoredRejection {
    /// True if only the beginning of its body is stored.
    pub fn is_cut(&self) -> bool {
        self.body.len() < self.body_bytes
    }
}

type StoredRejectionRow = (String, String, String, String, String, Vec<u8>, i64, Timestamp);

impl Store {
    /// A rejected request. Blocks.
    pub fn rejection(&self, id: i64) -> Result<Option<StoredRejection>, StoreError> {
        let columns = (r::service_type, r::account, r::method, r::url, r::headers, r::body, r::body_bytes, r::received_at);
        let row: Option<StoredRejectionRow> = self.read_rejected(
            |connection| on_either!(connection, c => r::table.filter(r::id.eq(id)).select(columns).first(c).optional()),
        )?;
        Ok(row.map(|(service_type, account, method, url, headers, body, body_bytes, received_at)| {
            let headers = Headers::from_map(&serde_json::from_str(&headers).unwrap_or_default());
            let body_bytes = usize::try_from(body_bytes).unwrap_or(0);
            StoredRejection { service_type, account, method, url, headers, body: body.into(), body_bytes, received_at }
        }))
    }

    /// Deletes a rejected request; returns true if it existed.
    pub async fn discard_rejection(&self, id: i64) -> Result<bool, StoreError> {
        let delete = move |connection: &mut Connection| on_either!(connection, c => diesel::delete(r::table.filter(r::id.eq(id))).execute(c));
        Ok(self.write_rejected(delete).await? > 0)
    }
}

crate::secret::opaque!(Rejection, RejectedRequest, StoredRejection);
