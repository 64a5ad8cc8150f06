//! The event of Resend's JSON.

use serde_json::Value;

use super::{engagement, reason, recipients};
use crate::{
    address,
    event::{Effect, Event, EventType, ExternalId, Facts, InboundEmail, MAX_MEDIA, Media},
    json::{self, text as word},
    provider::ParseError,
    status::{Channel, Direction, Evidence, Status},
    text,
    time::Timestamp,
};

/// The event of a payload. Any JSON is accepted; one that is not about an e-mail is stored as it is.
pub(super) fn parse(payload: &Value) -> Result<Event, ParseError> {
    let kind = word(payload, "/type").unwrap_or_default();
    // `data.email_id` is Resend's name; the integration guide has `data.id`.
    let id = word(payload, "/data/email_id").or_else(|| word(payload, "/data/id"));
    let mut event = event_for_type(kind);
    event.external_id = id.and_then(ExternalId::new);
    if event.effect != Effect::None && event.external_id.is_none() {
        return Err(ParseError::Invalid("an e-mail event without data.email_id of 1 to 255 bytes"));
    }
    event.provider_status = event.status.and_then(|_| text::present(kind));
    event.occurred_at = occurred_at(payload, event.event_type);
    event.error = reason::error(event.status, payload);
    event.facts = facts(payload, &event);
    if let Effect::Inbound(inbound) = &mut event.effect {
        inbound.media = attachments(payload);
        inbound.email = email(payload);
    }
    Ok(event)
}

/// The instant of an event: that of the click or the open itself, else that of the report. `data.created_at` is the e-mail's.
/// Sources: resend.com/docs/webhooks/emails/clicked; get-convex/resend `src/component/shared.ts` for opens (read 2026-11-28).
fn occurred_at(payload: &Value, event_type: EventType) -> Option<Timestamp> {
    let engagement = match event_type {
        EventType::MessageClicked => json::instant(payload, "/data/click/timestamp"),
        EventType::MessageOpened => json::instant(payload, "/data/open/timestamp"),
        _ => None,
    };
    engagement.or_else(|| json::instant(payload, "/created_at"))
}

/// The event of a `type`.
fn event_for_type(kind: &str) -> Event {
    let event = |event_type, status, evidence| Event { evidence, ..Event::with_status(event_type, kind, status) };
    let status = |status: Status| event(EventType::from(status), Some(status), None);
    match kind {
        "email.scheduled" => status(Status::Scheduled),
        "email.sent" => status(Status::Sent),
        "email.delivery_delayed" => status(Status::Deferred),
        "email.delivered" => event(EventType::MessageDelivered, Some(Status::Delivered), Some(Evidence::Mta)),
        "email.bounced" => status(Status::Bounced),
        "email.failed" => status(Status::Failed),
        "email.suppressed" => status(Status::Rejected),
        "email.complained" => event(EventType::MessageComplained, None, None),
        // Mail clients prefetch, so only a click is evidence of delivery, not an open.
        "email.opened" => event(EventType::MessageOpened, None, None),
        "email.clicked" => event(EventType::MessageClicked, Some(Status::Delivered), Some(Evidence::Inferred)),
        // The body of the message is not in the callback: the application fetches it by its id.
        "email.received" => {
            Event { effect: Effect::Inbound(Box::default()), ..Event::informational(EventType::MessageReceived, kind) }
        }
        _ => Event::informational(family(kind), kind),
    }
}

/// The event type by the first part of the name. Resend adds types every few months.
fn family(kind: &str) -> EventType {
    match kind.split_once('.') {
        Some(("contact", _)) => EventType::ContactChanged,
        Some(("domain", _)) => EventType::DomainChanged,
        Some(("topic", _)) => EventType::TopicChanged,
        Some(("inbox", _)) => EventType::InboxChanged,
        Some(("suppression", "added")) => EventType::SuppressionAdded,
        Some(("suppression", "removed")) => EventType::SuppressionRemoved,
        _ => EventType::Unknown,
    }
}

