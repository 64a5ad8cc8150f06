//! A message's row made anew out of its stored events. The only thing that may lower a row.

use chrono::NaiveDateTime;
use diesel::{
    ExpressionMethods, NullableExpressionMethods, OptionalExtension, QueryDsl, QueryResult, Queryable, RunQueryDsl, Selectable,
    SelectableHelper,
};
use serde_json::Value;

use super::{
    commit::{Identity, Writer},
    connection::for_both,
    record::Source,
    rows::MessageRow,
    schema::{message_external_ids as m, webhook_events as e, webhook_requests as r},
};
use crate::{
    event::{DeliveryError, Effect, Event, EventType, ExternalId, Facts},
    providers,
    status::{ErrorCategory, Permanence},
    text,
    time::Timestamp,
};

/// A row of `webhook_events` as the fold reads it.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = e)]
pub(super) struct FoldedEvent {
    pub service_type: String,
    pub account: String,
    pub external_id: Option<String>,
    pub recipient_key: String,
    pub event_key: Vec<u8>,
    pub event_type: String,
    pub provider_type: Option<String>,
    pub status: Option<String>,
    pub provider_status: Option<String>,
    pub evidence: Option<String>,
    pub error_code: Option<String>,
    pub state_key: Vec<u8>,
    pub occurred_at: Option<NaiveDateTime>,
    pub received_at: NaiveDateTime,
    pub detail: String,
}

impl FoldedEvent {
    /// The message that it is about, if it moves one.
    pub(super) fn identity(&self) -> Option<Identity> {
        let moves = self.event_type.parse().is_ok_and(EventType::moves_message);
        let external_id = self.external_id.as_deref().filter(|_| moves)?;
        Some(Identity::of(&self.service_type, &self.account, external_id, &self.recipient_key))
    }

    /// The event that it was, as far as the fold reads it.
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
            occurred_at: self.occurred_at.map(Timestamp::from_naive),
            facts: serde_json::from_value::<Facts>(detail).unwrap_or_default(),
            ..Event::aside(self.event_type.parse().ok()?, self.provider_type.as_deref().unwrap_or_default())
        })
    }

    /// The row that it alone would make.
    fn row(&self, verified_by: &str) -> Option<MessageRow> {
        let source = Source {
            service_type: providers::find(&self.service_type)?.name,
            account: &self.account,
            verified_by,
            received_at: Timestamp::from_naive(self.received_at),
        };
        MessageRow::of(source, &self.event()?, &self.state_key)
    }
}

/// Whether every event that was folded into a message's row is still stored. If some were deleted, what is left would lower it.
pub(super) fn is_complete(writer: &mut impl Writer, message: &Identity) -> QueryResult<bool> {
    let events = writer.events_of(message)?;
    let stored = events.iter().filter(|(event, _)| event.identity().is_some()).count();
    let folded = writer.message(message)?.map_or(0, |row| row.revision);
    Ok(i64::try_from(stored).is_ok_and(|stored| stored >= folded))
}

/// Folds the stored events of a message into its row. One without events stays as it is: the application registered it.
pub(super) fn rebuild(writer: &mut impl Writer, message: &Identity) -> QueryResult<()> {
    // Under the row's lock no event can be folded in between.
    let Some(verified_by) = writer.lock_message(message)? else { return Ok(()) };
    let events = writer.events_of(message)?;
    let row = |(event, of_request): &(FoldedEvent, Option<String>)| event.row(of_request.as_deref().unwrap_or(&verified_by));
    let folded = events.iter().filter(|(event, _)| event.identity().is_some()).filter_map(row).reduce(|mut one, other| {
        one.absorb(other);
        one
    });
    folded.map_or(Ok(()), |row| writer.overwrite(message, &row))
}

/// What is asked of either database.
pub(super) trait Rebuilding {
    /// Locks a message's row; what verified it, empty if nothing did, or nothing if there is no row.
    fn lock_message(&mut self, message: &Identity) -> QueryResult<Option<String>>;
    /// Every stored event of a message, and what verified the request that brought it.
    fn events_of(&mut self, message: &Identity) -> QueryResult<Vec<(FoldedEvent, Option<String>)>>;
    /// Gives the row these values, but for the application's message.
    fn overwrite(&mut self, message: &Identity, row: &MessageRow) -> QueryResult<()>;
}

/// The row of a message.
macro_rules! this {
    ($message:expr) => {{
        let [service_type, account, external_id, recipient_key] = $message.parts();
        m::table
            .filter(m::service_type.eq(service_type))
            .filter(m::account.eq(account))
            .filter(m::external_id.eq(external_id))
            .filter(m::recipient_key.eq(recipient_key))
    }};
}

for_both! {
    impl Rebuilding for Connection {
        fn lock_message(&mut self, message: &Identity) -> QueryResult<Option<String>> {
            let lock = diesel::update(this!(message)).set(m::updated_at.eq(m::updated_at)).returning(m::verified_by);
            Ok(lock.get_result::<Option<String>>(self).optional()?.map(Option::unwrap_or_default))
        }

        fn events_of(&mut self, message: &Identity) -> QueryResult<Vec<(FoldedEvent, Option<String>)>> {
            let [service_type, account, external_id, recipient_key] = message.parts();
            e::table
                .left_join(r::table)
                .filter(e::service_type.eq(service_type))
                .filter(e::account.eq(account))
                .filter(e::external_id.eq(external_id))
                .filter(e::recipient_key.eq(recipient_key))
                .select((FoldedEvent::as_select(), r::verified_by.nullable()))
                .load(self)
        }

        fn overwrite(&mut self, message: &Identity, row: &MessageRow) -> QueryResult<()> {
            type Match = (Option<i64>, Option<i64>, Option<String>);
            let (message_id, matched_id, matched_by): Match =
                this!(message).select((m::message_id, m::matched_id, m::matched_by)).first(self)?;
            diesel::update(this!(message)).set(row).execute(self)?;
            diesel::update(this!(message))
                .set((m::message_id.eq(message_id), m::matched_id.eq(matched_id), m::matched_by.eq(matched_by)))
                .execute(self)
                .map(drop)
        }
    }
}
