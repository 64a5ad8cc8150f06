//! Statements with a fixed text, each prepared once per connection. Diesel caches neither an upsert nor an insert of many rows,
//! because their texts depend on the values.

use std::{any::TypeId, marker::PhantomData};

use diesel::{
    QueryResult, RunQueryDsl,
    backend::Backend,
    pg::Pg,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    serialize::ToSql,
    sql_types::{Array, HasSqlType},
};

/// The text of a statement around its groups of values, and the SQL types of the rows that it returns.
pub(crate) trait SqlTemplate: 'static {
    /// One piece more than there are groups; each is a list of strings to concatenate.
    const PIECES: &'static [&'static [&'static str]];
    /// `()` for a statement that returns no rows.
    type Row;
}

/// A statement with its values.
pub(crate) struct Statement<T, G> {
    groups: G,
    text: PhantomData<T>,
}

impl<T: SqlTemplate, G> Statement<T, G> {
    pub(crate) fn new(_text: T, groups: G) -> Self {
        Self { groups, text: PhantomData }
    }
}

/// Identified by its text alone, so that the statement cache finds it for any values.
impl<T: SqlTemplate, G> QueryId for Statement<T, G> {
    type QueryId = Statement<T, ()>;
    const HAS_STATIC_QUERY_ID: bool = true;

    fn query_id() -> Option<TypeId> {
        Some(TypeId::of::<Self::QueryId>())
    }
}

impl<T: SqlTemplate, G> Query for Statement<T, G> {
    type SqlType = T::Row;
}

impl<T, G, C> RunQueryDsl<C> for Statement<T, G> {}

impl<DB: Backend, T: SqlTemplate, G: Groups<DB>> QueryFragment<DB> for Statement<T, G> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        let mut pieces = T::PIECES.iter();
        let mut next = |out: &mut AstPass<'_, 'b, DB>| {
            pieces.next().into_iter().copied().flatten().for_each(|part| out.push_sql(part));
        };
        self.groups.walk(&mut next, &mut out)?;
        next(&mut out);
        Ok(())
    }
}

/// Groups of values: tuples, whose members Diesel separates with commas.
pub(crate) trait Groups<DB: Backend> {
    /// Walks the groups in order; `before` pushes the text before each.
    fn walk<'b>(&'b self, before: &mut dyn FnMut(&mut AstPass<'_, 'b, DB>), out: &mut AstPass<'_, 'b, DB>) -> QueryResult<()>;
}

macro_rules! groups {
    ($($group:ident $place:tt),+) => {
        impl<DB: Backend, $($group: QueryFragment<DB>),+> Groups<DB> for ($($group,)+) {
            fn walk<'b>(
                &'b self,
                before: &mut dyn FnMut(&mut AstPass<'_, 'b, DB>),
                out: &mut AstPass<'_, 'b, DB>,
            ) -> QueryResult<()> {
                $(
                    before(out);
                    self.$place.walk_ast(out.reborrow())?;
                )+
                Ok(())
            }
        }
    };
}
impl<DB: Backend> Groups<DB> for () {
    fn walk<'b>(&'b self, _: &mut dyn FnMut(&mut AstPass<'_, 'b, DB>), _: &mut AstPass<'_, 'b, DB>) -> QueryResult<()> {
        Ok(())
    }
}

groups!(A 0);
groups!(A 0, B 1);
groups!(A 0, B 1, C 2);
groups!(A 0, B 1, C 2, D 3, E 4);

pub(crate) struct Value<ST, U> {
    value: U,
    sql_type: PhantomData<ST>,
}

impl<ST, U> Value<ST, U> {
    pub(crate) fn new(value: U) -> Self {
        Self { value, sql_type: PhantomData }
    }
}

impl<DB: Backend + HasSqlType<ST>, ST, U: ToSql<ST, DB>> QueryFragment<DB> for Value<ST, U> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        out.push_bind_param(&self.value)
    }
}

/// One column of many rows, as an array that Postgres unnests.
pub(crate) struct Column<ST: 'static, U>(Value<Array<ST>, Vec<U>>);

impl<ST: 'static, U> Column<ST, U> {
    pub(crate) fn new(values: impl Iterator<Item = U>) -> Self {
        Self(Value::new(values.collect()))
    }
}

