//! The reports in events and inbound messages.

use diesel::{Queryable, Selectable};
use serde_json::Value;

use super::{Report, Reported, SuppressionKey, SuppressionReason};
use crate::{
    address,
    event::{EventType, OptOut, RecipientReport},
    status::{Channel, Direction, ErrorCategory, Permanence, Status},
    store::db::schema::{inbound_messages as i, webhook_events as e},
    time::Timestamp,
};

/// The longest sender of a key, in bytes.
const MAX_SENDER: usize = 255;

/// The longest text of a report, in bytes.
const MAX_WORDS: usize = 500;

/// The columns of an event that report a suppression.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = e)]
pub(crate) struct ReportingEvent {
    id: i64,
    service_type: String,
    account: String,
    recipient_key: String,
    event_type: String,
    provider_type: Option<String>,
    provider_status: Option<String>,
    error_code: Option<String>,
    occurred_at: Option<Timestamp>,
    received_at: Timestamp,
    mapping_id: Option<i64>,
    request_id: Option<i64>,
    detail: String,
}

/// Returns true if an event of that type and status may report a suppression. Inbound messages are read from their own rows.
pub(crate) fn is_relevant(event_type: &str, status: Option<&str>) -> bool {
    let is_failure = || status.is_some_and(|word| word.parse().is_ok_and(Status::is_failure));
    match event_type.parse() {
        Ok(
            EventType::MessageComplained
            | EventType::MessageUnsubscribed
            | EventType::SuppressionAdded
            | EventType::SuppressionRemoved
            | EventType::ContactChanged,
        ) => true,
        Ok(event_type) => event_type.moves_message() && is_failure(),
        Err(_) => false,
    }
}

/// A recipient that an event is about, with the error of the delivery to them.
struct Affected {
    address: String,
    category: Option<ErrorCategory>,
    permanence: Option<Permanence>,
    /// The provider's words, or the receiving system's response.
    words: Option<String>,
}

impl ReportingEvent {
    /// The suppressions that it reports, or whose end it reports.
    pub(crate) fn reported(&self) -> Vec<Reported> {
        let detail: Value = serde_json::from_str(&self.detail).unwrap_or_default();
        let text = |name: &str| detail.get(name).and_then(Value::as_str);
        let reported = |affected: Affected| {
            let (reason, lifts) = self.reason(&detail, &affected)?;
            let code = self.error_code.as_deref().or_else(|| more(&detail, "origin").and_then(Value::as_str));
            let sender = if reason == SuppressionReason::OptOut { text("sender").and_then(own_sender) } else { None };
            Some(Reported {
                key: SuppressionKey {
                    channel: channel(text("channel"), &affected.address),
                    address: affected.address,
                    service_type: self.service_type.clone(),
                    account: self.account.clone(),
                    reason,
                    sender: sender.unwrap_or_default(),
                },
                lifts,
                report: Report {
                    at: self.occurred_at.unwrap_or(self.received_at),
                    provider_type: self.provider_type.clone().or_else(|| self.provider_status.clone()).map(bounded),
                    code: code.map(str::to_owned).map(bounded),
                    words: affected.words.map(bounded),
                    message: self.mapping_id,
                    request: self.request_id,
                    event: Some(self.id),
                    inbound: None,
                },
                received_at: self.received_at,
            })
        };
        self.affected(&detail).into_iter().filter_map(reported).collect()
    }

    /// The reason of a suppression, and true if the event ends it.
    fn reason(&self, detail: &Value, affected: &Affected) -> Option<(SuppressionReason, bool)> {
        use SuppressionReason::{Complaint, HardBounce, OptOut, Suppressed, Unsubscribed};
        let is_inbound = detail.get("direction").and_then(Value::as_str) == Some(Direction::Inbound.as_ref());
        match self.event_type.parse().ok()? {
            EventType::MessageComplained => Some((Complaint, false)),
            EventType::MessageUnsubscribed => Some((Unsubscribed, false)),
            EventType::SuppressionAdded => Some((Suppressed, false)),
            EventType::SuppressionRemoved => Some((Suppressed, true)),
            EventType::ContactChanged => {
                more(detail, "unsubscribed")?.as_bool().map(|unsubscribed| (Unsubscribed, !unsubscribed))
            }
            _ if is_inbound => None,
            _ => match affected.category? {
                ErrorCategory::OptedOut => Some((OptOut, false)),
                ErrorCategory::Suppressed => Some((Suppressed, false)),
                // Not `unroutable`, which is about the route of the sender as well.
                ErrorCategory::InvalidRecipient | ErrorCategory::Unreachable
                    if affected.permanence == Some(Permanence::Permanent) =>
                {
                    Some((HardBounce, false))
                }
                _ => None,
            },
        }
    }

