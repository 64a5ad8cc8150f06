//! Rows of messages as correlation reads and matches them.

use std::collections::BTreeSet;

use diesel::{
    BoolExpressionMethods, ExpressionMethods, NullableExpressionMethods, QueryDsl, QueryResult, RunQueryDsl, SelectableHelper,
    sql_types::{BigInt, Nullable, Text as SqlText},
};

use crate::store::{
    db::{
        connection::{Connection, on_either},
        key::{MessageKey, with_id},
        schema::{communication_metrics as c, message_external_ids as m},
        statement::{Column, SqlTemplate, Statement},
    },
    fold::match_strength::{DATABASE, EMBEDDED, TIMESTAMP, strength},
};

/// A message's key, id and match, ordered as the table is written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, diesel::Queryable, diesel::Selectable)]
#[diesel(table_name = m)]
pub(crate) struct LinkRow {
    pub external_id: String,
    pub service_type: String,
    pub account: String,
    pub recipient_key: String,
    pub id: i64,
    pub message_id: Option<i64>,
    pub matched_id: Option<i64>,
    pub matched_by: Option<String>,
}

impl LinkRow {
    pub(crate) fn strength(&self) -> usize {
        strength(self.message_id, self.matched_id, self.matched_by.as_deref())
    }

    /// The key that all rows of its external id share.
    pub(crate) fn id_key(&self) -> MessageKey {
        MessageKey::new(&self.service_type, &self.account, &self.external_id, "")
    }

    /// The method of its match; `database` for any that the gateway did not make.
    pub(super) fn method(&self) -> &'static str {
        let own = self.matched_by.as_deref().filter(|_| self.matched_id == self.message_id);
        [TIMESTAMP, EMBEDDED].into_iter().find(|method| own == Some(*method)).unwrap_or(DATABASE)
    }
}

/// The rows of a provider's external id.
pub(crate) fn link_rows(connection: &mut Connection, id: &MessageKey) -> QueryResult<Vec<LinkRow>> {
    on_either!(connection, c => with_id!(m, id).order(m::recipient_key).select(LinkRow::as_select()).load(c))
}

struct RowsOfIds;
impl SqlTemplate for RowsOfIds {
    const PIECES: &'static [&'static [&'static str]] = &[
        &["SELECT m.external_id, m.service_type, m.account, m.recipient_key, m.id, m.message_id, m.matched_id, m.matched_by \
        FROM (SELECT "],
        &[
            ") AS wanted (external_id, service_type, account) JOIN message_external_ids AS m ON m.external_id = wanted.external_id \
        AND m.service_type = wanted.service_type AND m.account = wanted.account",
        ],
    ];
    type Row = (SqlText, SqlText, SqlText, SqlText, BigInt, Nullable<BigInt>, Nullable<BigInt>, Nullable<SqlText>);
}

/// The rows of several external ids.
pub(crate) fn link_rows_of_ids(connection: &mut Connection, ids: &BTreeSet<MessageKey>) -> QueryResult<Vec<LinkRow>> {
    match connection {
        _ if ids.is_empty() => Ok(Vec::new()),
        Connection::Postgres(c) => {
            let columns = (
                Column::<SqlText, _>::new(ids.iter().map(|id| &id.external_id)),
                Column::<SqlText, _>::new(ids.iter().map(|id| &id.service_type)),
                Column::<SqlText, _>::new(ids.iter().map(|id| &id.account)),
            );
            Statement::new(RowsOfIds, (columns,)).load(c)
        }
        Connection::Sqlite(_) => {
            let rows: QueryResult<Vec<Vec<LinkRow>>> = ids.iter().map(|id| link_rows(connection, id)).collect();
            Ok(rows?.concat())
        }
    }
}

/// Selects the rows that carry one of these references and are not matched by it: unmatched, matched by time, or matched by a text that
/// is not the reference of the matched message.
macro_rules! carrying {
    ($references:expr) => {{
        let is_own = m::matched_id.eq(m::message_id);
        let is_other = m::matched_by.eq(EMBEDDED).and(c::reference.is_null().or(c::reference.ne(m::embedded_id)));
        m::table
            .left_join(c::table)
            .filter(m::embedded_id.eq_any($references))
            .filter(m::message_id.is_null().or(is_own.and(m::matched_by.eq(TIMESTAMP).or(is_other))))
    }};
}

/// Rows that carry one of these references and are not matched by it, each with the reference.
pub(crate) fn link_rows_by_reference(connection: &mut Connection, references: &[&str]) -> QueryResult<Vec<(String, LinkRow)>> {
    let rows = carrying!(references);
    on_either!(connection, c => rows.select((m::embedded_id.assume_not_null(), LinkRow::as_select())).load(c))
}

/// Rows of these accounts that carry the reference and are not matched by it. Any tenant can send any reference, so those of others are
/// not read.
pub(super) fn link_rows_of_accounts(
    connection: &mut Connection,
    reference: &str,
    service_type: &str,
    accounts: &[&str],
) -> QueryResult<Vec<LinkRow>> {
    let rows = carrying!([reference]).filter(m::service_type.eq(service_type)).filter(m::account.eq_any(accounts));
    on_either!(connection, c => rows.select(LinkRow::as_select()).load(c))
}

/// Matches a row, unless the application has mapped it since it was read.
pub(crate) fn set_match(connection: &mut Connection, row: &LinkRow, message: i64, matched_by: &str) -> QueryResult<()> {
    let is_unchanged = m::message_id.is_null().or(m::message_id.eq(row.message_id));
    let changes = (m::message_id.eq(message), m::matched_id.eq(message), m::matched_by.eq(matched_by));
    let unchanged = m::table.filter(m::id.eq(row.id)).filter(is_unchanged);
    on_either!(connection, c => diesel::update(unchanged).set(changes).execute(c)).map(drop)
}