/// The attachments of an inbound e-mail. The application fetches their content by id.
fn attachments(payload: &Value) -> Vec<Media> {
    let field = |one: &Value, pointer: &str| word(one, pointer).and_then(text::present);
    let listed = json::at(payload, "/data/attachments").and_then(Value::as_array);
    listed
        .into_iter()
        .flatten()
        .take(MAX_MEDIA)
        .map(|one| Media {
            id: field(one, "/id"),
            url: None,
            content_type: field(one, "/content_type"),
            filename: field(one, "/filename"),
        })
        .collect()
}

/// The longest subject and Message-ID that are stored, a line of RFC 5322; the raw body has longer ones.
const MAX_HEADER: usize = 998;

/// The most recipients of copies that are stored. Each can be looked up, so each is a row.
const MAX_COPIES: usize = 100;

/// The headers of an inbound e-mail. `received_for` has the addresses of the envelope (resend.com/changelog, read 2026-11-28).
fn email(payload: &Value) -> InboundEmail {
    let header = |pointer: &str| word(payload, pointer).and_then(|text| text::present(text::truncated(text, MAX_HEADER)));
    let listed = |pointer: &str| json::at(payload, pointer).and_then(|list| addresses(list, MAX_COPIES));
    InboundEmail {
        bcc: listed("/data/bcc"),
        cc: listed("/data/cc"),
        internet_message_id: header("/data/message_id"),
        received_for: listed("/data/received_for"),
        subject: header("/data/subject"),
    }
}

fn facts(payload: &Value, event: &Event) -> Facts {
    let inbound = match event.effect {
        Effect::None | Effect::Call(_) | Effect::Room(_) => return subscription(payload, event.event_type),
        Effect::Message => false,
        Effect::Inbound(_) => true,
    };
    Facts {
        recipient: json::at(payload, "/data/to").and_then(|to| addresses(to, usize::MAX)),
        sender: word(payload, "/data/from").and_then(address::email),
        channel: Some(Channel::Email),
        direction: Some(if inbound { Direction::Inbound } else { Direction::Outbound }),
        embedded_id: embedded_id(payload),
        engagement: engagement::engagement(payload, event),
        recipients: recipients::recipients(payload, |response| reason::error_for(event.status, payload, &[response])),
        ..Facts::default()
    }
}

/// The address of an event about a suppression or a contact, and the fact that decides whether it may be written to.
fn subscription(payload: &Value, event_type: EventType) -> Facts {
    let fact: Option<(&str, Value)> = match event_type {
        EventType::SuppressionAdded | EventType::SuppressionRemoved => {
            word(payload, "/data/origin").map(|origin| ("origin", text::clean(origin).into()))
        }
        EventType::ContactChanged => match json::at(payload, "/data/unsubscribed").and_then(Value::as_bool) {
            Some(true) => Some(("unsubscribed", true.into())),
            // Of a new contact it says nothing.
            Some(false) if word(payload, "/type") == Some("contact.updated") => Some(("unsubscribed", false.into())),
            _ => return Facts::default(),
        },
        _ => return Facts::default(),
    };
    Facts {
        recipient: word(payload, "/data/email").and_then(address::email),
        channel: Some(Channel::Email),
        more: fact.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        ..Facts::default()
    }
}

/// The first addresses of a list, or of one text, as text.
fn addresses(listed: &Value, max: usize) -> Option<String> {
    let listed = match listed {
        Value::Array(list) => list.as_slice(),
        one => std::slice::from_ref(one),
    };
    // One text of the list may be a list itself.
    let addresses: Vec<String> = listed.iter().filter_map(Value::as_str).flat_map(address::emails).take(max).collect();
    text::present(&addresses.join(", "))
}

/// The application's id: header `X-Message-ID` or tag `message_id`, which Resend echoes in the signed body.
fn embedded_id(payload: &Value) -> Option<String> {
    let listed = |pointer: &str, wanted: &str| {
        let is_wanted = |entry: &&Value| word(entry, "/name").is_some_and(|name| name.eq_ignore_ascii_case(wanted));
        word(json::at(payload, pointer)?.as_array()?.iter().find(is_wanted)?, "/value")
    };
    let id = listed("/data/headers", "X-Message-ID")
        .or_else(|| word(payload, "/data/tags/message_id"))
        .or_else(|| listed("/data/tags", "message_id"));
    id.and_then(text::present)
}
