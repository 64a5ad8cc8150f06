//! What operations look up. Diesel's query language, stamped per database.

use chrono::NaiveDateTime;
use diesel::{
    ExpressionMethods, NullableExpressionMethods, QueryDsl, QueryResult, Queryable, RunQueryDsl, Selectable, SelectableHelper,
    backend::Backend, deserialize::FromSql, sql_types::SingleValue,
};
use serde::Serialize;

use super::{
    connection::{Connection, on_either},
    schema::{
        calls, communication_metrics, inbound_messages, message_external_ids as m, rooms, webhook_events, webhook_requests,
    },
};
use crate::time::Timestamp;

/// A row of `message_external_ids` as it is shown.
#[derive(Clone, Debug, Queryable, Selectable, Serialize)]
#[diesel(table_name = m)]
#[expect(missing_docs, reason = "the columns are documented in ARCHITECTURE.md, \"Convergence\"")]
pub struct Message {
    pub id: i64,
    pub message_id: Option<i64>,
    pub external_id: String,
    pub service_type: String,
    pub account: String,
    pub recipient_key: String,
    pub recipient: Option<String>,
    pub sender: Option<String>,
    pub channel: Option<String>,
    pub direction: Option<String>,
    pub status: String,
    pub provider_status: Option<String>,
    pub is_final: bool,
    pub evidence: Option<String>,
    pub error_code: Option<String>,
    pub error_message: Option<String>,
    pub error_category: Option<String>,
    pub error_permanence: Option<String>,
    pub status_at: Option<Timestamp>,
    pub delivered_at: Option<Timestamp>,
    pub failed_at: Option<Timestamp>,
    pub read_at: Option<Timestamp>,
    pub opened_at: Option<Timestamp>,
    pub open_count: i64,
    pub clicked_at: Option<Timestamp>,
    pub click_count: i64,
    pub complained_at: Option<Timestamp>,
    pub unsubscribed_at: Option<Timestamp>,
    pub has_conflict: bool,
    pub revision: i64,
    pub matched_by: Option<String>,
    pub embedded_id: Option<String>,
    pub price: Option<String>,
    pub price_currency: Option<String>,
    pub parts_total: Option<i64>,
    pub verified_by: Option<String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// An instant as either database returns it.
impl<DB> FromSql<diesel::sql_types::Timestamp, DB> for Timestamp
where
    DB: Backend,
    NaiveDateTime: FromSql<diesel::sql_types::Timestamp, DB>,
{
    fn from_sql(bytes: DB::RawValue<'_>) -> diesel::deserialize::Result<Self> {
        NaiveDateTime::from_sql(bytes).map(Self::from_naive)
    }
}

impl<DB, ST> Queryable<ST, DB> for Timestamp
where
    DB: Backend,
    ST: SingleValue,
    Self: FromSql<ST, DB>,
{
    type Row = Self;

    fn build(row: Self) -> diesel::deserialize::Result<Self> {
        Ok(row)
    }
}

/// Which messages to show.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "each is the column of that name")]
pub struct MessageFilter {
    pub service_type: Option<String>,
    pub account: Option<String>,
    pub status: Option<String>,
    pub recipient: Option<String>,
    pub external_id: Option<String>,
    pub message_id: Option<i64>,
    pub reference: Option<String>,
    /// Created at or after.
    pub since: Option<Timestamp>,
    /// Created before.
    pub until: Option<Timestamp>,
    /// Only ids below this one.
    pub cursor: Option<i64>,
    /// How many at the most.
    pub limit: i64,
}

/// One page of messages.
#[derive(Debug, Serialize)]
pub struct Page {
    /// The messages, newest first.
    pub messages: Vec<Message>,
    /// What to ask for as `cursor` to get the next page; absent on the last one.
    pub next_cursor: Option<i64>,
}

/// How much is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Rows of `webhook_requests`.
    pub requests: i64,
    /// Rows of `webhook_events`.
    pub events: i64,
    /// Rows of `message_external_ids`.
    pub messages: i64,
    /// Rows of `inbound_messages`.
    pub inbound: i64,
    /// Rows of `calls`.
    pub calls: i64,
    /// Rows of `rooms`.
    pub rooms: i64,
}

pub(super) fn messages(connection: &mut Connection, filter: &MessageFilter) -> QueryResult<Page> {
    let mut messages = on_either!(connection, c => {
        let mut query = m::table.select(Message::as_select()).order(m::id.desc()).limit(filter.limit + 1).into_boxed();
        if let Some(service_type) = &filter.service_type {
            query = query.filter(m::service_type.eq(service_type));
        }
        if let Some(account) = &filter.account {
            query = query.filter(m::account.eq(account));
        }
        if let Some(status) = &filter.status {
            query = query.filter(m::status.eq(status));
        }
        if let Some(recipient) = &filter.recipient {
            query = query.filter(m::recipient.eq(recipient));
        }
        if let Some(external_id) = &filter.external_id {
            query = query.filter(m::external_id.eq(external_id));
        }
        if let Some(message_id) = filter.message_id {
            query = query.filter(m::message_id.eq(message_id));
        }
        if let Some(reference) = &filter.reference {
            let sent = communication_metrics::table
                .filter(communication_metrics::reference.eq(reference))
                .select(communication_metrics::id.nullable());
            query = query.filter(m::message_id.eq_any(sent));
        }
        if let Some(since) = filter.since {
            query = query.filter(m::created_at.ge(since.naive()));
        }
        if let Some(until) = filter.until {
            query = query.filter(m::created_at.lt(until.naive()));
        }
        if let Some(cursor) = filter.cursor {
            query = query.filter(m::id.lt(cursor));
        }
        query.load::<Message>(c)?
    });
    let limit = usize::try_from(filter.limit).unwrap_or(0);
    let has_more = messages.len() > limit;
    messages.truncate(limit);
    let next_cursor = messages.last().filter(|_| has_more).map(|message| message.id);
    Ok(Page { messages, next_cursor })
}

pub(super) fn counts(connection: &mut Connection) -> QueryResult<Counts> {
    on_either!(connection, c => Ok(Counts {
        requests: webhook_requests::table.count().get_result(c)?,
        events: webhook_events::table.count().get_result(c)?,
        messages: m::table.count().get_result(c)?,
        inbound: inbound_messages::table.count().get_result(c)?,
        calls: calls::table.count().get_result(c)?,
        rooms: rooms::table.count().get_result(c)?,
    }))
}
