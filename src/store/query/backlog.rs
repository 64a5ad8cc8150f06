//! Counts of rows that need attention. Counting stops at a limit, so that its cost is bounded.

use diesel::{ExpressionMethods, QueryDsl, QueryResult, RunQueryDsl, dsl::max};
use serde::Serialize;

use crate::store::{
    Store,
    db::{
        connection::{Connection, on_either},
        error::StoreError,
        schema::{message_external_ids as m, rejected_requests as j, webhook_requests as r},
    },
    write::record::{PROCESSED, QUARANTINED},
};
use crate::time::Timestamp;

/// The limit of each count: this number means "this many or more".
pub const MAX_COUNT: usize = 1_000;

/// Newest messages that are scanned.
const RECENT_MESSAGES: i64 = 20_000;

/// Counts of rows that need attention, at most [`MAX_COUNT`] each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Backlog {
    /// Messages among the newest 20,000 that the application has not registered.
    pub unmatched: usize,
    /// Quarantined requests.
    pub quarantined: usize,
    /// Requests rejected since a given time and still stored.
    pub rejected: usize,
}

impl Store {
    /// Counts the rows that need attention, and rejected requests since that time. Blocks.
    pub fn backlog(&self, rejected_since: Timestamp) -> Result<Backlog, StoreError> {
        self.read(|c| count(c, rejected_since))
    }
}

fn count(connection: &mut Connection, since: Timestamp) -> QueryResult<Backlog> {
    let limit = i64::try_from(MAX_COUNT).unwrap_or(i64::MAX);
    on_either!(connection, c => {
        let last: Option<i64> = m::table.select(max(m::id)).first(c)?;
        let recent = m::table.filter(m::id.gt(last.unwrap_or(0) - RECENT_MESSAGES)).filter(m::message_id.is_null());
        let unmatched: Vec<i64> = recent.select(m::id).limit(limit).load(c)?;
        let unprocessed = r::table.filter(r::state.ne(PROCESSED)).filter(r::state.eq(QUARANTINED));
        let quarantined: Vec<i64> = unprocessed.select(r::id).limit(limit).load(c)?;
        let rejected: Vec<i64> = j::table.filter(j::received_at.ge(since.naive())).select(j::id).limit(limit).load(c)?;
        Ok(Backlog { unmatched: unmatched.len(), quarantined: quarantined.len(), rejected: rejected.len() })
    })
}
