//! Resend's JSON as an event.

use std::sync::LazyLock;

use serde_json::Value;

use crate::{
    address,
    errors::{ErrorTable, LazyTable},
    event::{DeliveryError, Event, EventType, ExternalId, Facts},
    json,
    provider::Unparsable,
    status::{Channel, Direction, Evidence, Status},
    text,
    time::Timestamp,
};

static ERRORS: LazyTable = LazyLock::new(|| ErrorTable::parse(include_str!("errors.toml")));

/// Reads one body. Every JSON text is readable; what is not about an e-mail is kept as it is.
pub(super) fn read(body: &[u8]) -> Result<Event, Unparsable> {
    let payload = json::read(body).ok_or(Unparsable::Invalid("the body is not JSON"))?;
    let kind = word(&payload, "/type").unwrap_or_default();
    // `data.email_id` is Resend's; `data.id` is what the user's guide shows.
    let id = word(&payload, "/data/email_id").or_else(|| word(&payload, "/data/id"));
    let mut event = event_of(kind);
    event.external_id = id.and_then(ExternalId::new);
    if event.moves_message && event.external_id.is_none() {
        return Err(Unparsable::Invalid("an e-mail event without data.email_id of 1 to 255 bytes"));
    }
    event.provider_status = event.status.and_then(|_| text::present(kind));
    // The top-level instant is the event's; `data.created_at` is the e-mail's.
    event.occurred_at = word(&payload, "/created_at").and_then(Timestamp::parse);
    event.error = error(event.status, &payload);
    event.facts = facts(&payload, event.event_type);
    Ok(event)
}

/// The text at a JSON pointer, if it is there and not empty.
fn word<'v>(payload: &'v Value, pointer: &str) -> Option<&'v str> {
    payload.pointer(pointer)?.as_str().filter(|text| !text.is_empty())
}

/// The event that a `type` means.
fn event_of(kind: &str) -> Event {
    let of = |event_type, status, evidence| Event { moves_message: true, status, evidence, ..Event::aside(event_type, kind) };
    let plain = |status: Status| of(EventType::from(status), Some(status), None);
    match kind {
        "email.scheduled" => plain(Status::Scheduled),
        "email.sent" => plain(Status::Sent),
        "email.delivery_delayed" => plain(Status::Deferred),
        "email.delivered" => of(EventType::MessageDelivered, Some(Status::Delivered), Some(Evidence::Mta)),
        "email.bounced" => plain(Status::Bounced),
        "email.failed" => plain(Status::Failed),
        "email.suppressed" => plain(Status::Rejected),
        "email.complained" => of(EventType::MessageComplained, None, None),
        // Mail clients prefetch: an open proves no delivery, a click does.
        "email.opened" => of(EventType::MessageOpened, None, None),
        "email.clicked" => of(EventType::MessageClicked, Some(Status::Delivered), Some(Evidence::Inferred)),
        "email.received" => Event::aside(EventType::MessageReceived, kind),
        _ => Event::aside(EventType::Unknown, kind),
    }
}

fn error(status: Option<Status>, payload: &Value) -> Option<DeliveryError> {
    match status? {
        Status::Bounced => {
            let kind = word(payload, "/data/bounce/type").unwrap_or_default();
            let code = word(payload, "/data/bounce/subType").or_else(|| word(payload, "/data/bounce/type"));
            let exact = format!("{kind}/{}", code.unwrap_or_default());
            Some(ERRORS.explain(code, &[&exact, kind], word(payload, "/data/bounce/message")))
        }
        Status::Failed => {
            let reason = word(payload, "/data/failed/reason");
            Some(ERRORS.explain(reason, &[reason.unwrap_or_default(), "failed"], None))
        }
        Status::Rejected => {
            let reason = word(payload, "/data/suppressed/reason").or_else(|| word(payload, "/data/suppressed/type"));
            Some(ERRORS.explain(reason, &["suppressed"], word(payload, "/data/suppressed/message")))
        }
        _ => None,
    }
}

fn facts(payload: &Value, event_type: EventType) -> Facts {
    if event_type == EventType::Unknown {
        return Facts::default();
    }
    let inbound = event_type == EventType::MessageReceived;
    Facts {
        recipient: payload.pointer("/data/to").and_then(recipients),
        sender: word(payload, "/data/from").and_then(address::email),
        channel: Some(Channel::Email),
        direction: Some(if inbound { Direction::Inbound } else { Direction::Outbound }),
        embedded_id: embedded_id(payload),
        ..Facts::default()
    }
}

/// The whole `to` list: the event does not say which recipient it concerns.
fn recipients(to: &Value) -> Option<String> {
    let listed: Vec<String> = match to {
        Value::Array(list) => list.iter().filter_map(|one| address::email(one.as_str()?)).collect(),
        one => one.as_str().and_then(address::email).into_iter().collect(),
    };
    text::present(&listed.join(", "))
}

/// The application's id: header `X-Message-ID` or tag `message_id`, both echoed by Resend inside the signed body.
fn embedded_id(payload: &Value) -> Option<String> {
    let listed = |pointer: &str, wanted: &str| {
        let is_wanted = |entry: &&Value| word(entry, "/name").is_some_and(|name| name.eq_ignore_ascii_case(wanted));
        word(payload.pointer(pointer)?.as_array()?.iter().find(is_wanted)?, "/value")
    };
    let id = listed("/data/headers", "X-Message-ID")
        .or_else(|| word(payload, "/data/tags/message_id"))
        .or_else(|| listed("/data/tags", "message_id"));
    id.and_then(text::present)
}