    /// The recipients that it is about. A report about a message to several recipients that singles out none of them is about one of them,
    /// but not about all.
    fn affected(&self, detail: &Value) -> Vec<Affected> {
        let text = |name: &str| detail.get(name).and_then(Value::as_str);
        let category = text("error_category").and_then(|word| word.parse().ok());
        let permanence = text("error_permanence").and_then(|word| word.parse().ok());
        let words = || text("error_message").map(str::to_owned);
        let listed = detail.get("recipients").cloned().unwrap_or_default();
        let singled_out: Vec<RecipientReport> = serde_json::from_value(listed).unwrap_or_default();
        if singled_out.is_empty() {
            let recipient = Some(self.recipient_key.as_str()).filter(|key| !key.is_empty()).or_else(|| text("recipient"));
            let address = recipient.and_then(one_address);
            return address.map(|address| Affected { address, category, permanence, words: words() }).into_iter().collect();
        }
        let affected = |one: RecipientReport| {
            let address = one_address(&one.address).filter(|_| !one.is_shared)?;
            let (category, permanence) = (one.error_category.or(category), one.error_permanence.or(permanence));
            Some(Affected { address, category, permanence, words: one.diagnostic.or_else(words) })
        };
        singled_out.into_iter().filter_map(affected).collect()
    }
}

/// The columns of an inbound message that report an opt-out, or its end.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = i)]
pub(crate) struct OptOutMessage {
    id: i64,
    service_type: String,
    account: String,
    sender: Option<String>,
    recipient: Option<String>,
    channel: Option<String>,
    opt_out: Option<String>,
    occurred_at: Option<Timestamp>,
    received_at: Timestamp,
}

impl OptOutMessage {
    /// Values of `opt_out` that report something.
    pub(crate) fn words() -> [&'static str; 2] {
        [OptOut::Stop.into(), OptOut::Start.into()]
    }

    /// The opt-out that it reports, or whose end it reports.
    pub(crate) fn reported(&self) -> Option<Reported> {
        let lifts = match self.opt_out.as_deref()?.parse().ok()? {
            OptOut::Stop => false,
            OptOut::Start => true,
            OptOut::Help => return None,
        };
        let address = one_address(self.sender.as_deref()?)?;
        let key = SuppressionKey {
            channel: channel(self.channel.as_deref(), &address),
            address,
            service_type: self.service_type.clone(),
            account: self.account.clone(),
            reason: SuppressionReason::OptOut,
            sender: self.recipient.as_deref().and_then(own_sender).unwrap_or_default(),
        };
        let report = Report {
            at: self.occurred_at.unwrap_or(self.received_at),
            provider_type: None,
            code: self.opt_out.clone(),
            words: None,
            message: None,
            request: None,
            event: None,
            inbound: Some(self.id),
        };
        Some(Reported { key, lifts, report, received_at: self.received_at })
    }
}

/// The key of a text with one address; `None` for a list. A telephone's SIP address has the key of its number as well.
fn one_address(text: &str) -> Option<String> {
    let mut keys = address::lookup_keys(text).into_iter();
    let first = keys.next()?;
    keys.all(|key| !key.contains('@')).then_some(first)
}

/// The key of a number or name of the application; one that is too long for a key counts as absent.
fn own_sender(text: &str) -> Option<String> {
    one_address(text).filter(|key| key.len() <= MAX_SENDER)
}

fn more<'d>(detail: &'d Value, name: &str) -> Option<&'d Value> {
    detail.get("more")?.get(name)
}

/// The channel of a suppression. An opt-out by text message is also one from multimedia messages; empty if unknown.
fn channel(word: Option<&str>, address: &str) -> &'static str {
    match word.and_then(|word| word.parse().ok()) {
        Some(channel) => suppressed_channel(channel),
        None if address.contains('@') => Channel::Email.into(),
        None => "",
    }
}

/// The channel under which suppressions of that channel are stored.
pub(crate) fn suppressed_channel(channel: Channel) -> &'static str {
    if channel == Channel::Mms { Channel::Sms.into() } else { channel.into() }
}

fn bounded(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(MAX_WORDS));
    text
}
