//! The address index of messages.

use std::collections::BTreeSet;

use diesel::{ExpressionMethods, QueryDsl, QueryResult, RunQueryDsl};

use super::BATCH_SIZE;
use crate::store::{
    db::{
        connection::{Connection, on_either},
        positions::{self, ADDRESSES, Position},
        schema::{inbound_messages as i, message_external_ids as m},
    },
    fold::addresses::{self, AddressRow, MAPPING_OWNER},
};

/// The position of the newest inbound message of an older version whose addresses are not indexed; 0 if there is none.
const OLD_INBOUND: &str = "message_addresses.old_inbound";

/// The texts of an inbound message: recipient, `received_for`, copies, blind copies, sender.
type InboundTexts = (Option<String>, Option<String>, Option<String>, Option<String>, Option<String>);

/// A message: id, recipient, sender.
type AddressedMessage = (i64, Option<String>, Option<String>);

/// The addresses of the next messages.
#[derive(Debug)]
pub(super) struct Step {
    rows: BTreeSet<AddressRow>,
    position: &'static str,
    from: Position,
    to: Position,
}

/// The addresses of the next messages up to that one; `None` if all are indexed.
pub(super) fn next(connection: &mut Connection, settled: i64) -> QueryResult<Option<Step>> {
    let from = positions::get(connection, ADDRESSES)?;
    let next = m::table.filter(m::id.gt(from.id)).filter(m::id.le(settled)).order(m::id).limit(BATCH_SIZE);
    let messages: Vec<AddressedMessage> = on_either!(connection, c => next.select((m::id, m::recipient, m::sender)).load(c))?;
    let Some(last) = messages.last().map(|(id, ..)| *id) else { return Ok(None) };
    let to = Position { txid: 0, id: last };
    let addresses = |(id, recipient, sender): &AddressedMessage| {
        AddressRow::for_owner(MAPPING_OWNER, *id, recipient.as_deref(), sender.as_deref())
    };
    Ok(Some(Step { rows: messages.iter().flat_map(addresses).collect(), position: ADDRESSES, from, to }))
}

/// Indexes the inbound messages of an older version, newest first. If it is interrupted, the next start continues.
pub(crate) fn index_old_inbound(connection: &mut Connection) -> QueryResult<()> {
    loop {
        let from = positions::get(connection, OLD_INBOUND)?;
        let next = i::table.filter(i::id.le(from.id)).order(i::id.desc()).limit(BATCH_SIZE);
        let texts = next.select((i::id, (i::recipient, i::received_for, i::cc, i::bcc, i::sender)));
        let messages: Vec<(i64, InboundTexts)> = on_either!(connection, c => texts.load(c))?;
        let Some((last, _)) = messages.last() else { return Ok(()) };
        let to = Position { txid: 0, id: last - 1 };
        let addresses = |(id, (recipient, received_for, cc, bcc, sender)): &(i64, InboundTexts)| {
            AddressRow::for_inbound(*id, [recipient, received_for, cc, bcc, sender].map(Option::as_deref))
        };
        Step { rows: messages.iter().flat_map(addresses).collect(), position: OLD_INBOUND, from, to }.write(connection)?;
    }
}

impl Step {
    pub(super) fn write(&self, connection: &mut Connection) -> QueryResult<()> {
        connection.transaction(|connection| {
            addresses::insert(connection, &self.rows)?;
            // If another gateway was faster, the rows exist already.
            positions::advance(connection, self.position, self.from, self.to).map(drop)
        })
    }
}
