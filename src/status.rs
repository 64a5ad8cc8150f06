//! The vocabulary of delivery, to which every provider's words are mapped.

use strum::{AsRefStr, EnumString, IntoStaticStr, VariantArray};

/// The delivery status of a message. Statuses of one message are ordered by [`Status::rank`], not by arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, AsRefStr, EnumString, IntoStaticStr, VariantArray, utoipa::ToSchema)]
#[strum(serialize_all = "snake_case")]
#[schema(rename_all = "snake_case")]
pub enum Status {
    /// The application registered the id; the provider has not reported a status.
    Registered,
    /// The provider reported a status that Waybill does not know.
    Unknown,
    /// Held by the provider for later.
    Scheduled,
    /// The provider accepted the request.
    Accepted,
    /// Queued at the provider.
    Queued,
    /// Being passed to the carrier.
    Sending,
    /// Handed to the carrier or the receiving mail system.
    Sent,
    /// Delayed; the provider is retrying.
    Deferred,
    /// No final report arrived before the deadline.
    Unconfirmed,
    /// Withdrawn before it was sent.
    Canceled,
    /// A failure at the provider, or one without a stated cause.
    Failed,
    /// Rejected before or at handover: policy, suppression, sender.
    Rejected,
    /// Its validity period ended.
    Expired,
    /// Not delivered, by the carrier's report.
    Undelivered,
    /// A positive receipt; see [`Evidence`].
    Delivered,
    /// Returned by the receiving mail system.
    Bounced,
}

impl Status {
    /// The rank by which one event of a message supersedes another (ARCHITECTURE.md, "Convergence"). A mail system accepts
    /// first and bounces later, so for e-mail a failure outranks a delivery; for all else a receipt outranks a failure.
    pub fn rank(self, is_email: bool, is_inferred: bool) -> u8 {
        match self {
            Self::Registered => 0,
            Self::Unknown => 1,
            Self::Scheduled => 5,
            Self::Accepted => 10,
            Self::Queued => 15,
            Self::Sending => 20,
            Self::Sent => 30,
            Self::Deferred => 32,
            Self::Unconfirmed => 35,
            Self::Canceled => 36,
            Self::Delivered if is_email => 40 - u8::from(is_inferred),
            Self::Delivered => 50 - u8::from(is_inferred),
            Self::Bounced => 51,
            Self::Failed | Self::Rejected | Self::Expired | Self::Undelivered if is_email => 50,
            Self::Failed | Self::Rejected | Self::Expired => 40,
            Self::Undelivered => 41,
        }
    }

    /// Returns true if no better status is expected.
    pub fn is_final(self) -> bool {
        self.is_failure() || matches!(self, Self::Delivered | Self::Canceled)
    }

    /// Returns true if the message will not be delivered.
    pub fn is_failure(self) -> bool {
        matches!(self, Self::Failed | Self::Rejected | Self::Expired | Self::Undelivered | Self::Bounced)
    }
}

/// The source of a delivery report, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, AsRefStr, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Evidence {
    /// Inferred from another event, such as a click.
    Inferred,
    /// The provider itself.
    Provider,
    /// The receiving mail server.
    Mta,
    /// The carrier.
    Carrier,
    /// The handset.
    Handset,
}

/// The medium of a message or call.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    AsRefStr,
    EnumString,
    IntoStaticStr,
    VariantArray,
    serde::Serialize,
    serde::Deserialize,
    utoipa::ToSchema,
)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// Text message.
    Sms,
    /// Multimedia message.
    Mms,
    /// WhatsApp.
    Whatsapp,
    /// Rich Communication Services.
    Rcs,
    /// E-mail.
    Email,
    /// Telephone call.
    Voice,
    /// Any other chat service.
    Chat,
}

/// The direction of a message or call, seen from the application.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, AsRefStr, EnumString, IntoStaticStr, VariantArray, serde::Serialize, serde::Deserialize,
)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// To the application.
    Inbound,
    /// From the application.
    Outbound,
}

impl Direction {
    /// The direction of a call: `inbound`, or any of the words that providers use for outbound calls.
    pub fn from_call_word(word: &str) -> Self {
        if word == "inbound" { Self::Inbound } else { Self::Outbound }
    }
}

/// The category of an error code.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, AsRefStr, EnumString, IntoStaticStr, VariantArray, serde::Serialize, serde::Deserialize,
)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum ErrorCategory {
    /// The number or address does not exist.
    InvalidRecipient,
    /// Switched off or out of coverage.
    Unreachable,
    /// The recipient unsubscribed.
    OptedOut,
    /// The recipient or their carrier blocks the sender.
    RecipientBlocked,
    /// On the provider's suppression list.
    Suppressed,
    /// Taken for spam.
    SpamFiltered,
    /// Content or size not accepted.
    ContentRejected,
    /// The sender is not registered or not allowed.
    SenderNotAllowed,
    /// Against the channel's rules.
    Policy,
    /// No route to this number.
    Unroutable,
    /// The region is switched off in the account.
    RegionNotEnabled,
    CarrierError,
    ProviderError,
    RateLimited,
    /// Insufficient credit.
    Funds,
    /// The account is suspended or misconfigured.
    Account,
    MailboxFull,
    /// The validity period ended.
    Expired,
    /// Not in the tables of error codes.
    Unknown,
}

/// The chance of a retry.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, AsRefStr, EnumString, IntoStaticStr, VariantArray, serde::Serialize, serde::Deserialize,
)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Permanence {
    /// A retry cannot succeed.
    Permanent,
    /// A retry may succeed.
    Temporary,
    Unknown,
}
