//! Tables and rows of more than 32 columns. Diesel has tables and tuples of as many only with its feature `64-column-tables`, which
//! costs more time in each first build than the rest of Diesel: so a wide table has further columns beside it, and a wide row is read
//! as nested tuples.

/// Further columns of a table. They can be selected and compared, but not set.
macro_rules! further_columns {
    ($table:ident ($key:ident) { $($column:ident -> $Sql:ty,)+ }) => {$(
        #[derive(Clone, Copy, Debug, diesel::query_builder::QueryId)]
        pub struct $column;

        impl diesel::Expression for $column {
            type SqlType = $Sql;
        }

        impl diesel::expression::ValidGrouping<()> for $column {
            type IsAggregate = diesel::expression::is_aggregate::No;
        }

        impl diesel::AppearsOnTable<super::columns::$table::table> for $column {}
        impl diesel::SelectableExpression<super::columns::$table::table> for $column {}

        impl<DB: diesel::backend::Backend> diesel::query_builder::QueryFragment<DB> for $column {
            fn walk_ast<'b>(&'b self, mut out: diesel::query_builder::AstPass<'_, 'b, DB>) -> diesel::QueryResult<()> {
                out.push_identifier(stringify!($table))?;
                out.push_sql(".");
                out.push_identifier(stringify!($column))
            }
        }
    )+};
}
pub(crate) use further_columns;

/// Reads a row from one tuple for each group of its columns.
macro_rules! read_nested {
    ($Row:ident of $table:ident: $(($($field:ident: $Type:ty,)+))+) => {
        impl<DB: diesel::backend::Backend> diesel::Selectable<DB> for $Row {
            type SelectExpression = ($(($($table::$field,)+),)+);

            fn construct_selection() -> Self::SelectExpression {
                ($(($($table::$field,)+),)+)
            }
        }

        impl<DB: diesel::backend::Backend, ST> diesel::Queryable<ST, DB> for $Row
        where
            ($(($($Type,)+),)+): diesel::deserialize::FromStaticSqlRow<ST, DB>,
        {
            type Row = ($(($($Type,)+),)+);

            fn build(($(($($field,)+),)+): Self::Row) -> diesel::deserialize::Result<Self> {
                Ok(Self { $($($field,)+)+ })
            }
        }
    };
}
pub(crate) use read_nested;

/// Declares a wide row that is only read.
macro_rules! wide_row {
    (
        $(#[$about:meta])*
        pub struct $Row:ident of $table:ident {
            $(pub $field:ident: $Type:ty,)+
        }
        and {
            $(pub $other:ident: $Other:ty,)+
        }
    ) => {
        $(#[$about])*
        pub struct $Row {
            $(pub $field: $Type,)+
            $(pub $other: $Other,)+
        }

        $crate::store::db::wide::read_nested! { $Row of $table: ($($field: $Type,)+) ($($other: $Other,)+) }
    };
}
pub(crate) use wide_row;
