//! The columns that may contain personal data, and how each row is redacted.

use diesel::{
    AsChangeset, ExpressionMethods, OptionalExtension, QueryDsl, QueryResult, Queryable, RunQueryDsl, Selectable,
    SelectableHelper, dsl::min,
};
use serde_json::Value;

use super::{
    clients,
    data_subject::DataSubject,
    erase::{ScanResult, Table},
};
use crate::store::db::{
    connection::{Connection, on_either},
    schema::{
        calls, communication_metrics, inbound_messages, inbound_parts, inbound_sets, message_addresses, message_external_ids,
        rejected_requests, rooms, suppressions, webhook_bodies, webhook_events, webhook_requests,
    },
};

/// Declares a row from which personal data is removed.
macro_rules! redactable {
    ($Row:ident of $table:ident by $key:ident: [$($nullable:ident),*] [$($other:ident: $ty:ty),*]) => {
        #[derive(Clone, PartialEq, Queryable, Selectable, AsChangeset)]
        #[diesel(table_name = $table, treat_none_as_null = true, primary_key($key))]
        struct $Row {
            $key: i64,
            $($nullable: Option<String>,)*
            $($other: $ty,)*
        }

        impl $Row {
            fn with_redacted_texts(&self, person: &DataSubject) -> Self {
                let mut row = self.clone();
                $(row.$nullable = redact_text(row.$nullable, person);)*
                row
            }
        }
    };
}

/// Declares a row that is deleted if it mentions a person.
macro_rules! deletable {
    ($Row:ident of $table:ident by $key:ident: [$($column:ident: $ty:ty),*]) => {
        #[derive(Clone, PartialEq, Queryable, Selectable, AsChangeset)]
        #[diesel(table_name = $table, treat_none_as_null = true, primary_key($key))]
        struct $Row {
            $key: i64,
            $($column: $ty,)*
        }
    };
}

redactable! { MetricRow of communication_metrics by id: [reference, recipient] [] }
redactable! { MessageRow of message_external_ids by id:
[recipient, sender, provider_status, error_code, error_message, embedded_id] [recipient_key: String] }
redactable! { EventRow of webhook_events by id: [provider_type, provider_status, error_code] [recipient_key: String, detail: String] }
redactable! { RequestRow of webhook_requests by id: [reason] [url: String, headers: String] }
redactable! { InboundRow of inbound_messages by id:
[sender, recipient, text, provider_status, subject, internet_message_id, cc, bcc, received_for] [media: String] }
redactable! { CallRow of calls by id: [sender, recipient, end_reason, ended_by] [] }
redactable! { RoomRow of rooms by id: [name] [members: String, recordings: String] }
deletable! { SetRow of inbound_sets by id: [sender: String, recipient: String, reference: String] }
deletable! { PartRow of inbound_parts by id: [sender: String, recipient: String, reference: String, text: Option<String>] }
deletable! { RejectedRow of rejected_requests by id: [finding: Option<String>, url: String, headers: String, body: Vec<u8>] }
deletable! { SuppressionRow of suppressions by id: [address: String, sender: String, evidence: String] }
deletable! { BodyRow of webhook_bodies by request_id: [body: Vec<u8>] }

fn redact_text(text: Option<String>, person: &DataSubject) -> Option<String> {
    match text {
        Some(text) if person.occurs_in(&text) => person.remove_from_list(&text),
        text => text,
    }
}

fn redact_json(json: &str, person: &DataSubject) -> String {
    if !person.occurs_in(json) {
        return json.to_owned();
    }
    let value: Option<Value> = serde_json::from_str(json).ok();
    value.and_then(|value| person.remove_from(value)).map_or_else(|| "{}".to_owned(), |value| value.to_string())
}

/// The redacted detail of an event without what else is theirs: the subject of an e-mail, the client of an open or a click, and the report
/// about a recipient whose address was removed.
fn without_content(mut detail: Value) -> String {
    clients::remove_client(&mut detail);
    if let Some(email) = detail.get_mut("email").and_then(Value::as_object_mut) {
        email.remove("subject");
    }
    if let Some(reports) = detail.get_mut("recipients").and_then(Value::as_array_mut) {
        reports.retain(|report| report.get("address").is_some());
    }
    detail.to_string()
}

