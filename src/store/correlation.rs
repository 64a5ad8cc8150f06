//! How a message of a provider finds the application's own: by a mapping that the application made (`database`), by a
//! reference that the provider carried (`embedded`), or by time and recipient (`timestamp`). A stronger way replaces a
//! weaker one, never the other way round.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{NaiveDateTime, TimeDelta};
use diesel::{BoolExpressionMethods, ExpressionMethods, NullableExpressionMethods, QueryDsl, QueryResult, RunQueryDsl};

use super::{
    Options,
    commit::Writer,
    connection::for_both,
    record::Record,
    rows::MessageRow,
    schema::{communication_metrics as c, message_external_ids as m},
};

/// Ways of matching, weakest first. The place of a word in this text is its strength, in SQL as well.
pub(super) const STRENGTH_LADDER: &str = "timestamp embedded database";

/// The application told.
pub(super) const DATABASE: &str = "database";
/// The provider carried the application's reference.
pub(super) const EMBEDDED: &str = "embedded";
/// The only message to that recipient at about that time.
pub(super) const TIMESTAMP: &str = "timestamp";

/// How strong a match is; a mapping that says nothing of its origin was made by the application.
pub(super) fn strength(message_id: Option<i64>, matched_by: Option<&str>) -> usize {
    match (message_id, matched_by) {
        (None, _) => 0,
        (Some(_), None) => STRENGTH_LADDER.len(),
        (Some(_), Some(word)) => STRENGTH_LADDER.find(word).map_or(0, |place| place + 1),
    }
}

/// References carried by the events of these records.
pub(super) fn references<'r>(records: impl Iterator<Item = &'r Record>) -> BTreeSet<&'r str> {
    records.flat_map(Record::events).filter_map(|event| event.facts.embedded_id.as_deref()).collect()
}

/// The application's messages by what providers carry of them: its reference or, if none has it, the number of its row.
pub(super) fn by_reference(writer: &mut impl Writer, embedded: &BTreeSet<&str>) -> QueryResult<BTreeMap<String, i64>> {
    if embedded.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut found: BTreeMap<String, i64> =
        writer.references(&embedded.iter().copied().collect::<Vec<_>>())?.into_iter().collect();
    let numbers: Vec<i64> = embedded.iter().filter(|text| !found.contains_key(**text)).filter_map(|text| number(text)).collect();
    if !numbers.is_empty() {
        found.extend(writer.metrics(&numbers)?.into_iter().map(|id| (id.to_string(), id)));
    }
    Ok(found)
}

/// A row's number, if the text is nothing else.
fn number(text: &str) -> Option<i64> {
    text.parse().ok().filter(|number: &i64| number.to_string() == text)
}

impl MessageRow {
    /// Takes the application's message that the carried reference names.
    pub(super) fn match_embedded(&mut self, messages: &BTreeMap<String, i64>) {
        self.message_id = self.embedded_id.as_ref().and_then(|embedded| messages.get(embedded)).copied();
        self.matched_by = self.message_id.map(|_| EMBEDDED);
    }
}

/// Matches what is folded and has no match of its own yet: from another recipient's row of the same id, or by time.
pub(super) fn complete(writer: &mut impl Writer, row: &mut MessageRow, options: &Options) -> QueryResult<()> {
    if !row.recipient_key.is_empty() {
        let there = writer.siblings(row)?;
        let strongest = there.into_iter().max_by_key(|(id, by)| strength(*id, by.as_deref()));
        if let Some((id, by)) =
            strongest.filter(|(id, by)| strength(*id, by.as_deref()) > strength(row.message_id, row.matched_by))
        {
            row.message_id = id;
            row.matched_by = Some(match by.as_deref() {
                Some(EMBEDDED) => EMBEDDED,
                Some(TIMESTAMP) => TIMESTAMP,
                _ => DATABASE,
            });
        }
    }
    if row.message_id.is_none() && options.timestamp_window.is_some() {
        let at = row.status_at.unwrap_or(row.updated_at);
        row.message_id = guess(writer, row.channel, row.recipient.as_deref(), at, options)?;
        row.matched_by = row.message_id.map(|_| TIMESTAMP);
    }
    Ok(())
}

