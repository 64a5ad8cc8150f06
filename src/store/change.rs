//! What would change, or changed, in the rows of messages: columns before and after.

use std::collections::BTreeMap;

use diesel::{ExpressionMethods, OptionalExtension, QueryDsl, QueryResult, RunQueryDsl, SelectableHelper, result::Error};
use serde::Serialize;
use serde_json::Value;

use super::{
    commit::{Identity, Writer},
    connection::for_both,
    lists::Message,
    schema::message_external_ids as m,
};

/// One message's row, and its columns that differ.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Change {
    /// The provider.
    pub service_type: String,
    /// The account.
    pub account: String,
    /// The provider's id of the message.
    pub external_id: String,
    /// Which of its recipients, where each has a row.
    pub recipient_key: String,
    /// Whether there was no row before.
    pub is_new: bool,
    /// Column → before and after.
    #[schema(value_type = BTreeMap<String, Vec<Value>>)]
    pub columns: BTreeMap<String, (Value, Value)>,
}

/// Those of no consequence.
const ASIDE: [&str; 3] = ["id", "created_at", "updated_at"];

impl Change {
    /// What differs; `None` if nothing does.
    fn between(identity: &Identity, before: Option<&Message>, after: Option<&Message>) -> Option<Self> {
        let columns = |row: Option<&Message>| row.map(|row| serde_json::to_value(row).unwrap_or_default()).unwrap_or_default();
        let (old, new) = (columns(before), columns(after));
        let names = [&old, &new].into_iter().filter_map(Value::as_object).flat_map(serde_json::Map::keys);
        let of = |row: &Value, name: &str| row.get(name).cloned().unwrap_or_default();
        let columns: BTreeMap<String, (Value, Value)> = names
            .filter(|name| !ASIDE.contains(&name.as_str()))
            .map(|name| (name.clone(), (of(&old, name), of(&new, name))))
            .filter(|(_, (old, new))| old != new)
            .collect();
        let [service_type, account, external_id, recipient_key] = identity.parts().clone();
        let change = Self { service_type, account, external_id, recipient_key, is_new: before.is_none(), columns };
        (!change.columns.is_empty()).then_some(change)
    }
}

/// Runs `body` in a transaction and tells what it changed in the rows of these messages. A dry run takes it all back.
pub(super) fn observed<W: Writer, T>(
    writer: &mut W,
    messages: &[Identity],
    is_dry: bool,
    body: impl FnOnce(&mut W) -> QueryResult<T>,
) -> QueryResult<(T, Vec<Change>)> {
    let mut told = None;
    let outcome = writer.atomically(|writer| {
        let before: Vec<Option<Message>> = messages.iter().map(|message| writer.message(message)).collect::<QueryResult<_>>()?;
        let result = body(writer)?;
        let mut changes = Vec::new();
        for (message, before) in messages.iter().zip(before) {
            changes.extend(Change::between(message, before.as_ref(), writer.message(message)?.as_ref()));
        }
        told = Some((result, changes));
        if is_dry { Err(Error::RollbackTransaction) } else { Ok(()) }
    });
    match (outcome, told) {
        (Ok(()), Some(told)) => Ok(told),
        (Err(Error::RollbackTransaction), Some(told)) if is_dry => Ok(told),
        (outcome, _) => Err(outcome.err().unwrap_or(Error::RollbackTransaction)),
    }
}

/// What is asked of either database.
pub(super) trait Looking {
    /// A message's row.
    fn message(&mut self, message: &Identity) -> QueryResult<Option<Message>>;
}

for_both! {
    impl Looking for Connection {
        fn message(&mut self, message: &Identity) -> QueryResult<Option<Message>> {
            let [service_type, account, external_id, recipient_key] = message.parts();
            m::table
                .filter(m::service_type.eq(service_type))
                .filter(m::account.eq(account))
                .filter(m::external_id.eq(external_id))
                .filter(m::recipient_key.eq(recipient_key))
                .select(Message::as_select())
                .first(self)
                .optional()
        }
    }
}
