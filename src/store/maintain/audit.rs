//! Writing the audit trail outside the transaction of a change, and its bounds.

use std::time::Duration;

use diesel::{BoolExpressionMethods, ExpressionMethods, OptionalExtension, QueryDsl, QueryResult, RunQueryDsl};

use super::batch_size::AdaptiveBatch;
use crate::{
    store::{
        RequestId, Store, StoreError,
        db::{
            advisory_locks::{self, Lock},
            audit::{Action, AuditRecord, Author},
            connection::{Connection, on_either},
            schema::audit_log as a,
        },
    },
    time::Timestamp,
};

/// Entries of registrations, and of all other actions, which the frequent registrations do not displace.
const MAX_ROWS: i64 = 10_000;
const MAX_AGE: Duration = Duration::from_hours(365 * 24);

impl Store {
    /// Records a change whose transaction has ended.
    pub(crate) async fn record(&self, record: AuditRecord) -> Result<(), StoreError> {
        let inserted = record.clone();
        self.write(move |connection| connection.transaction(|connection| inserted.insert(connection))).await?;
        record.log();
        Ok(())
    }

    /// Records the replay of a rejected request.
    pub(crate) async fn record_replay(&self, id: RequestId, author: Author) -> Result<(), StoreError> {
        self.record(AuditRecord { author, action: Action::Replay, target: Some(id.to_string()), items: 1 }).await
    }

    /// Records that a rejected request was deleted.
    pub(crate) async fn record_discard(&self, id: RequestId, author: Author) -> Result<(), StoreError> {
        self.record(AuditRecord { author, action: Action::Discard, target: Some(id.to_string()), items: 1 }).await
    }

    /// Records that the configuration was reloaded, with the number of changes.
    pub(crate) async fn record_reload(&self, items: usize, author: Author) -> Result<(), StoreError> {
        self.record(AuditRecord { author, action: Action::Reload, target: None, items }).await
    }

    /// Deletes entries that are too old or too many.
    pub(crate) async fn prune_audit_log(&self, now: Timestamp) -> Result<(), StoreError> {
        let cutoff = now.micros().saturating_sub(i64::try_from(MAX_AGE.as_micros()).unwrap_or(i64::MAX));
        let cutoff = Timestamp::from_micros(cutoff).map(Timestamp::naive).unwrap_or_default();
        let mut size = AdaptiveBatch::new();
        while self.run_batch(&mut size, move |connection, rows| delete(connection, cutoff, rows)).await? > 0 {}
        Ok(())
    }
}

fn delete(connection: &mut Connection, cutoff: chrono::NaiveDateTime, limit: i64) -> QueryResult<usize> {
    let register: &str = Action::Register.into();
    connection.transaction(|connection| {
        advisory_locks::take(connection, &[Lock::pruning()].into())?;
        on_either!(connection, c => {
            let newest = a::table.order(a::id.desc()).offset(MAX_ROWS).limit(1).select(a::id);
            let registrations: Option<i64> = newest.filter(a::action.eq(register)).first(c).optional()?;
            let others: Option<i64> = newest.filter(a::action.ne(register)).first(c).optional()?;
            let excess = a::action.eq(register).and(a::id.le(registrations.unwrap_or(-1)));
            let excess = excess.or(a::action.ne(register).and(a::id.le(others.unwrap_or(-1))));
            let expired = a::table.filter(a::recorded_at.lt(cutoff).or(excess)).order(a::id).limit(limit).select(a::id);
            let expired: Vec<i64> = expired.load(c)?;
            diesel::delete(a::table.filter(a::id.eq_any(expired))).execute(c)
        })
    })
}
