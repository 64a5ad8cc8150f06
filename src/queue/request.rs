//! A verified request as a queue holds it: the row of the request and its exact body. Its events are parsed again when it is drained.

use std::borrow::Cow;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{
    signature::recorded_proof::RecordedProof,
    store::{PROCESSED, QUARANTINED, RawRequest, Record, StoredResponse},
    time::Timestamp,
};

/// The version of [`Head`]. A process leaves requests of a later version to a later process.
const VERSION: u32 = 1;

/// A verified request as a queue holds it. Made from a [`Record`], which needs a verified callback, or read back from a queue.
#[derive(Clone)]
pub struct QueuedRequest {
    service_type: Cow<'static, str>,
    account: String,
    key: [u8; 16],
    verified_by: String,
    method: String,
    /// Masked as in the database.
    url: String,
    /// The stored headers as JSON.
    headers: String,
    received_at: Timestamp,
    answer: i64,
    is_quarantined: bool,
    body: Bytes,
}

/// Everything but the body, as one line of JSON.
#[derive(Serialize, Deserialize)]
struct Head<'r> {
    v: u32,
    #[serde(borrow)]
    service_type: Cow<'r, str>,
    #[serde(borrow)]
    account: Cow<'r, str>,
    #[serde(with = "hex::serde")]
    key: [u8; 16],
    #[serde(borrow)]
    verified_by: Cow<'r, str>,
    #[serde(borrow)]
    method: Cow<'r, str>,
    #[serde(borrow)]
    url: Cow<'r, str>,
    #[serde(borrow)]
    headers: Cow<'r, str>,
    /// Microseconds since 1970.
    received_at: i64,
    answer: i64,
    is_quarantined: bool,
}

/// Data in a queue that is no request of this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    #[error("it was written by a later version")]
    Newer,
    #[error("it is damaged or was written by something else")]
    Damaged,
}

impl QueuedRequest {
    pub fn new(record: &Record) -> Self {
        let request = &record.request;
        Self {
            service_type: Cow::Borrowed(request.service_type),
            account: request.account.clone(),
            key: request.dedupe_key,
            verified_by: request.verified_by.clone(),
            method: request.method.clone(),
            url: request.url.clone(),
            headers: request.headers.clone(),
            received_at: request.received_at,
            answer: request.answer,
            is_quarantined: record.is_quarantined(),
            body: record.body.clone(),
        }
    }

    /// Everything but the body, as one line of JSON.
    pub fn head(&self) -> String {
        let head = Head {
            v: VERSION,
            service_type: Cow::Borrowed(&self.service_type),
            account: Cow::Borrowed(&self.account),
            key: self.key,
            verified_by: Cow::Borrowed(&self.verified_by),
            method: Cow::Borrowed(&self.method),
            url: Cow::Borrowed(&self.url),
            headers: Cow::Borrowed(&self.headers),
            received_at: self.received_at.micros(),
            answer: self.answer,
            is_quarantined: self.is_quarantined,
        };
        // Texts and numbers can always be written.
        serde_json::to_string(&head).unwrap_or_default()
    }

    /// The request with that head and body.
    pub fn from_parts(head: &[u8], body: Bytes) -> Result<Self, Unreadable> {
        #[derive(Deserialize)]
        struct Version {
            v: u32,
        }
        let Version { v } = serde_json::from_slice(head).map_err(|_| Unreadable::Damaged)?;
        if v > VERSION {
            return Err(Unreadable::Newer);
        }
        let head: Head<'_> = serde_json::from_slice(head).map_err(|_| Unreadable::Damaged)?;
        Ok(Self {
            service_type: Cow::Owned(head.service_type.into_owned()),
            account: head.account.into_owned(),
            key: head.key,
            verified_by: head.verified_by.into_owned(),
            method: head.method.into_owned(),
            url: head.url.into_owned(),
            headers: head.headers.into_owned(),
            received_at: Timestamp::from_micros(head.received_at).ok_or(Unreadable::Damaged)?,
            answer: head.answer,
            is_quarantined: head.is_quarantined,
            body,
        })
    }

    pub fn service_type(&self) -> &str {
        &self.service_type
    }

    pub fn account(&self) -> &str {
        &self.account
    }

    /// The key of the request, unique in the database.
    pub fn key(&self) -> [u8; 16] {
        self.key
    }

    pub fn received_at(&self) -> Timestamp {
        self.received_at
    }

    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The response that was given to it.
    pub fn response(&self) -> StoredResponse {
        StoredResponse::from_code(self.answer)
    }

    pub fn is_quarantined(&self) -> bool {
        self.is_quarantined
    }

    /// The stored callback, to be parsed again.
    pub(super) fn into_raw(self) -> RawRequest {
        RawRequest {
            id: 0,
            service_type: self.service_type.into_owned(),
            account: self.account,
            state: if self.is_quarantined { QUARANTINED } else { PROCESSED }.to_owned(),
            body: Some(self.body),
            recorded: RecordedProof::from_row(self.key, self.verified_by),
            method: self.method,
            url: self.url,
            headers: self.headers,
            received_at: self.received_at,
        }
    }
}

crate::secret::opaque!(QueuedRequest);
