//! Writes the events of new requests: the rows that they change are inserted or locked and folded, and each event is stored with the
//! rule that decided about it.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use diesel::QueryResult;

use super::{
    batch::{self, Body, EventToWrite, InsertedRequest, KnownRequest, MessageToWrite, MessageUpdate},
    record::{PendingEvent, Record, Target},
    rows::Placement,
};
use crate::{
    store::{
        Options,
        correlate::matching::{self, Candidates},
        db::{
            connection::Connection,
            key::{MessageKey, ShortKey},
        },
        fold::{
            addresses::{self, AddressRow, InboundAddress},
            call::FoldedCall,
            entity::{self, Entities},
            inbound_message::InboundState,
            message::{MessageState, Messages},
            parts::{self, PartRow},
            room::RoomState,
            rule::Rule,
        },
    },
    time::Timestamp,
};

/// A record whose request was new.
pub(crate) struct InsertedRecord<'r> {
    pub(crate) inserted: InsertedRequest,
    pub(crate) record: &'r Record,
}

/// Why events are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trigger {
    /// Their requests arrived.
    Arrival,
    /// Their requests were quarantined and are applied now; their bodies are stored already.
    Replay,
    /// Their requests are parsed again: no rule is recorded, and existing rows are rebuilt afterwards.
    Rederive,
}

/// The effects of one record's events.
#[derive(Debug)]
pub(crate) struct RecordEffects {
    /// It has events, and all are duplicates.
    pub(crate) all_known: bool,
    /// Indexes of the new events.
    pub(crate) new: Vec<usize>,
    /// It refers to messages, none of which has a message id.
    pub(crate) unmatched: bool,
}

/// The outcome of [`write_events`].
pub(crate) struct WriteOutcome {
    /// Stored response codes of the known requests, by key.
    pub(crate) responses: BTreeMap<ShortKey, i64>,
    pub(crate) effects: Vec<RecordEffects>,
}

/// A new event, with the indexes of its record in the batch and of itself in the record.
#[derive(Clone, Copy)]
struct NewEvent<'r> {
    record: usize,
    index: usize,
    event: &'r PendingEvent,
}

/// A message's row, with the state key before the batch.
struct Row {
    id: i64,
    state_key: Option<Vec<u8>>,
    is_matched: bool,
}

/// Writes the events of new requests and counts the copies of known ones.
pub(crate) fn write_events(
    connection: &mut Connection,
    records: &[InsertedRecord<'_>],
    known: &[KnownRequest],
    options: &Options,
    trigger: Trigger,
) -> QueryResult<WriteOutcome> {
    let (new, duplicates) = new_events(connection, records)?;
    let (messages, shared) = messages(connection, &new, options)?;
    let first_receipts = first_receipts(&new);
    let created_at = |key: &MessageKey, state: &MessageState| first_receipts.get(key).copied().unwrap_or(state.updated_at);
    let rows: Vec<MessageToWrite<'_>> =
        messages.iter().map(|(key, state)| MessageToWrite { key, state, created_at: created_at(key, state) }).collect();
    let (responses, ids) = batch::insert_messages(connection, known, &rows)?;
    let mut folded = fold_existing(connection, &rows, &ids, &shared, trigger)?;
    let events = place_events(records, &new, &mut folded.rows, trigger);
    let bodies: Vec<Body<'_>> = if trigger == Trigger::Arrival { records.iter().map(body).collect() } else { Vec::new() };
    batch::write_rows(connection, &bodies, &events, &folded.changed)?;
    if trigger != Trigger::Rederive {
        // Their originals may be among the events that were just inserted.
        batch::count_events(connection, &duplicates)?;
    }
    folded.addresses.extend(dropped_addresses(&new, &messages, &folded.rows));
    addresses::insert(connection, &folded.addresses)?;
    fold_other_entities(connection, &new, options)?;
    let effects = effects(connection, records, &new, &folded.rows)?;
    Ok(WriteOutcome { responses, effects })
}

/// The rows of a batch's messages after the fold.
#[derive(Default)]
struct Folded<'r> {
    rows: BTreeMap<&'r MessageKey, Row>,
    /// Updates of the existing rows.
    changed: Vec<MessageUpdate>,
    /// Addresses that those rows have lost or gained.
    addresses: BTreeSet<AddressRow>,
}

