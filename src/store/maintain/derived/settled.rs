//! The row up to which a table is settled: ids are assigned before their transactions commit, so a lower id can still appear.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use diesel::QueryResult;

use crate::store::{
    db::connection::Connection,
    query::{
        feed,
        ranges::{self, RangedTable},
    },
};

/// The state of one table.
#[derive(Clone, Copy, Debug, Default)]
struct SettledRows {
    /// The newest row at the last check.
    newest: i64,
    /// The next transaction id at the last check.
    next: i64,
    /// The row up to which no other can appear.
    settled: i64,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Settled(Arc<Mutex<BTreeMap<RangedTable, SettledRows>>>);

impl Settled {
    /// The row up to which no other can appear: the newest one at the last check, once all transactions that ran then have ended. SQLite
    /// has no concurrent writers.
    pub(super) fn last_row(&self, connection: &mut Connection, table: RangedTable) -> QueryResult<i64> {
        let newest = ranges::newest_id(connection, table)?;
        let Some((running, next)) = feed::running_transactions(connection)? else { return Ok(newest) };
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let state = all.entry(table).or_default();
        if running >= state.next {
            *state = SettledRows { newest, next, settled: state.newest };
        }
        Ok(state.settled)
    }
}
