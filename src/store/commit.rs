//! One transaction: requests, bodies, events, then the fold of the new events into their messages.
//!
//! Every table is written in the order of its key, so that gateways that share a database wait for each other and
//! never in a circle.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDateTime;
use diesel::QueryResult;

use super::{
    Committed, Options,
    apply::{Effects, Occasion, write_events},
    change::Looking,
    correlation::{self, Correlation},
    erase::Erase,
    inbound::InboundRow,
    locks::{Lock, Locking},
    parts::{PartRow, Parts},
    prune::Prune,
    rebuild::Rebuilding,
    record::{Answer, Record},
    rederive::Rederiving,
    registration::Registering,
    replay::Quarantine,
    rows::{EventRow, MessageRow, RequestRow},
    shared::Shared,
    sweep::Sweep,
    unconfirmed::Waiting,
};
use crate::{endpoint::UnknownMessage, event::Event};

/// The exact bytes of a request, for `webhook_bodies`.
pub(super) struct BodyRow<'r> {
    pub request_id: i64,
    pub body: &'r [u8],
    pub received_at: NaiveDateTime,
}

/// What a database must be able to do for a commit.
pub(super) trait Writer:
    Shared
    + Locking
    + Correlation
    + Parts
    + Registering
    + Sweep
    + Looking
    + Erase
    + Prune
    + Quarantine
    + Rebuilding
    + Rederiving
    + Waiting
{
    /// Runs `body` in a transaction that locks what it writes.
    fn atomically<T>(&mut self, body: impl FnOnce(&mut Self) -> QueryResult<T>) -> QueryResult<T>;
    /// Inserts the requests whose key is new; for each row its id, or `None` if the key was known.
    fn insert_requests(&mut self, rows: &[RequestRow]) -> QueryResult<Vec<Option<i64>>>;
    /// Inserts bodies.
    fn insert_bodies(&mut self, rows: &[BodyRow<'_>]) -> QueryResult<()>;
    /// The state keys of those of these messages that have a row.
    fn states(&mut self, messages: &BTreeSet<Identity>) -> QueryResult<BTreeMap<Identity, Vec<u8>>>;
    /// Inserts the events whose key is new; for each row whether it was.
    fn insert_events(&mut self, rows: &[EventRow]) -> QueryResult<Vec<bool>>;
    /// Inserts message rows, or folds them into those that are there; of these rows those that have a message id.
    fn upsert_messages(&mut self, rows: &[MessageRow]) -> QueryResult<BTreeSet<Identity>>;
    /// Inserts inbound messages, or folds them into those that are there.
    fn upsert_inbound(&mut self, rows: &[InboundRow]) -> QueryResult<()>;
}

/// What a message's row is unique by: provider, account, external id and recipient key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Identity([String; 4]);

impl Identity {
    pub(super) fn of(service_type: &str, account: &str, external_id: &str, recipient_key: &str) -> Self {
        Self([service_type, account, external_id, recipient_key].map(str::to_owned))
    }

    /// The same without the recipient: what all rows of one id have in common.
    pub(super) fn shared(&self) -> Self {
        let [service_type, account, external_id, _] = &self.0;
        Self::of(service_type, account, external_id, "")
    }

    /// Whether it is one of the rows of that id.
    pub(super) fn is_of(&self, id: &Self) -> bool {
        self.0.iter().zip(&id.0).take(3).all(|(mine, theirs)| mine == theirs)
    }

    pub(super) fn of_message(row: &MessageRow) -> Self {
        Self::of(row.service_type, &row.account, &row.external_id, &row.recipient_key)
    }

    pub(super) fn parts(&self) -> &[String; 4] {
        &self.0
    }
}

/// A request's place among the batch: the first record of its key stands for all.
type Key<'r> = (&'static str, &'r str, [u8; 32]);

/// The records of one key in a batch.
struct Arrivals<'r> {
    first: &'r Record,
    /// How many there are.
    times: i64,
    /// When the last of them came.
    last_at: NaiveDateTime,
}

/// The distinct requests of a batch.
type Batch<'r> = BTreeMap<Key<'r>, Arrivals<'r>>;

/// Events that were not known, each with the record that brought it.
type New<'r> = Vec<(&'r Record, &'r Event)>;

/// What a transaction came to.
pub(super) struct Commit<'r> {
    /// What became of each record.
    pub committed: Vec<Committed>,
    /// The events that it inserted.
    pub new: New<'r>,
}

