//! Inbound messages: `inbound_messages`.

use diesel::{ExpressionMethods, QueryDsl, QueryResult, Queryable, RunQueryDsl, Selectable, SelectableHelper};
use serde::Serialize;

use super::{Cursor, Document, Page, narrow, page};
use crate::{
    store::{
        connection::{Connection, on_either},
        schema::inbound_messages as i,
    },
    time::Timestamp,
};

/// A message that somebody sent to the application.
#[derive(Clone, Debug, Queryable, Selectable, Serialize, utoipa::ToSchema)]
#[diesel(table_name = i)]
#[expect(missing_docs, reason = "the columns are documented in ARCHITECTURE.md, \"Convergence\"")]
pub struct InboundMessage {
    pub id: i64,
    pub service_type: String,
    pub account: String,
    pub external_id: String,
    pub sender: Option<String>,
    pub recipient: Option<String>,
    pub channel: Option<String>,
    pub text: Option<String>,
    pub media: Document,
    pub parts_total: i64,
    pub parts_received: i64,
    pub is_partial: bool,
    pub opt_out: Option<String>,
    pub provider_status: Option<String>,
    pub occurred_at: Option<Timestamp>,
    pub received_at: Timestamp,
}

/// Which inbound messages to show.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "each is the column of that name")]
pub struct InboundFilter {
    pub service_type: Option<&'static str>,
    pub account: Option<String>,
    pub sender: Option<String>,
    pub recipient: Option<String>,
    /// Received at or after.
    pub since: Option<Timestamp>,
    /// Received before.
    pub until: Option<Timestamp>,
    /// Only rows behind this one.
    pub cursor: Option<Cursor>,
    /// How many at the most.
    pub limit: i64,
}

pub(super) fn inbound(connection: &mut Connection, filter: &InboundFilter) -> QueryResult<Page<InboundMessage>> {
    let rows = on_either!(connection, c => {
        let mut query = i::table.select((InboundMessage::as_select(), i::received_at, i::id)).into_boxed();
        narrow!(query, filter, i: service_type, account, sender, recipient);
        page!(query, c, filter, i, received_at)
    });
    Ok(Page::of(rows, filter.limit))
}
