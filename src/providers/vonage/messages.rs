//! The Messages API, versions 1 and 0.1. In the older one addresses are objects, which also name the channel.

use serde_json::Value;

use super::{ERRORS, inbound};
use crate::{
    address,
    event::{DeliveryError, Effect, Event, EventType, ExternalId, Facts},
    json::{self, scalar, text as word},
    provider::ParseError,
    status::{Channel, Direction, Evidence, Status},
    text,
};

pub(super) fn parse(payload: &Value) -> Result<Event, ParseError> {
    let id = scalar(payload, "/message_uuid").as_deref().and_then(ExternalId::new);
    let id = id.ok_or(ParseError::Invalid("a message without message_uuid of 1 to 255 bytes"))?;
    let mut event = match word(payload, "/status") {
        Some(word) => status(payload, word),
        None if ["/message_type", "/message"].iter().any(|name| json::at(payload, name).is_some()) => inbound(payload),
        None => return Err(ParseError::Invalid("a message without status or message_type")),
    };
    event.external_id = Some(id);
    event.occurred_at = json::instant(payload, "/timestamp");
    Ok(event)
}

fn status(payload: &Value, word: &str) -> Event {
    const KIND: &str = "message-status";
    let channel = channel(payload);
    let is_by_carrier = matches!(channel, Some(Channel::Sms | Channel::Mms));
    let mut event = match word {
        "submitted" => Event::with_status(EventType::MessageAccepted, KIND, Some(Status::Accepted)),
        "delivered" => Event {
            evidence: Some(if is_by_carrier { Evidence::Carrier } else { Evidence::Provider }),
            ..Event::with_status(EventType::MessageDelivered, KIND, Some(Status::Delivered))
        },
        "rejected" => Event::with_status(EventType::MessageRejected, KIND, Some(Status::Rejected)),
        "undeliverable" => Event::with_status(EventType::MessageFailed, KIND, Some(Status::Failed)),
        "read" => Event {
            evidence: Some(Evidence::Inferred),
            ..Event::with_status(EventType::MessageRead, KIND, Some(Status::Delivered))
        },
        _ => Event::with_status(EventType::MessageStatus, KIND, Some(Status::Unknown)),
    };
    event.provider_status = text::present(word);
    event.error = error(payload, event.status);
    event.facts = facts(payload, channel, Direction::Outbound);
    event.facts.embedded_id = json::text(payload, "/client_ref").and_then(text::present);
    event.facts.parts_total = scalar(payload, "/sms/count_total").and_then(|count| count.parse().ok());
    event
}

/// The code is the title, as text or number, or follows the `#` of the type; in version 0.1 it is a field of its own.
fn error(payload: &Value, status: Option<Status>) -> Option<DeliveryError> {
    let is_code = |code: &String| code.bytes().all(|byte| byte.is_ascii_digit());
    let is_name = |code: &String| code.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    let in_type = || word(payload, "/error/type")?.rsplit_once('#').map(|(_, code)| code.to_owned()).filter(is_name);
    let in_title = scalar(payload, "/error/title").filter(is_code);
    let code = in_title.or_else(in_type).or_else(|| scalar(payload, "/error/code"));
    let words = ["/error/detail", "/error/reason", "/error/title"].iter().find_map(|name| word(payload, name));
    let keys: Vec<&str> = code.as_deref().into_iter().collect();
    let is_error = code.is_some() || words.is_some() || status.is_some_and(Status::is_failure);
    is_error.then(|| ERRORS.explain(code.as_deref(), &keys, words))
}

fn inbound(payload: &Value) -> Event {
    let kind = word(payload, "/message_type").or_else(|| word(payload, "/message/content/type")).unwrap_or_default();
    let mut event = Event::informational(EventType::MessageReceived, kind);
    event.facts = facts(payload, channel(payload), Direction::Inbound);
    event.effect = Effect::Inbound(Box::new(inbound::content(payload, kind)));
    event
}

fn facts(payload: &Value, channel: Option<Channel>, direction: Direction) -> Facts {
    let address = |name: &str| {
        let pointer = |inner: &str| scalar(payload, &format!("/{name}{inner}"));
        match pointer("").or_else(|| pointer("/number")) {
            // Messenger's ids consist of digits but are no phone numbers.
            Some(raw) if channel_word(payload) == Some("messenger") => address::phone(&raw),
            Some(raw) => address::international(&raw),
            None => pointer("/id"),
        }
    };
    // A WhatsApp user who hides the number has an id in its place.
    let user = |role: &str| {
        let member = |name: &str| scalar(payload, &format!("/whatsapp/{role}/{name}"));
        member("wa_id").and_then(|number| address::international(&number)).or_else(|| member("user_id"))
    };
    let mut facts = Facts {
        recipient: address("to").or_else(|| user("recipient")),
        sender: address("from").or_else(|| user("sender")),
        channel,
        direction: Some(direction),
        price: json::decimal(payload, "/usage/price"),
        price_currency: word(payload, "/usage/currency").and_then(text::present),
        ..Facts::default()
    };
    let network = ["/destination/network_code", "/origin/network_code"].iter().find_map(|name| scalar(payload, name));
    facts.more.extend(network.map(|code| ("network_code".to_owned(), code.into())));
    facts
}

fn channel_word(payload: &Value) -> Option<&str> {
    ["/channel", "/to/type", "/from/type"].iter().find_map(|name| word(payload, name))
}

fn channel(payload: &Value) -> Option<Channel> {
    Some(match channel_word(payload)? {
        "sms" => Channel::Sms,
        "mms" => Channel::Mms,
        "whatsapp" => Channel::Whatsapp,
        "rcs" => Channel::Rcs,
        _ => Channel::Chat,
    })
}
