//! Number of round trips to Postgres per batch.

use std::{
    cell::RefCell,
    sync::{Arc, Mutex},
};

use diesel::connection::{Instrumentation, InstrumentationEvent, set_default_instrumentation};
use futures_util::future::join_all;
use serde_json::json;
use waybill::{
    callback::Callback,
    config::{Config, Env},
    endpoint::Endpoint,
    store::Record,
    time::Timestamp,
};

use super::recipients;
use crate::{
    store::{document, endpoint, open, run, status},
    support::{
        callback::received,
        database::{Backend, Database},
        direct::Direct,
    },
};

/// Round trips of a transaction: statements, including begin and commit, and statements that were prepared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Transaction {
    statements: usize,
    prepared: usize,
}

type Transactions = Arc<Mutex<Vec<Transaction>>>;

thread_local! {
    /// The log for connections that this thread opens. Those of other tests are not watched.
    static WATCH: RefCell<Option<Transactions>> = const { RefCell::new(None) };
}

fn watcher() -> Option<Box<dyn Instrumentation>> {
    let transactions = WATCH.with_borrow(Clone::clone)?;
    Some(Box::new(move |event: InstrumentationEvent<'_>| {
        let mut transactions = transactions.lock().expect("not poisoned");
        if let InstrumentationEvent::BeginTransaction { .. } = event {
            transactions.push(Transaction::default());
        }
        let Some(last) = transactions.last_mut() else { return };
        last.statements += usize::from(matches!(event, InstrumentationEvent::StartQuery { .. }));
        last.prepared += usize::from(matches!(event, InstrumentationEvent::CacheQuery { .. }));
    }))
}

/// A store whose writer is watched.
fn watched(database: &Database) -> (Direct, Transactions) {
    // Migrated first, so that only the writer's own connection is watched.
    open(database).close();
    let transactions = Transactions::default();
    set_default_instrumentation(watcher).expect("not poisoned");
    WATCH.set(Some(Arc::clone(&transactions)));
    let store = open(database);
    WATCH.set(None);
    transactions.lock().expect("not poisoned").clear();
    (store, transactions)
}

/// Appends verified callbacks so fast that they queue behind the first, and returns the transactions.
fn append(store: &Direct, transactions: &Transactions, endpoint: &Endpoint, callbacks: &[Callback]) -> Vec<Transaction> {
    let record = |callback| {
        let verified = endpoint.verify(callback).expect("verified");
        let parsed = endpoint.parse(&verified);
        Record::new(endpoint, &verified, parsed.events)
    };
    let records: Vec<Record> = callbacks.iter().map(record).collect();
    let outcomes = run(join_all(records.into_iter().map(|record| store.append(record))));
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    std::mem::take(&mut *transactions.lock().expect("not poisoned"))
}

/// A round of callbacks: its name, and the callback for a message.
type Round = (&'static str, fn(&Endpoint, &str) -> Callback);

const FORM_ROUNDS: [Round; 4] = [
    ("new", |endpoint, id| status(endpoint, id, "queued")),
    ("later", |endpoint, id| status(endpoint, id, "sent")),
    ("latest", |endpoint, id| status(endpoint, id, "delivered")),
    ("duplicate", |endpoint, id| status(endpoint, id, "sent")),
];

const NAMED_ROUNDS: [Round; 3] = [
    ("new", |endpoint, id| named(endpoint, id, "queued")),
    ("later", |endpoint, id| named(endpoint, id, "sent")),
    ("latest", |endpoint, id| named(endpoint, id, "delivered")),
];

const REFERENCE_ROUNDS: [Round; 2] = [
    ("new", |endpoint, id| with_reference(endpoint, id, "sent")),
    ("later", |endpoint, id| with_reference(endpoint, id, "delivered")),
];

fn named(endpoint: &Endpoint, id: &str, status_name: &str) -> Callback {
    let kind = format!("com.twilio.messaging.message.{status_name}");
    let event = json!([{ "specversion": "1.0", "source": "s", "id": format!("{id} {status_name}"), "type": kind, "data": { "messageSid": id } }]);
    document(endpoint, &event.to_string())
}

fn with_reference(endpoint: &Endpoint, id: &str, status_name: &str) -> Callback {
    let to = format!("{id}@dest.example");
    let data = json!({ "email_id": id, "to": [to], "tags": { "message_id": format!("order-{id}") } });
    recipients::event(endpoint, &format!("msg_{id}_{status_name}"), &format!("email.{status_name}"), &data)
}

/// A message with a row for each recipient.
const SHARED_ROUNDS: [Round; 2] = [
    ("new", |endpoint, id| to_two(endpoint, id, "message.sent")),
    ("later", |endpoint, id| to_two(endpoint, id, "message.delivered")),
];

fn to_two(endpoint: &Endpoint, id: &str, kind: &str) -> Callback {
    let recipients = ["+255700000001", "+255700000002"];
    let event = json!({ "event": kind, "message_id": id, "recipients": recipients, "timestamp": "2026-03-14T15:27:11Z" });
    let mut outgoing = endpoint.outgoing("POST", endpoint.path(), "application/json", event.to_string());
    endpoint.sign(endpoint.spec.schemes[0], &mut outgoing);
    received(endpoint, outgoing, Timestamp::from_seconds(1_773_500_000).expect("an instant"))
}

/// Asserts the maximum number of statements for batches of any size, and that each is prepared once.
fn assert_statements(endpoint: &Endpoint, rounds: &[Round], max: usize) {
    let database = Database::new(Backend::Postgres);
    let (store, transactions) = watched(&database);
    let mut is_first = true;
    for size in [1, 16, 200] {
        for (round, callback) in rounds {
            let callbacks: Vec<Callback> = (0..size).map(|n| callback(endpoint, &format!("SM{size}-{n}"))).collect();
            let batches = append(&store, &transactions, endpoint, &callbacks);
            // The number of callbacks that queue behind the first depends on the scheduler.
            assert!((1..=size.min(16).max(size / 4)).contains(&batches.len()), "{size} {round} are no batch: {batches:?}");
            assert!(batches.iter().all(|transaction| transaction.statements <= max), "{size} {round}: {batches:?}");
            assert!(is_first || batches.iter().all(|transaction| transaction.prepared == 0), "{size} {round}: {batches:?}");
        }
        is_first = false;
    }
}

#[test]
fn batch_of_forms_takes_at_most_six_statements() {
    assert_statements(&endpoint(), &FORM_ROUNDS, 6);
}

/// Named events are looked up first, and inserted by a separate statement.
#[test]
fn batch_of_named_events_takes_at_most_eight_statements() {
    assert_statements(&endpoint(), &NAMED_ROUNDS, 8);
}

/// References in callbacks are locked and looked up first.
#[test]
fn batch_with_references_takes_at_most_eight_statements() {
    assert_statements(&recipients::endpoint(), &REFERENCE_ROUNDS, 8);
}

/// The matches of the other recipients' rows are looked up for all messages at once, under their locks.
#[test]
fn batch_of_shared_messages_takes_at_most_eight_statements() {
    let env: Env =
        [("MIFUMO_WEBHOOK_SECRET", "mifumo-webhook-secret-0123456789"), ("WEBHOOK_BASE_URL", "https://hooks.example.com")]
            .into_iter()
            .collect();
    let endpoint = Config::load(&env).expect("a configuration").config.endpoints.remove(0).build();
    assert_statements(&endpoint, &SHARED_ROUNDS, 8);
}
