//! The audit trail, newest entry first.

use diesel::{ExpressionMethods, QueryDsl, QueryResult, Queryable, RunQueryDsl, Selectable, SelectableHelper};
use serde::Serialize;

use super::{Cursor, Page};
use crate::{
    store::db::{
        connection::{Connection, on_either},
        schema::audit_log as a,
    },
    time::Timestamp,
};

/// A change made by hand.
#[derive(Clone, Debug, Queryable, Selectable, Serialize, utoipa::ToSchema)]
#[diesel(table_name = a)]
pub struct AuditEntry {
    pub id: i64,
    pub recorded_at: Timestamp,
    /// `ops`, `page` or `cli`.
    pub actor: String,
    /// `register`, `replay`, `discard` or `erase`.
    pub action: String,
    /// The id of the request, or a short hash of the erased person.
    pub target: Option<String>,
    /// Number of messages, events or rows.
    pub items: i64,
}

/// Selects entries. The audit trail is bounded, so it needs no ranges of ids.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    /// Inclusive.
    pub since: Option<Timestamp>,
    /// Exclusive.
    pub until: Option<Timestamp>,
    pub cursor: Option<Cursor>,
    /// Maximum number of entries.
    pub limit: i64,
}

pub(crate) fn entries(connection: &mut Connection, filter: &AuditFilter) -> QueryResult<Page<AuditEntry>> {
    let below = filter.cursor.map_or(i64::MAX, |cursor| cursor.0);
    let mut items: Vec<AuditEntry> = on_either!(connection, c => {
        let entries = a::table.filter(a::id.lt(below)).order(a::id.desc()).limit(filter.limit + 1);
        let mut query = entries.select(AuditEntry::as_select()).into_boxed();
        if let Some(since) = filter.since {
            query = query.filter(a::recorded_at.ge(since.naive()));
        }
        if let Some(until) = filter.until {
            query = query.filter(a::recorded_at.lt(until.naive()));
        }
        query.load(c)?
    });
    let limit = usize::try_from(filter.limit).unwrap_or(0);
    let has_more = items.len() > limit;
    items.truncate(limit);
    let next_cursor = items.last().filter(|_| has_more).map(|last| Cursor(last.id));
    Ok(Page { items, next_cursor })
}
