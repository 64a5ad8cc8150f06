//! Records from a queue: large batches, records that are delivered again, and batches of which the database does not accept all.

use std::collections::BTreeMap;

use serde_json::Value;
use waybill::{
    callback::Callback,
    endpoint::Endpoint,
    fixture::Fixture,
    metrics::QueueFigures,
    store::{Committed, Record, Store, StoreError},
    time::Timestamp,
};

use crate::{
    store::{endpoint, open, reject_poison, run},
    support::{
        callback::{received, signed},
        database::{Backend, Database},
        metrics::Metrics,
    },
};

fn record(endpoint: &Endpoint, callback: &Callback) -> Record {
    let verified = endpoint.verify(callback).expect("verified");
    let parsed = endpoint.parse(&verified);
    Record::new(endpoint, &verified, parsed.events)
}

/// The record of a form that is received at that second.
fn received_at(endpoint: &Endpoint, form: &str, second: i64) -> Record {
    let at = Timestamp::from_seconds(1_773_500_000 + second).expect("an instant");
    record(endpoint, &signed(endpoint, endpoint.path(), form.to_owned(), "", at))
}

fn status(endpoint: &Endpoint, id: &str, status: &str) -> Record {
    received_at(endpoint, &format!("MessageSid={id}&MessageStatus={status}"), 0).that_may_recur()
}

/// Records of three messages in the order of their receipt, each one second after the one before; some are copies of earlier ones.
fn receipts(endpoint: &Endpoint) -> Vec<Record> {
    let forms = [
        "MessageSid=SM1&MessageStatus=queued",
        "MessageSid=SM2&MessageStatus=sent",
        "MessageSid=SM1&MessageStatus=queued",
        "MessageSid=SM1&MessageStatus=delivered",
        "MessageSid=SM2&MessageStatus=sent",
        "MessageSid=SM1&MessageStatus=queued",
        "MessageSid=SM3&MessageStatus=failed&ErrorCode=30003",
        "MessageSid=SM1&MessageStatus=sent",
        "MessageSid=SM2&MessageStatus=sent",
        "MessageSid=SM1&MessageStatus=queued",
    ];
    (0..).zip(forms).map(|(second, form)| received_at(endpoint, form, second)).collect()
}

fn recurring(records: &[Record]) -> Vec<Record> {
    records.iter().cloned().map(Record::that_may_recur).collect()
}

fn append_all(store: &Store, records: Vec<Record>) {
    let outcomes = run(store.append_all(records));
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
}

fn append_each(store: &Store, records: Vec<Record>) {
    let outcomes: Vec<_> = records.into_iter().map(|record| run(store.append(record))).collect();
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
}

/// The rows of the tables without their ids, which depend on the number of attempts.
fn tables(database: &Database) -> BTreeMap<&'static str, Vec<String>> {
    let rows = |table| {
        let mut rows = database.rows(table);
        for row in &mut rows {
            let row = row.as_object_mut().expect("a row");
            row.retain(|column, _| !["id", "request_id", "mapping_id", "txid", "events_at"].contains(&column.as_str()));
        }
        let mut rows: Vec<String> = rows.iter().map(Value::to_string).collect();
        rows.sort_unstable();
        rows
    };
    ["webhook_requests", "webhook_bodies", "webhook_events", "message_external_ids"].map(|table| (table, rows(table))).into()
}

