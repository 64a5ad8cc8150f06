//! Twilio's form fields as an event.

use std::sync::LazyLock;

use crate::{
    address,
    errors::{ErrorTable, LazyTable},
    event::{DeliveryError, Event, EventType, ExternalId, Facts},
    form::Form,
    provider::Unparsable,
    status::{Channel, Direction, Evidence, Status},
    text,
};

static ERRORS: LazyTable = LazyLock::new(|| ErrorTable::parse(include_str!("errors.toml")));

/// Twilio's own name of the kind of callback.
const STATUS_CALLBACK: &str = "StatusCallback";

/// The fields that are read; each may have one value.
const SCALARS: [&str; 9] =
    ["MessageSid", "SmsSid", "MessageStatus", "SmsStatus", "ErrorCode", "ErrorMessage", "ChannelStatusMessage", "From", "To"];

/// Reads one form. `query` holds the parameters of the URL if the scheme signed it.
pub(super) fn read(form: &Form<'_>, query: Option<&Form<'_>>) -> Result<Event, Unparsable> {
    if let Some(name) = SCALARS.into_iter().find(|name| form.is_ambiguous(name)) {
        return Err(Unparsable::Ambiguous(name));
    }
    if query.is_some_and(|query| query.is_ambiguous("message_id")) {
        return Err(Unparsable::Ambiguous("message_id"));
    }
    let id = form.text("MessageSid").or_else(|| form.text("SmsSid"));
    let word = form.text("MessageStatus").or_else(|| form.text("SmsStatus"));
    let (id, word) = match (id, word) {
        (Some(id), Some(word)) => (id, word),
        // Neither: a kind we do not know, such as a voice callback. It is kept.
        (None, None) => return Ok(Event::aside(EventType::Unknown, "")),
        (None, Some(_)) => return Err(Unparsable::Invalid("a message status without MessageSid or SmsSid")),
        (Some(_), None) => return Err(Unparsable::Invalid("a message without MessageStatus or SmsStatus")),
    };
    let external_id = ExternalId::new(&id).ok_or(Unparsable::Invalid("the message id is longer than 255 bytes"))?;
    let mut event = event_of(&word.to_ascii_lowercase());
    event.external_id = Some(external_id);
    event.provider_status = text::present(&word);
    event.error = error(form, event.status);
    event.facts = facts(form, &id, event.event_type, query);
    Ok(event)
}

/// The event that a status word means. `read` is engagement, and with it the message was delivered.
fn event_of(word: &str) -> Event {
    let of = |event_type, status, evidence| Event {
        moves_message: true,
        status: Some(status),
        evidence,
        ..Event::aside(event_type, STATUS_CALLBACK)
    };
    let plain = |status: Status| of(EventType::from(status), status, None);
    match word {
        "accepted" => plain(Status::Accepted),
        "scheduled" => plain(Status::Scheduled),
        "queued" => plain(Status::Queued),
        "sending" => plain(Status::Sending),
        // Deprecated by Twilio: some parts arrived. Not a receipt for the message.
        "sent" | "partially_delivered" => plain(Status::Sent),
        "delivered" => of(EventType::MessageDelivered, Status::Delivered, Some(Evidence::Carrier)),
        "undelivered" => plain(Status::Undelivered),
        "failed" => plain(Status::Failed),
        "canceled" => plain(Status::Canceled),
        "read" => of(EventType::MessageRead, Status::Delivered, Some(Evidence::Inferred)),
        "receiving" | "received" => Event::aside(EventType::MessageReceived, STATUS_CALLBACK),
        _ => plain(Status::Unknown),
    }
}

fn error(form: &Form<'_>, status: Option<Status>) -> Option<DeliveryError> {
    let code = form.text("ErrorCode").filter(|code| code != "0");
    let words = form.text("ErrorMessage").or_else(|| form.text("ChannelStatusMessage"));
    let is_error = code.is_some() || status.is_some_and(Status::is_failure);
    let keys: Vec<&str> = code.as_deref().into_iter().collect();
    is_error.then(|| ERRORS.explain(code.as_deref(), &keys, words.as_deref()))
}

fn facts(form: &Form<'_>, id: &str, event_type: EventType, query: Option<&Form<'_>>) -> Facts {
    let (from, to) = (form.text("From"), form.text("To"));
    let prefixed = [&to, &from].into_iter().flatten().find_map(|address| address::channel(address));
    let by_id = if id.starts_with("MM") { Channel::Mms } else { Channel::Sms };
    let inbound = event_type == EventType::MessageReceived;
    Facts {
        recipient: to.as_deref().and_then(address::phone),
        sender: from.as_deref().and_then(address::phone),
        channel: Some(prefixed.unwrap_or(by_id)),
        direction: Some(if inbound { Direction::Inbound } else { Direction::Outbound }),
        embedded_id: query.and_then(|query| query.text("message_id")).and_then(|id| text::present(&id)),
        ..Facts::default()
    }
}
