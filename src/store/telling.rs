//! The columns that may tell of a person, row by row, and what is left of a row without them.

use diesel::{
    AsChangeset, ExpressionMethods, NullableExpressionMethods, OptionalExtension, QueryDsl, QueryResult, Queryable, RunQueryDsl,
    Selectable, SelectableHelper,
};
use serde_json::Value;

use super::{
    connection::for_both,
    erase::{Erase, Looked, Table},
    schema::{
        calls, communication_metrics, inbound_messages, inbound_parts, inbound_sets, message_external_ids, rejected_requests,
        rooms, webhook_bodies, webhook_events, webhook_requests,
    },
};
use crate::person::Person;

/// A row that may tell of a person, and loses what does so.
macro_rules! telling {
    ($Row:ident of $table:ident by $key:ident: [$($nullable:ident),*] [$($other:ident: $ty:ty),*]) => {
        #[derive(Clone, PartialEq, Queryable, Selectable, AsChangeset)]
        #[diesel(table_name = $table, treat_none_as_null = true, primary_key($key))]
        struct $Row {
            $key: i64,
            $($nullable: Option<String>,)*
            $($other: $ty,)*
        }

        impl $Row {
            /// The row without the texts that tell of them; of a list the others stay.
            fn without_texts(&self, person: &Person) -> Self {
                let mut row = self.clone();
                $(row.$nullable = without(row.$nullable, person);)*
                row
            }
        }
    };
}

/// A row that goes as a whole if it tells of a person.
macro_rules! gone {
    ($Row:ident of $table:ident by $key:ident: [$($column:ident: $ty:ty),*]) => {
        #[derive(Clone, PartialEq, Queryable, Selectable, AsChangeset)]
        #[diesel(table_name = $table, treat_none_as_null = true, primary_key($key))]
        struct $Row {
            $key: i64,
            $($column: $ty,)*
        }
    };
}

telling! { MetricRow of communication_metrics by id: [reference, recipient] [] }
telling! { MessageRow of message_external_ids by id:
[recipient, sender, provider_status, error_code, error_message, embedded_id] [recipient_key: String] }
telling! { EventRow of webhook_events by id: [provider_type, provider_status, error_code] [recipient_key: String, detail: String] }
telling! { RequestRow of webhook_requests by id: [reason] [url: String, headers: String] }
telling! { InboundRow of inbound_messages by id: [sender, recipient, text, provider_status] [media: String] }
telling! { CallRow of calls by id: [sender, recipient, end_reason, ended_by] [] }
telling! { RoomRow of rooms by id: [name] [members: String, recordings: String] }
gone! { SetRow of inbound_sets by id: [sender: String, recipient: String, reference: String] }
gone! { PartRow of inbound_parts by id: [sender: String, recipient: String, reference: String, text: Option<String>] }
gone! { RejectedRow of rejected_requests by id: [finding: Option<String>, url: String, headers: String, body: Vec<u8>] }
gone! { BodyRow of webhook_bodies by request_id: [body: Vec<u8>] }

fn without(text: Option<String>, person: &Person) -> Option<String> {
    match text {
        Some(text) if person.is_in(&text) => person.removed_from_list(&text),
        text => text,
    }
}

/// A JSON text without what tells of them.
fn without_values(json: &str, person: &Person) -> String {
    if !person.is_in(json) {
        return json.to_owned();
    }
    let value: Option<Value> = serde_json::from_str(json).ok();
    value.and_then(|value| person.removed_from(value)).map_or_else(|| "{}".to_owned(), |value| value.to_string())
}

/// What is left of a row; `None` if it goes as a whole.
trait Telling: Sized {
    fn key(&self) -> i64;
    fn without(&self, person: &Person) -> Option<Self>;
    /// Whether it tells of them.
    fn tells(&self, person: &Person) -> bool;
}

macro_rules! left {
    ($Row:ident by $key:ident: |$row:ident, $person:ident| $left:expr) => {
        impl Telling for $Row {
            fn key(&self) -> i64 {
                self.$key
            }

            fn without(&self, $person: &Person) -> Option<Self> {
                let $row = self;
                $left
            }

            fn tells(&self, person: &Person) -> bool {
                self.without(person).as_ref() != Some(self)
            }
        }
    };
}