type Delivery = (&'static str, fn(&Store, &[Record]));

/// Deliveries of the same receipts: in any cut, several times, and also directly.
const DELIVERIES: [Delivery; 8] = [
    ("twice", |store, records| (0..2).for_each(|_| append_all(store, recurring(records)))),
    ("in parts", |store, records| records.chunks(3).for_each(|part| append_all(store, recurring(part)))),
    ("in parts, then whole", |store, records| {
        records.chunks(4).for_each(|part| append_all(store, recurring(part)));
        append_all(store, recurring(records));
    }),
    ("each part twice", |store, records| {
        records.chunks(2).for_each(|part| (0..2).for_each(|_| append_all(store, recurring(part))));
    }),
    ("each part with those before it", |store, records| {
        (1..=records.len()).for_each(|end| append_all(store, recurring(&records[..end])));
    }),
    ("each twice in one batch", |store, records| {
        append_all(store, recurring(&records.iter().flat_map(|record| [record.clone(), record.clone()]).collect::<Vec<_>>()));
    }),
    ("directly, then from the queue", |store, records| {
        append_each(store, recurring(records));
        append_all(store, recurring(records));
    }),
    ("from the queue, then directly", |store, records| {
        append_all(store, recurring(records));
        append_each(store, recurring(records));
    }),
];

crate::databases! {
    fn records_that_are_delivered_again_change_nothing(database) {
        let (store, endpoint) = (open(&database), endpoint());
        let records = receipts(&endpoint);
        append_each(&store, records.clone());
        let expected = tables(&database);
        assert!(expected["webhook_requests"].iter().any(|row| row.contains(r#""duplicate_count":3"#)), "{expected:?}");
        for (name, deliver) in DELIVERIES {
            database.clear();
            deliver(&store, &records);
            assert_eq!(tables(&database), expected, "{name}");
        }
        // Control: without the mark, every record counts.
        append_each(&store, records);
        assert_ne!(tables(&database), expected);
    }

    fn event_in_two_requests_is_counted_in_any_batch(database) {
        let (store, endpoint) = (open(&database), endpoint());
        let now = Timestamp::from_seconds(1_773_500_000).expect("an instant");
        let records = ["event-by-body-sha256", "event-own-query"].map(|name| {
            let fixture = Fixture::find("twilio", name).expect("a fixture");
            record(&endpoint, &received(&endpoint, fixture.outgoing(&endpoint, now), now))
        });
        append_each(&store, records.to_vec());
        let expected = tables(&database);
        let [event] = &expected["webhook_events"][..] else { panic!("{expected:?}") };
        assert!(event.contains(r#""duplicate_count":1"#), "{event}");
        database.clear();
        append_all(&store, records.to_vec());
        assert_eq!(tables(&database), expected);
    }

    fn outcomes_of_a_batch_are_in_its_order(database) {
        let (store, endpoint) = (open(&database), endpoint());
        let outcomes = run(store.append_all(recurring(&receipts(&endpoint))));
        let are_new: Vec<bool> = outcomes.iter().map(|outcome| outcome.as_ref().is_ok_and(Committed::is_new_request)).collect();
        assert_eq!(are_new, [true, true, false, true, false, false, true, true, false, false]);
        assert!(run(store.append_all(Vec::new())).is_empty());
    }

    fn poison_in_a_large_batch_is_quarantined(database) {
        let (store, endpoint) = (open(&database), endpoint());
        reject_poison(&database);
        let mut records: Vec<Record> = (0..600).map(|n| status(&endpoint, &format!("SM{n}"), "sent")).collect();
        records.insert(333, status(&endpoint, "POISON", "sent"));
        let outcomes = run(store.append_all(records));
        let quarantined: Vec<usize> = outcomes.iter().enumerate().filter(|(_, outcome)| outcome.as_ref().is_ok_and(Committed::is_quarantined)).map(|(index, _)| index).collect();
        assert!(outcomes.iter().all(Result::is_ok));
        assert_eq!(quarantined, [333]);
        assert_eq!(database.query("SELECT CAST(count(*) AS TEXT) AS row FROM message_external_ids"), ["600"]);
    }

    fn largest_batch_of_every_kind_is_written(database) {
        let (store, endpoint) = (open(&database), endpoint());
        let record = |n: usize, status_name: &str| status(&endpoint, &format!("SM{n}"), status_name);
        append_all(&store, (0..4_000).map(|n| record(n, "sent")).collect());
        // Known messages, and known requests.
        append_all(&store, (0..2_000).map(|n| record(n, "delivered")).chain((2_000..4_000).map(|n| record(n, "sent"))).collect());
        let counted = |sql: &str| database.query(&format!("SELECT CAST(count(*) AS TEXT) AS row FROM {sql}")).concat();
        assert_eq!(counted("message_external_ids WHERE status = 'delivered'"), "2000");
        assert_eq!(counted("message_external_ids WHERE status = 'sent'"), "2000");
        assert_eq!(counted("webhook_requests WHERE duplicate_count = 0"), "6000");
    }
}

/// The row of one message is locked by the application: the other records are written.
#[test]
fn locked_row_delays_only_its_record() {
    let database = Database::new(Backend::Postgres);
    let (store, endpoint) = (open(&database), endpoint());
    append_all(&store, vec![status(&endpoint, "SM77", "queued")]);
    let mut application = database.postgres();
    let mut execute = |sql: &str| diesel::connection::SimpleConnection::batch_execute(&mut application, sql).expect("SQL");
    execute("BEGIN; UPDATE message_external_ids SET price = '1' WHERE external_id = 'SM77'");
    let records: Vec<Record> = (0..300).map(|n| status(&endpoint, &format!("SM{n}"), "sent")).collect();
    let outcomes = run(store.append_all(records.clone()));
    let failed: Vec<usize> = (0..).zip(&outcomes).filter(|(_, outcome)| outcome.is_err()).map(|(index, _)| index).collect();
    assert!(failed == [77] && matches!(outcomes[77], Err(StoreError::Locked)), "{failed:?} {:?}", outcomes[77]);
    assert!(store.is_writer_healthy());
    execute("COMMIT");
    append_all(&store, records);
    assert_eq!(database.rows("message_external_ids").len(), 300);
}

/// A database that fails costs an attempt for a batch, and not one for each record.
#[test]
fn failing_database_costs_one_attempt() {
    let database = Database::new(Backend::Sqlite);
    let (store, endpoint) = (open(&database), endpoint());
    database.execute("ALTER TABLE webhook_events RENAME TO gone");
    let outcomes = run(store.append_all((0..500).map(|n| status(&endpoint, &format!("SM{n}"), "sent")).collect()));
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Err(StoreError::Unavailable))), "{outcomes:?}");
    assert!(!store.is_writer_healthy());
    let metrics = waybill::metrics::Metrics::new(store.metrics(), store.queue_capacity());
    let failures =
        Metrics::parse(&metrics.exposition(0, QueueFigures::default()).expect("an exposition")).sum("database_errors_total", &[]);
    assert!((1.0..=2.0).contains(&failures), "{failures} transactions failed");
}
