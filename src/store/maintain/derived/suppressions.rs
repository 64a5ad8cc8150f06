//! Suppressions, from the feed of events and from inbound messages. An event names the inbound message that it changed, which is read as it
//! is now; the inbound messages are read in the order of their ids as well, because long ones are joined without an event.

use std::collections::BTreeMap;

use diesel::{BoolExpressionMethods, ExpressionMethods, QueryDsl, QueryResult, RunQueryDsl, SelectableHelper};

use super::{BATCH_SIZE, Settled};
use crate::{
    event::EventType,
    store::{
        db::{
            connection::{Connection, on_either},
            positions::{self, INBOUND_SUPPRESSIONS, Position, SUPPRESSION_RESETS, SUPPRESSIONS},
            schema::{inbound_messages as i, webhook_events as e},
        },
        fold::suppression::{self, OptOutMessage, Reported, ReportingEvent},
        query::{
            feed::{self, TypedEvent},
            ranges::RangedTable,
        },
    },
};

/// Events or inbound messages of one step that may report something, so that its transaction is short.
const MAX_REPORTS: usize = 256;
const INBOUND_STEP: i64 = 256;

/// Events that are read at once, because their details may be long.
const CHUNK: usize = 64;

/// The reports in the next events or inbound messages.
#[derive(Debug)]
pub(super) struct Step {
    reported: Vec<Reported>,
    /// Changes to the rows that were read, at the time before.
    resets: i64,
    position: &'static str,
    from: Position,
    to: Position,
}

/// The next events and inbound messages; none if all are covered.
pub(super) fn next(connection: &mut Connection, settled: &Settled) -> QueryResult<Vec<Step>> {
    let settled = settled.last_row(connection, RangedTable::Inbound)?;
    let resets = positions::get(connection, SUPPRESSION_RESETS)?.id;
    let steps = [next_events(connection, resets)?, next_inbound(connection, settled, resets)?];
    Ok(steps.into_iter().flatten().collect())
}

fn next_events(connection: &mut Connection, resets: i64) -> QueryResult<Option<Step>> {
    let from = positions::get(connection, SUPPRESSIONS)?;
    let mut events = feed::types_after(connection, from.into(), BATCH_SIZE)?;
    let mut reports = 0;
    let is_over = |event: &TypedEvent| {
        reports += usize::from(is_received(event) || is_relevant(event));
        reports > MAX_REPORTS
    };
    if let Some(end) = events.iter().position(is_over) {
        events.truncate(end);
    }
    let Some(last) = events.last() else { return Ok(None) };
    let to = last.cursor.into();
    let mut reported = reported_by_events(connection, &events)?;
    reported.extend(reported_by_inbound(connection, &events)?);
    Ok(Some(Step { reported, resets, position: SUPPRESSIONS, from, to }))
}

fn is_received(event: &TypedEvent) -> bool {
    event.event_type == EventType::MessageReceived.as_ref()
}

fn is_relevant(event: &TypedEvent) -> bool {
    suppression::is_relevant(&event.event_type, event.status.as_deref())
}

fn reported_by_events(connection: &mut Connection, events: &[TypedEvent]) -> QueryResult<Vec<Reported>> {
    let ids: Vec<i64> = events.iter().filter(|event| is_relevant(event)).map(|event| Position::from(event.cursor).id).collect();
    let mut reported = Vec::new();
    for chunk in ids.chunks(CHUNK) {
        let rows = e::table.filter(e::id.eq_any(chunk)).order(e::id);
        let rows: Vec<ReportingEvent> = on_either!(connection, c => rows.select(ReportingEvent::as_select()).load(c))?;
        reported.extend(rows.iter().flat_map(ReportingEvent::reported));
    }
    Ok(reported)
}

/// The opt-outs in the inbound messages of these events.
fn reported_by_inbound(connection: &mut Connection, events: &[TypedEvent]) -> QueryResult<Vec<Reported>> {
    let mut ids: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for event in events.iter().filter(|event| is_received(event)) {
        ids.entry((&event.service_type, &event.account)).or_default().extend(event.external_id.as_deref());
    }
    let mut reported = Vec::new();
    for ((service_type, account), ids) in ids {
        for chunk in ids.chunks(CHUNK) {
            let rows = i::table
                .filter(i::service_type.eq(service_type))
                .filter(i::account.eq(account))
                .filter(i::external_id.eq_any(chunk))
                .filter(i::opt_out.eq_any(OptOutMessage::words()));
            let rows: Vec<OptOutMessage> = on_either!(connection, c => rows.select(OptOutMessage::as_select()).load(c))?;
            reported.extend(rows.iter().filter_map(OptOutMessage::reported));
        }
    }
    Ok(reported)
}

/// Derives the suppressions of events that are about to be deleted, as far as they are not covered yet. That an event counts again later
/// changes nothing.
pub(crate) fn derive_before_deletion(connection: &mut Connection, events: &[i64]) -> QueryResult<()> {
    let Position { txid, id } = positions::get(connection, SUPPRESSIONS)?;
    let is_uncovered = e::txid.gt(txid).or(e::txid.eq(txid).and(e::id.gt(id)));
    let uncovered = e::table.filter(e::id.eq_any(events)).filter(is_uncovered);
    let uncovered: Vec<TypedEvent> = on_either!(connection, c => uncovered.select(TypedEvent::as_select()).load(c))?;
    let reported = reported_by_events(connection, &uncovered)?;
    if reported.is_empty() {
        return Ok(());
    }
    positions::lock(connection, SUPPRESSIONS)?;
    suppression::insert(connection, &reported)
}

/// The next inbound messages up to that one; `None` if all are covered.
fn next_inbound(connection: &mut Connection, settled: i64, resets: i64) -> QueryResult<Option<Step>> {
    let from = positions::get(connection, INBOUND_SUPPRESSIONS)?;
    let next = i::table.filter(i::id.gt(from.id)).filter(i::id.le(settled)).order(i::id).limit(INBOUND_STEP).select(i::id);
    let ids: Vec<i64> = on_either!(connection, c => next.load(c))?;
    let Some(last) = ids.last().copied() else { return Ok(None) };
    let rows = i::table.filter(i::id.gt(from.id)).filter(i::id.le(last)).filter(i::opt_out.eq_any(OptOutMessage::words()));
    let rows: Vec<OptOutMessage> = on_either!(connection, c => rows.select(OptOutMessage::as_select()).load(c))?;
    let reported = rows.iter().filter_map(OptOutMessage::reported).collect();
    Ok(Some(Step { reported, resets, position: INBOUND_SUPPRESSIONS, from, to: Position { txid: 0, id: last } }))
}

impl Step {
    pub(super) fn write(&self, connection: &mut Connection) -> QueryResult<()> {
        connection.transaction(|connection| {
            // One transaction at a time writes suppressions, whichever position it moves.
            positions::lock(connection, SUPPRESSIONS)?;
            let is_current = positions::get(connection, SUPPRESSION_RESETS)?.id == self.resets;
            if is_current && positions::advance(connection, self.position, self.from, self.to)? {
                suppression::insert(connection, &self.reported)?;
            }
            Ok(())
        })
    }
}
