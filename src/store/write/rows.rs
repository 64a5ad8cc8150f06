//! Rows as the commit inserts them. They are built on the request's thread, so that the writer only binds them.

use diesel::sql_types::{BigInt, Binary, Nullable, Text, Timestamp as Instant};
use serde::Serialize;
use serde_json::Map;
use sha2::{Digest, Sha256};

use crate::{
    event::{Call, CallState, CloudEventId, Effect, Engagement, Event, Facts, InboundEmail, RecipientReport, Room},
    status::{Channel, Direction, Status},
    store::{
        db::{
            key::{ShortKey, short_key, truncated_hash},
            statement::row,
        },
        fold::source::Source,
    },
    time::Timestamp,
};

row! {
    /// A new row of `webhook_requests`.
    #[derive(Clone, Debug)]
    pub(crate) struct NewRequest {
        service_type: &'static str => Text,
        account: String => Text,
        dedupe_key: ShortKey => Binary,
        state: &'static str => Text,
        reason: Option<String> => Nullable<Text>,
        answer: i64 => BigInt,
        verified_by: String => Text,
        method: String => Text,
        url: String => Text,
        headers: String => Text,
        received_at: Timestamp => Instant,
        event_count: i64 => BigInt,
    }
}

row! {
    /// Copies of a new request in its own batch.
    #[derive(Clone, Copy, Debug, Default)]
    pub(crate) struct Duplicates {
        duplicate_count: i64 => BigInt,
        last_duplicate_at: Option<Timestamp> => Nullable<Instant>,
    }
}

row! {
    /// A new row of `webhook_events` without its placement.
    #[derive(Clone, Debug)]
    pub(crate) struct NewEvent {
        /// Derived from the sender's id of the event, if it has one.
        event_key: Option<ShortKey> => Nullable<Binary>,
        service_type: &'static str => Text,
        account: String => Text,
        external_id: Option<String> => Nullable<Text>,
        recipient_key: String => Text,
        event_type: &'static str => Text,
        provider_type: Option<String> => Nullable<Text>,
        status: Option<&'static str> => Nullable<Text>,
        provider_status: Option<String> => Nullable<Text>,
        evidence: Option<&'static str> => Nullable<Text>,
        error_code: Option<String> => Nullable<Text>,
        state_key: Vec<u8> => Binary,
        occurred_at: Option<Timestamp> => Nullable<Instant>,
        received_at: Timestamp => Instant,
        detail: String => Text,
    }
}

row! {
    /// The request and message of an event, and the rule that decided about it.
    #[derive(Clone, Copy, Debug, Default)]
    pub(crate) struct Placement {
        request_id: Option<i64> => Nullable<BigInt>,
        mapping_id: Option<i64> => Nullable<BigInt>,
        applied_rule: Option<&'static str> => Nullable<Text>,
    }
}

impl NewEvent {
    /// The row of an event in the request with that key.
    pub(crate) fn from_request(source: Source<'_>, dedupe_key: ShortKey, index: usize, event: &Event) -> Self {
        if let Some(id) = &event.cloud_event {
            return Self::with_key(source, &cloud_event_key(id), event);
        }
        let index = u32::try_from(index).unwrap_or(u32::MAX).to_be_bytes();
        Self::new(source, None, &truncated_hash(Sha256::new().chain_update(dedupe_key).chain_update(index)), event)
    }

    /// The row of an event with a key that is unique at its endpoint.
    pub(crate) fn with_key(source: Source<'_>, key: &[u8], event: &Event) -> Self {
        let key = short_key(source.service_type, source.account, key);
        Self::new(source, Some(key), &truncated_hash(Sha256::new().chain_update(key)), event)
    }

    fn new(source: Source<'_>, event_key: Option<ShortKey>, tie_break: &ShortKey, event: &Event) -> Self {
        Self {
            event_key,
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
            state_key: state_key(event, tie_break),
            occurred_at: event.occurred_at,
            received_at: source.received_at,
            detail: detail(event),
        }
    }
}

