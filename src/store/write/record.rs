//! A verified callback as the rows that the writer inserts.

use std::hash::{DefaultHasher, Hash, Hasher};

use bytes::Bytes;

use super::{
    receipts::Receipt,
    rows::{NewEvent, NewRequest},
};
use crate::{
    endpoint::{Endpoint, UnknownMessage},
    event::{Effect, Event, EventType, ExternalId},
    mask,
    metrics::Unmapped,
    provider::{InvalidPayload, ParseError},
    signature::{StoredKey, VerifiedCallback},
    status::{ErrorCategory, Status},
    store::{
        db::key::{MessageKey, short_key},
        fold::{
            call::CallRow, inbound_message::InboundRow, message::MessageState, parts::PartRow, room::RoomRow, source::Source,
        },
    },
    text,
    time::Timestamp,
};

/// States of a request.
pub(crate) const PROCESSED: &str = "processed";
pub(crate) const QUARANTINED: &str = "quarantined";

/// The response to a request and to all its retries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoredResponse {
    /// 200.
    Success,
    /// 400 `invalid_payload`.
    InvalidPayload,
    /// 404 `not_found`: the application has not registered the message.
    NotFound,
}

impl StoredResponse {
    pub(crate) fn code(self) -> i64 {
        match self {
            Self::Success => 200,
            Self::InvalidPayload => 400,
            Self::NotFound => 404,
        }
    }

    pub(crate) fn from_code(code: i64) -> Self {
        match code {
            400 => Self::InvalidPayload,
            404 => Self::NotFound,
            _ => Self::Success,
        }
    }
}

/// A verified callback and its parsed events, as the rows that the writer inserts. It can only be made from a verified callback.
#[derive(Clone)]
pub struct Record {
    pub(crate) request: NewRequest,
    pub(crate) body: Bytes,
    pub(crate) events: Vec<PendingEvent>,
    pub(crate) unknown_message: UnknownMessage,
    /// True if this very record may be written twice: its outcome may be unknown, and a queue may deliver it again.
    pub(crate) may_recur: bool,
}

/// An event and the row that it changes.
#[derive(Clone, Debug)]
pub(crate) struct PendingEvent {
    pub(crate) row: NewEvent,
    pub(crate) target: Target,
    pub(crate) unmapped: Unmapped,
}

/// The row that an event changes, as derived from that event.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    None,
    Message(Box<Contribution>),
    Inbound(Box<InboundRow>),
    Part(Box<PartRow>),
    Call(Box<CallRow>),
    Room(Box<RoomRow>),
}

/// An event's contribution to a message.
#[derive(Clone, Debug)]
pub(crate) struct Contribution {
    pub(crate) key: MessageKey,
    /// True if the message has a row per recipient.
    pub(crate) is_shared: bool,
    pub(crate) state: MessageState,
}

/// The data of a record that may be logged.
#[derive(Debug)]
pub struct Summary {
    /// True if it is stored without being applied.
    pub is_quarantined: bool,
    /// The type of its first event.
    pub event_type: &'static str,
    /// The external id in its first event, or a hash of one that has not the form of an id.
    pub external_id: Option<String>,
    /// The size of its body.
    pub size_bytes: usize,
}

/// Headers stored for all providers, in addition to each provider's list. Never credentials, signatures or cookies.
pub(crate) const STORED_HEADERS: [&str; 2] = ["content-type", "user-agent"];

/// Headers that show how a proxy changed the request; stored with a rejected one.
pub(crate) const PROXY_HEADERS: [&str; 5] =
    ["host", "x-forwarded-host", "x-forwarded-proto", "x-forwarded-port", "x-forwarded-prefix"];

impl Record {
    /// The key of a verified callback's request.
    pub fn key(endpoint: &Endpoint, callback: &VerifiedCallback<'_>) -> StoredKey {
        let proof = callback.proof();
        let derived = || short_key(endpoint.spec.name, endpoint.account.as_str(), &proof.request_key());
        proof.stored_key().unwrap_or_else(derived)
    }

