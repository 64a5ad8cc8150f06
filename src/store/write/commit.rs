//! One transaction: requests, the messages that they refer to, bodies and events.
//!
//! Every table is written in the order of its key, and tables in the same order everywhere, so that gateways that share a database
//! cannot deadlock.

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

use diesel::{ExpressionMethods, QueryDsl, QueryResult, RunQueryDsl};

use super::{
    batch::{self, KnownRequest},
    committed::{Committed, Novelty},
    events::{InsertedRecord, RecordEffects, Trigger, write_events},
    receipts::{self, Receipt, StoredReceipts},
    record::{PendingEvent, Record, StoredResponse, Target},
    rows::{Duplicates, NewRequest},
};
use crate::{
    endpoint::UnknownMessage,
    store::{
        Options,
        db::{
            advisory_locks::{self, Lock},
            connection::{Connection, Patience, on_either},
            key::ShortKey,
            schema::webhook_requests as r,
        },
    },
};

/// The records of a batch with the same key, of which only the first is written.
struct DistinctRequest<'r> {
    first: &'r Record,
    /// Its index in the batch.
    index: usize,
    later: Vec<Receipt>,
}

impl DistinctRequest<'_> {
    fn receipts(&self) -> impl Iterator<Item = Receipt> {
        std::iter::once(self.first.receipt()).chain(self.later.iter().copied())
    }

    /// The copies of the first record.
    fn copies(&self) -> Duplicates {
        receipts::copies(self.first.request.received_at, None, self.later.iter().copied())
    }

    /// The copies of a stored request.
    fn copies_of(&self, stored: &StoredReceipts) -> Duplicates {
        receipts::copies(stored.received_at, stored.last_duplicate_at, self.receipts())
    }
}

type DistinctRequests<'r> = BTreeMap<ShortKey, DistinctRequest<'r>>;

/// The outcome of a transaction.
pub(crate) struct CommitOutcome<'r> {
    pub(crate) committed: Vec<Committed>,
    /// The inserted events, each with its record.
    pub(crate) new: Vec<(&'r Record, &'r PendingEvent)>,
}

/// Commits records in one transaction.
pub(crate) fn commit<'r>(
    connection: &mut Connection,
    records: &'r [Record],
    options: &Options,
    patience: Patience,
) -> QueryResult<CommitOutcome<'r>> {
    let mut distinct: DistinctRequests<'_> = BTreeMap::new();
    for (index, record) in records.iter().enumerate() {
        match distinct.entry(record.request.dedupe_key) {
            Entry::Vacant(entry) => drop(entry.insert(DistinctRequest { first: record, index, later: Vec::new() })),
            Entry::Occupied(entry) => entry.into_mut().later.push(record.receipt()),
        }
    }
    let (outcomes, new) = connection.transaction(|connection| {
        connection.set_patience(patience)?;
        advisory_locks::take(connection, &locks(&distinct.values().map(|request| request.first).collect::<Vec<_>>(), options))?;
        write(connection, &distinct, options)
    })?;
    let outcome = |record: &Record| {
        let quarantined = record.is_quarantined();
        let fallback = Committed { response: record.response(), novelty: Novelty::New, unmatched: false, quarantined };
        let outcome = outcomes.get(&record.request.dedupe_key).copied().unwrap_or(fallback);
        // A copy in the same batch is a duplicate, like one that arrives a day later.
        let is_copy = distinct.get(&record.request.dedupe_key).is_some_and(|request| !std::ptr::eq(request.first, record));
        if is_copy { outcome.as_copy() } else { outcome }
    };
    Ok(CommitOutcome { committed: records.iter().map(outcome).collect(), new })
}

/// The locks for references, shared messages and parts of these records that may have no row to lock yet.
pub(crate) fn locks(records: &[&Record], options: &Options) -> BTreeSet<Lock> {
    let mut locks = BTreeSet::new();
    for event in records.iter().flat_map(|record| &record.events) {
        match &event.target {
            Target::Message(message) => {
                if let (Some(reference), true) = (&message.state.embedded_id, options.matches_embedded) {
                    locks.insert(Lock::reference(reference));
                }
                if message.is_shared {
                    locks.insert(Lock::message(&message.key));
                }
            }
            Target::Part(part) => drop(locks.insert(part.lock())),
            Target::None | Target::Inbound(_) | Target::Call(_) | Target::Room(_) => {}
        }
    }
    locks
}

