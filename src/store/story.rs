//! Everything that is stored about one message, for `explain`.

use diesel::{
    BoolExpressionMethods, ExpressionMethods, JoinOnDsl, NullableExpressionMethods, OptionalExtension, QueryDsl, QueryResult,
    Queryable, RunQueryDsl, Selectable, SelectableHelper,
};
use serde::Serialize;

use super::{
    Store, StoreError,
    connection::{Connection, on_either},
    lists::{Message, StoredEvent},
    schema::{communication_metrics, message_external_ids as m, webhook_bodies as b, webhook_events as e, webhook_requests as r},
};
use crate::time::Timestamp;

/// Events that are told of one message; more are counted in its `revision`.
pub const MAX_EVENTS: i64 = 1_000;

/// Messages with the same id that are told: providers, accounts, recipients.
const MAX_MESSAGES: i64 = 100;

/// One message with everything that was heard of it.
#[derive(Clone, Debug)]
pub struct Story {
    /// Its row.
    pub message: Message,
    /// What decides its status.
    pub state_key: Vec<u8>,
    /// The message that the gateway itself matched, if it did.
    pub matched_id: Option<i64>,
    /// The application's own key of it, if it is mapped to one.
    pub reference: Option<String>,
    /// Its events in the order in which they came.
    pub events: Vec<StoryEvent>,
}

/// One event and the request that brought it.
#[derive(Clone, Debug)]
pub struct StoryEvent {
    /// The event.
    pub event: StoredEvent,
    /// What decides between it and the others.
    pub state_key: Vec<u8>,
    /// The request that brought it first; none for those that the gateway makes itself.
    pub request: Option<RequestOfStory>,
}

/// A row of `webhook_requests`.
#[derive(Clone, Debug, Queryable, Selectable, Serialize, utoipa::ToSchema)]
#[diesel(table_name = r)]
#[expect(missing_docs, reason = "each is the column of that name")]
pub struct RequestOfStory {
    pub id: i64,
    pub state: String,
    pub answer: i64,
    pub verified_by: String,
    pub method: String,
    pub url: String,
    pub received_at: Timestamp,
    pub duplicate_count: i64,
    pub last_duplicate_at: Option<Timestamp>,
    /// Whether its exact body is still there.
    #[diesel(select_expression = diesel::dsl::exists(b::table.filter(b::request_id.eq(r::id))))]
    pub has_body: bool,
}

impl Store {
    /// Everything that is stored about the message of that row. Blocks.
    pub fn story(&self, id: i64) -> Result<Option<Story>, StoreError> {
        self.read(|connection| tell(connection, id))
    }

    /// The same of every message with that external id: of any provider, account and recipient. Blocks.
    pub fn stories(&self, external_id: &str) -> Result<Vec<Story>, StoreError> {
        self.read(|connection| {
            let ids = find(connection, external_id)?;
            ids.into_iter().filter_map(|id| tell(connection, id).transpose()).collect()
        })
    }
}

/// The numbers of the rows of an external id, oldest first.
fn find(connection: &mut Connection, external_id: &str) -> QueryResult<Vec<i64>> {
    on_either!(connection, c => {
        m::table.filter(m::external_id.eq(external_id)).order(m::id).limit(MAX_MESSAGES).select(m::id).load(c)
    })
}

/// A message, what decides its status, what the gateway matched it with, and the application's key.
type Found = (Message, Vec<u8>, Option<i64>, Option<String>);

/// Everything that is stored about the message of that row.
fn tell(connection: &mut Connection, id: i64) -> QueryResult<Option<Story>> {
    on_either!(connection, c => {
        let row = m::table.left_join(communication_metrics::table).filter(m::id.eq(id));
        let columns = (Message::as_select(), m::state_key, m::matched_id, communication_metrics::reference.nullable());
        let found: Option<Found> = row.select(columns).first(c).optional()?;
        let Some((message, state_key, matched_id, reference)) = found else { return Ok(None) };
        let events: Vec<(StoredEvent, Vec<u8>, Option<RequestOfStory>)> = e::table
            .left_join(r::table.on(e::request_id.eq(r::id.nullable())))
            .filter(e::service_type.eq(&message.service_type).and(e::account.eq(&message.account)))
            .filter(e::external_id.eq(&message.external_id).and(e::recipient_key.eq(&message.recipient_key)))
            .order(e::id)
            .limit(MAX_EVENTS)
            .select((StoredEvent::as_select(), e::state_key, Option::<RequestOfStory>::as_select()))
            .load(c)?;
        let events = events.into_iter().map(|(event, state_key, request)| StoryEvent { event, state_key, request }).collect();
        Ok(Some(Story { message, state_key, matched_id, reference, events }))
    })
}