left! { MetricRow by id: |row, person| Some(row.without_texts(person)) }
left! { CallRow by id: |row, person| Some(row.without_texts(person)) }
left! { MessageRow by id: |row, person| {
    let recipient_key = if person.is_in(&row.recipient_key) { erased_key(row.id) } else { row.recipient_key.clone() };
    Some(Self { recipient_key, ..row.without_texts(person) })
} }
left! { EventRow by id: |row, person| {
    let recipient_key = if person.is_in(&row.recipient_key) { ERASED.to_owned() } else { row.recipient_key.clone() };
    Some(Self { recipient_key, detail: without_values(&row.detail, person), ..row.without_texts(person) })
} }
left! { RequestRow by id: |row, person| {
    let url = if person.is_in(&row.url) { path_of(&row.url) } else { row.url.clone() };
    Some(Self { url, headers: without_values(&row.headers, person), ..row.without_texts(person) })
} }
left! { InboundRow by id: |row, person| {
    let left = row.without_texts(person);
    let is_theirs = left.sender != row.sender || left.recipient != row.recipient;
    let media = if is_theirs || person.is_in(&row.media) { "[]".to_owned() } else { row.media.clone() };
    Some(Self { text: left.text.filter(|_| !is_theirs), media, ..row.without_texts(person) })
} }
left! { RoomRow by id: |row, person| Some(Self {
    members: without_values(&row.members, person),
    recordings: without_values(&row.recordings, person),
    ..row.without_texts(person)
}) }
left! { SetRow by id: |row, person| {
    let is_told = [&row.sender, &row.recipient, &row.reference].into_iter().any(|text| person.is_in(text));
    (!is_told).then(|| row.clone())
} }
left! { PartRow by id: |row, person| {
    let is_told = [&row.sender, &row.recipient, &row.reference].into_iter().chain(&row.text).any(|text| person.is_in(text));
    (!is_told).then(|| row.clone())
} }
left! { RejectedRow by id: |row, person| {
    let is_told = [&row.url, &row.headers].into_iter().chain(&row.finding).any(|text| person.is_in(text));
    (!is_told && !person.is_in_bytes(&row.body)).then(|| row.clone())
} }
left! { BodyRow by request_id: |row, person| (!person.is_in_bytes(&row.body)).then(|| row.clone()) }

/// What stands for a recipient who was erased.
const ERASED: &str = "erased";

/// The same in a message's key, which must stay one of its own.
fn erased_key(row: i64) -> String {
    format!("{ERASED}-{row}")
}

fn path_of(url: &str) -> String {
    url.split_once('?').map_or(url, |(path, _)| path).to_owned()
}

/// The detail of an event about their message: besides what tells of them, whatever the provider told beyond the message row.
fn detail_of_theirs(detail: &str, person: &Person) -> String {
    let value: Value = serde_json::from_str(detail).unwrap_or_default();
    let mut left = person.removed_from(value).unwrap_or_default();
    if let Some(fields) = left.as_object_mut() {
        fields.remove("more");
        fields.remove("error_diagnostic");
    }
    left.to_string()
}

/// The same statements for every table.
macro_rules! in_table {
    ($asked:expr, $then:ident!($($arguments:tt)*)) => {
        match $asked {
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
        }
    };
}

macro_rules! look {
    ($table:ident, $key:ident, $Row:ty, $connection:expr, $after:expr, $limit:expr, $person:expr) => {{
        let behind = $table::table.filter($table::$key.gt($after)).order($table::$key).limit($limit);
        let rows: Vec<$Row> = behind.select(<$Row>::as_select()).load($connection)?;
        let found = rows.iter().filter(|row| row.tells($person)).map(Telling::key).collect();
        Ok(Looked { found, last: rows.last().map(Telling::key) })
    }};
}

macro_rules! erase {
    ($table:ident, $key:ident, $Row:ty, $connection:expr, $id:expr, $person:expr) => {{
        let this = $table::table.filter($table::$key.eq($id));
        let row: Option<$Row> = this.select(<$Row>::as_select()).first($connection).optional()?;
        match row.as_ref().map(|row| row.without($person)) {
            None => Ok(()),
            Some(None) => diesel::delete(this).execute($connection).map(drop),
            Some(Some(left)) => diesel::update(this).set(&left).execute($connection).map(drop),
        }
    }};
}