type WrittenRequests<'r> = (BTreeMap<ShortKey, Committed>, Vec<(&'r Record, &'r PendingEvent)>);

/// Writes distinct requests.
fn write<'r>(connection: &mut Connection, batch: &DistinctRequests<'r>, options: &Options) -> QueryResult<WrittenRequests<'r>> {
    let mut requests: Vec<(&ShortKey, &DistinctRequest<'r>)> = batch.iter().collect();
    // Exclusive transactions need no lock order, so ids are assigned in the order of arrival.
    if batch::has_exclusive_transactions(connection) {
        requests.sort_unstable_by_key(|(_, request)| request.index);
    }
    let rows: Vec<(&NewRequest, Duplicates)> =
        requests.iter().map(|(_, request)| (&request.first.request, request.copies())).collect();
    let inserted = batch::insert_requests(connection, &rows)?;
    let (mut new_records, mut known) = (Vec::new(), Vec::new());
    for ((key, request), inserted) in requests.into_iter().zip(inserted) {
        match inserted {
            Some(inserted) => new_records.push((request.index, InsertedRecord { inserted, record: request.first })),
            None => known.push((*key, request)),
        }
    }
    // In the order of arrival, on which the recorded rules depend.
    new_records.sort_unstable_by_key(|(index, _)| *index);
    let new_records: Vec<InsertedRecord<'r>> = new_records.into_iter().map(|(_, record)| record).collect();
    let (copies, mut answers) = copies_of_known(connection, &known)?;
    let written = write_events(connection, &new_records, &copies, options, Trigger::Arrival)?;
    answers.extend(written.responses);
    let mut outcomes = BTreeMap::new();
    for (key, request) in known {
        let response = answers.get(&key).map_or(request.first.response(), |code| StoredResponse::from_code(*code));
        let quarantined = request.first.is_quarantined();
        outcomes.insert(key, Committed { response, novelty: Novelty::KnownRequest, unmatched: false, quarantined });
    }
    let (mut not_found, mut new) = (Vec::new(), Vec::new());
    for (InsertedRecord { inserted, record }, RecordEffects { all_known, new: indexes, unmatched }) in
        new_records.iter().zip(written.effects)
    {
        new.extend(indexes.into_iter().filter_map(|index| Some((*record, record.events.get(index)?))));
        let is_not_found = unmatched && record.unknown_message == UnknownMessage::NotFound;
        let response = if is_not_found { StoredResponse::NotFound } else { record.response() };
        if is_not_found {
            not_found.push(inserted.id);
        }
        let quarantined = record.is_quarantined();
        let novelty = if all_known { Novelty::KnownEvents } else { Novelty::New };
        let committed = Committed { response, novelty, unmatched, quarantined };
        outcomes.insert(record.request.dedupe_key, committed);
    }
    if !not_found.is_empty() {
        let requests = r::table.filter(r::id.eq_any(&not_found));
        on_either!(connection, c => diesel::update(requests).set(r::answer.eq(StoredResponse::NotFound.code())).execute(c))?;
    }
    Ok((outcomes, new))
}

/// The copies of known requests, and the answers of the requests that had to be read to find them. Only receipts that may recur depend
/// on what is stored.
fn copies_of_known(
    connection: &mut Connection,
    known: &[(ShortKey, &DistinctRequest<'_>)],
) -> QueryResult<(Vec<KnownRequest>, BTreeMap<ShortKey, i64>)> {
    let recurring = known.iter().filter(|(_, request)| request.receipts().any(|receipt| receipt.may_recur));
    let stored = batch::stored_receipts(connection, &recurring.map(|(key, _)| *key).collect::<Vec<_>>())?;
    let copies = known.iter().filter_map(|(key, request)| {
        let copies = match stored.get(key) {
            Some(stored) => request.copies_of(stored),
            None => receipts::copies(request.first.request.received_at, None, request.receipts()),
        };
        let last_at = copies.last_duplicate_at?;
        Some(KnownRequest { dedupe_key: *key, times: copies.duplicate_count, last_at })
    });
    Ok((copies.collect(), stored.iter().map(|(key, stored)| (*key, stored.answer)).collect()))
}
