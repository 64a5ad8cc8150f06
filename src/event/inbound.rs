//! What an event tells of a message for the application.

use serde::Serialize;
use strum::{AsRefStr, EnumString, IntoStaticStr, VariantArray};

use crate::status::Channel;

/// What an inbound message carries. Sender, recipient and channel are among the event's [`super::Facts`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inbound {
    /// The text, blanks and all.
    pub text: Option<String>,
    /// What is attached.
    pub media: Vec<Media>,
    /// In how many parts it was sent; the provider has put them together.
    pub parts: Option<i64>,
    /// Which part of a longer message it is; the provider leaves it to us to put them together.
    pub part: Option<Part>,
    /// Whether the sender asked to be left alone, or the contrary.
    pub opt_out: Option<OptOut>,
}

/// The place of one part in a longer message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// What the parts of one message have in common. It is short and used again.
    pub reference: String,
    /// The number of parts.
    pub total: i64,
    /// Which of them it is, from 1.
    pub number: i64,
}

impl Part {
    /// Takes a place that can be one: more than one part, 255 at the most, as many as a short message's header can count.
    pub fn new(reference: Option<String>, total: Option<i64>, number: Option<i64>) -> Option<Self> {
        let (reference, total, number) = (reference?, total?, number?);
        ((2..=255).contains(&total) && (1..=total).contains(&number)).then_some(Self { reference, total, number })
    }
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

/// Words that carriers and providers take for an opt-out, alone in a message (Twilio docs "Opt-out keywords", CTIA
/// messaging principles; read 2026-11-22).
const OPT_OUT_WORDS: [(OptOut, &[&str]); 3] = [
    (OptOut::Stop, &["stop", "stopall", "unsubscribe", "cancel", "end", "quit", "revoke", "optout"]),
    // Not `yes`, which Twilio takes for one as well: it answers too many other questions.
    (OptOut::Start, &["start", "unstop"]),
    (OptOut::Help, &["help", "info"]),
];

impl OptOut {
    /// What a whole text means. In chats such words are just words.
    pub fn of_text(text: &str, channel: Option<Channel>) -> Option<Self> {
        if !matches!(channel, Some(Channel::Sms | Channel::Mms | Channel::Whatsapp | Channel::Rcs)) {
            return None;
        }
        let text = text.trim();
        let means = |words: &[&str]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
        OPT_OUT_WORDS.into_iter().find(|(_, words)| means(words)).map(|(meaning, _)| meaning)
    }
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
