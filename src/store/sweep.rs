//! What is looked after every half minute: mappings and messages that the application wrote with plain SQL are linked, and
//! parts of long messages that have waited long enough are released. In short steps, so that callbacks never wait for it.

use std::collections::BTreeMap;

use chrono::NaiveDateTime;
use diesel::{BoolExpressionMethods, ExpressionMethods, NullableExpressionMethods, QueryDsl, QueryResult, RunQueryDsl};

use super::{
    Options,
    commit::Writer,
    connection::for_both,
    correlation::{EMBEDDED, TIMESTAMP, guess},
    schema::{communication_metrics as c, message_external_ids as m},
};

/// Rows of one step.
const STEP: i64 = 500;

/// How far back the first sweep looks after a start, in rows of the application.
const FIRST: i64 = 100_000;

/// How far each further sweep looks back: numbers are given out before their transactions end.
const OVERLAP: i64 = 5_000;

/// A mapping that the application made: provider, account, external id and message.
pub(super) type Mapping = (String, String, String, Option<i64>);

/// A message of the application: number, reference, channel, recipient.
pub(super) type Metric = (i64, Option<String>, Option<String>, Option<String>);

/// A message without a match: number, channel, recipient, time.
pub(super) type Unmatched = (i64, Option<String>, Option<String>, Option<NaiveDateTime>);

/// Where a sweep that has come to `linked` starts.
pub(super) fn start(writer: &mut impl Writer, linked: Option<i64>) -> QueryResult<i64> {
    Ok(match linked {
        Some(linked) => linked - OVERLAP,
        None => writer.last_metric()?.unwrap_or(0) - FIRST,
    })
}

/// Carries mappings that say nothing of their origin to every row of their id; whether there may be more.
pub(super) fn explain(writer: &mut impl Writer) -> QueryResult<bool> {
    writer.atomically(|writer| {
        let mappings = writer.unexplained(STEP)?;
        let is_full = mappings.len() == usize::try_from(STEP).unwrap_or(0);
        // Sorted, as every table is written.
        let distinct: BTreeMap<(String, String, String), i64> = mappings
            .into_iter()
            .filter_map(|(service_type, account, external_id, message)| Some(((service_type, account, external_id), message?)))
            .collect();
        for ((service_type, account, external_id), message) in distinct {
            writer.map(&service_type, &account, &external_id, message)?;
        }
        Ok(is_full)
    })
}

/// Links callbacks to the messages of the application behind that number; the last number, if there may be more.
pub(super) fn link(writer: &mut impl Writer, after: i64, options: &Options) -> QueryResult<(i64, bool)> {
    writer.atomically(|writer| {
        let metrics = writer.metrics_after(after, STEP)?;
        let last = metrics.last().map_or(after, |(id, ..)| *id);
        let is_full = metrics.len() == usize::try_from(STEP).unwrap_or(0);
        if options.matches_embedded {
            link_embedded(writer, &metrics)?;
        }
        if options.timestamp_window.is_some() {
            let recipients: Vec<&str> = metrics.iter().filter_map(|(_, _, _, recipient)| recipient.as_deref()).collect();
            for (id, channel, recipient, at) in writer.unmatched_to(&recipients, STEP)? {
                let Some(at) = at else { continue };
                if let Some(message) = guess(writer, channel.as_deref(), recipient.as_deref(), at, options)? {
                    writer.match_by_time(id, message)?;
                }
            }
        }
        Ok((last, is_full))
    })
}

/// A reference is stronger than the number of a row, so numbers come first and are not overwritten by other numbers only.
fn link_embedded(writer: &mut impl Writer, metrics: &[Metric]) -> QueryResult<()> {
    let mut carried: BTreeMap<String, i64> = BTreeMap::new();
    for (id, ..) in metrics {
        carried.insert(id.to_string(), *id);
    }
    for (id, reference, ..) in metrics {
        carried.extend(reference.clone().map(|reference| (reference, *id)));
    }
    let names: Vec<&str> = carried.keys().map(String::as_str).collect();
    // Few of them wait, mostly none: only these are written, in the order of their keys.
    for embedded in writer.waiting(&names)? {
        let as_reference = writer.references(&[&embedded])?.first().map(|(_, id)| *id);
        if let Some(message) = as_reference.or_else(|| carried.get(&embedded).copied()) {
            writer.adopt(&[&embedded], message)?;
        }
    }
    Ok(())
}

/// What is asked of either database.
pub(super) trait Sweep {
    /// The number of the application's newest message.
    fn last_metric(&mut self) -> QueryResult<Option<i64>>;
    /// Mappings without a word on their origin.
    fn unexplained(&mut self, limit: i64) -> QueryResult<Vec<Mapping>>;
    /// Messages of the application behind that number.
    fn metrics_after(&mut self, after: i64, limit: i64) -> QueryResult<Vec<Metric>>;
    /// Which of these references are carried by rows that may have to be matched anew.
    fn waiting(&mut self, references: &[&str]) -> QueryResult<Vec<String>>;
    /// Rows without a match to these recipients.
    fn unmatched_to(&mut self, recipients: &[&str], limit: i64) -> QueryResult<Vec<Unmatched>>;
    /// Matches a row that has no match yet.
    fn match_by_time(&mut self, row: i64, message: i64) -> QueryResult<()>;
}

for_both! {
    impl Sweep for Connection {
        fn last_metric(&mut self) -> QueryResult<Option<i64>> {
            c::table.select(diesel::dsl::max(c::id)).first(self)
        }

        fn unexplained(&mut self, limit: i64) -> QueryResult<Vec<Mapping>> {
            let made = m::table.filter(m::message_id.is_not_null()).filter(m::matched_by.is_null());
            made.limit(limit).select((m::service_type, m::account, m::external_id, m::message_id)).load(self)
        }

        fn metrics_after(&mut self, after: i64, limit: i64) -> QueryResult<Vec<Metric>> {
            let further = c::table.filter(c::id.gt(after)).order(c::id).limit(limit);
            further.select((c::id, c::reference, c::channel, c::recipient)).load(self)
        }

        fn waiting(&mut self, references: &[&str]) -> QueryResult<Vec<String>> {
            let rows = m::table
                .filter(m::embedded_id.eq_any(references))
                .filter(m::message_id.is_null().or(m::matched_by.eq(TIMESTAMP)).or(m::matched_by.eq(EMBEDDED).and(m::has_conflict)));
            rows.select(m::embedded_id.assume_not_null()).distinct().order(m::embedded_id).load(self)
        }

        fn unmatched_to(&mut self, recipients: &[&str], limit: i64) -> QueryResult<Vec<Unmatched>> {
            let rows = m::table.filter(m::message_id.is_null()).filter(m::recipient.eq_any(recipients));
            rows.order(m::id.desc()).limit(limit).select((m::id, m::channel, m::recipient, m::status_at)).load(self)
        }

        fn match_by_time(&mut self, row: i64, message: i64) -> QueryResult<()> {
            diesel::update(m::table.filter(m::id.eq(row)).filter(m::message_id.is_null()))
                .set((m::message_id.eq(message), m::matched_by.eq(TIMESTAMP)))
                .execute(self)
                .map(drop)
        }
    }
}
