//! One normalized fact out of a callback.

use serde::{Deserialize, Serialize};
use strum::{AsRefStr, EnumString, IntoStaticStr, VariantArray};

use crate::{
    status::{Channel, Direction, ErrorCategory, Evidence, Permanence, Status},
    text,
    time::Timestamp,
};

/// What happened. Engagement is an axis of its own: an open never overwrites a bounce.
#[derive(Clone, Copy, Debug, PartialEq, Eq, AsRefStr, EnumString, IntoStaticStr, VariantArray)]
pub enum EventType {
    /// A status the provider reported in a word we do not know.
    #[strum(serialize = "message.status")]
    MessageStatus,
    /// Held for later.
    #[strum(serialize = "message.scheduled")]
    MessageScheduled,
    /// Taken by the provider.
    #[strum(serialize = "message.accepted")]
    MessageAccepted,
    /// Waiting inside the provider.
    #[strum(serialize = "message.queued")]
    MessageQueued,
    /// Being handed over.
    #[strum(serialize = "message.sending")]
    MessageSending,
    /// Handed over.
    #[strum(serialize = "message.sent")]
    MessageSent,
    /// Held up for the moment.
    #[strum(serialize = "message.deferred")]
    MessageDeferred,
    /// Our deadline passed without a final receipt.
    #[strum(serialize = "message.unconfirmed")]
    MessageUnconfirmed,
    /// Withdrawn.
    #[strum(serialize = "message.canceled")]
    MessageCanceled,
    /// Failed.
    #[strum(serialize = "message.failed")]
    MessageFailed,
    /// Refused.
    #[strum(serialize = "message.rejected")]
    MessageRejected,
    /// Validity ran out.
    #[strum(serialize = "message.expired")]
    MessageExpired,
    /// Reported as not delivered.
    #[strum(serialize = "message.undelivered")]
    MessageUndelivered,
    /// Reported as delivered.
    #[strum(serialize = "message.delivered")]
    MessageDelivered,
    /// Returned by the receiving mail system.
    #[strum(serialize = "message.bounced")]
    MessageBounced,
    /// Read by the recipient.
    #[strum(serialize = "message.read")]
    MessageRead,
    /// Opened; mail clients prefetch, so this proves nothing.
    #[strum(serialize = "message.opened")]
    MessageOpened,
    /// A link was clicked.
    #[strum(serialize = "message.clicked")]
    MessageClicked,
    /// Marked as spam.
    #[strum(serialize = "message.complained")]
    MessageComplained,
    /// The recipient unsubscribed.
    #[strum(serialize = "message.unsubscribed")]
    MessageUnsubscribed,
    /// A message for the application.
    #[strum(serialize = "message.received")]
    MessageReceived,
    /// A call is waiting inside the provider.
    #[strum(serialize = "call.queued")]
    CallQueued,
    /// A call is being set up.
    #[strum(serialize = "call.initiated")]
    CallInitiated,
    /// A call rings.
    #[strum(serialize = "call.ringing")]
    CallRinging,
    /// A call was answered.
    #[strum(serialize = "call.answered")]
    CallAnswered,
    /// A call is over, whether it was answered or not.
    #[strum(serialize = "call.ended")]
    CallEnded,
    /// Something else about a call.
    #[strum(serialize = "call.updated")]
    CallUpdated,
    /// A contact was made, changed or deleted.
    #[strum(serialize = "contact.changed")]
    ContactChanged,
    /// A sending domain was made, changed or deleted.
    #[strum(serialize = "domain.changed")]
    DomainChanged,
    /// An address is no longer written to.
    #[strum(serialize = "suppression.added")]
    SuppressionAdded,
    /// An address may be written to again.
    #[strum(serialize = "suppression.removed")]
    SuppressionRemoved,
    /// A subscription topic was made, changed or deleted.
    #[strum(serialize = "topic.changed")]
    TopicChanged,
    /// Something in a shared inbox at the provider.
    #[strum(serialize = "inbox.changed")]
    InboxChanged,
    /// Authentic, stored, and of a kind we do not know.
    #[strum(serialize = "unknown")]
    Unknown,
}

impl From<Status> for EventType {
    fn from(status: Status) -> Self {
        match status {
            Status::Registered | Status::Unknown => Self::MessageStatus,
            Status::Scheduled => Self::MessageScheduled,
            Status::Accepted => Self::MessageAccepted,
            Status::Queued => Self::MessageQueued,
            Status::Sending => Self::MessageSending,
            Status::Sent => Self::MessageSent,
            Status::Deferred => Self::MessageDeferred,
            Status::Unconfirmed => Self::MessageUnconfirmed,
            Status::Canceled => Self::MessageCanceled,
            Status::Failed => Self::MessageFailed,
            Status::Rejected => Self::MessageRejected,
            Status::Expired => Self::MessageExpired,
            Status::Undelivered => Self::MessageUndelivered,
            Status::Delivered => Self::MessageDelivered,
            Status::Bounced => Self::MessageBounced,
        }
    }
}

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
    /// It is a message for the application: a row of `inbound_messages`.
    Inbound(Box<Inbound>),
}

/// What an inbound message carries. Sender, recipient and channel are among the event's [`Facts`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inbound {
    /// The text, blanks and all.
    pub text: Option<String>,
    /// What is attached.
    pub media: Vec<Media>,
    /// In how many parts it was sent; the provider has put them together.
    pub parts: Option<i64>,
    /// Whether the sender asked to be left alone, or the contrary.
    pub opt_out: Option<OptOut>,
}

/// Attachments of one message that are listed; more are in the raw body.
pub const MAX_MEDIA: usize = 100;

/// One attachment. Nothing is fetched.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Media {
    /// The provider's id of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Where it can be fetched, mostly with the provider's credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Its media type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// Its file name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filename: Option<String>,
}

/// What an opt-out word means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, AsRefStr, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case", ascii_case_insensitive)]
pub enum OptOut {
    /// No more messages.
    Stop,
    /// Messages again.
    Start,
    /// A question.
    Help,
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

/// One normalized fact.
#[derive(Clone, Debug)]
pub struct Event {
    /// What happened.
    pub event_type: EventType,
    /// The provider's own word for the kind of event, if it has one.
    pub provider_type: Option<String>,
    /// The message it is about, if it is about one.
    pub external_id: Option<ExternalId>,
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
}
