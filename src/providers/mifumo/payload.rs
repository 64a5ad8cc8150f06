//! Mifumo's JSON as events.

use std::sync::LazyLock;

use serde_json::Value;

use crate::{
    address,
    errors::{ErrorTable, LazyTable},
    event::{Event, EventType, ExternalId, Facts},
    json::{self, scalar, text as word},
    provider::Unparsable,
    status::{Channel, Direction, Evidence, Status},
    text,
    time::Timestamp,
};

static ERRORS: LazyTable = LazyLock::new(|| ErrorTable::parse(include_str!("errors.toml")));

/// As many as a request may carry events.
const MAX_RECIPIENTS: usize = 1_000;

/// The longest recipient that is taken.
const MAX_RECIPIENT: usize = 255;

/// Reads one body: an event for each recipient it is about.
pub(super) fn read(body: &[u8]) -> Result<Vec<Event>, Unparsable> {
    let payload = json::read(body)?;
    let kind = word(&payload, "/event").unwrap_or_default();
    let Some(status) = status(kind, word(&payload, "/provider_status")) else {
        return Ok(vec![Event::aside(EventType::Unknown, kind)]);
    };
    let id = scalar(&payload, "/message_id").as_deref().and_then(ExternalId::new);
    let id = id.ok_or(Unparsable::Invalid("an event without message_id of 1 to 255 bytes"))?;
    let recipients = recipients(&payload);
    if recipients.len() > MAX_RECIPIENTS {
        return Err(Unparsable::Invalid("more than 1,000 recipients in one request"));
    }
    let event = Event { external_id: Some(id), ..of_message(&payload, kind, status) };
    let one = |recipient: Option<String>| {
        let mut event = event.clone();
        event.recipient_key = Some(recipient.clone().unwrap_or_default());
        event.facts.recipient = recipient;
        event
    };
    if recipients.is_empty() {
        return Ok(vec![one(None)]);
    }
    Ok(recipients.into_iter().map(|recipient| one(Some(recipient))).collect())
}

/// The status that an event means. What failed is told more exactly by the word of the network behind (SMPP 3.4).
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

/// What the event tells of every recipient alike.
fn of_message(payload: &Value, kind: &str, status: Status) -> Event {
    let mut event = Event::of_status(EventType::from(status), kind, Some(status));
    let network = word(payload, "/provider_status");
    event.provider_status = network.or_else(|| word(payload, "/status")).and_then(text::present);
    if status == Status::Delivered {
        // Only the network's own receipt is more than the provider's word.
        event.evidence = Some(if network == Some("DELIVRD") { Evidence::Carrier } else { Evidence::Provider });
    }
    let code = scalar(payload, "/error_code");
    if code.is_some() || status.is_failure() {
        let keys: Vec<&str> = code.as_deref().into_iter().collect();
        event.error = Some(ERRORS.explain(code.as_deref(), &keys, word(payload, "/error_message")));
    }
    let times = ["/sent_at", "/delivered_at", "/failed_at", "/timestamp"];
    event.occurred_at = times.iter().find_map(|at| word(payload, at).and_then(Timestamp::parse));
    event.facts = Facts {
        sender: word(payload, "/sender_id").and_then(address::phone),
        channel: Some(Channel::Sms),
        direction: Some(Direction::Outbound),
        price: scalar(payload, "/cost").filter(|cost| text::is_decimal(cost)),
        price_currency: word(payload, "/currency").and_then(text::present),
        embedded_id: scalar(payload, "/metadata/message_id"),
        ..Facts::default()
    };
    if let Some(network) = word(payload, "/provider") {
        event.facts.more.insert("provider".to_owned(), text::clean(network).into());
    }
    event
}

/// Whom it is about, each once, in the order given.
fn recipients(payload: &Value) -> Vec<String> {
    let one = payload.pointer("/recipient").into_iter();
    let all = payload.pointer("/recipients").and_then(Value::as_array).into_iter().flatten();
    let mut seen = std::collections::HashSet::new();
    let normalized = all.chain(one).filter_map(|number| number.as_str().and_then(address::international));
    // A longer one is no number, and would not fit into the key of a row.
    let normalized = normalized.filter(|number| number.len() <= MAX_RECIPIENT);
    normalized.filter(|number| seen.insert(number.clone())).collect()
}
