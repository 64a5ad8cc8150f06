//! Mutations of the expected fold: each is wrong in one point. The generated cases must distinguish it from the product's rule for
//! every column that it names.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    case::Table,
    expected::{
        Event, Row, Rule, grade, greatest, has_receipt_and_failure, has_two_references, instant, least, messages, order, present,
        winner,
    },
    facts::MAPPED,
};

/// A wrong rule for some columns.
pub struct Mutation {
    pub name: &'static str,
    pub columns: &'static [&'static str],
    pub rule: Rule,
}

const fn mutation(name: &'static str, columns: &'static [&'static str], rule: Rule) -> Mutation {
    Mutation { name, columns, rule }
}

/// Columns of the event with the greatest state key.
const WINNER: &[&str] = &[
    "state_key",
    "status",
    "provider_status",
    "is_final",
    "error_code",
    "error_message",
    "error_category",
    "error_permanence",
    "status_at",
    "verified_by",
];
/// Columns in which two events of the same rank can differ.
const TIED: &[&str] = &[
    "status",
    "provider_status",
    "error_code",
    "error_message",
    "error_category",
    "error_permanence",
    "status_at",
    "verified_by",
];
const ERRORS: &[&str] = &["error_code", "error_message", "error_category", "error_permanence"];
const INSTANTS: &[&str] =
    &["delivered_at", "failed_at", "read_at", "opened_at", "clicked_at", "complained_at", "unsubscribed_at"];
const COUNTS: &[&str] = &["open_count", "click_count", "revision"];
const GREATEST: &[&str] = &["recipient", "sender", "channel", "direction", "price", "price_currency", "parts_total"];
const MATCHED: &[&str] = &["message_id", "matched_id", "matched_by"];

const MESSAGES: &[Mutation] = &[
    mutation("the least state key", WINNER, |row, column| value(row.events.iter().copied().min_by_key(|e| key(e)), column)),
    mutation("the first event", WINNER, first_event),
    mutation("the last event", WINNER, |row, column| value(row.events.last().copied(), column)),
    mutation("the latest event", WINNER, |row, column| value(row.events.iter().copied().max_by_key(|e| e.at()), column)),
    mutation("the time of receipt where an event has none", TIED, |row, column| {
        value(row.events.iter().copied().max_by_key(|e| (e.rank, e.at())), column)
    }),
    mutation("of one rank the first", TIED, |row, column| value(row.events.iter().copied().rev().max_by_key(|e| e.rank), column)),
    mutation("of one rank and time the first", TIED, |row, column| {
        value(row.events.iter().copied().rev().max_by_key(|e| key(e)), column)
    }),
    mutation("of one rank and time the last", TIED, |row, column| {
        value(row.events.iter().copied().max_by_key(|e| key(e)), column)
    }),
    mutation("an absent value does not replace another", ERRORS, |row, column| {
        let mut events = row.events.clone();
        events.sort_by_key(|event| (key(event), std::ptr::eq(*event, row.winner.expect("a winner"))));
        events.into_iter().rev().map(|event| event.value(column)).find(|value| !value.is_null()).unwrap_or_default()
    }),
    mutation("the greatest text", TIED, greatest),
    mutation("absent without a time of its own", &["status_at"], |row, _| {
        row.winner.and_then(|winner| winner.time).map_or(Value::Null, instant)
    }),
    mutation("the greatest instant", INSTANTS, greatest),
    mutation("the instant of the greatest state key", INSTANTS, winner),
    mutation("the first instant that arrives", INSTANTS, first_present),
    mutation("the last instant that arrives", INSTANTS, last_present),
    mutation("absent if absent in one event", INSTANTS, least_unless_absent),
    mutation("absent without a time of its own", INSTANTS, |row, column| {
        least_of(row.events.iter().filter(|event| event.time.is_some()), column)
    }),
    mutation("the instant of receipt", INSTANTS, |row, column| {
        let events = row.events.iter().filter(|event| !event.value(column).is_null());
        events.map(|event| event.received_at).min().map_or(Value::Null, instant)
    }),
    mutation("inferred deliveries do not count", &["delivered_at"], |row, column| {
        least_of(row.events.iter().filter(|event| event.value("evidence") != "inferred"), column)
    }),
    mutation("copies count", COUNTS, |row, column| {
        sum_of(row, |event| event.value(column).as_i64().unwrap_or(0) * times(event.copies))
    }),
    mutation("each request counts", &["revision"], |row, _| sum_of(row, |event| times(event.requests))),
    mutation("one at most", COUNTS, greatest),
    mutation("those of the winner", COUNTS, winner),
    mutation("those of the first", COUNTS, first_event),
    mutation("the least", GREATEST, least),
    mutation("those of the greatest state key", GREATEST, winner),
    mutation("the first that arrives", GREATEST, first_present),
    mutation("the last that arrives", GREATEST, last_present),
    mutation("absent if absent in one event", GREATEST, greatest_unless_absent),
    mutation("in the order of a dictionary", &["recipient", "sender"], greatest_ignoring_case),
    mutation("by size", &["price"], |row, column| {
        let size = |value: &Value| value.as_str().and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
        present(row, column).max_by(|one, other| size(one).total_cmp(&size(other))).unwrap_or_default()
    }),
    mutation("by digits", &["parts_total"], greatest_as_text),
    mutation("the weakest", &["evidence"], |row, column| present(row, column).min_by_key(grade).unwrap_or_default()),
    mutation("the greatest text", &["evidence"], greatest),
    mutation("the least text", &["evidence"], least),
    mutation("that of the greatest state key", &["evidence"], winner),
    mutation("the first that arrives", &["evidence"], first_present),
    mutation("handsets are the weakest", &["evidence"], |row, column| {
        present(row, column).max_by_key(|value| (value != "handset", grade(value))).unwrap_or_default()
    }),
    mutation("inferred deliveries count", &["has_conflict"], |row, _| {
        let both = ["delivered_at", "failed_at"].iter().all(|column| present(row, column).next().is_some());
        json!(both || has_two_references(row))
    }),
    mutation("references do not count", &["has_conflict"], |row, _| json!(has_receipt_and_failure(row))),
    mutation("receipts do not count", &["has_conflict"], |row, _| json!(has_two_references(row))),
    mutation("the greatest", &["embedded_id"], greatest),
    mutation("that of the greatest state key", &["embedded_id"], winner),
    mutation("the first that arrives", &["embedded_id"], first_present),
    mutation("absent if absent in one event", &["embedded_id"], least_unless_absent),
    mutation("that of the greatest reference", &["message_id", "matched_id"], |row, _| {
        mapped_or(row, own_messages(row).into_values().last())
    }),
    mutation("that of the least reference, registered or not", MATCHED, |row, column| {
        let least = least(row, "embedded_id");
        let found = own_messages(row).remove(least.as_str().unwrap_or_default());
        match column {
            "matched_by" if row.message.maps.is_some() => json!("database"),
            "matched_by" => found.map_or(Value::Null, |_| json!("embedded")),
            _ => mapped_or(row, found),
        }
    }),
    mutation("that of a reference before that of the application", MATCHED, |row, column| {
        match (own_messages(row).into_values().next(), column) {
            (Some(_), "matched_by") => json!("embedded"),
            (None, "matched_by") => row.message.maps.map_or(Value::Null, |_| json!("database")),
            (found, _) => found.or(row.message.maps.map(|_| MAPPED)).into(),
        }
    }),
    mutation("each recipient has its own", MATCHED, |row, column| {
        let maps = row.message.maps.is_some() && row.recipient_key.is_empty();
        match (own_messages(row).into_values().next(), column) {
            (_, "matched_by") if maps => json!("database"),
            (Some(_), "matched_by") => json!("embedded"),
            (None, "matched_by") => Value::Null,
            (found, _) => {
                if maps {
                    MAPPED.into()
                } else {
                    found.into()
                }
            }
        }
    }),
    mutation("one row for all recipients", &["recipient_key"], |row, _| {
        json!(row.all.iter().map(|event| event.recipient_key).max())
    }),
];

const TEXTS: &[&str] =
    &["sender", "recipient", "text", "media", "opt_out", "subject", "internet_message_id", "cc", "bcc", "received_for"];
const NULLABLE_TEXTS: &[&str] =
    &["sender", "recipient", "text", "opt_out", "subject", "internet_message_id", "cc", "bcc", "received_for"];
const PARTS: &[&str] = &["parts_total", "parts_received"];
const LEAST: &[&str] = &["channel", "provider_status", "occurred_at", "received_at"];

const INBOUND: &[Mutation] = &[
    mutation("the least", TEXTS, least),
    mutation("the first that arrives", TEXTS, first_present),
    mutation("the last that arrives", TEXTS, last_present),
    mutation("absent if absent in one event", NULLABLE_TEXTS, greatest_unless_absent),
    mutation("in the order of a dictionary", &["sender", "recipient", "text", "subject"], greatest_ignoring_case),
    mutation("the least", PARTS, least),
    mutation("by digits", PARTS, greatest_as_text),
    mutation("the sum", PARTS, |row, column| sum_of(row, |event| event.value(column).as_i64().unwrap_or(0))),
    mutation("the greatest", LEAST, greatest),
    mutation("the first that arrives", LEAST, first_present),
    mutation("the last that arrives", LEAST, last_present),
    mutation("absent if absent in one event", &["provider_status", "occurred_at"], least_unless_absent),
];

/// The mutations of a table's rules.
pub fn all(table: Table) -> &'static [Mutation] {
    match table {
        Table::Messages => MESSAGES,
        Table::InboundMessages => INBOUND,
    }
}

