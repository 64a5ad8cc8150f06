//! The list of calls.

use diesel::{ExpressionMethods, QueryDsl, QueryResult, Queryable, RunQueryDsl, Selectable, SelectableHelper};
use serde::Serialize;

use super::{Page, filter, narrow, ranges::RangedTable, scan::scan};
use crate::{
    store::db::{
        connection::{Connection, on_either},
        schema::calls as k,
    },
    time::Timestamp,
};

#[derive(Clone, Debug, Queryable, Selectable, Serialize, utoipa::ToSchema)]
#[diesel(table_name = k)]
pub struct Call {
    pub id: i64,
    pub service_type: String,
    pub account: String,
    pub external_id: String,
    pub direction: Option<String>,
    pub sender: Option<String>,
    pub recipient: Option<String>,
    pub status: String,
    pub queued_at: Option<Timestamp>,
    pub initiated_at: Option<Timestamp>,
    pub ringing_at: Option<Timestamp>,
    pub answered_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    pub end_reason: Option<String>,
    pub ended_by: Option<String>,
    pub answered_seconds: Option<i64>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

filter! {
    /// Selects calls by their time of creation and other conditions.
    pub struct CallFilter {
        status: Option<String>,
    }
}

pub(crate) fn calls(connection: &mut Connection, filter: &CallFilter) -> QueryResult<Page<Call>> {
    Ok(scan!(connection, filter, k, Call, created_at, RangedTable::Calls, None, |query| {
        narrow!(query, filter, k: service_type, account, status);
    }))
}
