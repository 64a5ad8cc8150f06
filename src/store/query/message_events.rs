//! The facts in the events of a message that its row does not have: the status of each recipient, and the machines among those who
//! opened and clicked.

use serde::Serialize;
use serde_json::Value;

use super::{Message, StoredEvent, feed::KeyedEvent};
use crate::{
    address, automation,
    event::{AutomationKind, Engagement, EventType},
    status::{Channel, Evidence, Status},
    store::fold::recipients::{self, Recipient, RecipientEvent, ReportScope},
};

/// A message and its events.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct MessageWithEvents {
    /// The message.
    pub message: Message,
    /// Its recipients with the status of each, at most 100.
    pub recipients: Vec<Recipient>,
    /// Its opens and clicks by people and by machines.
    pub engagement: EngagementCounts,
    /// Its events in order of arrival, at most 1,000 or 2 MiB.
    pub events: Vec<StoredEvent>,
}

/// Opens and clicks among the events that are shown. `open_count` and `click_count` of the message count all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct EngagementCounts {
    /// Opens that nothing shows to be a machine's.
    pub human_opens: u64,
    /// Opens by machines: prefetching, scanners, and image proxies.
    pub machine_opens: u64,
    /// Those by the image proxy of a mail service, which mostly fetches when a person opens the e-mail.
    pub proxy_opens: u64,
    /// Clicks that nothing shows to be a machine's.
    pub human_clicks: u64,
    /// Clicks by machines: scanners and other programs.
    pub machine_clicks: u64,
}

impl MessageWithEvents {
    pub(crate) fn new(message: Message, mut events: Vec<KeyedEvent>) -> Self {
        mark_hasty_clicks(&mut events.iter_mut().map(|(event, _)| event).collect::<Vec<_>>());
        let recipients = recipients_of(&message, events.iter().map(|(event, state_key)| (event, state_key.as_slice())));
        let events: Vec<StoredEvent> = events.into_iter().map(|(event, _)| event).collect();
        Self { recipients, engagement: EngagementCounts::new(&events.iter().collect::<Vec<_>>()), events, message }
    }
}

/// The recipients of a message. Only an e-mail has several; every other message has one row for each.
pub(crate) fn recipients_of<'e>(message: &Message, events: impl Iterator<Item = (&'e StoredEvent, &'e [u8])>) -> Vec<Recipient> {
    if message.channel.as_deref().is_some_and(|channel| channel != Channel::Email.as_ref()) {
        return message.recipient.as_ref().map(|address| only_recipient(message, address)).into_iter().collect();
    }
    let event = |(event, state_key): (&'e StoredEvent, &'e [u8])| RecipientEvent {
        state_key,
        event_type: &event.event_type,
        status: event.status.as_deref(),
        provider_status: event.provider_status.as_deref(),
        evidence: event.evidence.as_deref(),
        error_code: event.error_code.as_deref(),
        at: event.occurred_at.unwrap_or(event.received_at),
        detail: &event.detail.0,
    };
    recipients::recipients(&events.map(event).collect::<Vec<_>>(), message.recipient.as_deref())
}

/// The one recipient of a message, as its row has it.
fn only_recipient(message: &Message, address: &str) -> Recipient {
    Recipient {
        address: address.to_owned(),
        status: message.status.clone(),
        reported_for: ReportScope::Recipient,
        provider_status: message.provider_status.clone(),
        status_at: message.status_at,
        evidence: message.evidence.clone(),
        error_code: message.error_code.clone(),
        error_message: message.error_message.clone(),
        error_category: message.error_category.clone(),
        error_permanence: message.error_permanence.clone(),
        diagnostic: None,
        opened_at: message.opened_at,
        clicked_at: message.clicked_at,
        complained_at: message.complained_at,
    }
}

impl EngagementCounts {
    pub(crate) fn new(events: &[&StoredEvent]) -> Self {
        let mut counts = Self::default();
        for event in events {
            let kind =
                event.engagement.as_ref().and_then(|engagement| engagement.automation.as_ref()).map(|machine| machine.kind);
            match (event.event_type.parse(), kind) {
                (Ok(EventType::MessageOpened), None) => counts.human_opens += 1,
                (Ok(EventType::MessageOpened), Some(kind)) => {
                    counts.machine_opens += 1;
                    counts.proxy_opens += u64::from(kind == AutomationKind::Proxy);
                }
                (Ok(EventType::MessageClicked), None) => counts.human_clicks += 1,
                (Ok(EventType::MessageClicked), Some(_)) => counts.machine_clicks += 1,
                _ => {}
            }
        }
        counts
    }
}

/// Marks the clicks that follow a delivery to the same recipient too soon for a person. Only all events together show them.
pub(crate) fn mark_hasty_clicks(events: &mut [&mut StoredEvent]) {
    let is_delivery = |event: &&&mut StoredEvent| {
        event.status.as_deref() == Some(Status::Delivered.as_ref())
            && event.evidence.as_deref() != Some(Evidence::Inferred.as_ref())
    };
    let deliveries: Vec<_> = events
        .iter()
        .filter(is_delivery)
        .filter_map(|event| Some((event.occurred_at?.micros(), recipient_keys(event))))
        .collect();
    if deliveries.is_empty() {
        return;
    }
    for event in events.iter_mut().filter(|event| event.event_type == EventType::MessageClicked.as_ref()) {
        let is_marked = event.engagement.as_ref().is_some_and(|engagement| engagement.automation.is_some());
        let Some(clicked_at) = event.occurred_at.filter(|_| !is_marked) else { continue };
        let own = recipient_keys(event);
        let concerns_same = |keys: &[String]| keys.is_empty() || own.is_empty() || keys.iter().any(|key| own.contains(key));
        let hasty = |(delivered_at, keys): &(i64, Vec<String>)| {
            automation::after_delivery(clicked_at.micros().saturating_sub(*delivered_at)).filter(|_| concerns_same(keys))
        };
        if let Some(automation) = deliveries.iter().find_map(hasty) {
            event.engagement.get_or_insert_with(Engagement::default).automation = Some(automation);
        }
    }
}

fn recipient_keys(event: &StoredEvent) -> Vec<String> {
    event.detail.0.get("recipient").and_then(Value::as_str).map(address::lookup_keys).unwrap_or_default()
}
