//! Reports about single recipients of a message.

use serde::{Deserialize, Serialize};

use crate::status::{ErrorCategory, Permanence};

/// The most recipients of one event whose reports are stored. Providers accept at most 50 recipients of an e-mail.
pub const MAX_RECIPIENT_REPORTS: usize = 100;

/// The part of an event for several recipients that is about one of them. All that it does not say is as in the event.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RecipientReport {
    /// The normalized address; empty if the recipient was erased.
    pub address: String,
    /// The receiving system's response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diagnostic: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_category: Option<ErrorCategory>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_permanence: Option<Permanence>,
    /// True if the event concerns this recipient or another one, and does not say which.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_shared: bool,
}

crate::secret::opaque!(RecipientReport);
