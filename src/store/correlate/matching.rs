//! Matches a provider's message with the application's: by a mapping that the application made (`database`), by a reference in the
//! callback (`embedded`), or by time and recipient (`timestamp`). Only a stronger method replaces a match. The last two find only
//! messages within the callback's scope.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use chrono::{NaiveDateTime, TimeDelta};
use diesel::{BoolExpressionMethods, ExpressionMethods, NullableExpressionMethods, QueryDsl, QueryResult, RunQueryDsl};

use super::{
    link::{LinkRow, link_rows_of_ids, set_match},
    scope::{Scope, UnscopedAccounts},
};
use crate::{
    address,
    store::{
        Options,
        db::{
            connection::{Connection, on_either},
            key::MessageKey,
            schema::communication_metrics as c,
        },
        fold::{
            addresses,
            match_strength::{DATABASE, EMBEDDED, TIMESTAMP},
            message::{MessageState, Messages, Word},
        },
    },
};

/// The application's messages to which references in callbacks may refer: each with its id and scope.
#[derive(Default)]
pub(crate) struct Candidates {
    by_reference: BTreeMap<String, (i64, Scope)>,
    by_id: BTreeMap<i64, Scope>,
}

/// Finds the application's messages that have one of these references, or one of them as their id.
pub(crate) fn find_candidates(connection: &mut Connection, references: &BTreeSet<&str>) -> QueryResult<Candidates> {
    let mut candidates = Candidates::default();
    if references.is_empty() {
        return Ok(candidates);
    }
    let texts: Vec<&str> = references.iter().copied().collect();
    let known = c::table.filter(c::reference.eq_any(texts));
    let known = known.select((c::reference.assume_not_null(), c::id, (c::service_type, c::account)));
    let known: Vec<(String, i64, Scope)> = on_either!(connection, c => known.load(c))?;
    candidates.by_reference.extend(known.into_iter().map(|(reference, id, scope)| (reference, (id, scope))));
    let ids: Vec<i64> = references.iter().filter_map(|text| parse_id(text)).collect();
    if !ids.is_empty() {
        let rows = c::table.filter(c::id.eq_any(&ids)).select((c::id, (c::service_type, c::account)));
        candidates.by_id.extend(on_either!(connection, c => rows.load::<(i64, Scope)>(c))?);
    }
    Ok(candidates)
}

impl Candidates {
    /// The message to which a reference in that account's callbacks refers: the one that has it, otherwise the one whose id it is.
    pub(super) fn find(&self, reference: &str, service_type: &str, account: &str, unscoped: &UnscopedAccounts) -> Option<i64> {
        let named = self.by_reference.get(reference).filter(|(_, scope)| scope.includes(service_type, account, unscoped));
        named.map(|(id, _)| *id).or_else(|| {
            let id = parse_id(reference)?;
            self.by_id.get(&id).filter(|scope| scope.includes_id(service_type, account, unscoped)).map(|_| id)
        })
    }
}

/// Parses an id in its canonical form.
fn parse_id(text: &str) -> Option<i64> {
    text.parse().ok().filter(|id: &i64| id.to_string() == text)
}

/// Matches the message to which the embedded reference refers.
pub(crate) fn match_embedded(key: &MessageKey, state: &mut Cow<'_, MessageState>, candidates: &Candidates, options: &Options) {
    let find = |reference: &str| candidates.find(reference, &key.service_type, &key.account, &options.unscoped_accounts);
    let message = state.embedded_id.as_deref().and_then(find);
    if message.is_some() {
        state.to_mut().set_match(message, Some(Word::Borrowed(EMBEDDED)));
    }
}

/// Matches the only message on that channel to that recipient at about that time.
pub(crate) fn match_by_time(
    connection: &mut Connection,
    key: &MessageKey,
    state: &mut Cow<'_, MessageState>,
    options: &Options,
) -> QueryResult<()> {
    if state.message_id.is_none() && options.timestamp_window.is_some() {
        let at = state.status_at.unwrap_or(state.updated_at).naive();
        let sent = Sent {
            service_type: &key.service_type,
            account: &key.account,
            channel: state.channel.as_deref(),
            recipient: state.recipient.as_deref(),
            at,
        };
        let message = find_by_time(connection, sent, options)?;
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
    let new = messages.range::<MessageKey, _>(id..).take_while(|(key, _)| key.has_same_id(id));
    let new = new.map(|(_, state)| (state.strength(), state.message_id, state.matched_by.clone()));
    let strongest = old.chain(new).max_by_key(|(strength, ..)| *strength);
    let Some((strength, message @ Some(message_id), method)) = strongest else { return Ok(()) };
    let of_id = messages.range_mut::<MessageKey, _>(id..).take_while(|(key, _)| key.has_same_id(id));
    for (_, state) in of_id.filter(|(_, state)| state.strength() < strength) {
        state.to_mut().set_match(message, method.clone());
    }
    // Rows that this transaction also writes later are folded into the same match.
    for row in existing.iter().filter(|row| row.message_id.is_none()) {
        set_match(connection, row, message_id, method.as_deref().unwrap_or(DATABASE))?;
    }
    Ok(())
}

/// The message of a callback, as far as the application's message can be guessed from it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent<'s> {
    pub(super) service_type: &'s str,
    pub(super) account: &'s str,
    pub(super) channel: Option<&'s str>,
    pub(super) recipient: Option<&'s str>,
    pub(super) at: NaiveDateTime,
}

/// The account's message on that channel to that recipient, in any notation, that was sent within the window; none if there is more than
/// one.
pub(super) fn find_by_time(connection: &mut Connection, sent: Sent<'_>, options: &Options) -> QueryResult<Option<i64>> {
    let Sent { service_type, account, channel, recipient, at } = sent;
    let window = options.timestamp_window.and_then(|window| TimeDelta::from_std(window).ok());
    let (Some(channel), Some(recipient), Some(window)) = (channel, recipient, window) else { return Ok(None) };
    let from = at.checked_sub_signed(window).unwrap_or(NaiveDateTime::MIN);
    let to = at.checked_add_signed(window).unwrap_or(NaiveDateTime::MAX);
    let keys = address::lookup_keys(recipient);
    // The usual notations need no index of addresses, which has messages of plain SQL only after the next sweep.
    let usual: Vec<&str> = keys.iter().map(String::as_str).chain([recipient]).collect();
    let others = addresses::newest_metrics(connection, &keys)?;
    let accounts = options.unscoped_accounts.accounts_of(service_type, account);
    let sent = c::table
        .filter(c::channel.eq(channel))
        .filter(c::sent_at.between(from, to))
        .filter(c::service_type.is_null().or(c::service_type.eq(service_type)))
        .filter(c::account.eq_any(&accounts))
        .select((c::id, c::recipient.assume_not_null()));
    let mut found: BTreeSet<i64> = BTreeSet::new();
    let usual: Vec<(i64, String)> =
        on_either!(connection, c => sent.clone().filter(c::recipient.eq_any(&usual)).limit(2).load(c))?;
    found.extend(usual.into_iter().map(|(id, _)| id));
    if !others.is_empty() {
        let others = sent.filter(c::id.eq_any(&others)).filter(c::recipient.is_not_null());
        let others: Vec<(i64, String)> = on_either!(connection, c => others.load(c))?;
        // The recipient may have changed since it was indexed.
        let is_same = |(_, text): &(i64, String)| address::have_same_recipients(&address::lookup_keys(text), &keys);
        found.extend(others.into_iter().filter(is_same).map(|(id, _)| id));
    }
    Ok(found.first().copied().filter(|_| found.len() == 1))
}
