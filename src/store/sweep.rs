//! What is looked after every half minute: mappings and messages that the application wrote with plain SQL are linked, and
//! parts of long messages that have waited long enough are released. In short steps, between which callbacks are committed.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDateTime;
use diesel::{BoolExpressionMethods, ExpressionMethods, QueryDsl, QueryResult, RunQueryDsl, SelectableHelper};

use super::{
    Options,
    commit::{Identity, Writer},
    connection::for_both,
    correlation::{self, DATABASE, EMBEDDED, LinkRow, TIMESTAMP, guess},
    locks::Lock,
    schema::{communication_metrics as c, message_external_ids as m},
};

/// Rows of one step.
const STEP: i64 = 200;

/// How far back the first sweep looks after a start, in rows of the application.
const FIRST: i64 = 100_000;

/// How far each further sweep looks back: numbers are given out before their transactions end.
const OVERLAP: i64 = 5_000;

/// A message without a match: number, channel, recipient, reference, time.
type Unmatched = (i64, Option<String>, Option<String>, Option<String>, Option<NaiveDateTime>);

/// Where the sweeps of one gateway have come to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Progress {
    /// The newest message of the application that was looked at.
    pub(super) metric: Option<i64>,
    /// The oldest row without a match that was looked at; from there the next sweep goes on, and in the end around.
    pub(super) unmatched: Option<i64>,
}

/// Where a sweep starts among the application's messages.
pub(super) fn start(writer: &mut impl Writer, progress: Progress) -> QueryResult<i64> {
    Ok(match progress.metric {
        Some(metric) => metric - OVERLAP,
        None => writer.last_metric()?.unwrap_or(0) - FIRST,
    })
}

/// Carries mappings that the application made by itself to every row of their id; whether there may be more.
pub(super) fn explain(writer: &mut impl Writer) -> QueryResult<bool> {
    let mappings = writer.unexplained(STEP)?;
    let identity = |row: &LinkRow| Identity::of(&row.service_type, &row.account, &row.external_id, "");
    let mapped: BTreeSet<Identity> = mappings.iter().map(identity).collect();
    let lock = |row: &LinkRow| Lock::message(&row.service_type, &row.account, &row.external_id);
    let locks: BTreeSet<Lock> = mappings.iter().map(lock).collect();
    writer.atomically(|writer| {
        writer.lock(&locks)?;
        for id in &mapped {
            // Read again under the lock: the application may have changed its mapping in between.
            let rows = writer.rows_of(id)?;
            let message = rows.iter().filter(|row| row.matched_id != row.message_id).find_map(|row| row.message_id);
            let Some(message) = message else { continue };
            rows.iter().try_for_each(|row| writer.set_match(row, message, DATABASE))?;
        }
        Ok(is_full(mappings.len()))
    })
}

fn is_full(rows: usize) -> bool {
    rows == usize::try_from(STEP).unwrap_or(0)
}

/// Links what waits for the application's messages behind that number; the last number, and whether there may be more.
pub(super) fn link(writer: &mut impl Writer, after: i64, options: &Options) -> QueryResult<(i64, bool)> {
    let metrics = writer.metrics_after(after, STEP)?;
    let last = metrics.last().map_or(after, |(id, _)| *id);
    if options.matches_embedded {
        let numbers = metrics.iter().map(|(id, _)| id.to_string());
        let references = metrics.iter().filter_map(|(_, reference)| reference.clone());
        link_embedded(writer, &numbers.chain(references).collect())?;
    }
    Ok((last, is_full(metrics.len())))
}

/// Looks at rows without a match, newest first from that number on; the last number, or nothing at the end.
pub(super) fn match_unmatched(writer: &mut impl Writer, before: Option<i64>, options: &Options) -> QueryResult<Option<i64>> {
    let rows = writer.unmatched_before(before.unwrap_or(i64::MAX), STEP)?;
    if options.matches_embedded {
        link_embedded(writer, &rows.iter().filter_map(|(.., reference, _)| reference.clone()).collect())?;
    }
    guess_all(writer, &rows, options)?;
    Ok(rows.last().map(|(id, ..)| *id).filter(|_| is_full(rows.len())))
}

/// Guesses for the newest rows without a match, if that is asked for.
pub(super) fn guess_newest(writer: &mut impl Writer, options: &Options) -> QueryResult<()> {
    if options.timestamp_window.is_none() {
        return Ok(());
    }
    let rows = writer.unmatched_before(i64::MAX, STEP)?;
    guess_all(writer, &rows, options)
}

