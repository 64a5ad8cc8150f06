//! How instants are read, and how much is stored.

use chrono::NaiveDateTime;
use diesel::{QueryDsl, QueryResult, Queryable, RunQueryDsl, backend::Backend, deserialize::FromSql, sql_types::SingleValue};

use super::{
    connection::{Connection, on_either},
    schema::{calls, inbound_messages, message_external_ids as m, rooms, webhook_events, webhook_requests},
};
use crate::time::Timestamp;

/// An instant as either database returns it.
impl<DB> FromSql<diesel::sql_types::Timestamp, DB> for Timestamp
where
    DB: Backend,
    NaiveDateTime: FromSql<diesel::sql_types::Timestamp, DB>,
{
    fn from_sql(bytes: DB::RawValue<'_>) -> diesel::deserialize::Result<Self> {
        NaiveDateTime::from_sql(bytes).map(Self::from_naive)
    }
}

impl<DB, ST> Queryable<ST, DB> for Timestamp
where
    DB: Backend,
    ST: SingleValue,
    Self: FromSql<ST, DB>,
{
    type Row = Self;

    fn build(row: Self) -> diesel::deserialize::Result<Self> {
        Ok(row)
    }
}

/// How much is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Rows of `webhook_requests`.
    pub requests: i64,
    /// Rows of `webhook_events`.
    pub events: i64,
    /// Rows of `message_external_ids`.
    pub messages: i64,
    /// Rows of `inbound_messages`.
    pub inbound: i64,
    /// Rows of `calls`.
    pub calls: i64,
    /// Rows of `rooms`.
    pub rooms: i64,
}

pub(super) fn counts(connection: &mut Connection) -> QueryResult<Counts> {
    on_either!(connection, c => Ok(Counts {
        requests: webhook_requests::table.count().get_result(c)?,
        events: webhook_events::table.count().get_result(c)?,
        messages: m::table.count().get_result(c)?,
        inbound: inbound_messages::table.count().get_result(c)?,
        calls: calls::table.count().get_result(c)?,
        rooms: rooms::table.count().get_result(c)?,
    }))
}
