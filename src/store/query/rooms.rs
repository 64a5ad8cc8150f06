//! The list of video rooms.

use diesel::{ExpressionMethods, QueryDsl, QueryResult, Queryable, RunQueryDsl, Selectable, SelectableHelper};
use serde::Serialize;

use super::{JsonText, Page, filter, narrow, ranges::RangedTable, scan::scan};
use crate::{
    store::db::{
        connection::{Connection, on_either},
        schema::rooms as o,
    },
    time::Timestamp,
};

/// A session of a video room.
#[derive(Clone, Debug, Queryable, Selectable, Serialize, utoipa::ToSchema)]
#[diesel(table_name = o)]
pub struct Room {
    pub id: i64,
    pub service_type: String,
    pub account: String,
    pub external_id: String,
    pub name: Option<String>,
    pub status: String,
    pub started_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    pub members: JsonText,
    pub recordings: JsonText,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

filter! {
    /// Selects rooms by their time of creation and other conditions.
    pub struct RoomFilter {
        status: Option<String>,
    }
}

pub(crate) fn rooms(connection: &mut Connection, filter: &RoomFilter) -> QueryResult<Page<Room>> {
    Ok(scan!(connection, filter, o, Room, created_at, RangedTable::Rooms, None, |query| {
        narrow!(query, filter, o: service_type, account, status);
    }))
}