trait Redact: Sized {
    fn key(&self) -> i64;
    /// The row without the person's data; `None` if it is to be deleted.
    fn redacted(&self, person: &DataSubject) -> Option<Self>;
    fn mentions(&self, person: &DataSubject) -> bool;
}

macro_rules! redact {
    ($Row:ident by $key:ident: |$row:ident, $person:ident| $redacted:expr) => {
        impl Redact for $Row {
            fn key(&self) -> i64 {
                self.$key
            }

            fn redacted(&self, $person: &DataSubject) -> Option<Self> {
                let $row = self;
                $redacted
            }

            fn mentions(&self, person: &DataSubject) -> bool {
                self.redacted(person).as_ref() != Some(self)
            }
        }
    };
}

redact! { MetricRow by id: |row, person| Some(row.with_redacted_texts(person)) }
redact! { CallRow by id: |row, person| Some(row.with_redacted_texts(person)) }
redact! { MessageRow by id: |row, person| {
    let recipient_key = if person.occurs_in(&row.recipient_key) { erased_key(row.id) } else { row.recipient_key.clone() };
    Some(Self { recipient_key, ..row.with_redacted_texts(person) })
} }
redact! { EventRow by id: |row, person| {
    let recipient_key = if person.occurs_in(&row.recipient_key) { ERASED.to_owned() } else { row.recipient_key.clone() };
    let redacted = redact_json(&row.detail, person);
    let detail = if redacted == row.detail { redacted } else { without_content(serde_json::from_str(&redacted).unwrap_or_default()) };
    Some(Self { recipient_key, detail, ..row.with_redacted_texts(person) })
} }
redact! { RequestRow by id: |row, person| {
    let url = if person.occurs_in(&row.url) { path_of(&row.url) } else { row.url.clone() };
    Some(Self { url, headers: redact_json(&row.headers, person), ..row.with_redacted_texts(person) })
} }
redact! { InboundRow by id: |row, person| {
    let redacted = row.with_redacted_texts(person);
    let participants = |row: &InboundRow| {
        let InboundRow { sender, recipient, cc, bcc, received_for, .. } = row.clone();
        [sender, recipient, cc, bcc, received_for]
    };
    let is_participant = participants(&redacted) != participants(row);
    let media = if is_participant || person.occurs_in(&row.media) { "[]".to_owned() } else { row.media.clone() };
    let content = |text: Option<String>| text.filter(|_| !is_participant);
    Some(Self { text: content(redacted.text.clone()), subject: content(redacted.subject.clone()), media, ..redacted })
} }
redact! { RoomRow by id: |row, person| Some(Self {
    members: redact_json(&row.members, person),
    recordings: redact_json(&row.recordings, person),
    ..row.with_redacted_texts(person)
}) }
redact! { SetRow by id: |row, person| {
    let is_mentioned = [&row.sender, &row.recipient, &row.reference].into_iter().any(|text| person.occurs_in(text));
    (!is_mentioned).then(|| row.clone())
} }
redact! { PartRow by id: |row, person| {
    let is_mentioned = [&row.sender, &row.recipient, &row.reference].into_iter().chain(&row.text).any(|text| person.occurs_in(text));
    (!is_mentioned).then(|| row.clone())
} }
redact! { RejectedRow by id: |row, person| {
    let is_mentioned = [&row.url, &row.headers].into_iter().chain(&row.finding).any(|text| person.occurs_in(text));
    (!is_mentioned && !person.occurs_in_bytes(&row.body)).then(|| row.clone())
} }
redact! { SuppressionRow by id: |row, person| (!person.occurs_in(&row.address)).then(|| {
    // The opt-outs of others from this number remain.
    let sender = if person.occurs_in(&row.sender) { erased_key(row.id) } else { row.sender.clone() };
    Self { sender, evidence: redact_json(&row.evidence, person), ..row.clone() }
}) }
redact! { BodyRow by request_id: |row, person| (!person.occurs_in_bytes(&row.body)).then(|| row.clone()) }

