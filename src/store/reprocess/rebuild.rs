//! Rebuilds a message's row from its stored events. Only a rebuild may lower a row's status.

use diesel::{
    ExpressionMethods, JoinOnDsl, NullableExpressionMethods, OptionalExtension, QueryDsl, QueryResult, Queryable, RunQueryDsl,
    Selectable, SelectableHelper,
};
use serde_json::Value;

use crate::{
    event::{DeliveryError, Effect, Event, EventType, ExternalId, Facts},
    providers,
    status::{ErrorCategory, Permanence},
    store::{
        db::{
            connection::{Connection, on_either},
            key::{MessageKey, with_key},
            schema::{message_external_ids as m, webhook_events as e, webhook_requests as r},
        },
        fold::{
            addresses::{self, AddressRow},
            message::MessageState,
            source::Source,
        },
        write::batch::{self, MessageUpdate},
    },
    text,
    time::Timestamp,
};

/// The columns of `webhook_events` that the fold reads.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = e)]
pub(crate) struct FoldedEvent {
    pub service_type: String,
    pub account: String,
    pub external_id: Option<String>,
    pub recipient_key: String,
    pub event_key: Option<Vec<u8>>,
    pub event_type: String,
    pub provider_type: Option<String>,
    pub status: Option<String>,
    pub provider_status: Option<String>,
    pub evidence: Option<String>,
    pub error_code: Option<String>,
    pub state_key: Vec<u8>,
    pub occurred_at: Option<Timestamp>,
    pub received_at: Timestamp,
    pub detail: String,
}

impl FoldedEvent {
    /// The key of the message that it changes, if any.
    pub(crate) fn message_key(&self) -> Option<MessageKey> {
        let changes_message = self.event_type.parse().is_ok_and(EventType::moves_message);
        let external_id = self.external_id.as_deref().filter(|_| changes_message)?;
        Some(MessageKey::new(&self.service_type, &self.account, external_id, &self.recipient_key))
    }

    /// The event, as far as the fold reads it.
    fn event(&self) -> Option<Event> {
        let detail: Value = serde_json::from_str(&self.detail).unwrap_or_default();
        let detailed = |name: &str| detail.get(name).and_then(Value::as_str);
        let error = detailed("error_category").map(|category| DeliveryError {
            code: self.error_code.clone(),
            message: detailed("error_message").and_then(text::present),
            diagnostic: detailed("error_diagnostic").and_then(text::present),
            category: category.parse().unwrap_or(ErrorCategory::Unknown),
            permanence: detailed("error_permanence").and_then(|word| word.parse().ok()).unwrap_or(Permanence::Unknown),
        });
        Some(Event {
            external_id: self.external_id.as_deref().and_then(ExternalId::new),
            recipient_key: Some(self.recipient_key.clone()),
            effect: Effect::Message,
            status: self.status.as_deref().and_then(|word| word.parse().ok()),
            provider_status: self.provider_status.clone(),
            evidence: self.evidence.as_deref().and_then(|word| word.parse().ok()),
            error,
            occurred_at: self.occurred_at,
            facts: serde_json::from_value::<Facts>(detail).unwrap_or_default(),
            ..Event::informational(self.event_type.parse().ok()?, self.provider_type.as_deref().unwrap_or_default())
        })
    }

    /// The message's state derived from this event.
    fn state(&self, verified_by: &str) -> Option<MessageState> {
        let source = Source {
            service_type: providers::find(&self.service_type)?.name,
            account: &self.account,
            verified_by,
            received_at: self.received_at,
        };
        Some(MessageState::from_event(source, &self.event()?, &self.state_key))
    }
}

pub(crate) struct LockedMessage {
    id: i64,
    state: MessageState,
}

/// Locks a message's row; `None` if it does not exist.
pub(crate) fn lock(connection: &mut Connection, key: &MessageKey) -> QueryResult<Option<LockedMessage>> {
    let id: Option<i64> = on_either!(connection, c => with_key!(m, key).select(m::id).first(c).optional())?;
    if id.is_none() {
        return Ok(None);
    }
    Ok(batch::lock_messages(connection, &[key])?.pop().map(|(id, state)| LockedMessage { id, state }))
}

/// Returns true if all events of a message's row are still stored. Otherwise a rebuild could lower the row wrongly.
pub(crate) fn is_complete(connection: &mut Connection, message: &LockedMessage) -> QueryResult<bool> {
    let stored = events_of_message(connection, message)?.len();
    Ok(i64::try_from(stored).is_ok_and(|stored| stored >= message.state.revision))
}

/// Folds the stored events of a message into its row. A message without events, which was only registered, is left unchanged.
pub(crate) fn rebuild(connection: &mut Connection, message: &LockedMessage) -> QueryResult<()> {
    let existing = &message.state;
    let verified_by = existing.verified_by.as_deref().unwrap_or_default();
    let events = events_of_message(connection, message)?;
    let state = |(event, request): &(FoldedEvent, Option<String>)| event.state(request.as_deref().unwrap_or(verified_by));
    let states: Vec<MessageState> = events.iter().filter_map(state).collect();
    let folded = states.iter().cloned().reduce(|mut one, other| {
        one.absorb(other);
        one
    });
    let Some(mut folded) = folded else { return Ok(()) };
    let dropped_addresses = states.iter().flat_map(|state| AddressRow::difference(message.id, state, &folded));
    let addresses = dropped_addresses.chain(AddressRow::difference(message.id, &folded, existing)).collect();
    // The match does not follow from the events alone.
    (folded.message_id, folded.matched_id) = (existing.message_id, existing.matched_id);
    folded.matched_by.clone_from(&existing.matched_by);
    batch::write_rows(connection, &[], &[], &[MessageUpdate::new(message.id, existing, folded)])?;
    addresses::insert(connection, &addresses)
}

/// The stored events of a message, each with the `verified_by` of its request.
fn events_of_message(connection: &mut Connection, message: &LockedMessage) -> QueryResult<Vec<(FoldedEvent, Option<String>)>> {
    on_either!(connection, c => {
        e::table
            .left_join(r::table.on(e::request_id.eq(r::id.nullable())))
            .filter(e::mapping_id.eq(message.id))
            .select((FoldedEvent::as_select(), r::verified_by.nullable()))
            .load(c)
    })
}
