//! The expected row: a fold over the set of distinct events, written for clarity instead of speed.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
};

use serde_json::{Map, Value, json};
use waybill::time::Timestamp;

use super::{
    case::{Case, Fact, Message, Table},
    facts::{ID, MAPPED, RECIPIENTS, REFERENCES, Recipients},
    wire,
};

/// The values that one event alone would write to its row.
#[derive(Clone, Debug)]
pub struct Event {
    pub recipient_key: &'static str,
    pub rank: u8,
    pub time: Option<i64>,
    pub received_at: i64,
    pub columns: BTreeMap<&'static str, Value>,
    /// Number of arrivals and of distinct requests with the event.
    pub copies: usize,
    pub requests: usize,
}

impl Event {
    pub fn value(&self, column: &str) -> Value {
        self.columns.get(column).cloned().unwrap_or(Value::Null)
    }

    /// The instant in its columns.
    pub fn at(&self) -> i64 {
        self.time.unwrap_or(self.received_at)
    }

    /// Rank and time, as in the first bytes of a state key: the time in microseconds with its sign flipped, 0 if absent.
    pub fn rank_and_time(&self) -> String {
        format!("{:02x}{:016x}", self.rank, self.time.unwrap_or(0).cast_unsigned() ^ (1 << 63))
    }
}

/// The events of one row, and its other inputs.
#[derive(Debug)]
pub struct Row<'c> {
    pub message: &'c Message,
    pub recipient_key: &'static str,
    pub events: Vec<&'c Event>,
    /// The event with the greatest state key.
    pub winner: Option<&'c Event>,
    /// The events of all rows of the external id.
    pub all: &'c [Event],
}

/// The value of a column of a row.
pub type Rule = fn(&Row<'_>, &str) -> Value;

/// Each column of `message_external_ids` with its rule.
pub const MESSAGE_RULES: [(&[&str], Rule); 9] = [
    (&["service_type", "account", "external_id", "recipient_key"], identity),
    (
        &[
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
        ],
        winner,
    ),
    (
        &["delivered_at", "failed_at", "read_at", "opened_at", "clicked_at", "complained_at", "unsubscribed_at", "embedded_id"],
        least,
    ),
    (&["open_count", "click_count", "revision"], sum),
    (&["recipient", "sender", "channel", "direction", "price", "price_currency", "parts_total"], greatest),
    (&["evidence"], strongest_evidence),
    (&["has_conflict"], conflict),
    (&["message_id", "matched_id"], matched_message),
    (&["matched_by"], matched_by),
];

/// Each column of `inbound_messages` with its rule.
pub const INBOUND_RULES: [(&[&str], Rule); 5] = [
    (&["service_type", "account", "external_id"], identity),
    (&["sender", "recipient", "text", "media", "opt_out", "parts_total", "parts_received"], greatest),
    (&["subject", "internet_message_id", "cc", "bcc", "received_for"], greatest),
    (&["channel", "provider_status", "occurred_at", "received_at"], least),
    (&["is_partial"], |_, _| json!(false)),
];

/// The rules of a table.
pub fn rules(table: Table) -> &'static [(&'static [&'static str], Rule)] {
    match table {
        Table::Messages => &MESSAGE_RULES,
        Table::InboundMessages => &INBOUND_RULES,
    }
}

/// The expected row, without absent values.
pub fn fold(row: &Row<'_>) -> Value {
    let mut columns = Map::new();
    for (names, rule) in rules(row.message.table) {
        columns.extend(names.iter().map(|name| ((*name).to_owned(), rule(row, name))));
    }
    columns.retain(|_, value| !value.is_null());
    Value::Object(columns)
}

fn identity(row: &Row<'_>, column: &str) -> Value {
    match column {
        "service_type" => json!(row.message.provider),
        "account" => json!("default"),
        "external_id" => json!(ID),
        _ => json!(row.recipient_key),
    }
}

/// The value of the event with the greatest state key. A row created by the application has no event.
pub fn winner(row: &Row<'_>, column: &str) -> Value {
    match (row.winner, column) {
        (Some(winner), _) => winner.value(column),
        (None, "status") => json!("registered"),
        (None, "is_final") => json!(false),
        (None, "state_key") => json!(""),
        (None, _) => Value::Null,
    }
}

/// Order of values: numbers by size, text by its bytes; an absent value is the least.
pub fn order(one: &Value, other: &Value) -> Ordering {
    (one.as_i64(), one.as_str()).cmp(&(other.as_i64(), other.as_str()))
}

/// The values of a column in the row's events, without absent ones.
pub fn present<'r>(row: &'r Row<'_>, column: &'r str) -> impl DoubleEndedIterator<Item = Value> + 'r {
    row.events.iter().map(move |event| event.value(column)).filter(|value| !value.is_null())
}

