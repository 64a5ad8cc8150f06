//! What the events of new requests do: they are kept, and the new ones are folded into the rows they are about.

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

use diesel::QueryResult;

use super::{
    Options,
    calls::CallRow,
    commit::{Identity, Writer},
    correlation,
    inbound::InboundRow,
    parts::{self, PartRow},
    record::Record,
    rooms::RoomRow,
    rows::{EventRow, MessageRow},
    rule::Rule,
};
use crate::event::Event;

/// What the events of one record came to.
pub(super) struct Effects {
    /// It brought events, and all were known.
    pub(super) all_known: bool,
    /// The places of those that were not.
    pub(super) new: Vec<usize>,
    /// It was about messages none of which has a message id.
    pub(super) unmatched: bool,
}

/// What a new event would do: its place in its request, that one's place, and the rows that it alone would make beside its own.
struct Candidate {
    place: usize,
    index: usize,
    /// Whether its message has a row for each recipient.
    is_shared: bool,
    message: Option<MessageRow>,
    inbound: Option<InboundRow>,
    part: Option<PartRow>,
    call: Option<CallRow>,
    room: Option<RoomRow>,
}

impl Candidate {
    fn of((place, index): (usize, usize), record: &Record, event: &Event, state_key: &[u8]) -> Self {
        Self {
            place,
            index,
            is_shared: event.recipient_key.is_some(),
            message: MessageRow::of(record.source(), event, state_key),
            inbound: InboundRow::of(record, event),
            part: PartRow::of(record, event),
            call: CallRow::of(record, event, state_key),
            room: RoomRow::of(record, event, state_key),
        }
    }
}

/// An event of the batch, and how often the batch brings it.
struct Brought {
    row: EventRow,
    candidate: Candidate,
    times: i64,
}

/// Why events are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Occasion {
    /// Their requests came.
    Arrival,
    /// Requests that came before are read anew: nothing came again, and no rule decides between an event and itself.
    Rereading,
}

/// Writes the events and folds the new ones; for each record what they came to.
pub(super) fn write_events(
    writer: &mut impl Writer,
    fresh: &[(i64, &Record)],
    options: &Options,
    occasion: Occasion,
) -> QueryResult<Vec<Effects>> {
    let mut events: BTreeMap<(&str, &str, Vec<u8>), Brought> = BTreeMap::new();
    // In the order in which they came.
    let mut keys = Vec::new();
    // The messages that each record is about, also where another record of the batch brings the same event.
    let mut movers: BTreeMap<usize, BTreeSet<Identity>> = BTreeMap::new();
    for (place, (id, record)) in fresh.iter().enumerate() {
        for (index, event) in record.events().iter().enumerate() {
            let row = EventRow { request_id: Some(*id), ..EventRow::new(record, index, event) };
            let candidate = Candidate::of((place, index), record, event, &row.state_key);
            movers.entry(place).or_default().extend(candidate.message.as_ref().map(Identity::of_message));
            let key = (record.service_type, record.account.as_str(), row.event_key.clone());
            keys.push(key.clone());
            events.entry(key).and_modify(|brought| brought.times += 1).or_insert(Brought { row, candidate, times: 1 });
        }
    }
    if occasion == Occasion::Arrival {
        judge(writer, &mut events, &keys)?;
    }
    let (rows, brought): (Vec<EventRow>, Vec<(Candidate, i64)>) =
        events.into_values().map(|Brought { row, candidate, times }| (row, (candidate, times))).unzip();
    let inserted = writer.insert_events(&rows)?;
    let mut new = Vec::new();
    for ((row, (candidate, times)), is_new) in rows.iter().zip(brought).zip(inserted) {
        let again = times - i64::from(is_new);
        if again > 0 && occasion == Occasion::Arrival {
            writer.count_known_event(row, again)?;
        }
        new.extend(is_new.then_some(candidate));
    }
    let mut new_of: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for Candidate { place, index, .. } in &new {
        new_of.entry(*place).or_default().push(*index);
    }
    let written = fold(writer, new, options)?;
    let unmatched = unmatched(writer, &movers, &written)?;
    let told = fresh.iter().enumerate().map(|(place, (_, record))| Effects {
        all_known: !record.events().is_empty() && !new_of.contains_key(&place),
        new: new_of.remove(&place).unwrap_or_default(),
        unmatched: unmatched.contains(&place),
    });
    Ok(told.collect())
}

/// Writes beside each event which rule decided about it, given what is there and what came before it in the batch.
fn judge<K: Ord>(writer: &mut impl Writer, events: &mut BTreeMap<K, Brought>, keys: &[K]) -> QueryResult<()> {
    let message = |brought: &Brought| brought.candidate.message.as_ref().map(Identity::of_message);
    let identities: BTreeSet<Identity> = events.values().filter_map(message).collect();
    let mut states = writer.states(&identities)?;
    for key in keys {
        let Some(brought) = events.get_mut(key) else { continue };
        let Some(identity) = message(brought) else { continue };
        let (there, new) = (states.get(&identity), &brought.row.state_key);
        // What the batch brings again was judged when it came first.
        if brought.row.applied_rule.is_none() {
            let rule = Rule::of(there.map(Vec::as_slice), new, brought.row.status.is_some());
            brought.row.applied_rule = Some(rule.into());
        }
        if there.is_none_or(|there| new > there) {
            states.insert(identity, new.clone());
        }
    }
    Ok(())
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
fn fold(writer: &mut impl Writer, mut new: Vec<Candidate>, options: &Options) -> QueryResult<BTreeMap<Identity, bool>> {
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
fn match_embedded(writer: &mut impl Writer, new: &mut [Candidate]) -> QueryResult<()> {
    let carried = |candidate: &Candidate| candidate.message.as_ref()?.embedded_id.clone();
    let embedded: BTreeSet<String> = new.iter().filter_map(carried).collect();
    let messages = correlation::by_reference(writer, &embedded.iter().map(String::as_str).collect())?;
    new.iter_mut().filter_map(|candidate| candidate.message.as_mut()).for_each(|row| row.match_embedded(&messages));
    Ok(())
}
