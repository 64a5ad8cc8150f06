//! One normalized fact out of a callback.

mod call;
mod inbound;
mod kind;
mod room;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use self::{
    call::{Call, CallState},
    inbound::{Inbound, MAX_MEDIA, Media, OptOut, Part},
    kind::EventType,
    room::{Member, Recording, Room, RoomChange},
};

use crate::{
    status::{Channel, Direction, ErrorCategory, Evidence, Permanence, Status},
    text,
    time::Timestamp,
};

/// The longest message id taken; a longer one would not fit into a unique index.
const MAX_EXTERNAL_ID: usize = 255;

/// The provider's id of a message: 1 to 255 bytes, without NUL.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ExternalId(String);

impl ExternalId {
    /// Takes the provider's text as it is.
    pub fn new(text: &str) -> Option<Self> {
        (1..=MAX_EXTERNAL_ID)
            .contains(&text.len())
            .then(|| text::clean(text).into_owned())
            .filter(|id| id.len() <= MAX_EXTERNAL_ID)
            .map(Self)
    }

    /// The id's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What an event does besides being kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    None,
    /// Its message's row in `message_external_ids` moves.
    Message,
    /// It is a message for the application, or a part of one: a row of `inbound_messages`, or of `inbound_parts`.
    Inbound(Box<Inbound>),
    /// It is about a call: a row of `calls`.
    Call(Call),
    /// It is about a video room: a row of `rooms`.
    Room(Box<Room>),
}

/// The identity of a fact that its sender named, as CloudEvents do: the same fact may come in several requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudEventId {
    /// Who names it.
    pub source: String,
    /// Its name there.
    pub id: String,
}

/// What went wrong, in the provider's words and in ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryError {
    /// The provider's code, as it came.
    pub code: Option<String>,
    /// The provider's explanation, or our table's.
    pub message: Option<String>,
    /// What the receiving system answered, word for word.
    pub diagnostic: Option<String>,
    /// What kind of trouble it is.
    pub category: ErrorCategory,
    /// Whether trying again can help.
    pub permanence: Permanence,
}

impl DeliveryError {
    /// An error of which nothing is told.
    pub fn unexplained() -> Self {
        Self { code: None, message: None, diagnostic: None, category: ErrorCategory::Unknown, permanence: Permanence::Unknown }
    }
}

/// One normalized fact.
#[derive(Clone, Debug)]
pub struct Event {
    /// What happened.
    pub event_type: EventType,
    /// The provider's own word for the kind of event, if it has one.
    pub provider_type: Option<String>,
    /// The message it is about, if it is about one.
    pub external_id: Option<ExternalId>,
    /// The recipient's normalized number, for a provider that reports several statuses under one id; empty if it tells none.
    pub recipient_key: Option<String>,
    /// What it does besides being kept.
    pub effect: Effect,
    /// The identity its sender gave it; without one it is its place in its request.
    pub cloud_event: Option<CloudEventId>,
    /// The delivery status it reports, if it reports one.
    pub status: Option<Status>,
    /// The provider's own word for the status.
    pub provider_status: Option<String>,
    /// Who vouches for a delivery.
    pub evidence: Option<Evidence>,
    /// What went wrong.
    pub error: Option<DeliveryError>,
    /// When the provider says it happened.
    pub occurred_at: Option<Timestamp>,
    /// Everything else the message row is folded from.
    pub facts: Facts,
}

impl Event {
    /// An event without effect: authentic and kept, of that type and provider's word.
    pub fn aside(event_type: EventType, provider_type: &str) -> Self {
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
    pub fn of_status(event_type: EventType, provider_type: &str, status: Option<Status>) -> Self {
        Self { effect: Effect::Message, status, ..Self::aside(event_type, provider_type) }
    }

    /// Whether the delivery it reports is only concluded from something else.
    pub fn is_inferred(&self) -> bool {
        self.evidence == Some(Evidence::Inferred)
    }

    /// The application's reference that it carries. A longer one than can be registered is none.
    pub fn reference(&self) -> Option<&str> {
        self.facts.embedded_id.as_deref().filter(|reference| reference.len() <= MAX_EXTERNAL_ID)
    }

    /// Whether it is about an e-mail.
    pub fn is_email(&self) -> bool {
        self.facts.channel == Some(Channel::Email)
    }
}

/// Attributes of a message that an event carries. Stored as JSON in `webhook_events.detail`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// The recipient, normalized.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recipient: Option<String>,
    /// The sender, normalized.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender: Option<String>,
    /// By what way it travels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<Channel>,
    /// Which way it goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direction: Option<Direction>,
    /// The price as decimal text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<String>,
    /// The currency of the price.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price_currency: Option<String>,
    /// In how many parts it was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parts_total: Option<i64>,
    /// The application's own id, carried by the provider and covered by the signature.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub embedded_id: Option<String>,
    /// What else the provider tells that is worth keeping, under the provider's names.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub more: Map<String, Value>,
}
