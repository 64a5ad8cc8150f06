//! Row counts of the tables.

use diesel::{QueryDsl, QueryResult, RunQueryDsl};

use crate::store::db::{
    connection::{Connection, on_either},
    schema::{calls, inbound_messages, message_external_ids as m, rooms, webhook_events, webhook_requests},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowCounts {
    pub requests: i64,
    pub events: i64,
    pub messages: i64,
    pub inbound: i64,
    pub calls: i64,
    pub rooms: i64,
}

pub(crate) fn counts(connection: &mut Connection) -> QueryResult<RowCounts> {
    on_either!(connection, c => Ok(RowCounts {
        requests: webhook_requests::table.count().get_result(c)?,
        events: webhook_events::table.count().get_result(c)?,
        messages: m::table.count().get_result(c)?,
        inbound: inbound_messages::table.count().get_result(c)?,
        calls: calls::table.count().get_result(c)?,
        rooms: rooms::table.count().get_result(c)?,
    }))
}
