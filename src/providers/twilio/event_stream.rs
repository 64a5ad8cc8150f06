//! Event Streams: CloudEvents 1.0 as JSON, one or an array of them.
//!
//! Source: Twilio docs "Event Streams", "Event delivery retries and event duplication" (read 2026-11-22).

use std::slice;

use serde_json::Value;

use super::cxml::message;
use crate::{
    callback::Document,
    event::{CloudEventId, Effect, Event, EventType, ExternalId, Inbound},
    json::{scalar, text},
    provider::ParseError,
    status::Direction,
    text::present,
    time::Timestamp,
};

/// More events than fit into a body, unless they are empty.
const MAX_EVENTS: usize = 1_000;

/// Parses one event or a batch. In a batch an event that cannot be parsed becomes an unknown one, and the others still count.
pub(super) fn parse(document: &Document<'_>) -> Result<Vec<Event>, ParseError> {
    match document.json()? {
        Value::Array(list) if list.len() > MAX_EVENTS => Err(ParseError::Invalid("more than 1,000 events in one request")),
        Value::Array(list) if list.len() > 1 => {
            Ok(list.iter().map(|one| parse_event(one).unwrap_or_else(|_| base_event(one))).collect())
        }
        Value::Array(list) => list.iter().map(parse_event).collect(),
        one => parse_event(one).map(|event| vec![event]),
    }
}

/// The accounts named by the events: in their data, under either spelling, and in their source, `/…/Accounts/AC…/…`.
pub(super) fn accounts<'d>(document: &'d Document<'_>) -> impl Iterator<Item = &'d str> {
    let events = match document.json() {
        Ok(Value::Array(list)) => list.as_slice(),
        Ok(one) => slice::from_ref(one),
        // The callback will be quarantined.
        Err(_) => &[],
    };
    let in_source = |event| text(event, "/source")?.split('/').skip_while(|part| *part != "Accounts").nth(1);
    let in_event = move |event| [text(event, "/data/accountSid"), text(event, "/data/account_sid"), in_source(event)];
    events.iter().flat_map(in_event).flatten()
}

/// The event with the parts of every CloudEvent, which is all of an unknown one.
fn base_event(one: &Value) -> Event {
    let identity = (text(one, "/specversion"), text(one, "/source"), text(one, "/id"));
    let mut event = Event::informational(EventType::Unknown, text(one, "/type").unwrap_or_default());
    if let (Some(_), Some(source), Some(id)) = identity {
        event.cloud_event = Some(CloudEventId { source: source.to_owned(), id: id.to_owned() });
    }
    event.occurred_at = ["/data/timestamp", "/time"].into_iter().find_map(|at| text(one, at).and_then(Timestamp::parse));
    event.external_id = text(one, "/data/messageSid").and_then(ExternalId::new);
    event
}

fn parse_event(one: &Value) -> Result<Event, ParseError> {
    let base = base_event(one);
    let kind = text(one, "/type").unwrap_or_default();
    let Some(kind) = kind.strip_prefix("com.twilio.messaging.") else { return Ok(base) };
    if kind == "inbound-message.received" {
        return inbound(one, base);
    }
    let Some(suffix) = kind.strip_prefix("message.") else { return Ok(base) };
    let word = text(one, "/data/messageStatus");
    let provider_type = text(one, "/type").unwrap_or_default();
    let Some(status) = message::status_event(word.unwrap_or(suffix), provider_type) else {
        // Without a status it reports something else, such as a clicked link.
        return if word.is_some() { complete_status(one, base, message::unknown_status_event(provider_type)) } else { Ok(base) };
    };
    complete_status(one, base, status)
}

/// Completes a status with the identity and time of its CloudEvent.
fn complete_status(one: &Value, base: Event, status: Event) -> Result<Event, ParseError> {
    let id = text(one, "/data/messageSid").ok_or(ParseError::Invalid("a message event without data.messageSid"))?;
    let code = scalar(one, "/data/errorCode");
    let mut facts = message::facts(id, text(one, "/data/from"), text(one, "/data/to"), Direction::Outbound);
    facts.parts_total = parts(one);
    Ok(Event {
        external_id: Some(message::external_id(id)?),
        provider_status: text(one, "/data/messageStatus").and_then(present),
        error: message::error(&super::ERRORS, code.as_deref(), text(one, "/data/errorMessage"), status.status),
        facts,
        cloud_event: base.cloud_event,
        occurred_at: base.occurred_at,
        ..status
    })
}

fn inbound(one: &Value, base: Event) -> Result<Event, ParseError> {
    let id = text(one, "/data/messageSid").ok_or(ParseError::Invalid("an inbound message without data.messageSid"))?;
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
        ..base
    })
}

fn parts(one: &Value) -> Option<i64> {
    let number = ["/data/numberOfSegments", "/data/numSegments"].into_iter().find_map(|at| scalar(one, at))?;
    number.parse().ok().filter(|number| *number > 0)
}
