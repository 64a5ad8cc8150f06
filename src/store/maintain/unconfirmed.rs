//! Messages without a final report before the deadline. The sweep adds an event to each, so that the timeout is part of its history and
//! a late report supersedes it like any other event.
//!
//! This needs no index by status and time. The sweep follows the feed at the distance of the deadline: a pending message is found by its
//! last event, and one that was only registered by its row.

use std::{collections::BTreeMap, time::Duration};

use chrono::{NaiveDateTime, TimeDelta};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, QueryDsl, QueryResult, Queryable, RunQueryDsl, Selectable, SelectableHelper,
};
use sha2::{Digest, Sha256};

use crate::{
    event::{Event, EventType, ExternalId},
    providers,
    status::{Direction, Status},
    store::{
        Store,
        db::{
            connection::{Connection, on_either},
            error::StoreError,
            key::{MessageKey, ShortKey},
            positions::{self, Position},
            schema::message_external_ids as m,
        },
        fold::{message::MessageState, rule::Rule, source::Source},
        query::feed::{self, FeedCursor},
        reprocess::rebuild::{lock, rebuild},
        write::{
            batch::{self, EventToWrite, MessageUpdate},
            rows::{NewEvent, Placement},
        },
    },
    time::Timestamp,
};

/// Messages marked in one transaction, and events or messages scanned before it.
const BATCH_SIZE: i64 = 50;
const SCAN_LIMIT: i64 = 1_000;

/// Maximum number of steps in one sweep; a backlog is processed over several sweeps.
const MAX_STEPS: usize = 200;

/// Names of the positions up to which rows have been scanned.
const EVENTS: &str = "unconfirmed.events";
const MAPPINGS: &str = "unconfirmed.mappings";

/// Statuses without a final report, except `unconfirmed`.
const PENDING: [Status; 8] = [
    Status::Registered,
    Status::Unknown,
    Status::Scheduled,
    Status::Accepted,
    Status::Queued,
    Status::Sending,
    Status::Sent,
    Status::Deferred,
];

/// The `verified_by` of events that the sweep creates.
const SWEEP: &str = "sweep";

/// A message whose deadline has passed.
#[derive(Queryable, Selectable)]
#[diesel(table_name = m)]
struct OverdueMessage {
    service_type: String,
    account: String,
    external_id: String,
    recipient_key: String,
    updated_at: Timestamp,
}

/// The event that marks a message, and the state derived from it.
struct UnconfirmedEvent {
    key: MessageKey,
    event: NewEvent,
    state: MessageState,
}

impl OverdueMessage {
    fn key(&self) -> MessageKey {
        MessageKey::new(&self.service_type, &self.account, &self.external_id, &self.recipient_key)
    }

    /// The event that marks it. Its key is the same at every gateway.
    fn event(&self, now: Timestamp, deadline: TimeDelta) -> Option<UnconfirmedEvent> {
        let source = Source {
            service_type: providers::find(&self.service_type)?.name,
            account: &self.account,
            verified_by: SWEEP,
            received_at: now,
        };
        let event = Event {
            external_id: Some(ExternalId::new(&self.external_id)?),
            recipient_key: Some(self.recipient_key.clone()),
            occurred_at: self.updated_at.naive().checked_add_signed(deadline).map(Timestamp::from_naive),
            ..Event::with_status(EventType::MessageUnconfirmed, "", Some(Status::Unconfirmed))
        };
        // Differs from the keys of all providers' events, which start with a length.
        let mut key = Sha256::new().chain_update([u8::MAX; 8]).chain_update("unconfirmed");
        for part in [&self.service_type, &self.account, &self.external_id, &self.recipient_key] {
            key.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            key.update(part);
        }
        let row = NewEvent::with_key(source, &key.finalize(), &event);
        let state = MessageState::from_event(source, &event, &row.state_key);
        Some(UnconfirmedEvent { key: self.key(), event: row, state })
    }
}

impl Store {
    /// Marks the messages whose deadline has passed.
    pub(crate) async fn mark_unconfirmed(&self, now: Timestamp) -> Result<(), StoreError> {
        let Some(deadline) = self.options.unconfirmed_after else { return Ok(()) };
        for find in [candidates_by_event, candidates_by_mapping] {
            for _ in 0..MAX_STEPS {
                if !self.write(move |connection| step(connection, find, now, deadline)).await? {
                    break;
                }
            }
        }
        Ok(())
    }
}

