//! Statuses of outbound messages, and the parts that all reports of messages share.

use crate::{
    address,
    event::{DeliveryError, Event, EventType, ExternalId, Facts},
    form::Form,
    provider::{self, ParseError},
    providers::error_codes::ErrorTable,
    status::{Channel, Direction, Evidence, Status},
    text,
};

/// The vendor's name of the callback.
const STATUS_CALLBACK: &str = "StatusCallback";

/// The parsed fields; each may have one value.
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

/// The parameter of the callback's URL with the message's reference.
const REFERENCE: &str = "message_id";

/// The message's reference in the query, if the scheme signs the query.
pub(in super::super) fn reference(signed_query: Option<&str>) -> Result<Option<String>, ParseError> {
    let query = signed_query.and_then(|query| Form::decode(query.as_bytes()));
    if query.as_ref().is_some_and(|query| query.is_ambiguous(REFERENCE)) {
        return Err(ParseError::Ambiguous(REFERENCE));
    }
    Ok(query.and_then(|query| query.owned(REFERENCE)))
}

/// Parses a status callback.
pub(super) fn parse(form: &Form<'_>, signed_query: Option<&str>, errors: &ErrorTable) -> Result<Event, ParseError> {
    provider::reject_ambiguous(form, &SCALARS)?;
    let reference = reference(signed_query)?;
    let id = form.text("MessageSid").or_else(|| form.text("SmsSid"));
    let (word, older) = (form.text("MessageStatus"), form.text("SmsStatus"));
    // Two names of one value.
    if let (Some(word), Some(older)) = (&word, &older)
        && word != older
    {
        return Err(ParseError::Ambiguous("MessageStatus and SmsStatus"));
    }
    let word = word.or(older);
    let id = id.ok_or(ParseError::Invalid("a message status without MessageSid or SmsSid"))?;
    let word = word.ok_or(ParseError::Invalid("a message without MessageStatus or SmsStatus"))?;
    let mut event = status_event(&word, STATUS_CALLBACK).unwrap_or_else(|| unknown_status_event(STATUS_CALLBACK));
    event.external_id = Some(external_id(&id)?);
    event.provider_status = text::present(&word);
    // With `ErrorUrl` the code means that a URL of the gateway failed, not the message.
    let code = form.text("ErrorCode").filter(|_| form.text("ErrorUrl").is_none());
    let words = form.text("ErrorMessage").or_else(|| form.text("ChannelStatusMessage"));
    event.error = error(errors, code.as_deref(), words.as_deref(), event.status);
    event.facts = facts(&id, form.text("From").as_deref(), form.text("To").as_deref(), Direction::Outbound);
    event.facts.embedded_id = reference;
    Ok(event)
}

pub(in super::super) fn external_id(id: &str) -> Result<ExternalId, ParseError> {
    ExternalId::new(id).ok_or(ParseError::Invalid("the message id is longer than 255 bytes"))
}

/// The event of a status word, in upper or lower case; `None` for an unknown word. `read` is engagement, from which delivery is
/// inferred.
pub(in super::super) fn status_event(word: &str, provider_type: &str) -> Option<Event> {
    let plain = |status: Status| Event::with_status(EventType::from(status), provider_type, Some(status));
    let delivered = |event_type, evidence| Event {
        evidence: Some(evidence),
        ..Event::with_status(event_type, provider_type, Some(Status::Delivered))
    };
    Some(match word.to_ascii_lowercase().as_str() {
        "accepted" => plain(Status::Accepted),
        "scheduled" => plain(Status::Scheduled),
        "queued" => plain(Status::Queued),
        "sending" | "initiated" => plain(Status::Sending),
        // Deprecated by Twilio: some parts arrived, which is no receipt for the message.
        "sent" | "partially_delivered" => plain(Status::Sent),
        "delivered" => delivered(EventType::MessageDelivered, Evidence::Carrier),
        "undelivered" => plain(Status::Undelivered),
        "failed" => plain(Status::Failed),
        "canceled" => plain(Status::Canceled),
        "read" => delivered(EventType::MessageRead, Evidence::Inferred),
        _ => return None,
    })
}

/// The event of an unknown status word. It supersedes no known status.
pub(in super::super) fn unknown_status_event(provider_type: &str) -> Event {
    Event::with_status(EventType::MessageStatus, provider_type, Some(Status::Unknown))
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
