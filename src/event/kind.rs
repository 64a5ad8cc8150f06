//! The types of events.

use strum::{AsRefStr, EnumString, IntoStaticStr, VariantArray};

use crate::status::Status;

/// The type of an event. Engagement is an axis of its own: an open never overwrites a bounce.
#[derive(Clone, Copy, Debug, PartialEq, Eq, AsRefStr, EnumString, IntoStaticStr, VariantArray)]
pub enum EventType {
    /// A status in a word that is not known.
    #[strum(serialize = "message.status")]
    MessageStatus,
    #[strum(serialize = "message.scheduled")]
    MessageScheduled,
    #[strum(serialize = "message.accepted")]
    MessageAccepted,
    #[strum(serialize = "message.queued")]
    MessageQueued,
    #[strum(serialize = "message.sending")]
    MessageSending,
    #[strum(serialize = "message.sent")]
    MessageSent,
    #[strum(serialize = "message.deferred")]
    MessageDeferred,
    /// The deadline passed without a final receipt.
    #[strum(serialize = "message.unconfirmed")]
    MessageUnconfirmed,
    #[strum(serialize = "message.canceled")]
    MessageCanceled,
    #[strum(serialize = "message.failed")]
    MessageFailed,
    #[strum(serialize = "message.rejected")]
    MessageRejected,
    #[strum(serialize = "message.expired")]
    MessageExpired,
    #[strum(serialize = "message.undelivered")]
    MessageUndelivered,
    #[strum(serialize = "message.delivered")]
    MessageDelivered,
    #[strum(serialize = "message.bounced")]
    MessageBounced,
    #[strum(serialize = "message.read")]
    MessageRead,
    /// Opened. Mail clients prefetch, so it is no evidence of delivery.
    #[strum(serialize = "message.opened")]
    MessageOpened,
    #[strum(serialize = "message.clicked")]
    MessageClicked,
    /// Marked as spam.
    #[strum(serialize = "message.complained")]
    MessageComplained,
    #[strum(serialize = "message.unsubscribed")]
    MessageUnsubscribed,
    /// A message for the application.
    #[strum(serialize = "message.received")]
    MessageReceived,
    #[strum(serialize = "call.queued")]
    CallQueued,
    #[strum(serialize = "call.initiated")]
    CallInitiated,
    #[strum(serialize = "call.ringing")]
    CallRinging,
    #[strum(serialize = "call.answered")]
    CallAnswered,
    /// A call ended, answered or not.
    #[strum(serialize = "call.ended")]
    CallEnded,
    /// Any other event of a call.
    #[strum(serialize = "call.updated")]
    CallUpdated,
    #[strum(serialize = "room.started")]
    RoomStarted,
    /// All members have left a video room.
    #[strum(serialize = "room.ended")]
    RoomEnded,
    /// Any other event of a video room.
    #[strum(serialize = "room.updated")]
    RoomUpdated,
    #[strum(serialize = "member.joined")]
    MemberJoined,
    #[strum(serialize = "member.left")]
    MemberLeft,
    #[strum(serialize = "recording.started")]
    RecordingStarted,
    /// A recording of a video room can be fetched.
    #[strum(serialize = "recording.completed")]
    RecordingCompleted,
    /// Progress of the verification of a phone number.
    #[strum(serialize = "verification.updated")]
    VerificationUpdated,
    /// Progress of a sender's registration with the carriers.
    #[strum(serialize = "campaign.changed")]
    CampaignChanged,
    /// A contact was created, changed or deleted.
    #[strum(serialize = "contact.changed")]
    ContactChanged,
    /// A sending domain was created, changed or deleted.
    #[strum(serialize = "domain.changed")]
    DomainChanged,
    /// An address was added to the suppression list.
    #[strum(serialize = "suppression.added")]
    SuppressionAdded,
    /// An address was removed from the suppression list.
    #[strum(serialize = "suppression.removed")]
    SuppressionRemoved,
    /// A subscription topic was created, changed or deleted.
    #[strum(serialize = "topic.changed")]
    TopicChanged,
    /// An event of a shared inbox at the provider.
    #[strum(serialize = "inbox.changed")]
    InboxChanged,
    /// Verified, stored, and of a kind that is not known.
    #[strum(serialize = "unknown")]
    Unknown,
}

impl EventType {
    /// Returns true if events of this type report the delivery of a message, and so update its row.
    pub fn moves_message(self) -> bool {
        self != Self::MessageReceived && self.as_ref().starts_with("message.")
    }
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
