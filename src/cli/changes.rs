//! What changes, or would change, in the rows of messages, for people.

use serde_json::Value;

use super::say;
use crate::store::Change;

/// One message, with what is different about it.
pub(super) fn show(change: &Change) {
    let Change { service_type, account, external_id, recipient_key, is_new, columns } = change;
    let whose = if recipient_key.is_empty() { String::new() } else { format!(" to {recipient_key}") };
    say(format_args!("{service_type}/{account} {external_id}{whose}{}", if *is_new { ", a new row" } else { "" }));
    for (column, (before, after)) in columns {
        say(format_args!("  {column}: {} -> {}", shown(before), shown(after)));
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