/// Locks the existing messages and folds the batch into them.
fn fold_existing<'r>(
    connection: &mut Connection,
    messages: &[MessageToWrite<'r>],
    ids: &[Option<i64>],
    shared: &BTreeSet<MessageKey>,
    trigger: Trigger,
) -> QueryResult<Folded<'r>> {
    let existing: Vec<&MessageKey> = messages.iter().zip(ids).filter(|(_, id)| id.is_none()).map(|(row, _)| row.key).collect();
    let mut locked = batch::lock_messages(connection, &existing)?.into_iter();
    let mut folded = Folded::default();
    for (MessageToWrite { key, state, .. }, id) in messages.iter().zip(ids) {
        if let Some(id) = id {
            folded.rows.insert(*key, Row { id: *id, state_key: None, is_matched: state.message_id.is_some() });
            continue;
        }
        let Some((id, before)) = locked.next() else { return Err(entity::row_vanished()) };
        let mut now = before.clone();
        if trigger != Trigger::Rederive {
            now.absorb((*state).clone());
            if now.has_unrecorded_mapping() && !shared.contains(&key.shared()) {
                now.record_mapping();
            }
            folded.addresses.extend(AddressRow::difference(id, &before, &now).chain(AddressRow::difference(id, &now, &before)));
            folded.changed.push(MessageUpdate::new(id, &before, now.clone()));
        }
        folded.rows.insert(*key, Row { id, state_key: Some(before.state_key), is_matched: now.message_id.is_some() });
    }
    Ok(folded)
}

/// The time of receipt of each message's first event.
fn first_receipts<'r>(new: &[NewEvent<'r>]) -> BTreeMap<&'r MessageKey, Timestamp> {
    let mut first = BTreeMap::new();
    for contribution in new.iter().filter_map(|new| new.event.contribution()) {
        first.entry(&contribution.key).or_insert(contribution.state.updated_at);
    }
    first
}

/// Addresses in events but not in their messages' rows, because a row keeps one of two texts. The message is found by either.
fn dropped_addresses(
    new: &[NewEvent<'_>],
    messages: &Messages<'_>,
    rows: &BTreeMap<&MessageKey, Row>,
) -> impl Iterator<Item = AddressRow> {
    let contributions = new.iter().filter_map(|new| new.event.contribution());
    contributions.flat_map(|contribution| {
        let message = messages.get(&contribution.key).zip(rows.get(&contribution.key));
        message.into_iter().flat_map(|(folded, row)| AddressRow::difference(row.id, &contribution.state, folded))
    })
}

fn body<'r>(InsertedRecord { inserted, record }: &InsertedRecord<'r>) -> Body<'r> {
    Body { request_id: inserted.id, bytes: &record.body, received_at: record.request.received_at }
}

/// The events that are not stored yet, each once, in the order of arrival, and the number of duplicates by key. Only events that their
/// sender identifies can have duplicates.
fn new_events<'r>(
    connection: &mut Connection,
    records: &[InsertedRecord<'r>],
) -> QueryResult<(Vec<NewEvent<'r>>, BTreeMap<ShortKey, i64>)> {
    let all = records.iter().enumerate().flat_map(|(record, inserted)| {
        inserted.record.events.iter().enumerate().map(move |(index, event)| NewEvent { record, index, event })
    });
    let all: Vec<NewEvent<'r>> = all.collect();
    let named: BTreeSet<ShortKey> = all.iter().filter_map(|new| new.event.row.event_key).collect();
    let mut known = batch::known_events(connection, &named)?;
    let mut duplicates: BTreeMap<ShortKey, i64> = BTreeMap::new();
    let mut new = Vec::with_capacity(all.len());
    for new_event in all {
        match new_event.event.row.event_key {
            Some(key) if !known.insert(key) => *duplicates.entry(key).or_default() += 1,
            _ => new.push(new_event),
        }
    }
    Ok((new, duplicates))
}

/// The messages of new events, with the states and matches that follow from those events alone, and the keys of those that have a row
/// per recipient.
fn messages<'r>(
    connection: &mut Connection,
    new: &[NewEvent<'r>],
    options: &Options,
) -> QueryResult<(Messages<'r>, BTreeSet<MessageKey>)> {
    let contributions = || new.iter().filter_map(|new| new.event.contribution());
    let candidates = if options.matches_embedded {
        let references = contributions().filter_map(|contribution| contribution.state.embedded_id.as_deref()).collect();
        matching::find_candidates(connection, &references)?
    } else {
        Candidates::default()
    };
    let mut messages: Messages<'r> = BTreeMap::new();
    let mut shared: BTreeSet<MessageKey> = BTreeSet::new();
    for contribution in contributions() {
        let mut state = Cow::Borrowed(&contribution.state);
        matching::match_embedded(&contribution.key, &mut state, &candidates, options);
        match messages.get_mut(&contribution.key) {
            Some(existing) => existing.to_mut().absorb(state.into_owned()),
            None => drop(messages.insert(&contribution.key, state)),
        }
        if contribution.is_shared {
            shared.insert(contribution.key.shared());
        }
    }
    matching::share_matches(connection, &mut messages, &shared)?;
    messages.iter_mut().try_for_each(|(key, state)| matching::match_by_time(connection, key, state, options))?;
    Ok((messages, shared))
}

