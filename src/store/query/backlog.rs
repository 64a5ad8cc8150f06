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
        let rejected = self.read_rejected(|c| rejected_since_then(c, rejected_since));
        // The other counts do not depend on a file that may be damaged.
        Ok(Backlog { rejected: rejected.unwrap_or_default(), ..self.read(count)? })
    }
}

/// The most rows to count.
fn limit() -> i64 {
    i64::try_from(MAX_COUNT).unwrap_or(i64::MAX)
}

fn count(connection: &mut Connection) -> QueryResult<Backlog> {
    on_either!(connection, c => {
        let last: Option<i64> = m::table.select(max(m::id)).first(c)?;
        let recent = m::table.filter(m::id.gt(last.unwrap_or(0) - RECENT_MESSAGES)).filter(m::message_id.is_null());
        let unmatched: Vec<i64> = recent.select(m::id).limit(limit()).load(c)?;
        let unprocessed = r::table.filter(r::state.ne(PROCESSED)).filter(r::state.eq(QUARANTINED));
        let quarantined: Vec<i64> = unprocessed.select(r::id).limit(limit()).load(c)?;
        Ok(Backlog { unmatched: unmatched.len(), quarantined: quarantined.len(), rejected: 0 })
    })
}

fn rejected_since_then(connection: &mut Connection, since: Timestamp) -> QueryResult<usize> {
    let recent = j::table.filter(j::received_at.ge(since.naive())).select(j::id).limit(limit());
    let ids: Vec<i64> = on_either!(connection, c => recent.load(c))?;
    Ok(ids.len())
}
