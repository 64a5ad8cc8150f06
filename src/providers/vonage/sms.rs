//! The SMS API: delivery receipts and inbound messages, the same fields as query, form or JSON.

use super::{ERRORS, present};
use crate::{
    address,
    event::{DeliveryError, Effect, Event, EventType, ExternalId, Facts, Inbound, Part},
    form::Form,
    provider::{self, ParseError},
    status::{Channel, Direction, ErrorCategory, Evidence, Permanence, Status},
    text,
    time::Timestamp,
};

/// The parsed fields; each may have one value.
const SCALARS: [&str; 15] = [
    "messageId",
    "status",
    "err-code",
    "msisdn",
    "to",
    "price",
    "client-ref",
    "message-timestamp",
    "text",
    "type",
    "concat",
    "concat-ref",
    "concat-total",
    "concat-part",
    "network-code",
];

/// Parses a receipt, which has a status, or an inbound message, which has none.
pub(super) fn parse(form: &Form<'_>) -> Result<Event, ParseError> {
    provider::reject_ambiguous(form, &SCALARS)?;
    let id = form.text("messageId").as_deref().and_then(ExternalId::new);
    let id = id.ok_or(ParseError::Invalid("a receipt or message without messageId of 1 to 255 bytes"))?;
    let mut event = match present(form, "status") {
        Some(word) => receipt(form, &word),
        None if form.has("err-code") => return Err(ParseError::Invalid("a receipt without status")),
        None => inbound(form),
    };
    event.external_id = Some(id);
    event.occurred_at = form.text("message-timestamp").as_deref().and_then(instant);
    Ok(event)
}

fn receipt(form: &Form<'_>, word: &str) -> Event {
    let status = match word {
        "accepted" => Status::Sent,
        "buffered" => Status::Deferred,
        "delivered" => Status::Delivered,
        "expired" => Status::Expired,
        "failed" => Status::Failed,
        "rejected" => Status::Rejected,
        _ => Status::Unknown,
    };
    let mut event = Event::with_status(EventType::from(status), "delivery-receipt", Some(status));
    event.provider_status = Some(word.to_owned());
    event.evidence = (status == Status::Delivered).then_some(Evidence::Carrier);
    event.error = error(present(form, "err-code").as_deref(), status);
    // `to` is the sender of the message.
    event.facts = Facts {
        recipient: present(form, "msisdn").as_deref().and_then(address::international),
        sender: present(form, "to").as_deref().and_then(address::international),
        channel: Some(Channel::Sms),
        direction: Some(Direction::Outbound),
        price: present(form, "price").as_deref().and_then(text::decimal),
        embedded_id: present(form, "client-ref"),
        ..Facts::default()
    };
    for name in ["network-code", "scts"] {
        event.facts.more.extend(present(form, name).map(|value| (name.to_owned(), value.into())));
    }
    event
}

/// The code `0` is no error, even with a failure status.
fn error(code: Option<&str>, status: Status) -> Option<DeliveryError> {
    match code.filter(|code| *code != "0") {
        Some(code) => Some(ERRORS.explain(Some(code), &[code], None)),
        None if status == Status::Expired => Some(DeliveryError {
            category: ErrorCategory::Expired,
            permanence: Permanence::Temporary,
            ..DeliveryError::unexplained()
        }),
        None => status.is_failure().then(DeliveryError::unexplained),
    }
}

fn inbound(form: &Form<'_>) -> Event {
    let mut event = Event::informational(EventType::MessageReceived, &form.text("type").unwrap_or_default());
    let number = |name: &str| present(form, name).and_then(|number| number.parse().ok());
    let is_part = form.text("concat").is_some_and(|word| word == "true");
    let part = Part::new(present(form, "concat-ref"), number("concat-total"), number("concat-part")).filter(|_| is_part);
    event.facts = Facts {
        sender: present(form, "msisdn").as_deref().and_then(address::international),
        recipient: present(form, "to").as_deref().and_then(address::international),
        channel: Some(Channel::Sms),
        direction: Some(Direction::Inbound),
        embedded_id: None,
        ..Facts::default()
    };
    // The text is not trimmed: a part may end in a blank.
    event.effect = Effect::Inbound(Box::new(Inbound { text: form.owned("text"), part, ..Inbound::default() }));
    event
}

/// UTC without a time zone, or for some accounts ISO 8601.
fn instant(text: &str) -> Option<Timestamp> {
    Timestamp::parse(&format!("{text}+00")).or_else(|| Timestamp::parse(text))
}
