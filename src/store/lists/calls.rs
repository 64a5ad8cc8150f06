//! Calls: `calls`.

use diesel::{ExpressionMethods, QueryDsl, QueryResult, Queryable, RunQueryDsl, Selectable, SelectableHelper};
use serde::Serialize;

use super::{Cursor, Page, narrow, page};
use crate::{
    store::{
        connection::{Connection, on_either},
        schema::calls as k,
    },
    time::Timestamp,
};

/// A telephone call.
#[derive(Clone, Debug, Queryable, Selectable, Serialize, utoipa::ToSchema)]
#[diesel(table_name = k)]
#[expect(missing_docs, reason = "the columns are documented in ARCHITECTURE.md, \"Convergence\"")]
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

/// Which calls to show.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "each is the column of that name")]
pub struct CallFilter {
    pub service_type: Option<&'static str>,
    pub account: Option<String>,
    pub status: Option<String>,
    /// Created at or after.
    pub since: Option<Timestamp>,
    /// Created before.
    pub until: Option<Timestamp>,
    /// Only rows behind this one.
    pub cursor: Option<Cursor>,
    /// How many at the most.
    pub limit: i64,
}

pub(super) fn calls(connection: &mut Connection, filter: &CallFilter) -> QueryResult<Page<Call>> {
    let rows = on_either!(connection, c => {
        let mut query = k::table.select((Call::as_select(), k::created_at, k::id)).into_boxed();
        narrow!(query, filter, k: service_type, account, status);
        page!(query, c, filter, k, created_at)
    });
    Ok(Page::of(rows, filter.limit))
}
