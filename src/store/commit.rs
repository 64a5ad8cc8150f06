//! One transaction: requests, bodies, events, then the fold of the new events into their messages.
//!
//! Every table is written in the order of its key, so that gateways that share a database wait for each other and
//! never in a circle.

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

use chrono::NaiveDateTime;
use diesel::QueryResult;

use super::{
    Committed, Options,
    calls::CallRow,
    correlation::{self, Correlation},
    inbound::InboundRow,
    locks::{Lock, Locking},
    parts::{self, PartRow, Parts},
    record::{Answer, Record},
    registration::Registering,
    rooms::RoomRow,
    rows::{EventRow, MessageRow, RequestRow},
    shared::Shared,
    sweep::Sweep,
};
use crate::{endpoint::UnknownMessage, event::Event};

/// The exact bytes of a request, for `webhook_bodies`.
pub(super) struct BodyRow<'r> {
    pub request_id: i64,
    pub body: &'r [u8],
    pub received_at: NaiveDateTime,
}

/// What a database must be able to do for a commit.
pub(super) trait Writer: Shared + Locking + Correlation + Parts + Registering + Sweep {
    /// Runs `body` in a transaction that locks what it writes.
    fn atomically<T>(&mut self, body: impl FnOnce(&mut Self) -> QueryResult<T>) -> QueryResult<T>;
    /// Inserts the requests whose key is new; for each row its id, or `None` if the key was known.
    fn insert_requests(&mut self, rows: &[RequestRow]) -> QueryResult<Vec<Option<i64>>>;
    /// Inserts bodies.
    fn insert_bodies(&mut self, rows: &[BodyRow<'_>]) -> QueryResult<()>;
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

    fn of_message(row: &MessageRow) -> Self {
        Self::of(row.service_type, &row.account, &row.external_id, &row.recipient_key)
    }

    pub(super) fn parts(&self) -> &[String; 4] {
        &self.0
    }
}

/// A request's place among the batch: the first record of its key stands for all.
type Key<'r> = (&'static str, &'r str, [u8; 32]);

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
    let mut first: BTreeMap<Key<'_>, &Record> = BTreeMap::new();
    for record in records {
        first.entry(key(record)).or_insert(record);
    }
    let (outcomes, new) = writer.atomically(|writer| {
        writer.lock(&locks(&first, options))?;
        write(writer, &first, options)
    })?;
    let told = records.iter().map(|record| {
        let quarantined = record.is_quarantined();
        let fallback = Committed { answer: record.answer(), duplicate: false, unmatched: false, quarantined };
        let outcome = outcomes.get(&key(record)).copied().unwrap_or(fallback);
        // A copy in the same batch shares the answer and is a duplicate, like one that comes a day later.
        let is_copy = first.get(&key(record)).is_some_and(|first| !std::ptr::eq(*first, record));
        Committed { duplicate: outcome.duplicate || is_copy, ..outcome }
    });
    Ok(Commit { committed: told.collect(), new })
}

fn key(record: &Record) -> Key<'_> {
    (record.service_type, &record.account, record.request_key)
}

