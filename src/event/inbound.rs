//! Inbound messages: their content and their parts.

use serde::Serialize;

use super::OptOut;

/// The content of an inbound message. Sender, recipient and channel are among the event's [`super::Facts`].
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Inbound {
    /// The text, blanks included.
    pub text: Option<String>,
    /// The texts that can be an opt-out word, if not the whole text: those that the sender wrote, and no captions.
    pub typed: Option<Vec<String>>,
    pub media: Vec<Media>,
    /// The number of parts that the provider joined.
    pub parts: Option<i64>,
    /// The place in a longer message, of which the provider sends each part in a callback of its own.
    pub part: Option<Part>,
    /// The sender's request to stop or to resume messages.
    pub opt_out: Option<OptOut>,
    /// The headers of an e-mail.
    pub email: InboundEmail,
}

/// The headers of an inbound e-mail that its row shows. Lists of addresses are normalized and joined by `, `.
#[derive(Clone, Default, PartialEq, Eq, Serialize)]
pub struct InboundEmail {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bcc: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cc: Option<String>,
    /// The `Message-ID` of RFC 5322, which a reply refers to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub internet_message_id: Option<String>,
    /// The addresses of the receiving domain that it arrived for, which need not be among `to` and `cc`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub received_for: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
}

/// The place of one part in a longer message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Shared by the parts of one message. It is short and reused.
    pub reference: String,
    /// The number of parts.
    pub total: i64,
    /// The number of this part, from 1.
    pub number: i64,
}

impl Part {
    /// A valid place: of 2 to 255 parts, as many as the header of a short message can count.
    pub fn new(reference: Option<String>, total: Option<i64>, number: Option<i64>) -> Option<Self> {
        let (reference, total, number) = (reference?, total?, number?);
        ((2..=255).contains(&total) && (1..=total).contains(&number)).then_some(Self { reference, total, number })
    }
}

/// The most attachments listed per message; the raw body has all of them.
pub const MAX_MEDIA: usize = 100;

/// An attachment. Its content is not fetched.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Media {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Its address; fetching it mostly needs the provider's credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filename: Option<String>,
}

crate::secret::opaque!(Inbound, InboundEmail);
