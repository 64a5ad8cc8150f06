//! Messages: `message_external_ids`.

use diesel::{ExpressionMethods, OptionalExtension, QueryDsl, QueryResult, Queryable, RunQueryDsl, Selectable, SelectableHelper};
use serde::Serialize;

use super::{Cursor, Page, narrow, page};
use crate::{
    status::Status,
    store::{
        connection::{Connection, on_either},
        schema::{communication_metrics, message_external_ids as m},
    },
    time::Timestamp,
};

/// A row of `message_external_ids` as it is shown.
#[derive(Clone, Debug, Queryable, Selectable, Serialize, utoipa::ToSchema)]
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

/// Which messages to show.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "each is the column of that name")]
pub struct MessageFilter {
    pub service_type: Option<&'static str>,
    pub account: Option<String>,
    pub status: Option<Status>,
    pub recipient: Option<String>,
    pub external_id: Option<String>,
    pub message_id: Option<i64>,
    /// The application's own key of its message.
    pub reference: Option<String>,
    /// Created at or after.
    pub since: Option<Timestamp>,
    /// Created before.
    pub until: Option<Timestamp>,
    /// Only rows behind this one.
    pub cursor: Option<Cursor>,
    /// How many at the most.
    pub limit: i64,
}

pub(super) fn messages(connection: &mut Connection, filter: &MessageFilter) -> QueryResult<Page<Message>> {
    let rows = on_either!(connection, c => {
        let mut query = m::table.select((Message::as_select(), m::created_at, m::id)).into_boxed();
        narrow!(query, filter, m: service_type, account, recipient, external_id, message_id);
        if let Some(status) = filter.status {
            query = query.filter(m::status.eq(status.as_ref().to_owned()));
        }
        if let Some(reference) = &filter.reference {
            // Looked up first, so that it is an index that finds the rows, whatever else is asked for.
            let sent = communication_metrics::table.filter(communication_metrics::reference.eq(reference));
            let sent: Option<i64> = sent.select(communication_metrics::id).first(c).optional()?;
            let Some(sent) = sent else { return Ok(Page { items: Vec::new(), next_cursor: None }) };
            query = query.filter(m::message_id.eq(sent));
        }
        page!(query, c, filter, m, created_at)
    });
    Ok(Page::of(rows, filter.limit))
}

pub(super) fn message(connection: &mut Connection, id: i64) -> QueryResult<Option<Message>> {
    on_either!(connection, c => m::table.find(id).select(Message::as_select()).first(c).optional())
}
