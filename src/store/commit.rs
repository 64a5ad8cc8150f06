//! One transaction: requests, bodies, events, then the fold of the new events into their messages.
//!
//! Every table is written in the order of its key, so that gateways that share a database wait for each other and
//! never in a circle.

use std::collections::BTreeMap;

use chrono::NaiveDateTime;
use diesel::QueryResult;

use super::{
    Committed,
    record::{Answer, Record},
    rows::{EventRow, MessageRow, RequestRow},
};

/// The exact bytes of a request, for `webhook_bodies`.
pub(super) struct BodyRow<'r> {
    pub request_id: i64,
    pub body: &'r [u8],
    pub received_at: NaiveDateTime,
}

/// What a database must be able to do for a commit.
pub(super) trait Writer {
    /// Runs `body` in a transaction that locks what it writes.
    fn atomically<T>(&mut self, body: impl FnOnce(&mut Self) -> QueryResult<T>) -> QueryResult<T>;
    /// Inserts the requests whose key is new; for each row its id, or `None` if the key was known.
    fn insert_requests(&mut self, rows: &[RequestRow]) -> QueryResult<Vec<Option<i64>>>;
    /// The answer that a known request was given.
    fn known_answer(&mut self, row: &RequestRow) -> QueryResult<i64>;
    /// Inserts bodies.
    fn insert_bodies(&mut self, rows: &[BodyRow<'_>]) -> QueryResult<()>;
    /// Inserts the events whose key is new; for each row whether it was.
    fn insert_events(&mut self, rows: &[EventRow]) -> QueryResult<Vec<bool>>;
    /// Inserts message rows, or folds them into those that are there.
    fn upsert_messages(&mut self, rows: &[MessageRow]) -> QueryResult<()>;
}

/// A request's place among the batch: the first record of its key stands for all.
type Key<'r> = (&'static str, &'r str, [u8; 32]);

/// Commits the records in one transaction and tells what became of each.
pub(super) fn commit(writer: &mut impl Writer, records: &[Record]) -> QueryResult<Vec<Committed>> {
    let mut first: BTreeMap<Key<'_>, &Record> = BTreeMap::new();
    for record in records {
        first.entry(key(record)).or_insert(record);
    }
    let outcomes = writer.atomically(|writer| write(writer, &first))?;
    let told = records.iter().map(|record| {
        let (answer, duplicate) = outcomes.get(&key(record)).copied().unwrap_or((record.answer(), false));
        // A copy in the same batch shares the answer and is a duplicate, like one that comes a day later.
        let is_copy = first.get(&key(record)).is_some_and(|first| !std::ptr::eq(*first, record));
        Committed { answer, duplicate: duplicate || is_copy }
    });
    Ok(told.collect())
}

fn key(record: &Record) -> Key<'_> {
    (record.service_type, &record.account, record.request_key)
}

/// Writes distinct requests; for each its answer and whether it was a duplicate.
fn write<'r>(
    writer: &mut impl Writer,
    records: &BTreeMap<Key<'r>, &'r Record>,
) -> QueryResult<BTreeMap<Key<'r>, (Answer, bool)>> {
    let rows: Vec<RequestRow> = records.values().map(|record| RequestRow::from(*record)).collect();
    let ids = writer.insert_requests(&rows)?;
    let mut outcomes = BTreeMap::new();
    let mut fresh: Vec<(i64, &Record)> = Vec::new();
    for (((key, record), row), id) in records.iter().zip(&rows).zip(ids) {
        match id {
            Some(id) => fresh.push((id, record)),
            None => {
                outcomes.insert(*key, (Answer::from_code(writer.known_answer(row)?), true));
            }
        }
    }
    let bodies: Vec<BodyRow<'_>> = fresh
        .iter()
        .map(|(id, record)| BodyRow { request_id: *id, body: &record.body, received_at: record.received_at.naive() })
        .collect();
    writer.insert_bodies(&bodies)?;
    let known = write_events(writer, &fresh)?;
    for ((_, record), known) in fresh.iter().zip(known) {
        outcomes.insert(key(record), (record.answer(), known));
    }
    Ok(outcomes)
}

/// An event of a new request: the request's place, the row, and the message row that it alone would make.
type Candidate = (usize, EventRow, Option<MessageRow>);

/// Writes the events and folds the new ones; for each record whether it brought events and all were known.
fn write_events(writer: &mut impl Writer, fresh: &[(i64, &Record)]) -> QueryResult<Vec<bool>> {
    let mut events: BTreeMap<(&str, &str, Vec<u8>), Candidate> = BTreeMap::new();
    for (place, (id, record)) in fresh.iter().enumerate() {
        for (index, event) in record.events().iter().enumerate() {
            let row = EventRow { request_id: Some(*id), ..EventRow::new(record, index, event) };
            let message = MessageRow::of(record, event, &row.state_key);
            events.entry((record.service_type, &record.account, row.event_key.clone())).or_insert((place, row, message));
        }
    }
    let (places, rows, messages): (Vec<usize>, Vec<EventRow>, Vec<Option<MessageRow>>) = unzip(events.into_values());
    let inserted = writer.insert_events(&rows)?;
    let mut all_known: Vec<bool> = fresh.iter().map(|(_, record)| !record.events().is_empty()).collect();
    let mut folded: BTreeMap<(&str, String, String, String), MessageRow> = BTreeMap::new();
    for ((place, message), is_new) in places.into_iter().zip(messages).zip(inserted) {
        if !is_new {
            continue;
        }
        if let Some(known) = all_known.get_mut(place) {
            *known = false;
        }
        let Some(message) = message else { continue };
        let key = (message.service_type, message.account.clone(), message.external_id.clone(), message.recipient_key.clone());
        match folded.entry(key) {
            std::collections::btree_map::Entry::Vacant(vacant) => drop(vacant.insert(message)),
            std::collections::btree_map::Entry::Occupied(mut occupied) => occupied.get_mut().absorb(message),
        }
    }
    let messages: Vec<MessageRow> = folded.into_values().collect();
    writer.upsert_messages(&messages)?;
    Ok(all_known)
}

fn unzip<A, B, C>(triples: impl Iterator<Item = (A, B, C)>) -> (Vec<A>, Vec<B>, Vec<C>) {
    let (mut a, mut b, mut c) = (Vec::new(), Vec::new(), Vec::new());
    for (one, two, three) in triples {
        a.push(one);
        b.push(two);
        c.push(three);
    }
    (a, b, c)
}
