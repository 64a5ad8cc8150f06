//! The events of Mifumo's JSON.

use std::sync::LazyLock;

use serde_json::Value;

use crate::{
    address,
    event::{Event, EventType, ExternalId, Facts},
    json::{self, scalar, text as word},
    provider::ParseError,
    providers::error_codes::{ErrorTable, LazyTable},
    status::{Channel, Direction, Evidence, Status},
    text,
    time::Timestamp,
};

static ERRORS: LazyTable = LazyLock::new(|| ErrorTable::parse(include_str!("errors.toml")));

/// The most events of a request.
const MAX_RECIPIENTS: usize = 1_000;

/// A longer recipient is not a number, and would not fit into the key of a row.
const MAX_RECIPIENT: usize = 255;

/// The events of a payload: one for each recipient.
pub(super) fn parse(payload: &Value) -> Result<Vec<Event>, ParseError> {
    let kind = word(payload, "/event").unwrap_or_default();
    let Some(status) = status(kind, word(payload, "/provider_status")) else {
        return Ok(vec![Event::informational(EventType::Unknown, kind)]);
    };
    // Other senders have events of the same names.
    let marks = ["/message_id", "/recipient", "/recipients", "/sender_id", "/provider_status"];
    if !marks.iter().any(|name| json::at(payload, name).is_some()) {
        return Ok(vec![Event::informational(EventType::Unknown, kind)]);
    }
    let id = scalar(payload, "/message_id").as_deref().and_then(ExternalId::new);
    let id = id.ok_or(ParseError::Invalid("an event without message_id of 1 to 255 bytes"))?;
    let recipients = recipients(payload);
    if recipients.len() > MAX_RECIPIENTS {
        return Err(ParseError::Invalid("more than 1,000 recipients in one request"));
    }
    let event = Event { external_id: Some(id), ..message_event(payload, kind, status) };
    let for_recipient = |recipient: Option<String>| {
        let mut event = event.clone();
        event.recipient_key =
            Some(recipient.as_deref().map(address::lookup_keys).into_iter().flatten().next().unwrap_or_default());
        event.facts.recipient = recipient;
        event
    };
    if recipients.is_empty() {
        return Ok(vec![for_recipient(None)]);
    }
    Ok(recipients.into_iter().map(|recipient| for_recipient(Some(recipient))).collect())
}

/// The status of an event. Of a failure the network's word is more exact (SMPP 3.4).
fn status(kind: &str, network: Option<&str>) -> Option<Status> {
    Some(match (kind, network) {
        ("message.sent", _) => Status::Sent,
        ("message.delivered", _) => Status::Delivered,
        ("message.failed", Some("EXPIRED")) => Status::Expired,
        ("message.failed", Some("UNDELIV")) => Status::Undelivered,
        ("message.failed", Some("REJECTD")) => Status::Rejected,
        ("message.failed", Some("DELETED")) => Status::Canceled,
        ("message.failed", _) => Status::Failed,
        _ => return None,
    })
}

/// The event as it is for every recipient.
fn message_event(payload: &Value, kind: &str, status: Status) -> Event {
    let mut event = Event::with_status(EventType::from(status), kind, Some(status));
    let network = word(payload, "/provider_status");
    event.provider_status = network.or_else(|| word(payload, "/status")).and_then(text::present);
    if status == Status::Delivered {
        // Only a receipt of the network is stronger evidence than the provider's.
        event.evidence = Some(if network == Some("DELIVRD") { Evidence::Carrier } else { Evidence::Provider });
    }
    let code = scalar(payload, "/error_code");
    if code.is_some() || status.is_failure() {
        let keys: Vec<&str> = code.as_deref().into_iter().chain(network).collect();
        event.error = Some(ERRORS.explain(code.as_deref(), &keys, word(payload, "/error_message")));
    }
    let times = ["/sent_at", "/delivered_at", "/failed_at", "/timestamp"];
    event.occurred_at = times.iter().find_map(|at| word(payload, at).and_then(Timestamp::parse));
    event.facts = Facts {
        sender: word(payload, "/sender_id").and_then(address::phone),
        channel: Some(Channel::Sms),
        direction: Some(Direction::Outbound),
        price: json::decimal(payload, "/cost"),
        price_currency: word(payload, "/currency").and_then(text::present),
        embedded_id: scalar(payload, "/metadata/message_id"),
        ..Facts::default()
    };
    if let Some(network) = word(payload, "/provider") {
        event.facts.more.insert("provider".to_owned(), text::clean(network).into());
    }
    event
}

/// The recipients, each once, in the order given.
fn recipients(payload: &Value) -> Vec<String> {
    let one = json::at(payload, "/recipient").into_iter();
    let all = json::at(payload, "/recipients").and_then(Value::as_array).into_iter().flatten();
    let mut seen = std::collections::HashSet::new();
    let normalized = all.chain(one).filter_map(|number| number.as_str().and_then(address::international));
    let normalized = normalized.filter(|number| number.len() <= MAX_RECIPIENT);
    normalized.filter(|number| seen.insert(number.clone())).collect()
}