/// What these records may have to do with that has no row to lock yet.
fn locks(records: &BTreeMap<Key<'_>, &Record>, options: &Options) -> BTreeSet<Lock> {
    let mut locks = BTreeSet::new();
    if options.matches_embedded {
        locks.extend(correlation::references(records.values().copied()).into_iter().map(Lock::reference));
    }
    for (record, event) in records.values().flat_map(|record| record.events().iter().map(|event| (*record, event))) {
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
    records: &BTreeMap<Key<'r>, &'r Record>,
    options: &Options,
) -> QueryResult<(BTreeMap<Key<'r>, Committed>, New<'r>)> {
    let rows: Vec<RequestRow> = records.values().map(|record| RequestRow::from(*record)).collect();
    let ids = writer.insert_requests(&rows)?;
    let mut outcomes = BTreeMap::new();
    let mut fresh: Vec<(i64, &'r Record)> = Vec::new();
    for (((key, record), row), id) in records.iter().zip(&rows).zip(ids) {
        if let Some(id) = id {
            fresh.push((id, record));
        } else {
            let answer = Answer::from_code(writer.known_answer(row)?);
            let quarantined = record.is_quarantined();
            outcomes.insert(*key, Committed { answer, duplicate: true, unmatched: false, quarantined });
        }
    }
    let bodies: Vec<BodyRow<'_>> = fresh
        .iter()
        .map(|(id, record)| BodyRow { request_id: *id, body: &record.body, received_at: record.received_at.naive() })
        .collect();
    writer.insert_bodies(&bodies)?;
    let (effects, new) = write_events(writer, &fresh, options)?;
    let mut not_found: Vec<i64> = Vec::new();
    for ((id, record), Effects { all_known, unmatched }) in fresh.iter().zip(effects) {
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
    Ok((outcomes, new))
}

/// What the events of one record came to.
struct Effects {
    /// It brought events, and all were known.
    all_known: bool,
    /// It was about messages none of which has a message id.
    unmatched: bool,
}

/// What a new event would do: its request's place, and the rows that it alone would make beside its own.
struct Candidate<'r> {
    place: usize,
    event: &'r Event,
    /// Whether its message has a row for each recipient.
    is_shared: bool,
    message: Option<MessageRow>,
    inbound: Option<InboundRow>,
    part: Option<PartRow>,
    call: Option<CallRow>,
    room: Option<RoomRow>,
}

impl<'r> Candidate<'r> {
    fn of(place: usize, record: &Record, event: &'r Event, state_key: &[u8]) -> Self {
        Self {
            place,
            event,
            is_shared: event.recipient_key.is_some(),
            message: MessageRow::of(record, event, state_key),
            inbound: InboundRow::of(record, event),
            part: PartRow::of(record, event),
            call: CallRow::of(record, event, state_key),
            room: RoomRow::of(record, event, state_key),
        }
    }
}

/// Writes the events and folds the new ones; for each record what they came to, and the new ones.
fn write_events<'r>(
    writer: &mut impl Writer,
    fresh: &[(i64, &'r Record)],
    options: &Options,
) -> QueryResult<(Vec<Effects>, New<'r>)> {
    let mut events: BTreeMap<(&str, &str, Vec<u8>), (EventRow, Candidate<'r>)> = BTreeMap::new();
    // The messages that each record is about, also where another record of the batch brings the same event.
    let mut movers: BTreeMap<usize, BTreeSet<Identity>> = BTreeMap::new();
    for (place, (id, record)) in fresh.iter().enumerate() {
        for (index, event) in record.events().iter().enumerate() {
            let row = EventRow { request_id: Some(*id), ..EventRow::new(record, index, event) };
            let candidate = Candidate::of(place, record, event, &row.state_key);
            movers.entry(place).or_default().extend(candidate.message.as_ref().map(Identity::of_message));
            let key = (record.service_type, record.account.as_str(), row.event_key.clone());
            events.entry(key).or_insert((row, candidate));
        }
    }
    let (rows, candidates): (Vec<EventRow>, Vec<Candidate<'r>>) = events.into_values().unzip();
    let inserted = writer.insert_events(&rows)?;
    let new: Vec<Candidate<'r>> =
        candidates.into_iter().zip(inserted).filter_map(|(candidate, is_new)| is_new.then_some(candidate)).collect();
    let bringers: BTreeSet<usize> = new.iter().map(|candidate| candidate.place).collect();
    let brought = new.iter().filter_map(|candidate| Some((fresh.get(candidate.place)?.1, candidate.event))).collect();
    let written = fold(writer, new, options)?;
    let unmatched = unmatched(writer, &movers, &written)?;
    let told = fresh.iter().enumerate().map(|(place, (_, record))| Effects {
        all_known: !record.events().is_empty() && !bringers.contains(&place),
        unmatched: unmatched.contains(&place),
    });
    Ok((told.collect(), brought))
}

/// The records that are about messages none of which has a message id. A message whose events were all known was not
/// written now, so its row is looked at.
fn unmatched(
    writer: &mut impl Writer,
    movers: &BTreeMap<usize, BTreeSet<Identity>>,
    written: &BTreeMap<Identity, bool>,
) -> QueryResult<BTreeSet<usize>> {
    let mut unmatched = BTreeSet::new();
    for (place, messages) in movers {
        let mut is_any_matched = false;
        for message in messages {
            is_any_matched |= match written.get(message) {
                Some(is_matched) => *is_matched,
                None => writer.is_matched(message)?,
            };
        }
        if !is_any_matched && !messages.is_empty() {
            unmatched.insert(*place);
        }
    }
    Ok(unmatched)
}

/// Folds new events into the rows they are about; for each message whether it has a message id.
fn fold(writer: &mut impl Writer, mut new: Vec<Candidate<'_>>, options: &Options) -> QueryResult<BTreeMap<Identity, bool>> {
    if options.matches_embedded {
        match_embedded(writer, &mut new)?;
    }
    let mut messages: BTreeMap<Identity, MessageRow> = BTreeMap::new();
    let mut inbound: BTreeMap<Identity, InboundRow> = BTreeMap::new();
    let mut calls: BTreeMap<Identity, CallRow> = BTreeMap::new();
    let mut rooms: BTreeMap<Identity, RoomRow> = BTreeMap::new();
    let mut parts: BTreeSet<PartRow> = BTreeSet::new();
    let mut shared: BTreeSet<Identity> = BTreeSet::new();
    for candidate in new {
        if let Some(row) = candidate.message {
            shared.extend(candidate.is_shared.then(|| Identity::of_message(&row).shared()));
            absorb(&mut messages, Identity::of_message(&row), row, MessageRow::absorb);
        }
        if let Some(row) = candidate.inbound {
            absorb(&mut inbound, Identity::of(&row.service_type, &row.account, &row.external_id, ""), row, InboundRow::absorb);
        }
        if let Some(row) = candidate.call {
            absorb(&mut calls, Identity::of(&row.service_type, &row.account, &row.external_id, ""), row, CallRow::absorb);
        }
        if let Some(row) = candidate.room {
            absorb(&mut rooms, Identity::of(&row.service_type, &row.account, &row.external_id, ""), row, RoomRow::absorb);
        }
        parts.extend(candidate.part);
    }
    shared.iter().try_for_each(|id| correlation::share(writer, &mut messages, id))?;
    messages.values_mut().try_for_each(|row| row.match_by_time(writer, options))?;
    let (identities, rows): (Vec<Identity>, Vec<MessageRow>) = messages.into_iter().unzip();
    let matched = writer.upsert_messages(&rows)?;
    writer.upsert_inbound(&inbound.into_values().collect::<Vec<_>>())?;
    calls.into_values().try_for_each(|row| writer.fold_call(row))?;
    rooms.into_values().try_for_each(|row| writer.fold_room(row))?;
    parts.iter().try_for_each(|part| parts::place(writer, part, options.part_timeout))?;
    Ok(identities.into_iter().map(|identity| (identity.clone(), matched.contains(&identity))).collect())
}

/// Adds a row to the one of the same identity.
fn absorb<R>(rows: &mut BTreeMap<Identity, R>, identity: Identity, row: R, fold: impl Fn(&mut R, R)) {
    match rows.entry(identity) {
        Entry::Vacant(vacant) => drop(vacant.insert(row)),
        Entry::Occupied(mut occupied) => fold(occupied.get_mut(), row),
    }
}

/// Looks up the references that the new events carry.
fn match_embedded(writer: &mut impl Writer, new: &mut [Candidate<'_>]) -> QueryResult<()> {
    let carried = |candidate: &Candidate<'_>| candidate.message.as_ref()?.embedded_id.clone();
    let embedded: BTreeSet<String> = new.iter().filter_map(carried).collect();
    let messages = correlation::by_reference(writer, &embedded.iter().map(String::as_str).collect())?;
    new.iter_mut().filter_map(|candidate| candidate.message.as_mut()).for_each(|row| row.match_embedded(&messages));
    Ok(())
}
