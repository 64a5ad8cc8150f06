//! Suppressions: recipients to whom no message should be sent, each with the reports that say so. A suppression is a fold over the set
//! of its reports, in any order and with any copies (ARCHITECTURE.md, "Suppressions").

mod evidence;
mod report;
mod table;

use serde::Serialize;
use strum::{AsRefStr, EnumString, IntoStaticStr, VariantArray};

pub use self::evidence::Report;
pub(crate) use self::{
    evidence::Evidence,
    report::{OptOutMessage, ReportingEvent, is_relevant, suppressed_channel},
    table::{insert, retract},
};

/// The reason of a suppression.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    AsRefStr,
    EnumString,
    IntoStaticStr,
    VariantArray,
    Serialize,
    utoipa::ToSchema,
)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum SuppressionReason {
    /// Asked for no more messages from one sender, or the provider says so. A START to the same sender lifts it.
    OptOut,
    /// Unsubscribed from e-mail. A new subscription lifts it.
    Unsubscribed,
    /// Marked a message as spam.
    Complaint,
    /// The number or address does not exist or accepts nothing. A later delivery does not lift it.
    HardBounce,
    /// On the provider's suppression list, until the provider reports its removal.
    Suppressed,
}

/// The unique key of a suppression, in the order of the table's index.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SuppressionKey {
    /// The lookup key of the recipient's address.
    pub(crate) address: String,
    pub(crate) service_type: String,
    pub(crate) account: String,
    /// Empty if unknown.
    pub(crate) channel: &'static str,
    pub(crate) reason: SuppressionReason,
    /// The number or name to which an opt-out applies.
    pub(crate) sender: String,
}

/// A report of a suppression, or of its end.
#[derive(Clone, Debug)]
pub(crate) struct Reported {
    pub(crate) key: SuppressionKey,
    pub(crate) lifts: bool,
    pub(crate) report: Report,
    pub(crate) received_at: crate::time::Timestamp,
}