    /// The key under which it is stored.
    pub fn stored_key(&self) -> StoredKey {
        self.request.dedupe_key
    }

    pub fn received_at(&self) -> Timestamp {
        self.request.received_at
    }

    /// The record of a verified callback, whether or not it could be parsed.
    pub fn new(endpoint: &Endpoint, verified: &VerifiedCallback<'_>, parsed: Result<Vec<Event>, ParseError>) -> Self {
        let (events, reason, response) = match parsed {
            Ok(events) => (events, None, StoredResponse::Success),
            Err(error) => {
                let response = match (&error, endpoint.invalid_payload) {
                    (ParseError::Invalid(_), InvalidPayload::BadRequest) => StoredResponse::InvalidPayload,
                    (ParseError::Ambiguous(_), _) | (_, InvalidPayload::Accept) => StoredResponse::Success,
                };
                (Vec::new(), Some(error.to_string()), response)
            }
        };
        let (service_type, account, proof) = (endpoint.spec.name, endpoint.account.as_str(), verified.proof());
        let callback = verified.as_received();
        let dedupe_key = Self::key(endpoint, verified);
        let request = NewRequest {
            service_type,
            account: account.to_owned(),
            dedupe_key,
            state: if reason.is_some() { QUARANTINED } else { PROCESSED },
            reason,
            answer: response.code(),
            verified_by: proof.verified_by(),
            method: callback.method.clone(),
            url: text::clean_owned(mask::stored_url(&callback.target, callback.url_token.is_some())),
            headers: callback.headers.to_json(&STORED_HEADERS, endpoint.spec.stored_headers),
            received_at: callback.received_at,
            event_count: i64::try_from(events.len()).unwrap_or(i64::MAX),
        };
        let events = pending_events(&request, events);
        Self { request, body: callback.body.clone(), events, unknown_message: endpoint.unknown_message, may_recur: false }
    }

    /// A record that changes no row but its own.
    pub(crate) fn without_events(request: NewRequest, body: Bytes) -> Self {
        Self { request, body, events: Vec::new(), unknown_message: UnknownMessage::Accept, may_recur: false }
    }

    /// The record of a callback that was answered before it is written.
    #[must_use]
    pub(crate) fn answered(mut self, response: StoredResponse) -> Self {
        self.request.answer = response.code();
        self.unknown_message = UnknownMessage::Accept;
        self
    }

    /// A record that may be written twice.
    #[must_use]
    pub fn that_may_recur(mut self) -> Self {
        self.may_recur = true;
        self
    }

    pub(crate) fn receipt(&self) -> Receipt {
        Receipt { at: self.request.received_at, may_recur: self.may_recur }
    }

    /// Folds a later record of the same messages into this one; measured by `benches/pieces.rs`.
    #[doc(hidden)]
    pub fn absorb(&mut self, later: Self) {
        for (mine, theirs) in self.events.iter_mut().zip(later.events) {
            if let (Target::Message(mine), Target::Message(theirs)) = (&mut mine.target, theirs.target) {
                mine.state.absorb(theirs.state);
            }
        }
    }

    pub fn summary(&self) -> Summary {
        let first = self.events.first();
        Summary {
            is_quarantined: self.is_quarantined(),
            event_type: first.map_or("none", |event| event.row.event_type),
            external_id: first.and_then(|event| Some(text::loggable_id(event.row.external_id.as_deref()?).into_owned())),
            size_bytes: self.body.len(),
        }
    }

    /// The reason why it is quarantined, if it is.
    pub fn quarantine_reason(&self) -> Option<&str> {
        self.request.reason.as_deref()
    }

    /// Estimated memory use.
    pub(crate) fn size(&self) -> usize {
        // Row size depends little on the event.
        const EVENT_SIZE: usize = 2 << 10;
        self.body.len() + self.request.url.len() + self.request.headers.len() + self.events.len() * EVENT_SIZE
    }

    /// A hash that is equal for copies and for records of the same external id.
    pub(crate) fn partition(&self) -> usize {
        let id = self.events.iter().find_map(|event| event.row.external_id.as_deref());
        let mut hasher = DefaultHasher::new();
        id.map_or(&self.request.dedupe_key[..], str::as_bytes).hash(&mut hasher);
        usize::try_from(hasher.finish() >> 32).unwrap_or(0)
    }

