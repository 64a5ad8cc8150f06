//! Differences in the rows of messages: columns before and after a change.

use std::collections::BTreeMap;

use diesel::{ExpressionMethods, OptionalExtension, QueryDsl, QueryResult, RunQueryDsl, SelectableHelper, result::Error};
use serde::Serialize;
use serde_json::Value;

use crate::store::{
    db::{
        connection::{Connection, on_either},
        key::{MessageKey, with_key},
        schema::message_external_ids as m,
    },
    query::Message,
};

/// The changed columns of a message's row.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct RowDiff {
    pub service_type: String,
    pub account: String,
    pub external_id: String,
    /// The recipient, if the message has a row per recipient.
    pub recipient_key: String,
    /// True if the row is new.
    pub is_new: bool,
    /// Values before and after the change, by column.
    #[schema(value_type = BTreeMap<String, Vec<Value>>)]
    pub columns: BTreeMap<String, (Value, Value)>,
}

/// Columns that are not compared.
const IGNORED_COLUMNS: [&str; 3] = ["id", "created_at", "updated_at"];

impl RowDiff {
    /// The differing columns; `None` if there are none.
    fn between(key: &MessageKey, before: Option<&Message>, after: Option<&Message>) -> Option<Self> {
        let columns = |row: Option<&Message>| row.map(|row| serde_json::to_value(row).unwrap_or_default()).unwrap_or_default();
        let (old, new) = (columns(before), columns(after));
        let names = [&old, &new].into_iter().filter_map(Value::as_object).flat_map(serde_json::Map::keys);
        let value = |row: &Value, name: &str| row.get(name).cloned().unwrap_or_default();
        let columns: BTreeMap<String, (Value, Value)> = names
            .filter(|name| !IGNORED_COLUMNS.contains(&name.as_str()))
            .map(|name| (name.clone(), (value(&old, name), value(&new, name))))
            .filter(|(_, (old, new))| old != new)
            .collect();
        let MessageKey { external_id, service_type, account, recipient_key } = key.clone();
        let diff = Self { service_type, account, external_id, recipient_key, is_new: before.is_none(), columns };
        (!diff.columns.is_empty()).then_some(diff)
    }
}

/// Runs `body` in a transaction and returns its changes to the rows of these messages. A dry run is rolled back.
pub(crate) fn with_diff<T>(
    connection: &mut Connection,
    messages: &[MessageKey],
    is_dry_run: bool,
    body: impl FnOnce(&mut Connection) -> QueryResult<T>,
) -> QueryResult<(T, Vec<RowDiff>)> {
    let mut diff = None;
    let outcome = connection.transaction(|connection| {
        let before: Vec<Option<Message>> = messages.iter().map(|key| message(connection, key)).collect::<QueryResult<_>>()?;
        let result = body(connection)?;
        let mut changes = Vec::new();
        for (key, before) in messages.iter().zip(before) {
            changes.extend(RowDiff::between(key, before.as_ref(), message(connection, key)?.as_ref()));
        }
        diff = Some((result, changes));
        if is_dry_run { Err(Error::RollbackTransaction) } else { Ok(()) }
    });
    match (outcome, diff) {
        (Ok(()), Some(diff)) => Ok(diff),
        (Err(Error::RollbackTransaction), Some(diff)) if is_dry_run => Ok(diff),
        (outcome, _) => Err(outcome.err().unwrap_or(Error::RollbackTransaction)),
    }
}

fn message(connection: &mut Connection, key: &MessageKey) -> QueryResult<Option<Message>> {
    on_either!(connection, c => with_key!(m, key).select(Message::as_select()).first(c).optional())
}
