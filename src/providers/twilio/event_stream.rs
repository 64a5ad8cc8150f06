//! Event Streams: CloudEvents 1.0 as JSON, one or an array of them.
//!
//! Source: Twilio docs "Event Streams", "Event delivery retries and event duplication" (read 2026-11-22).

use serde_json::Value;

use super::cxml::message;
use crate::{
    event::{CloudEventId, Effect, Event, EventType, ExternalId, Inbound},
    json::{self, text},
    provider::Unparsable,
    status::Direction,
    text::present,
    time::Timestamp,
};

/// More than fit into a body, unless they are empty.
const MAX_EVENTS: usize = 1_000;

/// Reads one event or a batch. In a batch one that cannot be read is kept as unknown and does not take the others with it.
pub(super) fn read(body: &[u8]) -> Result<Vec<Event>, Unparsable> {
    match json::read(body)? {
        Value::Array(list) if list.len() > MAX_EVENTS => Err(Unparsable::Invalid("more than 1,000 events in one request")),
        Value::Array(list) if list.len() > 1 => Ok(list.iter().map(|one| event(one).unwrap_or_else(|_| unknown(one))).collect()),
        Value::Array(list) => list.iter().map(event).collect(),
        one => event(&one).map(|event| vec![event]),
    }
}

/// The accounts that the events name: in their data, under either spelling, and in their source, `/…/Accounts/AC…/…`.
pub(super) fn accounts(body: &[u8]) -> Vec<String> {
    let events = match json::read(body) {
        Ok(Value::Array(list)) => list,
        Ok(one) => vec![one],
        // It will be quarantined.
        Err(_) => Vec::new(),
    };
    let of_source = |event| text(event, "/source")?.split('/').skip_while(|part| *part != "Accounts").nth(1);
    let of_event = |event| [text(event, "/data/accountSid"), text(event, "/data/account_sid"), of_source(event)];
    events.iter().flat_map(of_event).flatten().map(str::to_owned).collect()
}

/// An event that is kept as it is.
fn unknown(one: &Value) -> Event {
    let identity = (text(one, "/specversion"), text(one, "/source"), text(one, "/id"));
    let mut event = Event::aside(EventType::Unknown, text(one, "/type").unwrap_or_default());
    if let (Some(_), Some(source), Some(id)) = identity {
        event.cloud_event = Some(CloudEventId { source: source.to_owned(), id: id.to_owned() });
    }
    event.occurred_at = ["/data/timestamp", "/time"].into_iter().find_map(|at| text(one, at).and_then(Timestamp::parse));
    event.external_id = text(one, "/data/messageSid").and_then(ExternalId::new);
    event
}

fn event(one: &Value) -> Result<Event, Unparsable> {
    let kept = unknown(one);
    let kind = text(one, "/type").unwrap_or_default();
    let Some(kind) = kind.strip_prefix("com.twilio.messaging.") else { return Ok(kept) };
    if kind == "inbound-message.received" {
        return inbound(one, kept);
    }
    let Some(suffix) = kind.strip_prefix("message.") else { return Ok(kept) };
    let word = text(one, "/data/messageStatus");
    let provider_type = text(one, "/type").unwrap_or_default();
    let Some(status) = message::of_status(word.unwrap_or(suffix), provider_type) else {
        // Without a status it is about something else, a clicked link for instance.
        return if word.is_some() { about_message(one, kept, message::unknown_status(provider_type)) } else { Ok(kept) };
    };
    about_message(one, kept, status)
}

/// Completes the event of a status from what all events have.
fn about_message(one: &Value, kept: Event, status: Event) -> Result<Event, Unparsable> {
    let id = text(one, "/data/messageSid").ok_or(Unparsable::Invalid("a message event without data.messageSid"))?;
    let code = scalar(one, "/data/errorCode");
    let mut facts = message::facts(id, text(one, "/data/from"), text(one, "/data/to"), Direction::Outbound);
    facts.parts_total = parts(one);
    Ok(Event {
        external_id: Some(message::external_id(id)?),
        provider_status: text(one, "/data/messageStatus").and_then(present),
        error: message::error(&super::ERRORS, code.as_deref(), text(one, "/data/errorMessage"), status.status),
        facts,
        cloud_event: kept.cloud_event,
        occurred_at: kept.occurred_at,
        ..status
    })
}

fn inbound(one: &Value, kept: Event) -> Result<Event, Unparsable> {
    let id = text(one, "/data/messageSid").ok_or(Unparsable::Invalid("an inbound message without data.messageSid"))?;
    Ok(Event {
        event_type: EventType::MessageReceived,
        external_id: Some(message::external_id(id)?),
        provider_status: text(one, "/data/messageStatus").and_then(present),
        facts: message::facts(id, text(one, "/data/from"), text(one, "/data/to"), Direction::Inbound),
        effect: Effect::Inbound(Box::new(Inbound {
            text: text(one, "/data/body").and_then(present),
            parts: parts(one),
            ..Inbound::default()
        })),
        ..kept
    })
}

fn parts(one: &Value) -> Option<i64> {
    let number = ["/data/numberOfSegments", "/data/numSegments"].into_iter().find_map(|at| scalar(one, at))?;
    number.parse().ok().filter(|number| *number > 0)
}

/// A text or a number, as text.
fn scalar(one: &Value, pointer: &str) -> Option<String> {
    match one.pointer(pointer)? {
        Value::String(text) => present(text),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
