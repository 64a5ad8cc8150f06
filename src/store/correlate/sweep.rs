//! The periodic sweep links mappings and messages that the application wrote with plain SQL, in short steps between which callbacks
//! are committed.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDateTime;
use diesel::{
    BoolExpressionMethods, ExpressionMethods, IntoSql, QueryDsl, QueryResult, RunQueryDsl, SelectableHelper, sql_types::Bool,
};

use super::{
    link::{self, LinkRow},
    matching::{self, Sent},
};
use crate::store::{
    Options,
    db::{
        advisory_locks::{self, Lock},
        connection::{Connection, on_either},
        key::MessageKey,
        schema::{communication_metrics as c, message_external_ids as m},
    },
    fold::{
        addresses::{self, AddressRow, METRIC_OWNER},
        match_strength::{DATABASE, EMBEDDED, TIMESTAMP},
    },
};

/// Rows of one step.
const BATCH_SIZE: i64 = 200;

/// Ids that one step scans for unmatched rows.
const SCAN_SPAN: i64 = 20_000;

/// Messages of the application that the first sweep after a start scans.
const FIRST_SPAN: i64 = 100_000;

/// Messages that each further sweep scans again, because ids are assigned before their transactions commit.
const OVERLAP: i64 = 5_000;

/// An unmatched message.
#[derive(diesel::Queryable, diesel::Selectable)]
#[diesel(table_name = m)]
struct UnmatchedRow {
    id: i64,
    service_type: String,
    account: String,
    channel: Option<String>,
    recipient: Option<String>,
    embedded_id: Option<String>,
    status_at: Option<NaiveDateTime>,
}

impl UnmatchedRow {
    fn sent(&self) -> Option<Sent<'_>> {
        let Self { service_type, account, channel, recipient, status_at, .. } = self;
        let (channel, recipient) = (channel.as_deref(), recipient.as_deref());
        Some(Sent { service_type, account, channel, recipient, at: (*status_at)? })
    }
}

/// Progress of one gateway's sweeps.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Progress {
    /// The newest message of the application that was scanned.
    pub(crate) metric: Option<i64>,
    /// The oldest unmatched row that was scanned. The next sweep continues there and starts over at the end.
    pub(crate) unmatched: Option<i64>,
}

/// The id after which a sweep scans the application's messages.
pub(crate) fn first_id(connection: &mut Connection, progress: Progress) -> QueryResult<i64> {
    if let Some(metric) = progress.metric {
        return Ok(metric - OVERLAP);
    }
    let last: Option<i64> = on_either!(connection, c => c::table.select(diesel::dsl::max(c::id)).first(c))?;
    Ok(last.unwrap_or(0) - FIRST_SPAN)
}

/// Copies the application's mappings to all rows of their external ids; returns true if there may be more.
pub(crate) fn propagate_mappings(connection: &mut Connection) -> QueryResult<bool> {
    let own = m::table
        .filter(m::message_id.is_not_null())
        .filter(m::matched_id.is_null().or(m::matched_id.ne(m::message_id)))
        .limit(BATCH_SIZE);
    let mappings: Vec<LinkRow> = on_either!(connection, c => own.select(LinkRow::as_select()).load(c))?;
    let mapped: BTreeSet<MessageKey> = mappings.iter().map(LinkRow::id_key).collect();
    let locks: BTreeSet<Lock> = mapped.iter().map(Lock::message).collect();
    connection.transaction(|connection| {
        advisory_locks::take(connection, &locks)?;
        for id in &mapped {
            // Read again under the lock, because the application may have changed its mapping.
            let rows = link::link_rows(connection, id)?;
            let message = rows.iter().filter(|row| row.matched_id != row.message_id).find_map(|row| row.message_id);
            let Some(message) = message else { continue };
            rows.iter().try_for_each(|row| link::set_match(connection, row, message, DATABASE))?;
        }
        Ok(is_full(mappings.len()))
    })
}

fn is_full(rows: usize) -> bool {
    rows == usize::try_from(BATCH_SIZE).unwrap_or(0)
}

/// Links rows that carry references to the application's next messages; returns the last message's id, and true if there may be more.
pub(crate) fn link_new_messages(connection: &mut Connection, after: i64, options: &Options) -> QueryResult<(i64, bool)> {
    let next = c::table.filter(c::id.gt(after)).order(c::id).limit(BATCH_SIZE).select((c::id, c::reference, c::recipient));
    let metrics: Vec<(i64, Option<String>, Option<String>)> = on_either!(connection, c => next.load(c))?;
    let last = metrics.last().map_or(after, |(id, ..)| *id);
    if options.timestamp_window.is_some() {
        let rows = metrics.iter().flat_map(|(id, _, to)| AddressRow::for_owner(METRIC_OWNER, *id, to.as_deref(), None)).collect();
        connection.transaction(|connection| addresses::insert(connection, &rows))?;
    }
    if options.matches_embedded {
        let ids = metrics.iter().map(|(id, ..)| id.to_string());
        let references = metrics.iter().filter_map(|(_, reference, _)| reference.clone());
        link_embedded(connection, &ids.chain(references).collect(), options)?;
    }
    Ok((last, is_full(metrics.len())))
}