pub fn least(row: &Row<'_>, column: &str) -> Value {
    present(row, column).min_by(order).unwrap_or_default()
}

pub fn greatest(row: &Row<'_>, column: &str) -> Value {
    present(row, column).max_by(order).unwrap_or_default()
}

fn sum(row: &Row<'_>, column: &str) -> Value {
    present(row, column).filter_map(|value| value.as_i64()).sum::<i64>().into()
}

/// Grades of evidence, weakest first.
pub const GRADES: [&str; 5] = ["inferred", "provider", "mta", "carrier", "handset"];

fn strongest_evidence(row: &Row<'_>, column: &str) -> Value {
    present(row, column).max_by_key(grade).unwrap_or_default()
}

/// The strength of a grade.
pub fn grade(value: &Value) -> Option<usize> {
    GRADES.iter().position(|grade| value == grade)
}

/// A failure and a delivery with more than inferred evidence, or two references.
fn conflict(row: &Row<'_>, _: &str) -> Value {
    json!(has_receipt_and_failure(row) || has_two_references(row))
}

pub fn has_receipt_and_failure(row: &Row<'_>) -> bool {
    let has_receipt = present(row, "evidence").any(|grade| grade != "inferred");
    has_receipt && present(row, "failed_at").next().is_some()
}

pub fn has_two_references(row: &Row<'_>) -> bool {
    present(row, "embedded_id").map(|id| id.to_string()).collect::<BTreeSet<_>>().len() > 1
}

/// The message that the application mapped the external id to; otherwise that of the least registered reference, first among the
/// row's own events and then among those of other recipients.
fn matched_message(row: &Row<'_>, _: &str) -> Value {
    let mapped = row.message.maps.map(|_| MAPPED);
    let own = || messages(row.events.iter().copied()).into_values().next();
    let shared = || messages(row.all.iter()).into_values().next();
    mapped.or_else(own).or_else(shared).into()
}

/// The messages of registered references, by reference.
pub fn messages<'e, E: Iterator<Item = &'e Event>>(events: E) -> BTreeMap<String, i64> {
    let texts = events.filter_map(|event| event.value("embedded_id").as_str().map(str::to_owned));
    let message = |text: &String| REFERENCES.iter().find(|reference| reference.text == text)?.message;
    texts.filter_map(|text| message(&text).map(|message| (text, message))).collect()
}

fn matched_by(row: &Row<'_>, _: &str) -> Value {
    match matched_message(row, "") {
        Value::Null => Value::Null,
        _ if row.message.maps.is_some() => json!("database"),
        _ => json!("embedded"),
    }
}

