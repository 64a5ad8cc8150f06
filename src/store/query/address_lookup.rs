//! Look-ups by address, in any of its forms, in `message_addresses`. The newest messages are not indexed yet, so their rows are
//! scanned as well.

use std::collections::BTreeSet;

use diesel::{BoolExpressionMethods, ExpressionMethods, QueryDsl, QueryResult, RunQueryDsl};

use super::scan::{CANDIDATE_LIMIT, Candidates, MAX_CANDIDATES};
use crate::{
    address,
    store::{
        db::{
            connection::{Connection, on_either},
            positions::{self, ADDRESSES},
            schema::{message_addresses as a, message_external_ids as m},
        },
        fold::addresses::{INBOUND_OWNER, MAPPING_OWNER, RECIPIENT, SENDER},
    },
};

/// The table whose addresses are looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AddressOwner {
    Mapping,
    Inbound,
}

/// The rows that have an address in one of these roles, in the notation of an operator, newest first.
pub(crate) fn candidates<'f>(owner: AddressOwner, roles: &'static [&'static str], text: &str) -> Candidates<'f> {
    let keys = address::typed_keys(text);
    Box::new(move |connection, below| {
        let mut ids: BTreeSet<i64> = BTreeSet::new();
        // Scanned before the index, which has those that are indexed in the meantime.
        if owner == AddressOwner::Mapping && !keys.is_empty() {
            ids.extend(unindexed(connection, roles, &keys, below)?);
        }
        for key in &keys {
            for role in roles {
                ids.extend(indexed(connection, owner, role, key, below)?);
            }
        }
        Ok(ids.into_iter().rev().take(MAX_CANDIDATES).collect())
    })
}

fn indexed(connection: &mut Connection, owner: AddressOwner, role: &str, key: &str, below: i64) -> QueryResult<Vec<i64>> {
    let owner = if owner == AddressOwner::Mapping { MAPPING_OWNER } else { INBOUND_OWNER };
    let rows = a::table
        .filter(a::address.eq(key))
        .filter(a::owner.eq(owner))
        .filter(a::role.eq(role))
        .filter(a::owner_id.lt(below))
        .order(a::owner_id.desc())
        .limit(CANDIDATE_LIMIT)
        .select(a::owner_id);
    on_either!(connection, c => rows.load(c))
}

/// Messages that are read at once, because their texts may be long.
const UNINDEXED_STEP: i64 = 256;

/// Matching messages that have not been indexed yet.
fn unindexed(connection: &mut Connection, roles: &[&str], keys: &[String], below: i64) -> QueryResult<Vec<i64>> {
    let indexed = positions::get(connection, ADDRESSES)?.id;
    let has_key =
        |text: &Option<String>| text.as_ref().is_some_and(|text| address::lookup_keys(text).iter().any(|key| keys.contains(key)));
    let matches = |(_, recipient, sender): &(i64, Option<String>, Option<String>)| {
        (roles.contains(&RECIPIENT) && has_key(recipient)) || (roles.contains(&SENDER) && has_key(sender))
    };
    let (mut found, mut below) = (Vec::new(), below);
    loop {
        let rows = m::table
            .filter(m::id.gt(indexed).and(m::id.lt(below)))
            .filter(m::recipient.is_not_null().or(m::sender.is_not_null()))
            .order(m::id.desc())
            .limit(UNINDEXED_STEP)
            .select((m::id, m::recipient, m::sender));
        let rows: Vec<(i64, Option<String>, Option<String>)> = on_either!(connection, c => rows.load(c))?;
        let Some((last, ..)) = rows.last() else { return Ok(found) };
        below = *last;
        found.extend(rows.into_iter().filter(matches).map(|(id, ..)| id));
    }
}
