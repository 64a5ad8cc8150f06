//! Rederivation of stored callbacks after a parser was fixed: their events are replaced and the rows of their messages rebuilt.

use std::collections::{BTreeMap, BTreeSet};

use diesel::QueryResult;
use serde_json::Value;

use super::{
    diff::{RowDiff, with_diff},
    rebuild::{FoldedEvent, is_complete, lock, rebuild},
    replay::messages,
    request_events,
};
use crate::store::{
    Options, Store,
    db::{advisory_locks, connection::Connection, error::StoreError, key::MessageKey},
    write::{
        batch,
        commit::locks,
        events::{InsertedRecord, Trigger, write_events},
        record::Record,
        rows::NewEvent,
    },
};

/// The outcome of a rederivation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RederiveOutcome {
    /// Events that were changed, added or removed.
    pub events: usize,
    /// Messages that were left unchanged, because some of their events have been deleted.
    pub incomplete: usize,
    /// Changed rows of messages.
    pub changes: Vec<RowDiff>,
}

/// The id of a stored callback, and its record as parsed now; `None` if its body has expired or cannot be parsed.
pub type ReparsedRequest = (i64, Option<Record>);

impl Store {
    /// Replaces what was derived from stored callbacks by what is derived now. A dry run is rolled back.
    pub async fn rederive(&self, requests: Vec<ReparsedRequest>, is_dry_run: bool) -> Result<RederiveOutcome, StoreError> {
        let options = self.options.clone();
        self.write(move |connection| rederive(connection, &requests, &options, is_dry_run)).await
    }
}

/// Replaces the events of stored callbacks by the newly parsed ones, and rebuilds the rows of the messages of both. If one event of a
/// request differs, all of them are replaced, because their keys depend on their positions.
fn rederive(
    connection: &mut Connection,
    requests: &[ReparsedRequest],
    options: &Options,
    is_dry_run: bool,
) -> QueryResult<RederiveOutcome> {
    let mut stored: BTreeMap<i64, Vec<FoldedEvent>> = BTreeMap::new();
    for (id, _) in requests {
        stored.insert(*id, request_events::find(connection, *id)?);
    }
    let records = || requests.iter().filter_map(|(_, record)| record.as_ref());
    let affected: BTreeSet<MessageKey> =
        stored.values().flatten().filter_map(FoldedEvent::message_key).chain(records().flat_map(messages)).collect();
    let affected: Vec<MessageKey> = affected.into_iter().collect();
    let ((events, incomplete), changes) = with_diff(connection, &affected, is_dry_run, |connection| {
        advisory_locks::take(connection, &locks(&records().collect::<Vec<_>>(), options))?;
        // All rows are locked in the order of their keys before any is written, as everywhere.
        let (mut complete, mut incomplete) = (Vec::new(), 0);
        for key in &affected {
            match lock(connection, key)? {
                Some(message) if !is_complete(connection, &message)? => incomplete += 1,
                _ => complete.push(key),
            }
        }
        let mut differing = 0;
        for (id, record) in requests.iter().filter_map(|(id, record)| Some((*id, record.as_ref()?))) {
            let existing = stored.get(&id).map_or(&[][..], Vec::as_slice);
            differing += replace(connection, id, record, existing, options)?;
        }
        for key in complete {
            if let Some(message) = lock(connection, key)? {
                rebuild(connection, &message)?;
            }
        }
        Ok((differing, incomplete))
    })?;
    Ok(RederiveOutcome { events, incomplete, changes })
}

/// Replaces the events of one request if any of them differs; returns the number of differences.
fn replace(
    connection: &mut Connection,
    id: i64,
    record: &Record,
    stored: &[FoldedEvent],
    options: &Options,
) -> QueryResult<usize> {
    let differing = count_differences(connection, record, stored)?;
    if differing > 0 {
        let inserted = request_events::replace(connection, id, record.events.len())?;
        write_events(connection, &[InsertedRecord { inserted, record }], &[], options, Trigger::Rederive)?;
    }
    Ok(differing)
}

/// Counts changed, added and removed events. Events with a key are compared by key, and may be stored with an earlier request; the
/// others are compared by position.
fn count_differences(connection: &mut Connection, record: &Record, stored: &[FoldedEvent]) -> QueryResult<usize> {
    let (keyed, unkeyed): (Vec<&FoldedEvent>, Vec<&FoldedEvent>) = stored.iter().partition(|event| event.event_key.is_some());
    let mut keyed: BTreeMap<&[u8], &FoldedEvent> =
        keyed.into_iter().filter_map(|event| Some((event.event_key.as_deref()?, event))).collect();
    let mut unkeyed = unkeyed.into_iter();
    let mut differing = 0;
    for event in &record.events {
        let is_as_stored = match event.row.event_key {
            Some(key) => match keyed.remove(&key[..]) {
                Some(existing) => existing.equals(&event.row),
                None => !batch::known_events(connection, &[key].into())?.is_empty(),
            },
            None => unkeyed.next().is_some_and(|existing| existing.equals(&event.row)),
        };
        differing += usize::from(!is_as_stored);
    }
    Ok(differing + keyed.len() + unkeyed.count())
}

impl FoldedEvent {
    /// Returns true if the rows are equal. The tie-break is ignored, because older versions derived it from a longer key.
    fn equals(&self, row: &NewEvent) -> bool {
        const RANK_AND_TIME: usize = 9;
        let detail = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
        self.external_id == row.external_id
            && self.recipient_key == row.recipient_key
            && self.event_type == row.event_type
            && self.provider_type == row.provider_type
            && self.status.as_deref() == row.status
            && self.provider_status == row.provider_status
            && self.evidence.as_deref() == row.evidence
            && self.error_code == row.error_code
            && self.state_key.get(..RANK_AND_TIME) == row.state_key.get(..RANK_AND_TIME)
            && self.occurred_at == row.occurred_at
            && detail(&self.detail) == detail(&row.detail)
    }
}
