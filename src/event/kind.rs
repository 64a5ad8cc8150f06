//! What happened, in one word.

use strum::{AsRefStr, EnumString, IntoStaticStr, VariantArray};

use crate::status::Status;

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
    /// A video room's session began.
    #[strum(serialize = "room.started")]
    RoomStarted,
    /// All have left a video room.
    #[strum(serialize = "room.ended")]
    RoomEnded,
    /// Something else about a video room.
    #[strum(serialize = "room.updated")]
    RoomUpdated,
    /// Somebody came into a video room.
    #[strum(serialize = "member.joined")]
    MemberJoined,
    /// Somebody left a video room.
    #[strum(serialize = "member.left")]
    MemberLeft,
    /// A recording of a video room began.
    #[strum(serialize = "recording.started")]
    RecordingStarted,
    /// A recording of a video room can be fetched.
    #[strum(serialize = "recording.completed")]
    RecordingCompleted,
    /// A verification of somebody's number went on.
    #[strum(serialize = "verification.updated")]
    VerificationUpdated,
    /// The registration of a sender with the carriers went on.
    #[strum(serialize = "campaign.changed")]
    CampaignChanged,
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

impl EventType {
    /// Whether an event of this type is about the delivery of a message, and so moves its row.
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
