//! All stored data about one message, for `explain`.

use diesel::{
    ExpressionMethods, JoinOnDsl, NullableExpressionMethods, OptionalExtension, QueryDsl, QueryResult, Queryable, RunQueryDsl,
    Selectable, SelectableHelper,
};
use serde::Serialize;

use crate::store::{
    Store,
    db::{
        connection::{Connection, on_either},
        error::StoreError,
        schema::{
            communication_metrics, message_external_ids as m, webhook_bodies as b, webhook_events as e, webhook_requests as r,
        },
    },
    fold::recipients::Recipient,
    query::{
        Message, StoredEvent,
        message_events::{mark_hasty_clicks, recipients_of},
        size,
    },
};
use crate::time::Timestamp;

/// Maximum number of events of one message; its `revision` counts all of them.
pub const MAX_EVENTS: i64 = 1_000;

/// Maximum number of messages with the same external id: of several providers, accounts or recipients.
const MAX_MESSAGES: i64 = 100;

/// A message with its events.
#[derive(Clone, Debug)]
pub struct MessageHistory {
    pub message: Message,
    /// Decides its status.
    pub state_key: Vec<u8>,
    /// The message that the gateway matched, if any.
    pub matched_id: Option<i64>,
    /// The application's reference, if it is matched.
    pub reference: Option<String>,
    /// Its recipients with the status of each.
    pub recipients: Vec<Recipient>,
    /// Its events in the order of arrival.
    pub events: Vec<HistoryEvent>,
    /// True if there may be more events.
    pub has_more: bool,
}

/// An event and its request.
#[derive(Clone, Debug)]
pub struct HistoryEvent {
    pub event: StoredEvent,
    /// Its order among the message's events.
    pub state_key: Vec<u8>,
    /// The first request with this event; `None` for events that the gateway creates.
    pub request: Option<RequestSummary>,
}

/// A row of `webhook_requests`.
#[derive(Clone, Debug, Queryable, Selectable, Serialize, utoipa::ToSchema)]
#[diesel(table_name = r)]
pub struct RequestSummary {
    pub id: i64,
    pub state: String,
    pub answer: i64,
    pub verified_by: String,
    pub method: String,
    pub url: String,
    pub received_at: Timestamp,
    pub duplicate_count: i64,
    pub last_duplicate_at: Option<Timestamp>,
    /// True if its body is still stored.
    #[diesel(select_expression = diesel::dsl::exists(b::table.filter(b::request_id.eq(r::id))))]
    pub has_body: bool,
}

impl Store {
    /// The history of a message. Blocks.
    pub fn history(&self, id: i64) -> Result<Option<MessageHistory>, StoreError> {
        self.read(|connection| load(connection, id))
    }

    /// The histories of all messages with that external id, of any provider, account and recipient. Blocks.
    pub fn histories(&self, external_id: &str) -> Result<Vec<MessageHistory>, StoreError> {
        self.read(|connection| {
            let ids = ids_by_external_id(connection, external_id)?;
            ids.into_iter().filter_map(|id| load(connection, id).transpose()).collect()
        })
    }
}

/// Ids of the messages with an external id, oldest first.
fn ids_by_external_id(connection: &mut Connection, external_id: &str) -> QueryResult<Vec<i64>> {
    on_either!(connection, c => {
        m::table.filter(m::external_id.eq(external_id)).order(m::id).limit(MAX_MESSAGES).select(m::id).load(c)
    })
}

/// A message with its state key, the id that the gateway matched, and its reference.
type MessageColumns = (Message, Vec<u8>, Option<i64>, Option<String>);

/// An event with its state key and its request.
type EventColumns = (StoredEvent, Vec<u8>, Option<RequestSummary>);

fn load(connection: &mut Connection, id: i64) -> QueryResult<Option<MessageHistory>> {
    on_either!(connection, c => {
        let sent = communication_metrics::table.filter(communication_metrics::id.nullable().eq(m::message_id));
        let reference = sent.select(communication_metrics::reference).single_value();
        let columns = (Message::as_select(), m::state_key, m::matched_id, reference);
        let found: Option<MessageColumns> = m::table.find(id).select(columns).first(c).optional()?;
        let Some((message, state_key, matched_id, reference)) = found else { return Ok(None) };
        let size = |(event, _, request): &EventColumns| size::json_size(event) + size::json_size(request);
        let ids: Vec<i64> = e::table.filter(e::mapping_id.eq(id)).order(e::id).limit(MAX_EVENTS).select(e::id).load(c)?;
        let events = size::load_in_steps(MAX_EVENTS, size, |before: &[EventColumns], step| {
            e::table
                .left_join(r::table.on(e::request_id.eq(r::id.nullable())))
                .filter(e::id.eq_any(size::next_ids(&ids, before, step)))
                .order(e::id)
                .select((StoredEvent::as_select(), e::state_key, Option::<RequestSummary>::as_select()))
                .load(c)
        })?;
        let has_more = events.has_more;
        let events = events.rows.into_iter().map(|(event, state_key, request)| HistoryEvent { event, state_key, request });
        let mut events: Vec<HistoryEvent> = events.collect();
        mark_hasty_clicks(&mut events.iter_mut().map(|event| &mut event.event).collect::<Vec<_>>());
        let recipients = recipients_of(&message, events.iter().map(|event| (&event.event, event.state_key.as_slice())));
        Ok(Some(MessageHistory { message, state_key, matched_id, reference, recipients, events, has_more }))
    })
}
