//! Rows as they are written: inserted by Diesel on SQLite, sent as one JSON document per table to Postgres.

#![expect(clippy::ref_option_ref, reason = "inside Diesel's derive")]

use chrono::NaiveDateTime;
use diesel::{AsChangeset, Insertable};
use serde::{Serialize, Serializer};
use sha2::{Digest, Sha256};

use super::{
    record::{Reading, Record, Source},
    schema::{message_external_ids, webhook_events, webhook_requests},
};
use crate::{
    event::{CallState, CloudEventId, Effect, Event},
    status::Status,
};

/// A new row of `webhook_requests`.
#[derive(Clone, Debug, Insertable, Serialize)]
#[diesel(table_name = webhook_requests, treat_none_as_default_value = false)]
pub(super) struct RequestRow {
    pub service_type: &'static str,
    pub account: String,
    #[serde(serialize_with = "hex")]
    pub dedupe_key: Vec<u8>,
    pub state: &'static str,
    pub reason: Option<String>,
    pub answer: i64,
    pub verified_by: String,
    pub method: String,
    pub url: String,
    pub headers: String,
    pub received_at: NaiveDateTime,
}

/// A new row of `webhook_events`.
#[derive(Clone, Debug, Insertable, Serialize)]
#[diesel(table_name = webhook_events, treat_none_as_default_value = false)]
pub(super) struct EventRow {
    #[serde(serialize_with = "hex")]
    pub event_key: Vec<u8>,
    pub request_id: Option<i64>,
    pub service_type: &'static str,
    pub account: String,
    pub external_id: Option<String>,
    pub recipient_key: String,
    pub event_type: &'static str,
    pub provider_type: Option<String>,
    pub status: Option<&'static str>,
    pub provider_status: Option<String>,
    pub evidence: Option<&'static str>,
    pub error_code: Option<String>,
    #[serde(serialize_with = "hex")]
    pub state_key: Vec<u8>,
    pub occurred_at: Option<NaiveDateTime>,
    pub received_at: NaiveDateTime,
    pub detail: String,
    pub applied_rule: Option<&'static str>,
}

/// A row of `message_external_ids` as one event, or the fold of several, makes it.
#[derive(Clone, Debug, PartialEq, AsChangeset, Insertable, Serialize)]
#[diesel(table_name = message_external_ids, treat_none_as_null = true, treat_none_as_default_value = false)]
pub(super) struct MessageRow {
    pub external_id: String,
    pub service_type: &'static str,
    pub account: String,
    pub message_id: Option<i64>,
    pub matched_by: Option<&'static str>,
    /// The same as `message_id`: what an application sets by itself differs from it.
    pub matched_id: Option<i64>,
    pub recipient_key: String,
    pub recipient: Option<String>,
    pub sender: Option<String>,
    pub channel: Option<&'static str>,
    pub direction: Option<&'static str>,
    pub status: &'static str,
    pub provider_status: Option<String>,
    pub is_final: bool,
    pub evidence: Option<&'static str>,
    pub error_code: Option<String>,
    pub error_message: Option<String>,
    pub error_category: Option<&'static str>,
    pub error_permanence: Option<&'static str>,
    pub status_at: Option<NaiveDateTime>,
    pub delivered_at: Option<NaiveDateTime>,
    pub failed_at: Option<NaiveDateTime>,
    pub read_at: Option<NaiveDateTime>,
    pub opened_at: Option<NaiveDateTime>,
    pub open_count: i64,
    pub clicked_at: Option<NaiveDateTime>,
    pub click_count: i64,
    pub complained_at: Option<NaiveDateTime>,
    pub unsubscribed_at: Option<NaiveDateTime>,
    pub has_conflict: bool,
    pub revision: i64,
    pub embedded_id: Option<String>,
    pub price: Option<String>,
    pub price_currency: Option<String>,
    pub parts_total: Option<i64>,
    pub verified_by: String,
    #[serde(serialize_with = "hex")]
    pub state_key: Vec<u8>,
    pub updated_at: NaiveDateTime,
}

