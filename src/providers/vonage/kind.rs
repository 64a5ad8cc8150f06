//! The product that sends a callback. All products may have one URL, and many of their members have the same names, such as `request_id`
//! of Verify, Number Insight and Reports. A product is recognized by two marks, never by one name.
//!
//! Sources: the pages named in the modules of the kinds; Vonage docs "Number Insight", "Reports" and "Video webhooks", vonage-java's
//! fixtures (read 2026-11-28).

use serde_json::Value;

use crate::{
    form::Form,
    json::{self, text as word},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The Messages API.
    Message,
    /// The SMS API.
    Sms,
    /// Verify v2.
    Verification,
    Call,
    Unknown,
}

/// The channels of the Messages API.
const CHANNELS: [&str; 7] = ["sms", "mms", "whatsapp", "rcs", "messenger", "viber_service", "viber_service_msg"];

/// Names that only the SMS API uses, with which it also writes `messageId`.
const SMS_MARKS: [&str; 9] =
    ["msisdn", "err-code", "message-timestamp", "network-code", "client-ref", "concat-ref", "scts", "nonce", "sig"];

impl Kind {
    pub(super) fn from_fields(form: &Form<'_>, document: Option<&Value>) -> Self {
        match document {
            Some(document) if is_message(form, document) => Self::Message,
            _ if is_sms(form) => Self::Sms,
            _ if is_verification(form, document) => Self::Verification,
            _ if form.has("conversation_uuid") && (form.has("uuid") || form.has("call_uuid")) => Self::Call,
            _ => Self::Unknown,
        }
    }
}

/// Returns true for a status or a message; it may lack its id or its status.
fn is_message(form: &Form<'_>, document: &Value) -> bool {
    let has = |pointer: &str| json::at(document, pointer).is_some_and(|value| !value.is_null());
    let is_report = has("/status") || has("/message_type") || has("/message/content");
    let is_channel = ["/channel", "/to/type", "/from/type"]
        .iter()
        .any(|pointer| word(document, pointer).is_some_and(|channel| CHANNELS.contains(&channel)));
    let is_addressed = has("/to") || has("/from");
    if form.has("message_uuid") { is_report || (is_channel && is_addressed) } else { is_report && is_channel && is_addressed }
}

/// Returns true for a receipt or a message; it may lack its id.
fn is_sms(form: &Form<'_>) -> bool {
    let marks = SMS_MARKS.iter().filter(|name| form.has(name)).count();
    let has_text = ["text", "type", "keyword", "data"].iter().any(|name| form.has(name));
    let is_addressed = form.has("to");
    if form.has("messageId") {
        marks > 0 || (is_addressed && (form.has("status") || has_text))
    } else {
        (is_addressed && form.has("msisdn")) || (marks > 1 && form.has("err-code"))
    }
}

/// Returns true for an event of a request, or its summary.
fn is_verification(form: &Form<'_>, document: Option<&Value>) -> bool {
    const MARKS: [&str; 5] = ["channel", "triggered_at", "submitted_at", "finalized_at", "channel_timeout"];
    let is_type = form.text("type").is_some_and(|kind| kind == "event" || kind == "summary");
    let has_list =
        || document.is_some_and(|document| ["/workflow", "/action"].iter().any(|list| json::at(document, list).is_some()));
    form.has("request_id") && is_type && (MARKS.iter().any(|name| form.has(name)) || has_list())
}