    /// The most advisory locks that its events need.
    pub(crate) fn max_locks(&self) -> usize {
        let locks = |event: &PendingEvent| match &event.target {
            Target::Message(message) => usize::from(message.is_shared) + usize::from(message.state.embedded_id.is_some()),
            Target::Part(_) => 1,
            Target::None | Target::Inbound(_) | Target::Call(_) | Target::Room(_) => 0,
        };
        self.events.iter().map(locks).sum()
    }

    /// The contributions of its events to messages.
    pub(crate) fn contributions(&self) -> impl Iterator<Item = &Contribution> {
        self.events.iter().filter_map(PendingEvent::contribution)
    }

    pub(crate) fn is_quarantined(&self) -> bool {
        self.request.state == QUARANTINED
    }

    pub(crate) fn response(&self) -> StoredResponse {
        StoredResponse::from_code(self.request.answer)
    }

    /// The quarantined form of a record whose rows the database rejected.
    pub(crate) fn as_poison(&self) -> Self {
        let mut poison = Self { events: Vec::new(), body: self.body.clone(), ..self.clone() };
        poison.request = NewRequest {
            state: QUARANTINED,
            reason: Some("poison".to_owned()),
            // The given answer is kept.
            answer: if self.may_recur { poison.request.answer } else { StoredResponse::Success.code() },
            event_count: 0,
            ..poison.request
        };
        poison
    }
}

fn unmapped(event: &Event) -> Unmapped {
    let error = event.error.as_ref();
    Unmapped {
        event_type: event.event_type == EventType::Unknown,
        status: event.status == Some(Status::Unknown) || event.event_type == EventType::MessageStatus,
        error_code: error.is_some_and(|error| error.category == ErrorCategory::Unknown && error.code.is_some()),
    }
}

fn pending_events(request: &NewRequest, events: Vec<Event>) -> Vec<PendingEvent> {
    let source = Source {
        service_type: request.service_type,
        account: &request.account,
        verified_by: &request.verified_by,
        received_at: request.received_at,
    };
    let pending = |(index, event): (usize, Event)| {
        let row = NewEvent::from_request(source, request.dedupe_key, index, &event);
        PendingEvent { target: Target::from_event(source, &event, &row.state_key), unmapped: unmapped(&event), row }
    };
    events.into_iter().enumerate().map(pending).collect()
}

impl PendingEvent {
    /// Its contribution to a message, if any.
    pub(crate) fn contribution(&self) -> Option<&Contribution> {
        match &self.target {
            Target::Message(contribution) => Some(contribution),
            _ => None,
        }
    }
}

impl Contribution {
    pub(crate) fn from_event(source: Source<'_>, id: &ExternalId, event: &Event, state_key: &[u8]) -> Self {
        let recipient_key = event.recipient_key.as_deref().unwrap_or_default();
        Self {
            key: MessageKey::new(source.service_type, source.account, id.as_str(), recipient_key),
            is_shared: event.recipient_key.is_some(),
            state: MessageState::from_event(source, event, state_key),
        }
    }
}

impl Target {
    fn from_event(source: Source<'_>, event: &Event, state_key: &[u8]) -> Self {
        let Some(id) = &event.external_id else { return Self::None };
        match &event.effect {
            Effect::None => Self::None,
            Effect::Message => Self::Message(Box::new(Contribution::from_event(source, id, event, state_key))),
            Effect::Inbound(inbound) => match PartRow::from_event(source, id, event, inbound) {
                Some(part) => Self::Part(Box::new(part)),
                None => Self::Inbound(Box::new(InboundRow::from_event(source, id, event, inbound))),
            },
            Effect::Call(call) => Self::Call(Box::new(CallRow::from_event(source, id, event, call, state_key))),
            Effect::Room(room) => Self::Room(Box::new(RoomRow::from_event(source, id, event, room, state_key))),
        }
    }
}

crate::secret::opaque!(Record);
