//! Messages as JSON: SignalWire's own status callback, its SWML fetch, and the flat documents of the integration guide.

use serde_json::Value;

use super::{ERRORS, cxml::message};
use crate::{
    address,
    event::{Effect, Event, EventType, ExternalId, Facts, Inbound, MAX_MEDIA, Media},
    json::{self, scalar, text as word},
    provider::ParseError,
    status::{Channel, Direction},
    text,
};

pub(super) fn parse_status(payload: &Value, signed_query: Option<&str>) -> Result<Event, ParseError> {
    const KIND: &str = "message.status";
    let id = scalar(payload, "/id").or_else(|| scalar(payload, "/message_id")).as_deref().and_then(ExternalId::new);
    let id = id.ok_or(ParseError::Invalid("a message status without id or message_id of 1 to 255 bytes"))?;
    let status = word(payload, "/status").ok_or(ParseError::Invalid("a message status without status"))?;
    let reference = message::reference(signed_query)?;
    let mut event = message::status_event(status, KIND).unwrap_or_else(|| message::unknown_status_event(KIND));
    event.external_id = Some(id);
    event.provider_status = text::present(status);
    event.occurred_at = json::instant(payload, "/timestamp");
    let (code, words) = (scalar(payload, "/error_code"), word(payload, "/error_message"));
    event.error = message::error(&ERRORS, code.as_deref(), words, event.status);
    if event.error.is_none() && words.is_some() {
        event.error = Some(ERRORS.explain(None, &[], words));
    }
    event.facts = Facts {
        parts_total: scalar(payload, "/number_of_segments").and_then(|count| count.parse().ok()).filter(|count| *count > 0),
        embedded_id: scalar(payload, "/custom_variables/message_id").or(reference),
        ..facts(payload, Direction::Outbound, Channel::Sms)
    };
    Ok(event)
}

pub(super) fn parse_inbound(payload: &Value) -> Result<Event, ParseError> {
    let id = scalar(payload, "/message_id").or_else(|| scalar(payload, "/id")).as_deref().and_then(ExternalId::new);
    let media = media(payload);
    let is_mms = !media.is_empty() || word(payload, "/type") == Some("mms");
    let parts = scalar(payload, "/segments").or_else(|| scalar(payload, "/num_segments"));
    let mut event = Event::informational(EventType::MessageReceived, "message.received");
    event.external_id = Some(id.ok_or(ParseError::Invalid("an inbound message without message_id of 1 to 255 bytes"))?);
    event.occurred_at = json::instant(payload, "/timestamp");
    event.facts = facts(payload, Direction::Inbound, if is_mms { Channel::Mms } else { Channel::Sms });
    event.effect = Effect::Inbound(Box::new(Inbound {
        text: word(payload, "/body").and_then(text::present),
        media,
        parts: parts.and_then(|number| number.parse().ok()).filter(|number| *number > 0),
        ..Inbound::default()
    }));
    Ok(event)
}

/// The attachments: a list of addresses or of objects.
fn media(payload: &Value) -> Vec<Media> {
    let list = json::at(payload, "/media").and_then(Value::as_array).into_iter().flatten();
    let attachment = |one: &Value| Media {
        url: one.as_str().or_else(|| word(one, "/url")).and_then(text::present),
        content_type: word(one, "/content_type").and_then(text::present),
        ..Media::default()
    };
    list.map(attachment).filter(|media| media.url.is_some()).take(MAX_MEDIA).collect()
}

fn facts(payload: &Value, direction: Direction, channel: Channel) -> Facts {
    let (from, to) = (word(payload, "/from"), word(payload, "/to"));
    let prefixed = [to, from].into_iter().flatten().find_map(address::channel);
    Facts {
        recipient: to.and_then(address::phone),
        sender: from.and_then(address::phone),
        channel: Some(prefixed.unwrap_or(channel)),
        direction: Some(direction),
        ..Facts::default()
    }
}