/// Replaces the key of an erased recipient.
const ERASED: &str = "erased";

/// The same for a message's own row, whose key must remain unique.
fn erased_key(row: i64) -> String {
    format!("{ERASED}-{row}")
}

fn path_of(url: &str) -> String {
    url.split_once('?').map_or(url, |(path, _)| path).to_owned()
}

/// Redacts the detail of an event of their message: removes their data and everything that the provider reported beyond the message
/// row.
fn redact_detail(detail: &str, person: &DataSubject) -> String {
    let value: Value = serde_json::from_str(detail).unwrap_or_default();
    let mut redacted = person.remove_from(value).unwrap_or_default();
    if let Some(fields) = redacted.as_object_mut() {
        fields.remove("more");
        fields.remove("error_diagnostic");
    }
    without_content(redacted)
}

/// Expands a macro for the table.
macro_rules! in_table {
    ($selected:expr, $then:ident!($($arguments:tt)*)) => {
        match $selected {
            Table::MessageExternalIds => $then!(message_external_ids, id, MessageRow, $($arguments)*),
            Table::WebhookBodies => $then!(webhook_bodies, request_id, BodyRow, $($arguments)*),
            Table::WebhookRequests => $then!(webhook_requests, id, RequestRow, $($arguments)*),
            Table::WebhookEvents => $then!(webhook_events, id, EventRow, $($arguments)*),
            Table::RejectedRequests => $then!(rejected_requests, id, RejectedRow, $($arguments)*),
            Table::CommunicationMetrics => $then!(communication_metrics, id, MetricRow, $($arguments)*),
            Table::InboundMessages => $then!(inbound_messages, id, InboundRow, $($arguments)*),
            Table::InboundSets => $then!(inbound_sets, id, SetRow, $($arguments)*),
            Table::InboundParts => $then!(inbound_parts, id, PartRow, $($arguments)*),
            Table::Calls => $then!(calls, id, CallRow, $($arguments)*),
            Table::Rooms => $then!(rooms, id, RoomRow, $($arguments)*),
            Table::Suppressions => $then!(suppressions, id, SuppressionRow, $($arguments)*),
            // Its rows have no id; they are erased by address.
            Table::MessageAddresses => Ok(Default::default()),
        }
    };
}

macro_rules! scan {
    ($table:ident, $key:ident, $Row:ty, $connection:expr, $after:expr, $limit:expr, $person:expr) => {{
        let next = $table::table.filter($table::$key.gt($after)).order($table::$key).limit($limit);
        let rows: Vec<$Row> = on_either!($connection, c => next.select(<$Row>::as_select()).load(c))?;
        let found = rows.iter().filter(|row| row.mentions($person)).map(Redact::key).collect();
        Ok(ScanResult { found, last: rows.last().map(Redact::key) })
    }};
}

macro_rules! erase {
    ($table:ident, $key:ident, $Row:ty, $connection:expr, $id:expr, $person:expr) => {{
        let this = $table::table.filter($table::$key.eq($id));
        let row: Option<$Row> = on_either!($connection, c => this.select(<$Row>::as_select()).first(c).optional())?;
        match row.as_ref().map(|row| row.redacted($person)) {
            None => Ok(()),
            Some(None) => on_either!($connection, c => diesel::delete(this).execute(c)).map(drop),
            Some(Some(redacted)) => on_either!($connection, c => diesel::update(this).set(&redacted).execute(c)).map(drop),
        }
    }};
}

/// Scans the next rows of a table after that id.
pub(crate) fn scan(
    connection: &mut Connection,
    table: Table,
    after: i64,
    limit: i64,
    person: &DataSubject,
) -> QueryResult<ScanResult> {
    in_table!(table, scan!(connection, after, limit, person))
}

