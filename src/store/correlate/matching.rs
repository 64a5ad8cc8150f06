//! Matches a provider's message with the application's: by a mapping that the application made (`database`), by a reference in the
//! callback (`embedded`), or by time and recipient (`timestamp`). Only a stronger method replaces a match.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use chrono::{NaiveDateTime, TimeDelta};
use diesel::{ExpressionMethods, NullableExpressionMethods, QueryDsl, QueryResult, RunQueryDsl};

use super::link::{LinkRow, link_rows_of_ids, set_match};
use crate::store::{
    Options,
    db::{
        connection::{Connection, on_either},
        key::MessageKey,
        schema::communication_metrics as c,
    },
    fold::{
        match_strength::{DATABASE, EMBEDDED, TIMESTAMP},
        message::{MessageState, Messages, Word},
    },
};

/// Ids of the application's messages by the reference in the callback.
pub(crate) type Matches = BTreeMap<String, i64>;

/// Finds the application's messages by their references or, if none has that reference, by their ids.
pub(crate) fn find_by_references(connection: &mut Connection, embedded: &BTreeSet<&str>) -> QueryResult<Matches> {
    if embedded.is_empty() {
        return Ok(Matches::new());
    }
    let texts: Vec<&str> = embedded.iter().copied().collect();
    let known = c::table.filter(c::reference.eq_any(texts)).select((c::reference.assume_not_null(), c::id));
    let mut found: Matches = on_either!(connection, c => known.load(c))?.into_iter().collect();
    let ids: Vec<i64> = embedded.iter().filter(|text| !found.contains_key(**text)).filter_map(|text| parse_id(text)).collect();
    if !ids.is_empty() {
        let rows = c::table.filter(c::id.eq_any(&ids)).select(c::id);
        let existing: Vec<i64> = on_either!(connection, c => rows.load(c))?;
        found.extend(existing.into_iter().map(|id| (id.to_string(), id)));
    }
    Ok(found)
}

/// Parses an id in its canonical form.
fn parse_id(text: &str) -> Option<i64> {
    text.parse().ok().filter(|id: &i64| id.to_string() == text)
}

/// Matches the message that the embedded reference names.
pub(crate) fn match_embedded(state: &mut Cow<'_, MessageState>, matches: &Matches) {
    let message = state.embedded_id.as_ref().and_then(|embedded| matches.get(embedded)).copied();
    if message.is_some() {
        state.to_mut().set_match(message, Some(Word::Borrowed(EMBEDDED)));
    }
}

/// Matches the only message on that channel to that recipient at about that time.
pub(crate) fn match_by_time(
    connection: &mut Connection,
    state: &mut Cow<'_, MessageState>,
    options: &Options,
) -> QueryResult<()> {
    if state.message_id.is_none() && options.timestamp_window.is_some() {
        let at = state.status_at.unwrap_or(state.updated_at).naive();
        let message = find_by_time(connection, state.channel.as_deref(), state.recipient.as_deref(), at, options)?;
        if message.is_some() {
            state.to_mut().set_match(message, Some(Word::Borrowed(TIMESTAMP)));
        }
    }
    Ok(())
}

/// Gives all rows of each external id, which are one message to several recipients, the strongest match of any of them: the rows of
/// this transaction and the existing ones.
pub(crate) fn share_matches(
    connection: &mut Connection,
    messages: &mut Messages<'_>,
    ids: &BTreeSet<MessageKey>,
) -> QueryResult<()> {
    let mut existing: BTreeMap<MessageKey, Vec<LinkRow>> = BTreeMap::new();
    let mut rows = link_rows_of_ids(connection, ids)?;
    // Every gateway locks rows in the order of their keys.
    rows.sort_unstable();
    for row in rows {
        existing.entry(row.id_key()).or_default().push(row);
    }
    ids.iter().try_for_each(|id| share_match(connection, messages, id, existing.get(id).map_or(&[], Vec::as_slice)))
}

fn share_match(
    connection: &mut Connection,
    messages: &mut Messages<'_>,
    id: &MessageKey,
    existing: &[LinkRow],
) -> QueryResult<()> {
    let old = existing.iter().map(|row| (row.strength(), row.message_id, Some(Word::Borrowed(row.method()))));
    let new = messages.iter().filter(|(key, _)| key.has_same_id(id));
    let new = new.map(|(_, state)| (state.strength(), state.message_id, state.matched_by.clone()));
    let strongest = old.chain(new).max_by_key(|(strength, ..)| *strength);
    let Some((strength, message @ Some(message_id), method)) = strongest else { return Ok(()) };
    for (_, state) in messages.iter_mut().filter(|(key, state)| key.has_same_id(id) && state.strength() < strength) {
        state.to_mut().set_match(message, method.clone());
    }
    // Rows that this transaction also writes later are folded into the same match.
    for row in existing.iter().filter(|row| row.message_id.is_none()) {
        set_match(connection, row, message_id, method.as_deref().unwrap_or(DATABASE))?;
    }
    Ok(())
}

/// The message on that channel to that recipient that was sent within the window; none if there is more than one.
pub(crate) fn find_by_time(
    connection: &mut Connection,
    channel: Option<&str>,
    recipient: Option<&str>,
    at: NaiveDateTime,
    options: &Options,
) -> QueryResult<Option<i64>> {
    let window = options.timestamp_window.and_then(|window| TimeDelta::from_std(window).ok());
    let (Some(channel), Some(recipient), Some(window)) = (channel, recipient, window) else { return Ok(None) };
    let from = at.checked_sub_signed(window).unwrap_or(NaiveDateTime::MIN);
    let to = at.checked_add_signed(window).unwrap_or(NaiveDateTime::MAX);
    let sent = c::table.filter(c::recipient.eq(recipient)).filter(c::channel.eq(channel)).filter(c::sent_at.between(from, to));
    let found: Vec<i64> = on_either!(connection, c => sent.limit(2).select(c::id).load(c))?;
    Ok(match found.as_slice() {
        [only] => Some(*only),
        _ => None,
    })
}