/// Rank and time, which are compared before the event's key.
fn key(event: &Event) -> (u8, Option<i64>) {
    (event.rank, event.time)
}

fn value(event: Option<&Event>, column: &str) -> Value {
    event.map_or(Value::Null, |event| event.value(column))
}

fn first_event(row: &Row<'_>, column: &str) -> Value {
    value(row.events.first().copied(), column)
}

fn first_present(row: &Row<'_>, column: &str) -> Value {
    present(row, column).next().unwrap_or_default()
}

fn last_present(row: &Row<'_>, column: &str) -> Value {
    present(row, column).next_back().unwrap_or_default()
}

fn greatest_unless_absent(row: &Row<'_>, column: &str) -> Value {
    if is_absent_in_one(row, column) { Value::Null } else { greatest(row, column) }
}

fn least_unless_absent(row: &Row<'_>, column: &str) -> Value {
    if is_absent_in_one(row, column) { Value::Null } else { least(row, column) }
}

fn is_absent_in_one(row: &Row<'_>, column: &str) -> bool {
    row.events.iter().any(|event| event.value(column).is_null())
}

fn least_of<'e>(events: impl Iterator<Item = &'e &'e Event>, column: &str) -> Value {
    events.map(|event| event.value(column)).filter(|value| !value.is_null()).min_by(order).unwrap_or_default()
}

fn sum_of(row: &Row<'_>, number: impl Fn(&Event) -> i64) -> Value {
    row.events.iter().map(|event| number(event)).sum::<i64>().into()
}

fn times(number: usize) -> i64 {
    i64::try_from(number).expect("few")
}

/// Compares without case, as most collations do: `a` before `Z`.
fn greatest_ignoring_case(row: &Row<'_>, column: &str) -> Value {
    let lower = |value: &Value| value.as_str().map(str::to_lowercase);
    present(row, column).max_by_key(lower).unwrap_or_default()
}

/// Compares numbers as text: `9` after `10`.
fn greatest_as_text(row: &Row<'_>, column: &str) -> Value {
    present(row, column).max_by_key(ToString::to_string).unwrap_or_default()
}

/// The message that the application mapped the id to; without a mapping, the given one.
fn mapped_or(row: &Row<'_>, found: Option<i64>) -> Value {
    row.message.maps.map(|_| MAPPED).or(found).into()
}

/// The messages of registered references in the row's own events, by reference.
fn own_messages(row: &Row<'_>) -> BTreeMap<String, i64> {
    messages(row.events.iter().copied())
}
