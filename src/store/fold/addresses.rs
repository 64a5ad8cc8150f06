//! `message_addresses`: the index of senders and recipients. Rows of inbound messages are inserted with their messages; rows of
//! outbound messages follow in sorted batches (`maintain::derived`), and those of the application's own messages, which only the strategy
//! `timestamp` needs, with their registration or in the sweep.

use std::collections::BTreeSet;

use diesel::{
    ExpressionMethods, QueryDsl, QueryResult, RunQueryDsl,
    sql_types::{BigInt, Text as SqlText},
};

use super::{entity::EntityKey, inbound_message::InboundState, message::MessageState};
use crate::{
    address,
    store::db::{
        connection::{Connection, on_either},
        schema::message_addresses as a,
        statement::{Column, Row, SqlTemplate, Statement, Value, row},
    },
};

/// Values of `owner`: the table of the row that has the address.
pub(crate) const MAPPING_OWNER: &str = "mapping";
pub(crate) const INBOUND_OWNER: &str = "inbound";
pub(crate) const METRIC_OWNER: &str = "metric";

/// Values of `role`.
pub(crate) const RECIPIENT: &str = "recipient";
pub(crate) const SENDER: &str = "sender";
pub(crate) const CC: &str = "cc";

/// The roles of those who get a message.
pub(crate) const RECIPIENTS: [&str; 2] = [RECIPIENT, CC];

row! {
    #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
    pub(crate) struct AddressRow {
        address: String => SqlText,
        owner: &'static str => SqlText,
        role: &'static str => SqlText,
        owner_id: i64 => BigInt,
    }
}

impl AddressRow {
    /// The rows of a message with these recipients and this sender.
    pub(crate) fn for_owner(
        owner: &'static str,
        id: i64,
        recipient: Option<&str>,
        sender: Option<&str>,
    ) -> impl Iterator<Item = Self> + use<> {
        let row = move |(address, role)| Self { address, owner, role, owner_id: id };
        addresses([(recipient, RECIPIENT), (sender, SENDER)]).into_iter().map(row)
    }

    /// The rows of an inbound message with these texts.
    pub(crate) fn for_inbound(id: i64, texts: [Option<&str>; 5]) -> impl Iterator<Item = Self> + use<> {
        inbound_addresses(texts).into_iter().map(move |(address, role)| Self {
            address,
            owner: INBOUND_OWNER,
            role,
            owner_id: id,
        })
    }

    /// The rows of the addresses that `one` state of a message has and the `other` does not.
    pub(crate) fn difference(id: i64, one: &MessageState, other: &MessageState) -> impl Iterator<Item = Self> + use<> {
        let recipient = one.recipient.as_deref().filter(|recipient| other.recipient.as_deref() != Some(recipient));
        let sender = one.sender.as_deref().filter(|sender| other.sender.as_deref() != Some(sender));
        Self::for_owner(MAPPING_OWNER, id, recipient, sender)
    }
}

