//! How a message of a provider finds the application's own: by a mapping that the application made (`database`), by a
//! reference that the provider carried (`embedded`), or by time and recipient (`timestamp`). A stronger way replaces a
//! weaker one, never the other way round.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{NaiveDateTime, TimeDelta};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, NullableExpressionMethods, QueryDsl, QueryResult, RunQueryDsl, SelectableHelper,
};

use super::{
    Options,
    commit::{Identity, Writer},
    connection::for_both,
    record::Record,
    rows::MessageRow,
    schema::{communication_metrics as c, message_external_ids as m},
};
use crate::event::Event;

/// Ways of matching, weakest first. The place of a word in this text is its strength, in SQL as well.
pub(super) const STRENGTH_LADDER: &str = "timestamp embedded database";

/// The application told.
pub(super) const DATABASE: &str = "database";
/// The provider carried the application's reference.
pub(super) const EMBEDDED: &str = "embedded";
/// The only message to that recipient at about that time.
pub(super) const TIMESTAMP: &str = "timestamp";

/// How strong a match is. One that is not the gateway's own, or whose word is not known, was made by the application.
pub(super) fn strength(message_id: Option<i64>, matched_id: Option<i64>, matched_by: Option<&str>) -> usize {
    let of_word = |word: &str| STRENGTH_LADDER.find(word).filter(|_| !word.is_empty()).map(|place| place + 1);
    match message_id {
        None => 0,
        Some(_) if message_id != matched_id => STRENGTH_LADDER.len(),
        Some(_) => matched_by.and_then(of_word).unwrap_or(STRENGTH_LADDER.len()),
    }
}

/// References carried by the events of these records.
pub(super) fn references<'r>(records: impl Iterator<Item = &'r Record>) -> BTreeSet<&'r str> {
    records.flat_map(Record::events).filter_map(Event::reference).collect()
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
        let message = self.embedded_id.as_ref().and_then(|embedded| messages.get(embedded)).copied();
        self.set_match(message, message.map(|_| EMBEDDED));
    }

    /// Takes the one message by that channel to that recipient that was sent at about that time.
    pub(super) fn match_by_time(&mut self, writer: &mut impl Writer, options: &Options) -> QueryResult<()> {
        if self.message_id.is_none() && options.timestamp_window.is_some() {
            let at = self.status_at.unwrap_or(self.updated_at);
            let message = guess(writer, self.channel, self.recipient.as_deref(), at, options)?;
            self.set_match(message, message.map(|_| TIMESTAMP));
        }
        Ok(())
    }
}

/// Gives all rows of one id, which are one message to several recipients, the strongest match that any of them has: those of
/// this transaction, and those that are there.
pub(super) fn share(writer: &mut impl Writer, rows: &mut BTreeMap<Identity, MessageRow>, id: &Identity) -> QueryResult<()> {
    let there = writer.rows_of(id)?;
    let of_there = there.iter().map(|row| (row.strength(), row.message_id, row.word()));
    let of_new = rows.iter().filter(|(key, _)| key.is_of(id)).map(|(_, row)| (row.strength(), row.message_id, row.matched_by));
    let strongest = of_there.chain(of_new).max_by_key(|(strength, ..)| *strength);
    let Some((strength, message @ Some(number), word)) = strongest else { return Ok(()) };
    for (_, row) in rows.iter_mut().filter(|(key, row)| key.is_of(id) && row.strength() < strength) {
        row.set_match(message, word);
    }
    // What is written below as well would be folded into the same.
    for row in there.iter().filter(|row| row.message_id.is_none()) {
        writer.set_match(row, number, word.unwrap_or(DATABASE))?;
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

/// A message's row as correlation sees it; ordered as the table is written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, diesel::Queryable, diesel::Selectable)]
#[diesel(table_name = m)]
pub(super) struct LinkRow {
    pub service_type: String,
    pub account: String,
    pub external_id: String,
    pub recipient_key: String,
    pub id: i64,
    pub message_id: Option<i64>,
    pub matched_id: Option<i64>,
    pub matched_by: Option<String>,
}

impl LinkRow {
    pub(super) fn strength(&self) -> usize {
        strength(self.message_id, self.matched_id, self.matched_by.as_deref())
    }

    /// How it was matched, in a word of ours.
    fn word(&self) -> Option<&'static str> {
        let own = self.matched_by.as_deref().filter(|_| self.matched_id == self.message_id);
        [TIMESTAMP, EMBEDDED].into_iter().find(|word| own == Some(*word)).or(Some(DATABASE))
    }
}

/// What is asked of either database.
pub(super) trait Correlation {
    /// Which of these references the application has, and the numbers of their rows.
    fn references(&mut self, references: &[&str]) -> QueryResult<Vec<(String, i64)>>;
    /// Which of these numbers are rows of the application.
    fn metrics(&mut self, numbers: &[i64]) -> QueryResult<Vec<i64>>;
    /// Up to two messages that the application sent by that channel to that recipient between these instants.
    fn sent_between(&mut self, channel: &str, recipient: &str, from: NaiveDateTime, to: NaiveDateTime) -> QueryResult<Vec<i64>>;
    /// Every row of a provider's id.
    fn rows_of(&mut self, id: &Identity) -> QueryResult<Vec<LinkRow>>;
    /// Rows that carry one of these references and are not matched by it: not at all, by time, or by a text that is not the
    /// reference of the message it led to.
    fn rows_carrying(&mut self, references: &[&str]) -> QueryResult<Vec<(String, LinkRow)>>;
    /// Matches one row, unless the application has mapped it since it was read.
    fn set_match(&mut self, row: &LinkRow, message: i64, matched_by: &str) -> QueryResult<()>;
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

        fn rows_of(&mut self, id: &Identity) -> QueryResult<Vec<LinkRow>> {
            let [service_type, account, external_id, _] = id.parts();
            m::table
                .filter(m::service_type.eq(service_type))
                .filter(m::account.eq(account))
                .filter(m::external_id.eq(external_id))
                .order(m::recipient_key)
                .select(LinkRow::as_select())
                .load(self)
        }

        fn rows_carrying(&mut self, references: &[&str]) -> QueryResult<Vec<(String, LinkRow)>> {
            let is_own = m::matched_id.eq(m::message_id);
            let is_other = m::matched_by.eq(EMBEDDED).and(c::reference.is_null().or(c::reference.ne(m::embedded_id)));
            m::table
                .left_join(c::table)
                .filter(m::embedded_id.eq_any(references))
                .filter(m::message_id.is_null().or(is_own.and(m::matched_by.eq(TIMESTAMP).or(is_other))))
                .select((m::embedded_id.assume_not_null(), LinkRow::as_select()))
                .load(self)
        }

        fn set_match(&mut self, row: &LinkRow, message: i64, matched_by: &str) -> QueryResult<()> {
            let is_as_read = m::message_id.is_null().or(m::message_id.eq(row.message_id));
            let as_read = m::table.filter(m::id.eq(row.id)).filter(is_as_read);
            diesel::update(as_read)
                .set((m::message_id.eq(message), m::matched_id.eq(message), m::matched_by.eq(matched_by)))
                .execute(self)
                .map(drop)
        }
    }
}
