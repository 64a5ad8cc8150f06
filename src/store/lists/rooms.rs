//! Video rooms: `rooms`.

use diesel::{ExpressionMethods, QueryDsl, QueryResult, Queryable, RunQueryDsl, Selectable, SelectableHelper};
use serde::Serialize;

use super::{Cursor, Document, Page, narrow, page};
use crate::{
    store::{
        connection::{Connection, on_either},
        schema::rooms as o,
    },
    time::Timestamp,
};

/// A session of a video room.
#[derive(Clone, Debug, Queryable, Selectable, Serialize, utoipa::ToSchema)]
#[diesel(table_name = o)]
#[expect(missing_docs, reason = "the columns are documented in ARCHITECTURE.md, \"Convergence\"")]
pub struct Room {
    pub id: i64,
    pub service_type: String,
    pub account: String,
    pub external_id: String,
    pub name: Option<String>,
    pub status: String,
    pub started_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    pub members: Document,
    pub recordings: Document,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// Which rooms to show.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "each is the column of that name")]
pub struct RoomFilter {
    pub service_type: Option<&'static str>,
    pub account: Option<String>,
    pub status: Option<String>,
    /// Created at or after.
    pub since: Option<Timestamp>,
    /// Created before.
    pub until: Option<Timestamp>,
    /// Only rows behind this one.
    pub cursor: Option<Cursor>,
    /// How many at the most.
    pub limit: i64,
}

pub(super) fn rooms(connection: &mut Connection, filter: &RoomFilter) -> QueryResult<Page<Room>> {
    let rows = on_either!(connection, c => {
        let mut query = o::table.select((Room::as_select(), o::created_at, o::id)).into_boxed();
        narrow!(query, filter, o: service_type, account, status);
        page!(query, c, filter, o, created_at)
    });
    Ok(Page::of(rows, filter.limit))
}