/// Messages to check, the name of their position, its value, and the next value; `None` if no later row is old enough.
type Candidates = (Vec<i64>, &'static str, Position, Option<Position>);

type FindCandidates = fn(&mut Connection, NaiveDateTime) -> QueryResult<Candidates>;

/// Marks some of the messages whose deadline has passed; returns true if there may be more.
fn step(connection: &mut Connection, find: FindCandidates, now: Timestamp, deadline: Duration) -> QueryResult<bool> {
    let deadline = TimeDelta::from_std(deadline).unwrap_or(TimeDelta::MAX);
    let Some(before) = now.naive().checked_sub_signed(deadline) else { return Ok(false) };
    let (rows, name, from, to) = find(connection, before)?;
    let Some(to) = to else { return Ok(false) };
    let overdue = overdue(connection, &rows, before)?;
    let events: Vec<UnconfirmedEvent> = overdue.iter().filter_map(|message| message.event(now, deadline)).collect();
    for events in events.chunks(usize::try_from(BATCH_SIZE).unwrap_or(1)) {
        connection.transaction(|connection| write(connection, events))?;
    }
    positions::advance(connection, name, from, to)
}

/// The messages of the next events that are older than the deadline.
fn candidates_by_event(connection: &mut Connection, before: NaiveDateTime) -> QueryResult<Candidates> {
    let from = positions::get(connection, EVENTS)?;
    let arrivals = feed::arrivals_after(connection, FeedCursor::from(from), SCAN_LIMIT)?;
    let old: Vec<_> = arrivals.into_iter().take_while(|(.., received_at)| received_at.naive() < before).collect();
    let to = old.last().map(|(cursor, ..)| Position::from(*cursor));
    let mut rows: Vec<i64> = old.into_iter().filter_map(|(_, mapping, _)| mapping).collect();
    rows.sort_unstable();
    rows.dedup();
    Ok((rows, EVENTS, from, to))
}

/// The next messages that are older than the deadline and have no event.
fn candidates_by_mapping(connection: &mut Connection, before: NaiveDateTime) -> QueryResult<Candidates> {
    let from = positions::get(connection, MAPPINGS)?;
    let next = m::table.filter(m::id.gt(from.id)).order(m::id).limit(SCAN_LIMIT).select((m::id, m::updated_at, m::revision));
    let next: Vec<(i64, NaiveDateTime, i64)> = on_either!(connection, c => next.load(c))?;
    // A message with events is found by them, regardless of its age.
    let old: Vec<_> = next.into_iter().take_while(|(_, updated_at, revision)| *updated_at < before || *revision > 0).collect();
    let to = old.last().map(|(id, ..)| Position { txid: 0, id: *id });
    let rows = old.into_iter().filter(|(.., revision)| *revision == 0).map(|(id, ..)| id).collect();
    Ok((rows, MAPPINGS, from, to))
}

/// The messages that are pending and have not been updated since that time.
fn overdue(connection: &mut Connection, rows: &[i64], before: NaiveDateTime) -> QueryResult<Vec<OverdueMessage>> {
    let pending: Vec<&str> = PENDING.iter().map(Into::into).collect();
    let known: Vec<&str> = providers::ALL.iter().map(|spec| spec.name).collect();
    let overdue = m::table
        .filter(m::id.eq_any(rows))
        .filter(m::status.eq_any(pending))
        .filter(m::service_type.eq_any(known))
        .filter(m::direction.is_null().or(m::direction.eq(Direction::Outbound.as_ref())))
        .filter(m::updated_at.lt(before));
    on_either!(connection, c => overdue.select(OverdueMessage::as_select()).load(c))
}

/// Writes the events and folds them into their messages.
fn write(connection: &mut Connection, unconfirmed: &[UnconfirmedEvent]) -> QueryResult<()> {
    // In the order of their keys, as the table is written.
    let unconfirmed: BTreeMap<&MessageKey, &UnconfirmedEvent> = unconfirmed.iter().map(|one| (&one.key, one)).collect();
    let locked = batch::lock_messages(connection, &unconfirmed.keys().copied().collect::<Vec<_>>())?;
    let keys = unconfirmed.values().filter_map(|one| one.event.event_key).collect();
    let known = batch::known_events(connection, &keys)?;
    let is_known = |one: &UnconfirmedEvent| one.event.event_key.is_some_and(|key: ShortKey| known.contains(&key));
    let (mut events, mut folded) = (Vec::new(), Vec::new());
    for (one, (id, before)) in unconfirmed.values().zip(locked).filter(|(one, _)| !is_known(one)) {
        let rule = Rule::for_event(Some(&before.state_key), &one.event.state_key, true);
        let placement = Placement { request_id: None, mapping_id: Some(id), applied_rule: Some(rule.into()) };
        let mut state = before.clone();
        state.absorb(one.state.clone());
        folded.push(MessageUpdate::new(id, &before, state));
        events.push(EventToWrite { id: 0, placement, row: &one.event });
    }
    batch::assign_ids(connection, &mut events)?;
    batch::write_rows(connection, &[], &events, &folded)?;
    // The event exists but the row does not reflect it: the row was changed manually.
    for (key, _) in unconfirmed.iter().filter(|(_, one)| is_known(one)) {
        if let Some(message) = lock(connection, key)? {
            rebuild(connection, &message)?;
        }
    }
    Ok(())
}
