//! Events: the normalized facts of a callback.

mod call;
mod engagement;
mod inbound;
mod kind;
mod opt_out;
mod recipient;
mod room;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use self::{
    call::{Call, CallState},
    engagement::{Automation, AutomationKind, Detection, Engagement},
    inbound::{Inbound, InboundEmail, MAX_MEDIA, Media, Part},
    kind::EventType,
    opt_out::{MAX_WORD, OptOut, OptOutWords, WordError},
    recipient::{MAX_RECIPIENT_REPORTS, RecipientReport},
    room::{Member, Recording, Room, RoomChange},
};

use crate::{
    status::{Channel, Direction, ErrorCategory, Evidence, Permanence, Status},
    text,
    time::Timestamp,
};

/// The longest message id; a longer one would not fit into a unique index.
const MAX_EXTERNAL_ID: usize = 255;

/// The provider's id of a message: 1 to 255 bytes, without NUL.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ExternalId(String);

impl ExternalId {
    pub fn new(text: &str) -> Option<Self> {
        (1..=MAX_EXTERNAL_ID)
            .contains(&text.len())
            .then(|| text::clean(text).into_owned())
            .filter(|id| id.len() <= MAX_EXTERNAL_ID)
            .map(Self)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The row that an event updates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    None,
    /// The message's row in `message_external_ids`.
    Message,
    /// A row of `inbound_messages`, or of `inbound_parts` for a part of a message.
    Inbound(Box<Inbound>),
    /// A row of `calls`.
    Call(Call),
    /// A row of `rooms`.
    Room(Box<Room>),
}

/// The identity of an event by CloudEvents 1.0. The same event may arrive in several requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudEventId {
    pub source: String,
    /// Unique within the source.
    pub id: String,
}

/// The error of a delivery, in the provider's words and in Waybill's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryError {
    /// The provider's code, unchanged.
    pub code: Option<String>,
    /// The provider's explanation, or that of the table of error codes.
    pub message: Option<String>,
    /// The receiving system's response, verbatim.
    pub diagnostic: Option<String>,
    pub category: ErrorCategory,
    pub permanence: Permanence,
}

impl DeliveryError {
    /// An error without code or explanation.
    pub fn unexplained() -> Self {
        Self { code: None, message: None, diagnostic: None, category: ErrorCategory::Unknown, permanence: Permanence::Unknown }
    }
}

/// A normalized fact of a callback.
#[derive(Clone)]
pub struct Event {
    pub event_type: EventType,
    /// The provider's own name of the event type, if it has one.
    pub provider_type: Option<String>,
    /// The provider's id of the message, call or room, if the event is about one.
    pub external_id: Option<ExternalId>,
    /// The recipient's normalized number, for a provider that reports several statuses under one id; empty if not reported.
    pub recipient_key: Option<String>,
    pub effect: Effect,
    /// The identity given by the sender; without one it is the position in the request.
    pub cloud_event: Option<CloudEventId>,
    /// The delivery status, if reported.
    pub status: Option<Status>,
    /// The provider's own word for the status.
    pub provider_status: Option<String>,
    /// The source of a delivery report.
    pub evidence: Option<Evidence>,
    pub error: Option<DeliveryError>,
    /// The instant that the provider reports. [`Event::on_receipt`] makes it a plausible one.
    pub occurred_at: Option<Timestamp>,
    /// The other attributes that are folded into the message's row.
    pub facts: Facts,
}

impl Event {
    /// An event that is stored and updates no row.
    pub fn informational(event_type: EventType, provider_type: &str) -> Self {
        Self {
            event_type,
            provider_type: text::present(provider_type),
            external_id: None,
            recipient_key: None,
            effect: Effect::None,
            cloud_event: None,
            status: None,
            provider_status: None,
            evidence: None,
            error: None,
            occurred_at: None,
            facts: Facts::default(),
        }
    }

    /// An event that reports a status of a message.
    pub fn with_status(event_type: EventType, provider_type: &str, status: Option<Status>) -> Self {
        Self { effect: Effect::Message, status, ..Self::informational(event_type, provider_type) }
    }

    /// Returns true if the delivery is inferred from another event.
    pub fn is_inferred(&self) -> bool {
        self.evidence == Some(Evidence::Inferred)
    }

    /// The application's reference. One that is longer than can be registered is ignored.
    pub fn reference(&self) -> Option<&str> {
        self.facts.embedded_id.as_deref().filter(|reference| reference.len() <= MAX_EXTERNAL_ID)
    }

    /// Completes an event on receipt, alike for every provider: its time is a plausible one, and the opt-out word of an inbound message is
    /// recognized unless the provider reports one.
    pub fn on_receipt(&mut self, received_at: Timestamp, words: &OptOutWords) {
        self.occurred_at = self.occurred_at.and_then(|reported| reported.plausible(received_at));
        if let Effect::Inbound(inbound) = &mut self.effect {
            inbound.opt_out = inbound.opt_out.or_else(|| words.meaning_of(inbound, self.facts.channel));
        }
    }

    pub fn is_email(&self) -> bool {
        self.facts.channel == Some(Channel::Email)
    }
}

/// Attributes of a message, as one event reports them. Stored as JSON in `webhook_events.detail`.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// The recipient, normalized.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recipient: Option<String>,
    /// The sender, normalized.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<Channel>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direction: Option<Direction>,
    /// The price as decimal text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price_currency: Option<String>,
    /// The number of parts in which it was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parts_total: Option<i64>,
    /// The application's own id, echoed by the provider and covered by the signature.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub embedded_id: Option<String>,
    /// The client of an open or a click.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engagement: Option<Box<Engagement>>,
    /// The recipients that the event singles out among several. Empty if it concerns all of `recipient`, or one of them without saying which.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub recipients: Vec<RecipientReport>,
    /// Other attributes worth storing, under the provider's names.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub more: Map<String, Value>,
}

crate::secret::opaque!(Event, Facts, ExternalId);
