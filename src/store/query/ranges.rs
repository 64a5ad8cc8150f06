//! An index of time by id: the earliest and latest time of each range of 4,096 ids. Ids are assigned in the order of arrival, so lists
//! page by id; but a row may have an earlier time, for example if it was spooled or written manually, so that a binary search by time
//! could miss it.

use diesel::{
    ExpressionMethods, QueryDsl, QueryResult, RunQueryDsl,
    dsl::{max, min},
};

use crate::{
    store::db::{
        connection::{Connection, on_either},
        schema::{
            calls, id_ranges as g, inbound_messages as i, message_external_ids as m, rooms, suppressions, webhook_events as e,
            webhook_requests as r,
        },
    },
    time::Timestamp,
};

/// Ids in one range.
pub(crate) const SPAN: i64 = 4_096;

/// The tables that have ranges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub(crate) enum RangedTable {
    #[strum(serialize = "message_external_ids")]
    Messages,
    #[strum(serialize = "webhook_requests")]
    Requests,
    #[strum(serialize = "webhook_events")]
    Events,
    #[strum(serialize = "inbound_messages")]
    Inbound,
    Calls,
    Rooms,
    Suppressions,
}

/// Expands a macro for the table and its time column.
macro_rules! in_table {
    ($table:expr, $query:ident!($($arguments:tt)*)) => {
        match $table {
            RangedTable::Messages => $query!(m, created_at, $($arguments)*),
            RangedTable::Requests => $query!(r, received_at, $($arguments)*),
            RangedTable::Events => $query!(e, received_at, $($arguments)*),
            RangedTable::Inbound => $query!(i, received_at, $($arguments)*),
            RangedTable::Calls => $query!(calls, created_at, $($arguments)*),
            RangedTable::Rooms => $query!(rooms, created_at, $($arguments)*),
            RangedTable::Suppressions => $query!(suppressions, created_at, $($arguments)*),
        }
    };
}

macro_rules! newest {
    ($table:ident, $instant:ident, $connection:expr) => {
        $table::table.select(max($table::id)).first::<Option<i64>>($connection)?
    };
}

macro_rules! bounds {
    ($table:ident, $instant:ident, $connection:expr, $first:expr) => {{
        let range = $table::table.filter($table::id.ge($first)).filter($table::id.lt($first + SPAN));
        range.select((min($table::$instant), max($table::$instant))).first::<Bounds>($connection)?
    }};
}

/// The id of the newest row; 0 if the table is empty.
pub(crate) fn newest_id(connection: &mut Connection, table: RangedTable) -> QueryResult<i64> {
    let last = on_either!(connection, c => in_table!(table, newest!(c)));
    Ok(last.unwrap_or(0))
}

/// The least id of a message from that one on.
pub(crate) fn first_message(connection: &mut Connection, id: i64) -> QueryResult<Option<i64>> {
    on_either!(connection, c => m::table.filter(m::id.ge(id)).select(min(m::id)).first(c))
}

/// The first id without a range.
pub(crate) fn end(connection: &mut Connection, table: RangedTable) -> QueryResult<i64> {
    let last: Option<i64> = on_either!(connection, c => {
        g::table.filter(g::table_name.eq(<&str>::from(table))).select(max(g::first_id)).first(c)?
    });
    Ok(last.map_or(0, |first| first + SPAN))
}

/// The ranges of ids that may have rows of a period, newest first. The newest range is open-ended.
pub(crate) fn within(
    connection: &mut Connection,
    table: RangedTable,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
) -> QueryResult<Vec<(i64, i64)>> {
    let end = end(connection, table)?;
    let firsts: Vec<i64> = on_either!(connection, c => {
        let mut query = g::table.filter(g::table_name.eq(<&str>::from(table))).order(g::first_id.desc()).select(g::first_id).into_boxed();
        if let Some(since) = since {
            query = query.filter(g::latest.ge(since.naive()));
        }
        if let Some(until) = until {
            query = query.filter(g::earliest.lt(until.naive()));
        }
        query.load(c)?
    });
    let mut ranges = vec![(end, i64::MAX)];
    for first in firsts {
        match ranges.last_mut() {
            Some((low, _)) if *low == first + SPAN => *low = first,
            _ => ranges.push((first, first + SPAN)),
        }
    }
    Ok(ranges)
}

/// The least id that a row of that time or later may have.
pub(crate) fn first_since(connection: &mut Connection, table: RangedTable, since: Timestamp) -> QueryResult<i64> {
    let first: Option<i64> = on_either!(connection, c => {
        let ranges = g::table.filter(g::table_name.eq(<&str>::from(table))).filter(g::latest.ge(since.naive()));
        ranges.select(min(g::first_id)).first(c)?
    });
    first.map_or_else(|| end(connection, table), Ok)
}

/// A full range: its first id, and its earliest and latest time.
pub(crate) type Range = (i64, chrono::NaiveDateTime, chrono::NaiveDateTime);

/// The next range of a table, if it is full. No other row can appear up to the id `settled`.
pub(crate) fn next_full(connection: &mut Connection, table: RangedTable, settled: i64) -> QueryResult<Option<Range>> {
    let first = end(connection, table)?;
    if settled < first + SPAN {
        return Ok(None);
    }
    let (earliest, latest) = on_either!(connection, c => in_table!(table, bounds!(c, first)));
    // A range whose rows have all been deleted has no times.
    Ok(Some((first, earliest.unwrap_or_default(), latest.unwrap_or_default())))
}

type Bounds = (Option<chrono::NaiveDateTime>, Option<chrono::NaiveDateTime>);

pub(crate) fn insert(connection: &mut Connection, table: RangedTable, (first, earliest, latest): Range) -> QueryResult<()> {
    let values = (g::table_name.eq(<&str>::from(table)), g::first_id.eq(first), g::earliest.eq(earliest), g::latest.eq(latest));
    on_either!(connection, c => diesel::insert_into(g::table).values(values).on_conflict_do_nothing().execute(c)).map(drop)
}
