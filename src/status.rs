//! The vocabulary of delivery: what every provider's words are turned into.

use strum::{AsRefStr, EnumString, IntoStaticStr, VariantArray};

/// Delivery status of one message. The order of a message's statuses is [`Status::rank`], not time of arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, AsRefStr, EnumString, IntoStaticStr, VariantArray, utoipa::ToSchema)]
#[strum(serialize_all = "snake_case")]
#[schema(rename_all = "snake_case")]
pub enum Status {
    /// The application told us about the id; no status was heard yet.
    Registered,
    /// The provider used a word we do not know.
    Unknown,
    /// The provider holds the message for later.
    Scheduled,
    /// The provider took the request.
    Accepted,
    /// Waiting inside the provider.
    Queued,
    /// Being handed over to the carrier.
    Sending,
    /// Handed to the carrier or the receiving mail system.
    Sent,
    /// Held up for the moment; still being tried.
    Deferred,
    /// No final receipt came before our deadline.
    Unconfirmed,
    /// Withdrawn before it was sent.
    Canceled,
    /// A failure at the provider, or one without a stated cause.
    Failed,
    /// Refused before or at hand-over: policy, suppression, sender.
    Rejected,
    /// Its validity ran out.
    Expired,
    /// The carrier reported that it was not delivered.
    Undelivered,
    /// A positive receipt; see [`Evidence`].
    Delivered,
    /// The receiving mail system returned it.
    Bounced,
}

impl Status {
    /// The rank that decides between the events of one message (ARCHITECTURE.md, "Convergence"). A mail system accepts
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

    /// Whether the provider is not expected to report anything better.
    pub fn is_final(self) -> bool {
        self.is_failure() || matches!(self, Self::Delivered | Self::Canceled)
    }

    /// Whether the message was not delivered for good.
    pub fn is_failure(self) -> bool {
        matches!(self, Self::Failed | Self::Rejected | Self::Expired | Self::Undelivered | Self::Bounced)
    }
}

/// Who vouches for a delivery, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, AsRefStr, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Evidence {
    /// Concluded from something else, such as a click.
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

/// By what way a message travels.
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

/// Which way a message goes, seen from the application.
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
    /// The direction that providers give a call: `inbound`, or one of the several words for the other way.
    pub fn of_call(word: &str) -> Self {
        if word == "inbound" { Self::Inbound } else { Self::Outbound }
    }
}

/// What kind of trouble an error code means.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, AsRefStr, EnumString, IntoStaticStr, VariantArray, serde::Serialize, serde::Deserialize,
)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum ErrorCategory {
    /// No such number or address.
    InvalidRecipient,
    /// Off, out of coverage.
    Unreachable,
    /// The recipient unsubscribed.
    OptedOut,
    /// The recipient or their carrier blocks the sender.
    RecipientBlocked,
    /// On the provider's suppression list.
    Suppressed,
    /// Taken for spam.
    SpamFiltered,
    /// Refused for its content or size.
    ContentRejected,
    /// The sender is not registered or not allowed.
    SenderNotAllowed,
    /// Against the channel's rules.
    Policy,
    /// No route to this number.
    Unroutable,
    /// The region is switched off in the account.
    RegionNotEnabled,
    /// Trouble at the carrier.
    CarrierError,
    /// Trouble at the provider.
    ProviderError,
    /// Too much at once.
    RateLimited,
    /// No credit.
    Funds,
    /// The account is suspended or misconfigured.
    Account,
    /// The mailbox is full.
    MailboxFull,
    /// The validity ran out.
    Expired,
    /// Not in our tables.
    Unknown,
}

/// Whether trying again can help.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, AsRefStr, EnumString, IntoStaticStr, VariantArray, serde::Serialize, serde::Deserialize,
)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Permanence {
    /// It will not.
    Permanent,
    /// It may.
    Temporary,
    /// Nobody knows.
    Unknown,
}