/// The distinct events of one message of a case.
pub fn events(case: &Case, message: usize) -> Vec<Event> {
    let source = &case.messages[message];
    let arrivals: Vec<&Vec<usize>> = case
        .arrivals
        .iter()
        .filter(|arrival| arrival.message == message)
        .map(|arrival| &source.requests[arrival.request])
        .collect();
    let event = |index: usize, fact: &Fact, recipient_key| {
        let mut event = Event {
            recipient_key,
            rank: fact.word.rank,
            time: wire::occurred_at(fact),
            received_at: wire::received_at(fact, index),
            columns: BTreeMap::new(),
            copies: arrivals.iter().copied().flatten().filter(|&&one| one == index).count(),
            requests: source.requests.iter().filter(|request| request.contains(&index)).count(),
        };
        event.columns = columns(source.table, fact, &event);
        event
    };
    let events_of_fact =
        |(index, fact)| recipient_keys(fact).into_iter().map(move |key| event(index, fact, key)).collect::<Vec<_>>();
    source.facts.iter().enumerate().flat_map(events_of_fact).collect()
}

fn recipient_keys(fact: &Fact) -> Vec<&'static str> {
    if fact.shape.recipients == Recipients::NotInKey || fact.recipients.is_empty() {
        return vec![""];
    }
    fact.recipients.iter().map(|&recipient| RECIPIENTS[recipient].1).collect()
}

fn columns(table: Table, fact: &Fact, event: &Event) -> BTreeMap<&'static str, Value> {
    let mut columns = match table {
        Table::Messages => message_columns(fact, event),
        Table::InboundMessages => BTreeMap::from([
            ("media", json!("[]")),
            ("parts_total", json!(1)),
            ("occurred_at", event.time.map_or(Value::Null, instant)),
            ("received_at", instant(event.received_at)),
        ]),
    };
    if fact.word.is_status {
        columns.insert("provider_status", json!(fact.word.text));
    }
    for (column, text) in fact.shape.fixed.columns.iter().chain(fact.choices.iter().flat_map(|choice| choice.columns)) {
        let value = if *column == "parts_total" { text.parse::<i64>().expect("a number").into() } else { json!(text) };
        columns.insert(column, value);
    }
    if table == Table::InboundMessages {
        columns.insert("parts_received", columns["parts_total"].clone());
    }
    columns
}

const FAILURES: [&str; 5] = ["failed", "rejected", "expired", "undelivered", "bounced"];

fn message_columns(fact: &Fact, event: &Event) -> BTreeMap<&'static str, Value> {
    let word = fact.word;
    let at = instant(event.at());
    let is_failure = FAILURES.contains(&word.status);
    let mut columns = BTreeMap::from([
        ("state_key", json!(event.rank_and_time())),
        ("status", json!(word.status)),
        ("is_final", json!(is_failure || ["delivered", "canceled"].contains(&word.status))),
        ("status_at", at.clone()),
        ("verified_by", json!(format!("{}:0", fact.shape.scheme))),
        ("revision", json!(1)),
        ("open_count", json!(i64::from(word.mark == Some("opened_at")))),
        ("click_count", json!(i64::from(word.mark == Some("clicked_at")))),
    ]);
    columns.extend(word.evidence.map(|grade| ("evidence", json!(grade))));
    columns.extend(word.mark.map(|column| (column, at.clone())));
    columns.extend((word.status == "delivered").then(|| ("delivered_at", at.clone())));
    columns.extend(is_failure.then_some(("failed_at", at)));
    columns.extend(fact.reference.map(|reference| ("embedded_id", json!(reference.text))));
    columns.extend((!event.recipient_key.is_empty()).then(|| ("recipient", json!(event.recipient_key))));
    // A failure without an error has an unknown category.
    let error = word.error.or(is_failure.then_some(["", "", "unknown", "unknown"]));
    let names = ["error_code", "error_message", "error_category", "error_permanence"];
    let parts = names.into_iter().zip(error.into_iter().flatten()).filter(|(_, text)| !text.is_empty());
    columns.extend(parts.map(|(name, text)| (name, json!(text))));
    columns
}

/// An instant in microseconds, formatted as in the tables.
pub fn instant(micros: i64) -> Value {
    let text = Timestamp::from_micros(micros).expect("an instant").naive().to_string();
    let text = if text.contains('.') { text.trim_end_matches('0').to_owned() } else { text };
    json!(text)
}
