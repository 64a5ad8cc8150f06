//! Applies quarantined requests after the cause was fixed, or discards them.

use std::collections::BTreeSet;

use diesel::{ExpressionMethods, QueryDsl, QueryResult, RunQueryDsl};

use super::{
    diff::{RowDiff, with_diff},
    request_events,
};
use crate::store::{
    Options, Store,
    db::{
        advisory_locks,
        audit::{Action, AuditRecord, Author},
        connection::{Connection, on_either},
        error::StoreError,
        key::MessageKey,
        schema::webhook_requests as r,
    },
    write::{
        commit::locks,
        events::{InsertedRecord, Trigger, write_events},
        record::{PROCESSED, QUARANTINED, Record, StoredResponse},
    },
};

/// The outcome of a replay.
#[derive(Clone, Debug, PartialEq)]
pub struct ReplayOutcome {
    /// The number of events in the request.
    pub events: usize,
    /// Changed rows of messages.
    pub changes: Vec<RowDiff>,
}

impl Store {
    /// Applies a quarantined request as parsed now; `None` if it is no longer quarantined. A dry run is rolled back.
    pub async fn apply(
        &self,
        id: i64,
        record: Record,
        is_dry_run: bool,
        author: Author,
    ) -> Result<Option<ReplayOutcome>, StoreError> {
        let options = self.options.clone();
        let audit = AuditRecord { author, action: Action::Replay, target: Some(id.to_string()), items: record.events.len() };
        let inserted = audit.clone();
        let applied = self.write(move |connection| apply(connection, id, &record, &options, is_dry_run, &inserted)).await?;
        if applied.is_some() && !is_dry_run {
            audit.log();
        }
        Ok(applied)
    }

    /// Discards a quarantined request; returns true if it was quarantined.
    pub async fn discard(&self, id: i64, author: Author) -> Result<bool, StoreError> {
        let audit = AuditRecord { author, action: Action::Discard, target: Some(id.to_string()), items: 1 };
        let inserted = audit.clone();
        let discard = move |connection: &mut Connection| {
            connection.transaction(|connection| {
                let is_discarded = leave_quarantine(connection, id, "discarded", None)?;
                if is_discarded { inserted.insert(connection).map(|()| true) } else { Ok(false) }
            })
        };
        let is_discarded = self.write(discard).await?;
        if is_discarded {
            audit.log();
        }
        Ok(is_discarded)
    }
}

fn apply(
    connection: &mut Connection,
    id: i64,
    record: &Record,
    options: &Options,
    is_dry_run: bool,
    audit: &AuditRecord,
) -> QueryResult<Option<ReplayOutcome>> {
    let messages: Vec<MessageKey> = messages(record).into_iter().collect();
    let (was_quarantined, changes) = with_diff(connection, &messages, is_dry_run, |connection| {
        advisory_locks::take(connection, &locks(&[record], options))?;
        if !leave_quarantine(connection, id, PROCESSED, Some(StoredResponse::Success.code()))? {
            return Ok(false);
        }
        let inserted = request_events::assign_position(connection, id, record.events.len())?;
        audit.insert(connection)?;
        write_events(connection, &[InsertedRecord { inserted, record }], &[], options, Trigger::Replay).map(|_| true)
    })?;
    Ok(was_quarantined.then_some(ReplayOutcome { events: record.events.len(), changes }))
}

/// The messages to which a record refers.
pub(crate) fn messages(record: &Record) -> BTreeSet<MessageKey> {
    record.contributions().map(|contribution| contribution.key.clone()).collect()
}

/// Changes the state of a quarantined request and the response to its retries; returns true if it was quarantined.
fn leave_quarantine(connection: &mut Connection, id: i64, state: &str, response: Option<i64>) -> QueryResult<bool> {
    let request = r::table.filter(r::id.eq(id)).filter(r::state.eq(QUARANTINED));
    let changes = (r::state.eq(state), response.map(|code| r::answer.eq(code)));
    let updated = on_either!(connection, c => diesel::update(request).set(changes).execute(c))?;
    Ok(updated == 1)
}