/// Redacts or deletes a row.
pub(crate) fn erase(connection: &mut Connection, table: Table, row: i64, person: &DataSubject) -> QueryResult<()> {
    match table {
        Table::MessageExternalIds => redact_recipient_key(connection, row, person)?,
        // A redacted request must not be parsed again.
        Table::WebhookRequests => delete_payload(connection, &[row])?,
        Table::WebhookEvents => {
            let event = webhook_events::table.filter(webhook_events::id.eq(row)).select(webhook_events::request_id);
            let request: Option<i64> = on_either!(connection, c => event.first(c))?;
            delete_payload(connection, &request.into_iter().collect::<Vec<i64>>())?;
        }
        _ => {}
    }
    in_table!(table, erase!(connection, row, person))
}

/// Redacts the next events of a message and deletes their payloads; returns the last event, or `None` at the end.
pub(crate) fn erase_events(
    connection: &mut Connection,
    message: i64,
    after: i64,
    limit: i64,
    person: &DataSubject,
) -> QueryResult<Option<i64>> {
    use webhook_events as e;
    let events = e::table.filter(e::mapping_id.eq(message)).filter(e::id.gt(after)).order(e::id).limit(limit);
    let events: Vec<(EventRow, Option<i64>)> =
        on_either!(connection, c => events.select((EventRow::as_select(), e::request_id)).load(c))?;
    let requests: Vec<i64> = events.iter().filter_map(|(_, request)| *request).collect();
    delete_payload(connection, &requests)?;
    for (event, _) in &events {
        let detail = redact_detail(&event.detail, person);
        let this = e::table.filter(e::id.eq(event.id));
        on_either!(connection, c => diesel::update(this).set(e::detail.eq(&detail)).execute(c))?;
    }
    Ok(events.last().map(|(event, _)| event.id))
}

/// Deletes the payloads of requests: query, headers and body.
fn delete_payload(connection: &mut Connection, requests: &[i64]) -> QueryResult<()> {
    use webhook_requests::{headers, id, table, url};
    let selected = table.filter(id.eq_any(requests)).order(id).select((id, url));
    let urls: Vec<(i64, String)> = on_either!(connection, c => selected.load(c))?;
    for (request, full_url) in urls {
        let redacted = (url.eq(path_of(&full_url)), headers.eq("{}"));
        on_either!(connection, c => diesel::update(table.filter(id.eq(request))).set(redacted).execute(c))?;
    }
    let bodies = webhook_bodies::table.filter(webhook_bodies::request_id.eq_any(requests));
    on_either!(connection, c => diesel::delete(bodies).execute(c)).map(drop)
}

/// Re-keys a message's events to its redacted recipient key.
fn redact_recipient_key(connection: &mut Connection, message: i64, person: &DataSubject) -> QueryResult<()> {
    use message_external_ids as m;
    use webhook_events as e;
    let this = m::table.filter(m::id.eq(message)).select(m::recipient_key);
    let key: Option<String> = on_either!(connection, c => this.first(c).optional())?;
    if key.is_some_and(|key| person.occurs_in(&key)) {
        let events = e::table.filter(e::mapping_id.eq(message));
        let rekeyed = e::recipient_key.eq(erased_key(message));
        on_either!(connection, c => diesel::update(events).set(rekeyed).execute(c))?;
    }
    Ok(())
}

/// Deletes or counts the person's rows among the next addresses; returns the number of rows and the last scanned address.
pub(crate) fn erase_addresses(
    connection: &mut Connection,
    after: &str,
    limit: i64,
    person: &DataSubject,
    is_dry_run: bool,
) -> QueryResult<(u64, Option<String>)> {
    use message_addresses::{address, table};
    let (mut rows, mut last) = (0, None);
    for _ in 0..limit {
        let previous = last.as_deref().unwrap_or(after);
        // One index probe per address, for any number of rows.
        let next = table.filter(address.gt(previous)).select(min(address));
        let next: Option<String> = on_either!(connection, c => next.first(c))?;
        let Some(next) = next else { return Ok((rows, None)) };
        if person.occurs_in(&next) {
            let matching = table.filter(address.eq(&next));
            let count: i64 = on_either!(connection, c => matching.count().get_result(c))?;
            rows += u64::try_from(count).unwrap_or(0);
            if !is_dry_run {
                on_either!(connection, c => diesel::delete(matching).execute(c))?;
            }
        }
        last = Some(next);
    }
    Ok((rows, last))
}