/// Commits the records in one transaction and tells what became of each.
pub(super) fn commit<'r>(writer: &mut impl Writer, records: &'r [Record], options: &Options) -> QueryResult<Commit<'r>> {
    let mut batch: Batch<'_> = BTreeMap::new();
    for record in records {
        let last_at = record.received_at.naive();
        let arrivals = batch.entry(key(record)).or_insert(Arrivals { first: record, times: 0, last_at });
        arrivals.times += 1;
        arrivals.last_at = arrivals.last_at.max(last_at);
    }
    let (outcomes, new) = writer.atomically(|writer| {
        writer.lock(&locks(&batch.values().map(|arrivals| arrivals.first).collect::<Vec<_>>(), options))?;
        write(writer, &batch, options)
    })?;
    let told = records.iter().map(|record| {
        let quarantined = record.is_quarantined();
        let fallback = Committed { answer: record.answer(), duplicate: false, unmatched: false, quarantined };
        let outcome = outcomes.get(&key(record)).copied().unwrap_or(fallback);
        // A copy in the same batch shares the answer and is a duplicate, like one that comes a day later.
        let is_copy = batch.get(&key(record)).is_some_and(|arrivals| !std::ptr::eq(arrivals.first, record));
        Committed { duplicate: outcome.duplicate || is_copy, ..outcome }
    });
    Ok(Commit { committed: told.collect(), new })
}

fn key(record: &Record) -> Key<'_> {
    (record.service_type, &record.account, record.request_key)
}

/// What these records may have to do with that has no row to lock yet.
pub(super) fn locks(records: &[&Record], options: &Options) -> BTreeSet<Lock> {
    let mut locks = BTreeSet::new();
    if options.matches_embedded {
        locks.extend(correlation::references(records.iter().copied()).into_iter().map(Lock::reference));
    }
    for (record, event) in records.iter().flat_map(|record| record.events().iter().map(move |event| (*record, event))) {
        if let (Some(_), Some(id)) = (&event.recipient_key, &event.external_id) {
            locks.insert(Lock::message(record.service_type, &record.account, id.as_str()));
        }
        locks.extend(PartRow::of(record, event).map(|part| part.lock()));
    }
    locks
}

/// Writes distinct requests and tells what became of each.
fn write<'r>(
    writer: &mut impl Writer,
    batch: &Batch<'r>,
    options: &Options,
) -> QueryResult<(BTreeMap<Key<'r>, Committed>, New<'r>)> {
    let rows: Vec<RequestRow> = batch.values().map(|arrivals| RequestRow::from(arrivals.first)).collect();
    let ids = writer.insert_requests(&rows)?;
    let mut outcomes = BTreeMap::new();
    let mut fresh: Vec<(i64, &'r Record)> = Vec::new();
    for (((key, arrivals), row), id) in batch.iter().zip(&rows).zip(ids) {
        let again = arrivals.times - i64::from(id.is_some());
        let known = if again > 0 { Some(writer.count_known_request(row, again, arrivals.last_at)?) } else { None };
        match (id, known) {
            (Some(id), _) => fresh.push((id, arrivals.first)),
            (None, known) => {
                let answer = known.map_or(arrivals.first.answer(), Answer::from_code);
                let quarantined = arrivals.first.is_quarantined();
                outcomes.insert(*key, Committed { answer, duplicate: true, unmatched: false, quarantined });
            }
        }
    }
    let bodies: Vec<BodyRow<'_>> = fresh
        .iter()
        .map(|(id, record)| BodyRow { request_id: *id, body: &record.body, received_at: record.received_at.naive() })
        .collect();
    writer.insert_bodies(&bodies)?;
    let effects = write_events(writer, &fresh, options, Occasion::Arrival)?;
    let (mut not_found, mut inserted) = (Vec::new(), Vec::new());
    for ((id, record), Effects { all_known, new, unmatched }) in fresh.iter().zip(effects) {
        inserted.extend(new.into_iter().filter_map(|index| Some((*record, record.events().get(index)?))));
        let is_not_found = unmatched && record.unknown_message == UnknownMessage::NotFound;
        let answer = if is_not_found { Answer::NotFound } else { record.answer() };
        if is_not_found {
            not_found.push(*id);
        }
        let quarantined = record.is_quarantined();
        outcomes.insert(key(record), Committed { answer, duplicate: all_known, unmatched, quarantined });
    }
    if !not_found.is_empty() {
        writer.set_answer(&not_found, Answer::NotFound.code())?;
    }
    Ok((outcomes, inserted))
}