impl From<&Record> for RequestRow {
    fn from(record: &Record) -> Self {
        let (state, reason) = match &record.reading {
            Reading::Events(_) => ("processed", None),
            Reading::Quarantined { reason, .. } => ("quarantined", Some(reason.clone())),
        };
        Self {
            service_type: record.service_type,
            account: record.account.clone(),
            dedupe_key: record.request_key.to_vec(),
            state,
            reason,
            answer: record.answer().code(),
            verified_by: record.verified_by.clone(),
            method: record.method.clone(),
            url: record.url.clone(),
            headers: record.headers.clone(),
            received_at: record.received_at.naive(),
        }
    }
}

impl EventRow {
    /// The row of one event of a record.
    pub(super) fn new(record: &Record, index: usize, event: &Event) -> Self {
        Self::of(record.source(), event_key(record, index, event), event)
    }

    /// The row of an event with that key.
    pub(super) fn of(source: Source<'_>, event_key: Vec<u8>, event: &Event) -> Self {
        Self {
            state_key: state_key(event, &event_key),
            event_key,
            request_id: None,
            service_type: source.service_type,
            account: source.account.to_owned(),
            external_id: event.external_id.as_ref().map(|id| id.as_str().to_owned()),
            recipient_key: event.recipient_key.clone().unwrap_or_default(),
            event_type: event.event_type.into(),
            provider_type: event.provider_type.clone(),
            status: event.status.map(Into::into),
            provider_status: event.provider_status.clone(),
            evidence: event.evidence.map(Into::into),
            error_code: event.error.as_ref().and_then(|error| error.code.clone()),
            occurred_at: event.occurred_at.map(crate::time::Timestamp::naive),
            received_at: source.received_at.naive(),
            detail: detail(event),
            applied_rule: None,
        }
    }
}

/// The identity of a fact: what its sender named it, or the request's key and the fact's place in it. The two differ in
/// length, so they are never taken for one another.
fn event_key(record: &Record, index: usize, event: &Event) -> Vec<u8> {
    if let Some(CloudEventId { source, id }) = &event.cloud_event {
        // With its length before it, so that no byte moves between source and id.
        let length = u64::try_from(source.len()).unwrap_or(u64::MAX).to_be_bytes();
        return Sha256::new().chain_update(length).chain_update(source).chain_update(id).finalize().to_vec();
    }
    let place = u32::try_from(index).unwrap_or(u32::MAX).to_be_bytes();
    [record.request_key.as_slice(), &place].concat()
}

/// What decides between the events of one message, as bytes that compare alike on both databases: rank, then the
/// event's time (absent = 0), then a hash of the event's key, so that no two events are equal.
fn state_key(event: &Event, event_key: &[u8]) -> Vec<u8> {
    let rank = match &event.effect {
        Effect::Call(call) => call.state.map_or(0, CallState::rank),
        Effect::Room(room) => room.change.rank(),
        _ => event.status.unwrap_or(Status::Registered).rank(event.is_email(), event.is_inferred()),
    };
    let micros = event.occurred_at.map_or(0, crate::time::Timestamp::micros);
    // Flipping the sign makes two's complement compare as unsigned bytes.
    let time = (micros.cast_unsigned() ^ (1 << 63)).to_be_bytes();
    let hash = Sha256::digest(event_key);
    [&[rank][..], &time, hash.get(..16).unwrap_or_default()].concat()
}

/// Everything else the fold reads, so that a row can be rebuilt after its body expired.
fn detail(event: &Event) -> String {
    let mut detail = serde_json::to_value(&event.facts).unwrap_or_default();
    if let Some(fields) = detail.as_object_mut() {
        match &event.effect {
            Effect::Call(call) => drop(fields.insert("call".to_owned(), serde_json::to_value(call).unwrap_or_default())),
            Effect::Room(room) => drop(fields.insert("room".to_owned(), serde_json::to_value(room).unwrap_or_default())),
            Effect::None | Effect::Message | Effect::Inbound(_) => {}
        }
    }
    if let (Some(error), Some(fields)) = (&event.error, detail.as_object_mut()) {
        fields.insert("error_message".to_owned(), error.message.clone().into());
        if let Some(diagnostic) = &error.diagnostic {
            fields.insert("error_diagnostic".to_owned(), diagnostic.clone().into());
        }
        fields.insert("error_category".to_owned(), error.category.as_ref().into());
        fields.insert("error_permanence".to_owned(), error.permanence.as_ref().into());
    }
    detail.to_string()
}

/// Postgres reads bytes from JSON text as `\x` and hex digits.
fn hex<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format!("\\x{}", hex::encode(bytes)))
}
