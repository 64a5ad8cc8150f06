//! A conversation's message as events: its status, and, where a user wrote it, the message itself.

use serde_json::Value;

use crate::{
    event::{DeliveryError, Effect, Event, EventType, ExternalId, Facts, Inbound, Media},
    json::{self, scalar, text as word},
    provider::Unparsable,
    status::{Channel, Direction, Status},
    text,
    time::Timestamp,
};

/// Metadata that is kept beside the event; more is in the raw body.
const MAX_METADATA: usize = 4 << 10;

/// Reads one body.
pub(super) fn read(body: &[u8]) -> Result<Vec<Event>, Unparsable> {
    let payload = json::read(body)?;
    let id = scalar(&payload, "/data/id").as_deref().and_then(ExternalId::new);
    let id = id.ok_or(Unparsable::Invalid("a message without data.id of 1 to 255 bytes"))?;
    let status = word(&payload, "/data/status").ok_or(Unparsable::Invalid("a message without data.status"))?;
    let kind = word(&payload, "/data/type").unwrap_or_default();
    let facts = facts(&payload, kind);
    let times = ["/timestamp", "/data/updated_at"];
    let occurred_at = times.iter().find_map(|at| word(&payload, at).and_then(Timestamp::parse));
    let told =
        Event { external_id: Some(id), provider_status: text::present(status), occurred_at, facts, ..of_status(status, kind) };
    let mut events = vec![told];
    if kind == "USER_INPUT" {
        events.extend(events.first().map(|told| received(&payload, told)));
    }
    Ok(events)
}

fn of_status(word: &str, kind: &str) -> Event {
    let status = match word {
        "RECEIVED" => Status::Accepted,
        "PROCESSED" => Status::Sent,
        "FAILED" => Status::Failed,
        _ => Status::Unknown,
    };
    let error = status.is_failure().then(DeliveryError::unexplained);
    Event { error, ..Event::of_status(EventType::from(status), kind, Some(status)) }
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
    if let Some(metadata) = payload.pointer("/data/metadata").filter(|metadata| metadata.is_object())
        && let written = text::clean(&metadata.to_string()).into_owned()
        && written.len() <= MAX_METADATA
    {
        facts.more.insert("metadata".to_owned(), written.into());
    }
    facts
}

/// The message that a user wrote, for the application.
fn received(payload: &Value, told: &Event) -> Event {
    let content = word(payload, "/data/content");
    let is_media = ["IMAGE", "VIDEO", "DOCUMENT", "AUDIO"].iter().any(|kind| word(payload, "/data/content_type") == Some(kind));
    let is_url = |content: &&str| ["https://", "http://"].iter().any(|scheme| content.starts_with(scheme));
    let url = content.filter(is_url).filter(|_| is_media);
    let filename = word(payload, "/data/filename").filter(|_| is_media);
    let media = Media { url: url.and_then(text::present), filename: filename.and_then(text::present), ..Media::default() };
    Event {
        external_id: told.external_id.clone(),
        provider_status: told.provider_status.clone(),
        occurred_at: told.occurred_at,
        facts: told.facts.clone(),
        effect: Effect::Inbound(Box::new(Inbound {
            text: content.filter(|_| url.is_none()).and_then(text::present),
            media: Some(media).filter(|media| *media != Media::default()).into_iter().collect(),
            ..Inbound::default()
        })),
        ..Event::aside(EventType::MessageReceived, word(payload, "/data/type").unwrap_or_default())
    }
}