/// The lookup keys in these texts, each with its role.
fn addresses<const N: usize>(texts: [(Option<&str>, &'static str); N]) -> Vec<(String, &'static str)> {
    let with_role = |(text, role): (Option<&str>, &'static str)| {
        text.map(address::lookup_keys).into_iter().flatten().map(move |address| (address, role))
    };
    texts.into_iter().flat_map(with_role).collect()
}

struct InsertOne;
impl SqlTemplate for InsertOne {
    const PIECES: &'static [&'static [&'static str]] =
        &[&["INSERT INTO message_addresses (", AddressRow::COLUMNS, ") VALUES ("], &[") ON CONFLICT DO NOTHING"]];
    type Row = ();
}

struct InsertMany;
impl SqlTemplate for InsertMany {
    const PIECES: &'static [&'static [&'static str]] =
        &[&["INSERT INTO message_addresses (", AddressRow::COLUMNS, ") SELECT "], &[" ON CONFLICT DO NOTHING"]];
    type Row = ();
}

/// Inserts the rows that do not exist yet.
pub(crate) fn insert(connection: &mut Connection, rows: &BTreeSet<AddressRow>) -> QueryResult<()> {
    match connection {
        _ if rows.is_empty() => Ok(()),
        Connection::Sqlite(c) => rows.iter().try_for_each(|row| Statement::new(InsertOne, (row.values(),)).execute(c).map(drop)),
        Connection::Postgres(c) => {
            let rows: Vec<&AddressRow> = rows.iter().collect();
            Statement::new(InsertMany, (AddressRow::columns(&rows),)).execute(c).map(drop)
        }
    }
}

const INSERT_WITH_ID: &str = "INSERT INTO message_addresses (address, owner, role, owner_id) SELECT ";

struct InsertOneInbound;
impl SqlTemplate for InsertOneInbound {
    const PIECES: &'static [&'static [&'static str]] = &[
        &[INSERT_WITH_ID],
        &[", 'inbound', "],
        &[", id FROM inbound_messages WHERE (", EntityKey::COLUMNS, ") = ("],
        &[") ON CONFLICT DO NOTHING"],
    ];
    type Row = ();
}

struct InsertManyInbound;
impl SqlTemplate for InsertManyInbound {
    const PIECES: &'static [&'static [&'static str]] = &[
        &[INSERT_WITH_ID, "wanted.address, 'inbound', wanted.role, found.id FROM (SELECT "],
        &[", "],
        &[
            ") AS wanted (address, role, ",
            EntityKey::COLUMNS,
            ") JOIN LATERAL (SELECT i.id FROM inbound_messages AS i WHERE \
            i.service_type = wanted.service_type AND i.account = wanted.account AND i.external_id = wanted.external_id LIMIT 1) \
            AS found ON TRUE ON CONFLICT DO NOTHING",
        ],
    ];
    type Row = ();
}

/// An address of an inbound message, whose row may not have an id yet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct InboundAddress {
    address: String,
    role: &'static str,
    key: EntityKey,
}

impl InboundAddress {
    pub(crate) fn from_message(key: &EntityKey, state: &InboundState) -> impl Iterator<Item = Self> {
        let InboundState { recipient, received_for, cc, bcc, sender, .. } = state;
        let texts = [recipient, received_for, cc, bcc, sender].map(Option::as_deref);
        inbound_addresses(texts).into_iter().map(|(address, role)| Self { address, role, key: key.clone() })
    }
}

/// The lookup keys in the texts of an inbound message: recipient, `received_for`, copies, blind copies, sender.
fn inbound_addresses([recipient, received_for, cc, bcc, sender]: [Option<&str>; 5]) -> Vec<(String, &'static str)> {
    addresses([(recipient, RECIPIENT), (received_for, RECIPIENT), (cc, CC), (bcc, CC), (sender, SENDER)])
}

/// Inserts the addresses of inbound messages that this transaction has written.
pub(crate) fn insert_inbound(connection: &mut Connection, rows: &BTreeSet<InboundAddress>) -> QueryResult<()> {
    match connection {
        _ if rows.is_empty() => Ok(()),
        Connection::Sqlite(c) => rows.iter().try_for_each(|InboundAddress { address, role, key }| {
            let groups = ((Value::<SqlText, _>::new(address),), (Value::<SqlText, _>::new(role),), key.values());
            Statement::new(InsertOneInbound, groups).execute(c).map(drop)
        }),
        Connection::Postgres(c) => {
            let addresses = (
                Column::<SqlText, _>::new(rows.iter().map(|row| &row.address)),
                Column::<SqlText, _>::new(rows.iter().map(|row| row.role)),
            );
            let keys: Vec<&EntityKey> = rows.iter().map(|row| &row.key).collect();
            Statement::new(InsertManyInbound, (addresses, EntityKey::columns(&keys))).execute(c).map(drop)
        }
    }
}

/// Maximum number of the application's messages that are compared with one callback.
const MAX_METRICS: i64 = 1_000;

/// The newest of the application's messages to one of these addresses.
pub(crate) fn newest_metrics(connection: &mut Connection, keys: &[String]) -> QueryResult<Vec<i64>> {
    let rows = a::table
        .filter(a::address.eq_any(keys))
        .filter(a::owner.eq(METRIC_OWNER))
        .filter(a::role.eq(RECIPIENT))
        .order(a::owner_id.desc())
        .limit(MAX_METRICS)
        .select(a::owner_id);
    on_either!(connection, c => rows.load(c))
}