for_both! {
    impl Erase for Connection {
        fn look(&mut self, table: Table, after: i64, limit: i64, person: &Person) -> QueryResult<Looked> {
            in_table!(table, look!(self, after, limit, person))
        }

        fn erase(&mut self, table: Table, row: i64, person: &Person) -> QueryResult<()> {
            match table {
                Table::MessageExternalIds => self.rename_recipient(row, person)?,
                // Without its parameters it must not be read again, nor what the event was read out of.
                Table::WebhookRequests => self.forget(&[row])?,
                Table::WebhookEvents => {
                    use webhook_events::{id, request_id, table};
                    let request: Option<i64> = table.filter(id.eq(row)).select(request_id).first(self)?;
                    self.forget(&request.into_iter().collect::<Vec<i64>>())?;
                }
                _ => {}
            }
            in_table!(table, erase!(self, row, person))
        }

        fn erase_events_of(&mut self, message: i64, after: i64, limit: i64, person: &Person) -> QueryResult<Option<i64>> {
            use message_external_ids as m;
            use webhook_events as e;
            let message = m::table.filter(m::id.eq(message));
            let key: Option<(String, String, String, String)> =
                message.select((m::service_type, m::account, m::external_id, m::recipient_key)).first(self).optional()?;
            let Some((service_type, account, external_id, recipient_key)) = key else { return Ok(None) };
            let events: Vec<(EventRow, Option<i64>)> = e::table
                .filter(e::service_type.eq(service_type))
                .filter(e::account.eq(account))
                .filter(e::external_id.eq(external_id))
                .filter(e::recipient_key.eq(recipient_key))
                .filter(e::id.gt(after))
                .order(e::id)
                .limit(limit)
                .select((EventRow::as_select(), e::request_id))
                .load(self)?;
            let requests: Vec<i64> = events.iter().filter_map(|(_, request)| *request).collect();
            self.forget(&requests)?;
            for (event, _) in &events {
                let detail = detail_of_theirs(&event.detail, person);
                diesel::update(e::table.filter(e::id.eq(event.id))).set(e::detail.eq(detail)).execute(self)?;
            }
            Ok(events.last().map(|(event, _)| event.id))
        }
    }
}

/// What an erasure asks besides.
trait Beside {
    /// Takes from requests whatever they carried.
    fn forget(&mut self, requests: &[i64]) -> QueryResult<()>;
    /// Gives the events of a message the key that it gets itself, so that they stay its own.
    fn rename_recipient(&mut self, message: i64, person: &Person) -> QueryResult<()>;
}

for_both! {
    impl Beside for Connection {
        fn forget(&mut self, requests: &[i64]) -> QueryResult<()> {
            use webhook_requests::{headers, id, table, url};
            let urls: Vec<(i64, String)> = table.filter(id.eq_any(requests)).order(id).select((id, url)).load(self)?;
            for (request, of_request) in urls {
                diesel::update(table.filter(id.eq(request)))
                    .set((url.eq(path_of(&of_request)), headers.eq("{}")))
                    .execute(self)?;
            }
            diesel::delete(webhook_bodies::table.filter(webhook_bodies::request_id.eq_any(requests))).execute(self).map(drop)
        }

        fn rename_recipient(&mut self, message: i64, person: &Person) -> QueryResult<()> {
            use message_external_ids as m;
            use webhook_events as e;
            let this = m::table.filter(m::id.eq(message));
            let key: Option<(String, String, String, String)> =
                this.select((m::service_type, m::account, m::external_id, m::recipient_key)).first(self).optional()?;
            let Some((service_type, account, external_id, recipient_key)) = key.filter(|(.., key)| person.is_in(key)) else {
                return Ok(());
            };
            let events = e::table
                .filter(e::service_type.eq(service_type))
                .filter(e::account.eq(account))
                .filter(e::external_id.nullable().eq(external_id))
                .filter(e::recipient_key.eq(recipient_key));
            diesel::update(events).set(e::recipient_key.eq(erased_key(message))).execute(self).map(drop)
        }
    }
}