/// The new events with their placements. The recorded rules are exact, because the rows of the messages are locked.
fn place_events<'r>(
    records: &[InsertedRecord<'_>],
    new: &[NewEvent<'r>],
    messages: &mut BTreeMap<&MessageKey, Row>,
    trigger: Trigger,
) -> Vec<EventToWrite<'r>> {
    let mut placed = Vec::with_capacity(new.len());
    for NewEvent { record, index, event } in new {
        let Some(inserted) = records.get(*record).map(|record| record.inserted) else { continue };
        let mut placement = Placement { request_id: Some(inserted.id), ..Placement::default() };
        if let Some(row) = event.contribution().and_then(|contribution| messages.get_mut(&contribution.key)) {
            let (existing, state_key) = (row.state_key.as_deref(), &event.row.state_key);
            placement.mapping_id = Some(row.id);
            if trigger != Trigger::Rederive {
                placement.applied_rule = Some(Rule::for_event(existing, state_key, event.row.status.is_some()).into());
            }
            if existing.is_none_or(|existing| state_key.as_slice() > existing) {
                row.state_key = Some(state_key.clone());
            }
        }
        let id = inserted.first_event + i64::try_from(*index).unwrap_or(0);
        placed.push(EventToWrite { id, placement, row: &event.row });
    }
    placed
}

/// Folds inbound messages, their parts, calls and rooms.
fn fold_other_entities(connection: &mut Connection, new: &[NewEvent<'_>], options: &Options) -> QueryResult<()> {
    let mut inbound: Entities<InboundState> = BTreeMap::new();
    let mut inbound_addresses: BTreeSet<InboundAddress> = BTreeSet::new();
    let mut calls: Entities<FoldedCall> = BTreeMap::new();
    let mut rooms: Entities<RoomState> = BTreeMap::new();
    let mut parts: BTreeSet<&PartRow> = BTreeSet::new();
    for new in new {
        match &new.event.target {
            Target::None | Target::Message(_) => {}
            Target::Inbound(row) => {
                entity::merge(&mut inbound, &row.key, &row.state);
                inbound_addresses.extend(InboundAddress::from_message(&row.key, &row.state));
            }
            Target::Part(part) => drop(parts.insert(part)),
            Target::Call(row) => entity::merge(&mut calls, &row.key, &row.state),
            Target::Room(row) => entity::merge(&mut rooms, &row.key, &row.state),
        }
    }
    entity::fold(connection, &inbound)?;
    addresses::insert_inbound(connection, &inbound_addresses)?;
    entity::fold(connection, &calls)?;
    entity::fold(connection, &rooms)?;
    parts.into_iter().try_for_each(|part| parts::add_part(connection, part, options))
}

/// The effects of each record's events. Messages whose events are all duplicates were not written, so their rows are looked up.
fn effects(
    connection: &mut Connection,
    records: &[InsertedRecord<'_>],
    new: &[NewEvent<'_>],
    messages: &BTreeMap<&MessageKey, Row>,
) -> QueryResult<Vec<RecordEffects>> {
    let contributions = records.iter().flat_map(|inserted| inserted.record.contributions());
    let others: BTreeSet<&MessageKey> =
        contributions.map(|contribution| &contribution.key).filter(|key| !messages.contains_key(key)).collect();
    let matched = batch::matched_messages(connection, &others.into_iter().collect::<Vec<_>>())?;
    let mut effects = Vec::with_capacity(records.len());
    let mut new = new.iter().peekable();
    for (index, InsertedRecord { record, .. }) in records.iter().enumerate() {
        let indexes: Vec<usize> = std::iter::from_fn(|| new.next_if(|new| new.record == index)).map(|new| new.index).collect();
        let (mut is_any_matched, mut has_messages) = (false, false);
        for contribution in record.contributions() {
            has_messages = true;
            is_any_matched |= match messages.get(&contribution.key) {
                Some(row) => row.is_matched,
                None => matched.contains(&contribution.key),
            };
        }
        effects.push(RecordEffects {
            all_known: !record.events.is_empty() && indexes.is_empty(),
            new: indexes,
            unmatched: has_messages && !is_any_matched,
        });
    }
    Ok(effects)
}
