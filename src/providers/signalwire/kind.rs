//! The kind of a JSON document. All products may have one URL, and members such as `id`, `status`, `call_id` or `message` occur in
//! most of them. A kind is recognized by two marks of its product, never by one name; anything else is unknown.
//!
//! Sources: the pages named in the modules of the kinds; SignalWire docs "AI: post prompt URL", "SWAIG", "Message logs" (read 2026-11-28).

use serde_json::{Map, Value};

use super::{cxml::message, room};
use crate::{
    json::{self, text as word},
    signature::Readable,
};

/// A kind of document, with the part of it that has the kind's members.
#[derive(Debug, PartialEq)]
pub(super) enum Kind<'v> {
    /// The members are those of the compatibility API's forms.
    Form,
    Campaign,
    Inbound(&'v Value),
    /// With the name of the event.
    Call(&'v Value, &'v str),
    /// With the name of the event.
    Room(&'v Value, String),
    Status,
    Unknown,
}

impl<'v> Kind<'v> {
    pub(super) fn from_document(payload: &'v Value, object: &Map<String, Value>, callback: Readable<'_, '_>) -> Self {
        let kind = word(payload, "/event_type").unwrap_or_default();
        // The fields are in `params` or at the top level: both are sent.
        let about = json::at(payload, "/params")
            .filter(|params| params.as_object().is_some_and(|params| !params.is_empty()))
            .unwrap_or(payload);
        if is_form(object) {
            return Self::Form;
        }
        if is_campaign(payload) {
            return Self::Campaign;
        }
        if let Some(message) = json::at(payload, "/message").filter(|message| is_message(message)) {
            return Self::Inbound(message);
        }
        if let Some(call) = json::at(payload, "/call").filter(|call| is_call(call)) {
            return Self::Call(call, "swml");
        }
        if (kind.starts_with("calling.") && has(about, &["call_id", "call_state"])) || is_call(about) || is_step_of_call(about) {
            return Self::Call(about, kind);
        }
        if let Some(name) = room::event_name(payload, about, callback.query()) {
            return Self::Room(about, name);
        }
        if is_status(payload, object) {
            return Self::Status;
        }
        if is_flat_message(payload) {
            return Self::Inbound(payload);
        }
        Self::Unknown
    }
}

fn has(value: &Value, names: &[&str]) -> bool {
    names.iter().any(|name| value.get(name).is_some())
}

fn count(value: &Value, names: &[&str]) -> usize {
    names.iter().filter(|name| value.get(**name).is_some()).count()
}

/// A message or a call of the compatibility API. Conversations have ids of the same name.
fn is_form(object: &Map<String, Value>) -> bool {
    let has = |names: &[&str]| names.iter().any(|name| object.contains_key(*name));
    let is_message =
        has(&["MessageSid", "SmsSid"]) && has(&["MessageStatus", "SmsStatus", "NumMedia", "NumSegments", "From", "To"]);
    let is_call = has(&["CallSid"]) && has(&["CallStatus", "CallbackSource", "Direction", "From", "To"]);
    (is_message || is_call) && !has(&["ConversationSid", "ChatServiceSid"])
}

fn is_campaign(payload: &Value) -> bool {
    const CATEGORIES: [&str; 4] = ["brand", "campaign", "number_assignment_order", "number_assignment"];
    word(payload, "/event_category").is_some_and(|category| CATEGORIES.contains(&category))
        && has(payload, &["event_type", "state", "brand_id", "campaign_id"])
}

/// An inbound message in an SWML fetch; it may lack its id.
fn is_message(message: &Value) -> bool {
    const MARKS: [&str; 7] = ["message_id", "direction", "from", "to", "segments", "media", "body"];
    !is_outbound(message) && has(message, &["message_id", "direction"]) && count(message, &MARKS) > 1
}

fn is_outbound(message: &Value) -> bool {
    word(message, "/direction").is_some_and(|direction| !direction.eq_ignore_ascii_case("inbound"))
}

/// A call's state; it may lack its id, or in an SWML fetch its state. A conversation with an AI has the id of a call as well.
fn is_call(call: &Value) -> bool {
    let is_state = word(call, "/call_state").is_some();
    let is_addressed = has(call, &["from", "to", "device", "direction"]);
    match call.get("call_id") {
        Some(_) => is_state || (is_addressed && has(call, &["node_id", "segment_id"])),
        None => is_state && is_addressed,
    }
}

/// An event of playing, recording and the like, as the calling API sends it.
fn is_step_of_call(about: &Value) -> bool {
    count(about, &["call_id", "control_id", "node_id"]) == 3
}

/// A message's status; it may lack its id or its status. Documents of other products have an `id` and a `status`, too: without a mark of
/// a message it has no member that such a status has not.
fn is_status(payload: &Value, object: &Map<String, Value>) -> bool {
    const MEMBERS: [&str; 13] = [
        "id",
        "message_id",
        "project_id",
        "space_id",
        "status",
        "to",
        "from",
        "body",
        "media",
        "timestamp",
        "error_code",
        "error_message",
        "custom_variables",
    ];
    let is_marked =
        has(payload, &["number_of_segments", "custom_variables"]) || count(payload, &["message_id", "error_code"]) == 2;
    let is_addressed = has(payload, &["from", "to", "project_id"]);
    let is_only = || object.keys().all(|name| MEMBERS.contains(&name.as_str()));
    let is_known = |status: &str| message::status_event(status, "").is_some();
    if word(payload, "/direction").is_some_and(|direction| direction.eq_ignore_ascii_case("inbound")) {
        return false;
    }
    match (word(payload, "/status"), has(payload, &["id", "message_id"])) {
        (Some(status), true) => is_marked || (is_known(status) && is_only()),
        (Some(_), false) => is_marked && is_addressed,
        (None, has_id) => has_id && has(payload, &["number_of_segments"]) && is_addressed,
    }
}

/// An inbound message as the integration guide shows it; it may lack its id.
fn is_flat_message(payload: &Value) -> bool {
    let content = count(payload, &["body", "media", "num_media", "num_segments", "segments", "type"]);
    let is_addressed = has(payload, &["from"]) && has(payload, &["to"]);
    !is_outbound(payload)
        && if has(payload, &["message_id"]) {
            content > 0
        } else {
            is_addressed && content > 1 && has(payload, &["num_media", "num_segments"])
        }
}
