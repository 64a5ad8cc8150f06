//! Where a page of a list begins: behind which row.

use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::NaiveDateTime;
use diesel::{
    AppearsOnTable, Expression, IntoSql, QueryResult,
    backend::Backend,
    deserialize::FromSqlRow,
    dsl::AsExprOf,
    expression::{AsExpression, ValidGrouping, is_aggregate},
    query_builder::{AstPass, QueryFragment, QueryId},
    sql_types::{BigInt, Bool, Timestamp},
};
use serde::{Serialize, Serializer};

use crate::time::Timestamp as Instant;

/// Some rows of a list, newest first.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// What to ask for as `cursor` to get the next page; none on the last one.
    pub next_cursor: Option<Cursor>,
}

impl<T> Page<T> {
    /// The page of rows of which one more than `limit` was asked for.
    pub(super) fn of(mut rows: Vec<(T, Place, i64)>, limit: i64) -> Self {
        let limit = usize::try_from(limit).unwrap_or(0);
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        let last = rows.last().filter(|_| has_more);
        let next_cursor = last.map(|(_, place, id)| Cursor { place: place.clone(), id: *id });
        Self { items: rows.into_iter().map(|(row, ..)| row).collect(), next_cursor }
    }

    /// The same page of something else.
    pub fn map<U>(self, one: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(one).collect(), next_cursor: self.next_cursor }
    }
}

/// An instant exactly as the database holds it, for it is what rows are sorted by: where that is a text, one instant has
/// several, with and without zeros at their end.
#[derive(Clone, Debug, PartialEq, Eq, AsExpression, FromSqlRow)]
#[diesel(sql_type = Timestamp)]
pub(in crate::store) struct Place(pub(in crate::store) String);

impl Place {
    const FORMAT: &str = "%Y-%m-%d %H:%M:%S%.f";

    /// Where a database holds numbers.
    pub(in crate::store) fn of(instant: NaiveDateTime) -> Self {
        Self(instant.format(Self::FORMAT).to_string())
    }

    /// The instant; `None` if the text is none.
    pub(in crate::store) fn instant(&self) -> Option<NaiveDateTime> {
        NaiveDateTime::parse_from_str(self.0.trim_end_matches('Z').replacen('T', " ", 1).as_str(), Self::FORMAT).ok()
    }
}

/// The last row of a page. Its text is for nobody to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    place: Place,
    id: i64,
}

impl Cursor {
    /// Whether all rows behind it are before that instant.
    pub(super) fn is_before(&self, instant: Instant) -> bool {
        self.place.instant().is_some_and(|place| place < instant.naive())
    }
}

/// What was given as a cursor is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor of this list")]
pub struct NotACursor;

/// A cursor's text is not longer.
const MAX_TEXT: usize = 128;

impl fmt::Display for Cursor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&URL_SAFE_NO_PAD.encode(format!("{}/{}", self.id, self.place.0)))
    }
}

impl FromStr for Cursor {
    type Err = NotACursor;

    fn from_str(text: &str) -> Result<Self, NotACursor> {
        let read = || {
            let bytes = URL_SAFE_NO_PAD.decode(Some(text).filter(|text| text.len() <= MAX_TEXT)?).ok()?;
            let (id, place) = std::str::from_utf8(&bytes).ok()?.split_once('/')?;
            let cursor = Self { id: id.parse().ok()?, place: Place(place.to_owned()) };
            cursor.place.instant().map(|_| cursor)
        };
        read().ok_or(NotACursor)
    }
}

impl Serialize for Cursor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Two columns compared with two values as one: `(a, b) < (x, y)`. Both databases look that up in an index of the two, however
/// many rows share the first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Compared<A, B, X, Y> {
    columns: (A, B),
    operator: &'static str,
    values: (X, Y),
}

/// Behind a row of a list that goes from the newest to the oldest.
pub(super) fn older<A, B>(
    instant: A,
    id: B,
    cursor: &Cursor,
) -> Compared<A, B, AsExprOf<Place, Timestamp>, AsExprOf<i64, BigInt>> {
    let values = (cursor.place.clone().into_sql::<Timestamp>(), cursor.id.into_sql::<BigInt>());
    Compared { columns: (instant, id), operator: " < ", values }
}

/// Behind a row of a list that goes by two numbers from the least to the greatest.
pub(super) fn behind<A, B>(
    first: A,
    second: B,
    (x, y): (i64, i64),
) -> Compared<A, B, AsExprOf<i64, BigInt>, AsExprOf<i64, BigInt>> {
    Compared { columns: (first, second), operator: " > ", values: (x.into_sql::<BigInt>(), y.into_sql::<BigInt>()) }
}

impl<A, B, X, Y> Expression for Compared<A, B, X, Y> {
    type SqlType = Bool;
}

impl<A, B, X, Y> ValidGrouping<()> for Compared<A, B, X, Y> {
    type IsAggregate = is_aggregate::No;
}

/// Known by its text, for the operator is a part of it.
impl<A, B, X, Y> QueryId for Compared<A, B, X, Y> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<Table, A: AppearsOnTable<Table>, B: AppearsOnTable<Table>, X, Y> AppearsOnTable<Table> for Compared<A, B, X, Y> {}

impl<DB, A, B, X, Y> QueryFragment<DB> for Compared<A, B, X, Y>
where
    DB: Backend,
    A: QueryFragment<DB>,
    B: QueryFragment<DB>,
    X: QueryFragment<DB>,
    Y: QueryFragment<DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        out.push_sql("(");
        self.columns.0.walk_ast(out.reborrow())?;
        out.push_sql(", ");
        self.columns.1.walk_ast(out.reborrow())?;
        out.push_sql(")");
        out.push_sql(self.operator);
        out.push_sql("(");
        self.values.0.walk_ast(out.reborrow())?;
        out.push_sql(", ");
        self.values.1.walk_ast(out.reborrow())?;
        out.push_sql(")");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written_and_nothing_else_is() {
        for place in ["2026-11-22 12:06:26", "2026-11-22 12:06:26.000", "2026-11-22 12:06:26.123456"] {
            let cursor = Cursor { place: Place(place.to_owned()), id: 7 };
            assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }
        for wrong in ["", "x", "7", "1790-7", &URL_SAFE_NO_PAD.encode("7/yesterday"), &"A".repeat(1000)] {
            assert_eq!(wrong.parse::<Cursor>(), Err(NotACursor), "{wrong}");
        }
    }
}
