//! Differences of message rows, as text.

use serde_json::Value;

use super::print;
use crate::store::RowDiff;

/// Prints one message with its columns that differ.
pub(super) fn show(diff: &RowDiff) {
    let RowDiff { service_type, account, external_id, recipient_key, is_new, columns } = diff;
    let recipient = if recipient_key.is_empty() { String::new() } else { format!(" to {recipient_key}") };
    print(format_args!("{service_type}/{account} {external_id}{recipient}{}", if *is_new { ", a new row" } else { "" }));
    for (column, (before, after)) in columns {
        print(format_args!("  {column}: {} -> {}", text(before), text(after)));
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