/// Matches unmatched rows before that id, newest first; returns where to continue, or nothing at the end.
pub(crate) fn match_unmatched(connection: &mut Connection, before: Option<i64>, options: &Options) -> QueryResult<Option<i64>> {
    let Some(before) = before.map_or_else(|| next_id(connection), |before| Ok(Some(before)))? else { return Ok(None) };
    let first = before - SCAN_SPAN;
    let rows = unmatched(connection, first, before, options)?;
    if options.matches_embedded {
        link_embedded(connection, &rows.iter().filter_map(|row| row.embedded_id.clone()).collect(), options)?;
    }
    match_all_by_time(connection, &rows, options)?;
    let last = if is_full(rows.len()) { rows.last().map_or(first, |row| row.id) } else { first };
    Ok((last > 0).then_some(last))
}

/// Matches the newest unmatched rows by time, if enabled.
pub(crate) fn match_newest_by_time(connection: &mut Connection, options: &Options) -> QueryResult<()> {
    if options.timestamp_window.is_none() {
        return Ok(());
    }
    let Some(before) = next_id(connection)? else { return Ok(()) };
    let rows = unmatched(connection, before - SCAN_SPAN, before, options)?;
    match_all_by_time(connection, &rows, options)
}

/// The id after the newest row.
fn next_id(connection: &mut Connection) -> QueryResult<Option<i64>> {
    let last: Option<i64> = on_either!(connection, c => m::table.select(diesel::dsl::max(m::id)).first(c))?;
    Ok(last.map(|last| last + 1))
}

/// Unmatched rows in a range of ids that have a reference or may be matched by time, newest first.
fn unmatched(connection: &mut Connection, first: i64, before: i64, options: &Options) -> QueryResult<Vec<UnmatchedRow>> {
    let in_range = m::table.filter(m::id.ge(first)).filter(m::id.lt(before)).filter(m::message_id.is_null());
    let matchable = in_range.filter(m::embedded_id.is_not_null().or(options.timestamp_window.is_some().into_sql::<Bool>()));
    let rows = matchable.order(m::id.desc()).limit(BATCH_SIZE);
    on_either!(connection, c => rows.select(UnmatchedRow::as_select()).load(c))
}

fn match_all_by_time(connection: &mut Connection, rows: &[UnmatchedRow], options: &Options) -> QueryResult<()> {
    if options.timestamp_window.is_none() {
        return Ok(());
    }
    let mut matches: BTreeMap<i64, i64> = BTreeMap::new();
    for row in rows {
        let Some(sent) = row.sent() else { continue };
        matches.extend(matching::find_by_time(connection, sent, options)?.map(|message| (row.id, message)));
    }
    matches.into_iter().try_for_each(|(id, message)| set_match_by_time(connection, id, message))
}

/// Matches a row that is still unmatched.
fn set_match_by_time(connection: &mut Connection, row: i64, message: i64) -> QueryResult<()> {
    let unmatched = m::table.filter(m::id.eq(row)).filter(m::message_id.is_null());
    let changes = (m::message_id.eq(message), m::matched_id.eq(message), m::matched_by.eq(TIMESTAMP));
    on_either!(connection, c => diesel::update(unmatched).set(changes).execute(c)).map(drop)
}

/// Matches rows that carry one of these references, in the order of their keys.
fn link_embedded(connection: &mut Connection, texts: &BTreeSet<String>, options: &Options) -> QueryResult<()> {
    let carried: BTreeSet<String> = rows_carrying(connection, texts)?.into_iter().map(|(text, _)| text).collect();
    if carried.is_empty() {
        return Ok(());
    }
    connection.transaction(|connection| {
        advisory_locks::take(connection, &carried.iter().map(|text| Lock::reference(text)).collect())?;
        let candidates = matching::find_candidates(connection, &carried.iter().map(String::as_str).collect())?;
        let mut matches: BTreeMap<LinkRow, i64> = BTreeMap::new();
        for (text, row) in rows_carrying(connection, texts)? {
            let message = candidates.find(&text, &row.service_type, &row.account, &options.unscoped_accounts);
            matches.extend(message.map(|message| (row, message)));
        }
        for (row, message) in matches {
            if row.message_id != Some(message) {
                link::set_match(connection, &row, message, EMBEDDED)?;
            }
        }
        Ok(())
    })
}

fn rows_carrying(connection: &mut Connection, texts: &BTreeSet<String>) -> QueryResult<Vec<(String, LinkRow)>> {
    link::link_rows_by_reference(connection, &texts.iter().map(String::as_str).collect::<Vec<_>>())
}
