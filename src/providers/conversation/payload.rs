//! The events of a message: its status and, for a user's message, the message itself.

use serde_json::{Map, Value};

use crate::{
    event::{DeliveryError, Effect, Event, EventType, ExternalId, Facts, Inbound, Media},
    json::{self, scalar, text as word},
    provider::ParseError,
    status::{Channel, Direction, Status},
    text,
    time::Timestamp,
};

/// The longest metadata stored with an event; the raw body has all of it.
const MAX_METADATA: usize = 4 << 10;

/// The events of a payload.
pub(super) fn parse(payload: &Value) -> Result<Vec<Event>, ParseError> {
    if !is_message(payload) {
        return Ok(vec![Event::informational(EventType::Unknown, "")]);
    }
    let id = scalar(payload, "/data/id").as_deref().and_then(ExternalId::new);
    let id = id.ok_or(ParseError::Invalid("a message without data.id of 1 to 255 bytes"))?;
    let status = word(payload, "/data/status").ok_or(ParseError::Invalid("a message without data.status"))?;
    let kind = word(payload, "/data/type").unwrap_or_default();
    let facts = facts(payload, kind);
    let times = ["/timestamp", "/data/updated_at"];
    let occurred_at = times.iter().find_map(|at| word(payload, at).and_then(Timestamp::parse));
    let report =
        Event { external_id: Some(id), provider_status: text::present(status), occurred_at, facts, ..status_event(status, kind) };
    let mut events = vec![report];
    if kind == "USER_INPUT" {
        events.extend(events.first().map(|report| inbound_event(payload, report)));
    }
    Ok(events)
}

/// Returns true for a report of a message; it may lack its data, its id or its status. An id and a status alone occur in reports of
/// other things as well, such as the conversation itself.
fn is_message(payload: &Value) -> bool {
    let has = |pointer: &&str| json::at(payload, pointer).is_some();
    let marks = ["/data/type", "/data/channel", "/data/content_type", "/data/content"].into_iter().filter(has).count();
    let is_empty = payload.as_object().is_some_and(Map::is_empty);
    is_empty || marks > 1 || (has(&"/conversation_id") && (marks > 0 || !has(&"/data")))
}

fn status_event(word: &str, kind: &str) -> Event {
    let status = match word {
        "RECEIVED" => Status::Accepted,
        "PROCESSED" => Status::Sent,
        "FAILED" => Status::Failed,
        _ => Status::Unknown,
    };
    let error = status.is_failure().then(DeliveryError::unexplained);
    Event { error, ..Event::with_status(EventType::from(status), kind, Some(status)) }
}

fn facts(payload: &Value, kind: &str) -> Facts {
    let mut facts = Facts {
        sender: word(payload, "/data/created_by").and_then(text::present),
        channel: match word(payload, "/data/channel") {
            Some("API") => Some(Channel::Chat),
            Some("WHATSAPP") => Some(Channel::Whatsapp),
            Some("SMS") => Some(Channel::Sms),
            _ => None,
        },
        direction: match kind {
            "USER_INPUT" => Some(Direction::Inbound),
            "BOT" | "SYSTEM" => Some(Direction::Outbound),
            _ => None,
        },
        embedded_id: scalar(payload, "/data/metadata/message_id"),
        ..Facts::default()
    };
    for (name, pointer) in
        [("conversation_id", "/conversation_id"), ("content_type", "/data/content_type"), ("filename", "/data/filename")]
    {
        if let Some(value) = word(payload, pointer) {
            facts.more.insert(name.to_owned(), text::clean(value).into());
        }
    }
    if let Some(metadata) = json::at(payload, "/data/metadata").filter(|metadata| metadata.is_object())
        && let written = text::clean(&metadata.to_string()).into_owned()
        && written.len() <= MAX_METADATA
    {
        facts.more.insert("metadata".to_owned(), written.into());
    }
    facts
}

/// The inbound event of a user's message.
fn inbound_event(payload: &Value, report: &Event) -> Event {
    let content = word(payload, "/data/content");
    let is_media = ["IMAGE", "VIDEO", "DOCUMENT", "AUDIO"].iter().any(|kind| word(payload, "/data/content_type") == Some(kind));
    let is_url = |content: &&str| ["https://", "http://"].iter().any(|scheme| content.starts_with(scheme));
    let url = content.filter(is_url).filter(|_| is_media);
    let filename = word(payload, "/data/filename").filter(|_| is_media);
    let media = Media { url: url.and_then(text::present), filename: filename.and_then(text::present), ..Media::default() };
    Event {
        external_id: report.external_id.clone(),
        provider_status: report.provider_status.clone(),
        occurred_at: report.occurred_at,
        facts: report.facts.clone(),
        effect: Effect::Inbound(Box::new(Inbound {
            text: content.filter(|_| url.is_none()).and_then(text::present),
            media: Some(media).filter(|media| *media != Media::default()).into_iter().collect(),
            ..Inbound::default()
        })),
        ..Event::informational(EventType::MessageReceived, word(payload, "/data/type").unwrap_or_default())
    }
}