/// The key of a CloudEvent. The length of the source is hashed first, so that no byte can move between source and id.
fn cloud_event_key(CloudEventId { source, id }: &CloudEventId) -> [u8; 32] {
    let length = u64::try_from(source.len()).unwrap_or(u64::MAX).to_be_bytes();
    Sha256::new().chain_update(length).chain_update(source).chain_update(id).finalize().into()
}

/// The order of a message's events, as bytes that compare alike on both databases: rank, time (0 if absent), and a tie-break that is
/// unique to the event.
fn state_key(event: &Event, tie_break: &ShortKey) -> Vec<u8> {
    let rank = match &event.effect {
        Effect::Call(call) => call.state.map_or(0, CallState::rank),
        Effect::Room(room) => room.change.rank(),
        _ => event.status.unwrap_or(Status::Registered).rank(event.is_email(), event.is_inferred()),
    };
    let micros = event.occurred_at.map_or(0, Timestamp::micros);
    // Flipping the sign makes two's complement compare as unsigned bytes.
    let time = (micros.cast_unsigned() ^ (1 << 63)).to_be_bytes();
    [&[rank][..], &time, tie_break].concat()
}

/// Everything else that the fold reads, so that a row can be rebuilt after the body has expired. The members are sorted.
#[derive(Serialize)]
struct Detail<'e> {
    #[serde(skip_serializing_if = "Option::is_none")]
    call: Option<&'e Call>,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<Channel>,
    #[serde(skip_serializing_if = "Option::is_none")]
    direction: Option<Direction>,
    /// The headers of an inbound e-mail.
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'e InboundEmail>,
    #[serde(skip_serializing_if = "Option::is_none")]
    embedded_id: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    engagement: Option<&'e Engagement>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_category: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_diagnostic: Option<&'e str>,
    /// Null for an error without a text.
    #[serde(skip_serializing_if = "Option::is_none")]
    error_message: Option<NullOr<'e>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_permanence: Option<&'static str>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    more: &'e Map<String, serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parts_total: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    price: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    price_currency: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recipient: Option<&'e str>,
    #[serde(skip_serializing_if = "<[RecipientReport]>::is_empty")]
    recipients: &'e [RecipientReport],
    #[serde(skip_serializing_if = "Option::is_none")]
    room: Option<&'e Room>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sender: Option<&'e str>,
}

#[derive(Serialize)]
#[serde(transparent)]
struct NullOr<'e>(Option<&'e str>);

fn detail(event: &Event) -> String {
    let Facts { recipient, sender, channel, direction, price, price_currency, parts_total, embedded_id, .. } = &event.facts;
    let error = event.error.as_ref();
    let (call, room) = match &event.effect {
        Effect::Call(call) => (Some(call), None),
        Effect::Room(room) => (None, Some(&**room)),
        Effect::None | Effect::Message | Effect::Inbound(_) => (None, None),
    };
    let email = match &event.effect {
        Effect::Inbound(inbound) => Some(&inbound.email).filter(|email| **email != InboundEmail::default()),
        _ => None,
    };
    let detail = Detail {
        call,
        channel: *channel,
        direction: *direction,
        email,
        embedded_id: embedded_id.as_deref(),
        engagement: event.facts.engagement.as_deref(),
        error_category: error.map(|error| error.category.into()),
        error_diagnostic: error.and_then(|error| error.diagnostic.as_deref()),
        error_message: error.map(|error| NullOr(error.message.as_deref())),
        error_permanence: error.map(|error| error.permanence.into()),
        more: &event.facts.more,
        parts_total: *parts_total,
        price: price.as_deref(),
        price_currency: price_currency.as_deref(),
        recipient: recipient.as_deref(),
        recipients: &event.facts.recipients,
        room,
        sender: sender.as_deref(),
    };
    serde_json::to_string(&detail).unwrap_or_else(|_| "{}".to_owned())
}