impl<ST: 'static, U> QueryFragment<Pg> for Column<ST, U>
where
    Pg: HasSqlType<Array<ST>>,
    Vec<U>: ToSql<Array<ST>, Pg>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("unnest(");
        self.0.walk_ast(out.reborrow())?;
        out.push_sql(")");
        Ok(())
    }
}

/// A row of a table, or a part of one.
pub(crate) trait Row {
    /// Column names.
    const COLUMNS: &'static str;
    /// Column names qualified with the table `n`.
    const NEW_COLUMNS: &'static str;
    type SqlTypes;
}

/// Drops the `, ` at the start of a list.
pub(crate) const fn without_leading_comma(list: &'static str) -> &'static str {
    list.split_at(2).1
}

/// Declares a row that statements write: its columns with the SQL types of `schema.rs`.
macro_rules! row {
    (
        $(#[$about:meta])*
        pub(crate) struct $Row:ident {
            $($(#[$about_field:meta])* $field:ident: $Type:ty => $Sql:ty,)+
        }
    ) => {
        $(#[$about])*
        pub(crate) struct $Row {
            $($(#[$about_field])* pub(crate) $field: $Type,)+
        }

        $crate::store::db::statement::row! { @written $Row: ($($Sql,)+) { ($($field => $Sql,)+) } }
    };
    (
        $(#[$about:meta])*
        pub(crate) struct $Row:ident of $table:ident {
            $($(#[$about_field:meta])* $field:ident: $Type:ty => $Sql:ty,)+
        }
        indexed {
            $($(#[$about_indexed:meta])* $indexed:ident: $Indexed:ty => $IndexedSql:ty,)+
        }
    ) => {
        $(#[$about])*
        pub(crate) struct $Row {
            $($(#[$about_indexed])* pub(crate) $indexed: $Indexed,)+
            $($(#[$about_field])* pub(crate) $field: $Type,)+
        }

        $crate::store::db::statement::row! {
            @written $Row: (($($IndexedSql,)+), ($($Sql,)+)) { ($($indexed => $IndexedSql,)+) ($($field => $Sql,)+) }
        }
        $crate::store::db::wide::read_nested! { $Row of $table: ($($indexed: $Indexed,)+) ($($field: $Type,)+) }

        impl $Row {
            /// Names of the columns without an index.
            pub(crate) const UNINDEXED_COLUMNS: &'static str =
                $crate::store::db::statement::without_leading_comma(concat!($(", ", stringify!($field)),+));

            /// Values of the columns without an index, for SQLite.
            pub(crate) fn unindexed_values(&self) -> impl diesel::query_builder::QueryFragment<diesel::sqlite::Sqlite> + '_ {
                use $crate::store::db::statement::Value;
                ($(Value::<$Sql, _>::new(&self.$field),)+)
            }

            pub(crate) fn has_equal_indexed_columns(&self, other: &Self) -> bool {
                $(self.$indexed == other.$indexed)&&+
            }
        }
    };
    // One tuple for each group of columns: Diesel puts commas between their members as well.
    (@written $Row:ident: $SqlTypes:ty { $(($($field:ident => $Sql:ty,)+))+ }) => {
        impl $crate::store::db::statement::Row for $Row {
            const COLUMNS: &'static str = $crate::store::db::statement::without_leading_comma(concat!($($(", ", stringify!($field)),+),+));
            const NEW_COLUMNS: &'static str =
                $crate::store::db::statement::without_leading_comma(concat!($($(", n.", stringify!($field)),+),+));
            type SqlTypes = $SqlTypes;
        }

        impl $Row {
            /// The columns of these rows as arrays, for Postgres.
            pub(crate) fn columns<'r>(rows: &[&'r Self]) -> impl diesel::query_builder::QueryFragment<diesel::pg::Pg> + use<'r> {
                use $crate::store::db::statement::Column;
                ($(($(Column::<$Sql, _>::new(rows.iter().map(|row| &row.$field)),)+),)+)
            }

            /// The values of this row, for SQLite.
            pub(crate) fn values(&self) -> impl diesel::query_builder::QueryFragment<diesel::sqlite::Sqlite> + '_ {
                use $crate::store::db::statement::Value;
                ($(($(Value::<$Sql, _>::new(&self.$field),)+),)+)
            }
        }
    };
}
pub(crate) use row;
