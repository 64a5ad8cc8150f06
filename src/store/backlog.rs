//! What waits for somebody, counted up to a bound: a look at it costs the same however much there is.

use diesel::{ExpressionMethods, QueryDsl, QueryResult, RunQueryDsl};

use super::{
    Store, StoreError,
    connection::{Connection, on_either},
    schema::{message_external_ids as m, rejected_requests as j, webhook_requests as r},
};
use crate::time::Timestamp;

/// Where counting ends: this many, or more.
pub const COUNTED: usize = 1_000;

/// How much waits; no figure is greater than [`COUNTED`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backlog {
    /// Messages that the application has not registered.
    pub unmatched: usize,
    /// Requests in quarantine.
    pub quarantined: usize,
    /// Requests that were rejected since the given instant.
    pub rejected: usize,
}

impl Store {
    /// What waits for somebody; of rejected requests those since that instant. Blocks.
    pub fn backlog(&self, rejected_since: Timestamp) -> Result<Backlog, StoreError> {
        self.read(|c| count(c, rejected_since))
    }
}

fn count(connection: &mut Connection, since: Timestamp) -> QueryResult<Backlog> {
    let most = i64::try_from(COUNTED).unwrap_or(i64::MAX);
    on_either!(connection, c => {
        let unmatched: Vec<i64> = m::table.filter(m::message_id.is_null()).select(m::id).limit(most).load(c)?;
        let quarantined: Vec<i64> = r::table.filter(r::state.eq("quarantined")).select(r::id).limit(most).load(c)?;
        let rejected: Vec<i64> = j::table.filter(j::received_at.ge(since.naive())).select(j::id).limit(most).load(c)?;
        Ok(Backlog { unmatched: unmatched.len(), quarantined: quarantined.len(), rejected: rejected.len() })
    })
}