fn guess_all(writer: &mut impl Writer, rows: &[Unmatched], options: &Options) -> QueryResult<()> {
    if options.timestamp_window.is_none() {
        return Ok(());
    }
    let mut guesses: BTreeMap<i64, i64> = BTreeMap::new();
    for (id, channel, recipient, _, at) in rows {
        let message = at.map(|at| guess(writer, channel.as_deref(), recipient.as_deref(), at, options)).transpose()?.flatten();
        guesses.extend(message.map(|message| (*id, message)));
    }
    guesses.into_iter().try_for_each(|(id, message)| writer.match_by_time(id, message))
}

/// Matches rows that carry one of these texts, in the order in which their table is written.
fn link_embedded(writer: &mut impl Writer, texts: &BTreeSet<String>) -> QueryResult<()> {
    let waiting = |writer: &mut _| carrying(writer, texts);
    let carried: BTreeSet<String> = waiting(writer)?.into_iter().map(|(text, _)| text).collect();
    if carried.is_empty() {
        return Ok(());
    }
    writer.atomically(|writer| {
        writer.lock(&carried.iter().map(|text| Lock::reference(text)).collect())?;
        let messages = correlation::by_reference(writer, &carried.iter().map(String::as_str).collect())?;
        let rows = waiting(writer)?.into_iter().filter_map(|(text, row)| Some((row, *messages.get(&text)?)));
        for (row, message) in rows.collect::<BTreeMap<LinkRow, i64>>() {
            if row.message_id != Some(message) {
                writer.set_match(&row, message, EMBEDDED)?;
            }
        }
        Ok(())
    })
}

fn carrying(writer: &mut impl Writer, texts: &BTreeSet<String>) -> QueryResult<Vec<(String, LinkRow)>> {
    writer.rows_carrying(&texts.iter().map(String::as_str).collect::<Vec<_>>())
}

/// What is asked of either database.
pub(super) trait Sweep {
    /// The number of the application's newest message.
    fn last_metric(&mut self) -> QueryResult<Option<i64>>;
    /// Mappings that are not the gateway's own.
    fn unexplained(&mut self, limit: i64) -> QueryResult<Vec<LinkRow>>;
    /// Numbers and references of the application's messages behind that number.
    fn metrics_after(&mut self, after: i64, limit: i64) -> QueryResult<Vec<(i64, Option<String>)>>;
    /// Rows without a match before that number, newest first.
    fn unmatched_before(&mut self, before: i64, limit: i64) -> QueryResult<Vec<Unmatched>>;
    /// Matches a row that has no match yet.
    fn match_by_time(&mut self, row: i64, message: i64) -> QueryResult<()>;
}

for_both! {
    impl Sweep for Connection {
        fn last_metric(&mut self) -> QueryResult<Option<i64>> {
            c::table.select(diesel::dsl::max(c::id)).first(self)
        }

        fn unexplained(&mut self, limit: i64) -> QueryResult<Vec<LinkRow>> {
            m::table
                .filter(m::message_id.is_not_null())
                .filter(m::matched_id.is_null().or(m::matched_id.ne(m::message_id)))
                .limit(limit)
                .select(LinkRow::as_select())
                .load(self)
        }

        fn metrics_after(&mut self, after: i64, limit: i64) -> QueryResult<Vec<(i64, Option<String>)>> {
            c::table.filter(c::id.gt(after)).order(c::id).limit(limit).select((c::id, c::reference)).load(self)
        }

        fn unmatched_before(&mut self, before: i64, limit: i64) -> QueryResult<Vec<Unmatched>> {
            m::table
                .filter(m::message_id.is_null())
                .filter(m::id.lt(before))
                .order(m::id.desc())
                .limit(limit)
                .select((m::id, m::channel, m::recipient, m::embedded_id, m::status_at))
                .load(self)
        }

        fn match_by_time(&mut self, row: i64, message: i64) -> QueryResult<()> {
            diesel::update(m::table.filter(m::id.eq(row)).filter(m::message_id.is_null()))
                .set((m::message_id.eq(message), m::matched_id.eq(message), m::matched_by.eq(TIMESTAMP)))
                .execute(self)
                .map(drop)
        }
    }
}
