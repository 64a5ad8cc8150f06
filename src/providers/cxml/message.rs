//! Statuses of outbound messages; and what all reports of a message have in common.

use crate::{
    address,
    errors::ErrorTable,
    event::{DeliveryError, Event, EventType, ExternalId, Facts},
    form::Form,
    provider::{self, Unparsable},
    status::{Channel, Direction, Evidence, Status},
    text,
};

/// The vendor's own name of the kind of callback.
const STATUS_CALLBACK: &str = "StatusCallback";

/// The fields that are read; each may have one value.
const SCALARS: [&str; 10] = [
    "MessageSid",
    "SmsSid",
    "MessageStatus",
    "SmsStatus",
    "ErrorCode",
    "ErrorUrl",
    "ErrorMessage",
    "ChannelStatusMessage",
    "From",
    "To",
];

/// Reads a status callback. `query` holds the parameters of the URL if the scheme signed it.
pub(super) fn read(form: &Form<'_>, query: Option<&Form<'_>>, errors: &ErrorTable) -> Result<Event, Unparsable> {
    provider::check_scalars(form, &SCALARS)?;
    if query.is_some_and(|query| query.is_ambiguous("message_id")) {
        return Err(Unparsable::Ambiguous("message_id"));
    }
    let id = form.text("MessageSid").or_else(|| form.text("SmsSid"));
    let (word, older) = (form.text("MessageStatus"), form.text("SmsStatus"));
    // One fact under two names; if they differ, one of them may have a neighbour glued to it.
    if let (Some(word), Some(older)) = (&word, &older)
        && word != older
    {
        return Err(Unparsable::Ambiguous("MessageStatus and SmsStatus"));
    }
    let word = word.or(older);
    let id = id.ok_or(Unparsable::Invalid("a message status without MessageSid or SmsSid"))?;
    let word = word.unwrap_or_default();
    let mut event = of_status(&word, STATUS_CALLBACK).unwrap_or_else(|| unknown_status(STATUS_CALLBACK));
    event.external_id = Some(external_id(&id)?);
    event.provider_status = text::present(&word);
    // Beside `ErrorUrl` the code tells that a URL of ours failed; the message itself may be fine.
    let code = form.text("ErrorCode").filter(|_| form.text("ErrorUrl").is_none());
    let words = form.text("ErrorMessage").or_else(|| form.text("ChannelStatusMessage"));
    event.error = error(errors, code.as_deref(), words.as_deref(), event.status);
    event.facts = facts(&id, form.text("From").as_deref(), form.text("To").as_deref(), Direction::Outbound);
    event.facts.embedded_id = query.and_then(|query| query.owned("message_id"));
    Ok(event)
}

/// Reads a form of no known kind. It is kept, unless it is half a status callback.
pub(super) fn read_unknown(form: &Form<'_>) -> Result<Event, Unparsable> {
    if ["MessageSid", "SmsSid"].into_iter().any(|name| form.text(name).is_some()) {
        return Err(Unparsable::Invalid("a message without MessageStatus or SmsStatus"));
    }
    Ok(Event::aside(EventType::Unknown, ""))
}

pub(in super::super) fn external_id(id: &str) -> Result<ExternalId, Unparsable> {
    ExternalId::new(id).ok_or(Unparsable::Invalid("the message id is longer than 255 bytes"))
}

/// The event that a status word means, in any case; `None` for a word we do not know. `read` is engagement, and with it
/// the message was delivered.
pub(in super::super) fn of_status(word: &str, provider_type: &str) -> Option<Event> {
    let plain = |status: Status| Event::of_status(EventType::from(status), provider_type, Some(status));
    let delivered = |event_type, evidence| Event {
        evidence: Some(evidence),
        ..Event::of_status(event_type, provider_type, Some(Status::Delivered))
    };
    Some(match word.to_ascii_lowercase().as_str() {
        "accepted" => plain(Status::Accepted),
        "scheduled" => plain(Status::Scheduled),
        "queued" => plain(Status::Queued),
        "sending" | "initiated" => plain(Status::Sending),
        // Deprecated by Twilio: some parts arrived. Not a receipt for the message.
        "sent" | "partially_delivered" => plain(Status::Sent),
        "delivered" => delivered(EventType::MessageDelivered, Evidence::Carrier),
        "undelivered" => plain(Status::Undelivered),
        "failed" => plain(Status::Failed),
        "canceled" => plain(Status::Canceled),
        "read" => delivered(EventType::MessageRead, Evidence::Inferred),
        _ => return None,
    })
}

/// A status in a word we do not know: kept, and it moves nothing that is known.
pub(in super::super) fn unknown_status(provider_type: &str) -> Event {
    Event::of_status(EventType::MessageStatus, provider_type, Some(Status::Unknown))
}

pub(in super::super) fn error(
    errors: &ErrorTable,
    code: Option<&str>,
    words: Option<&str>,
    status: Option<Status>,
) -> Option<DeliveryError> {
    let code = code.filter(|code| *code != "0");
    let is_error = code.is_some() || status.is_some_and(Status::is_failure);
    let keys: Vec<&str> = code.into_iter().collect();
    is_error.then(|| errors.explain(code, &keys, words))
}

pub(in super::super) fn facts(id: &str, from: Option<&str>, to: Option<&str>, direction: Direction) -> Facts {
    let prefixed = [to, from].into_iter().flatten().find_map(address::channel);
    let by_id = if id.starts_with("MM") { Channel::Mms } else { Channel::Sms };
    Facts {
        recipient: to.and_then(address::phone),
        sender: from.and_then(address::phone),
        channel: Some(prefixed.unwrap_or(by_id)),
        direction: Some(direction),
        ..Facts::default()
    }
}