/// The one message by that channel to that recipient that was sent within the window; none if there are two.
pub(super) fn guess(
    writer: &mut impl Writer,
    channel: Option<&str>,
    recipient: Option<&str>,
    at: NaiveDateTime,
    options: &Options,
) -> QueryResult<Option<i64>> {
    let window = options.timestamp_window.and_then(|window| TimeDelta::from_std(window).ok());
    let (Some(channel), Some(recipient), Some(window)) = (channel, recipient, window) else { return Ok(None) };
    let from = at.checked_sub_signed(window).unwrap_or(NaiveDateTime::MIN);
    let to = at.checked_add_signed(window).unwrap_or(NaiveDateTime::MAX);
    Ok(match writer.sent_between(channel, recipient, from, to)?.as_slice() {
        [only] => Some(*only),
        _ => None,
    })
}

/// What is asked of either database.
pub(super) trait Correlation {
    /// Which of these references the application has, and the numbers of their rows.
    fn references(&mut self, references: &[&str]) -> QueryResult<Vec<(String, i64)>>;
    /// Which of these numbers are rows of the application.
    fn metrics(&mut self, numbers: &[i64]) -> QueryResult<Vec<i64>>;
    /// The matches of other rows of the same id.
    fn siblings(&mut self, row: &MessageRow) -> QueryResult<Vec<(Option<i64>, Option<String>)>>;
    /// Up to two messages that the application sent by that channel to that recipient between these instants.
    fn sent_between(&mut self, channel: &str, recipient: &str, from: NaiveDateTime, to: NaiveDateTime) -> QueryResult<Vec<i64>>;
    /// Maps every row of a provider's id to the application's message; how many there are.
    fn map(&mut self, service_type: &str, account: &str, external_id: &str, message: i64) -> QueryResult<usize>;
    /// Maps every row that carries one of these references and has no better match.
    fn adopt(&mut self, references: &[&str], message: i64) -> QueryResult<usize>;
}

for_both! {
    impl Correlation for Connection {
        fn references(&mut self, references: &[&str]) -> QueryResult<Vec<(String, i64)>> {
            let known = c::table.filter(c::reference.eq_any(references));
            known.select((c::reference.assume_not_null(), c::id)).load(self)
        }

        fn metrics(&mut self, numbers: &[i64]) -> QueryResult<Vec<i64>> {
            c::table.filter(c::id.eq_any(numbers)).select(c::id).load(self)
        }

        fn siblings(&mut self, row: &MessageRow) -> QueryResult<Vec<(Option<i64>, Option<String>)>> {
            m::table
                .filter(m::service_type.eq(row.service_type))
                .filter(m::account.eq(&row.account))
                .filter(m::external_id.eq(&row.external_id))
                .filter(m::message_id.is_not_null())
                .select((m::message_id, m::matched_by))
                .distinct()
                .load(self)
        }

        fn sent_between(
            &mut self,
            channel: &str,
            recipient: &str,
            from: NaiveDateTime,
            to: NaiveDateTime,
        ) -> QueryResult<Vec<i64>> {
            c::table
                .filter(c::recipient.eq(recipient))
                .filter(c::channel.eq(channel))
                .filter(c::sent_at.between(from, to))
                .limit(2)
                .select(c::id)
                .load(self)
        }

        fn map(&mut self, service_type: &str, account: &str, external_id: &str, message: i64) -> QueryResult<usize> {
            let rows = m::table
                .filter(m::service_type.eq(service_type))
                .filter(m::account.eq(account))
                .filter(m::external_id.eq(external_id));
            diesel::update(rows).set((m::message_id.eq(message), m::matched_by.eq(DATABASE))).execute(self)
        }

        fn adopt(&mut self, references: &[&str], message: i64) -> QueryResult<usize> {
            // With a conflict it may be the match of another, greater reference that was known earlier.
            let by_another = m::matched_by.eq(EMBEDDED).and(m::has_conflict);
            let rows = m::table
                .filter(m::embedded_id.eq_any(references))
                .filter(m::message_id.is_null().or(m::matched_by.eq(TIMESTAMP)).or(by_another));
            diesel::update(rows).set((m::message_id.eq(message), m::matched_by.eq(EMBEDDED))).execute(self)
        }
    }
}
