//! The rule stored with an event is the one that was applied, with any number of gateways writing to one message.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use waybill::{callback::Callback, endpoint::Endpoint, receive::receive, store::Rule};

use crate::{
    store::{endpoint, open, run, signed_form},
    support::{database::Database, direct::Direct, gateway::verifier},
};

const GATEWAYS: usize = 3;
const MESSAGES: usize = 8;
const STATUSES: [&str; 6] = ["queued", "sending", "sent", "delivered", "undelivered", "read"];

/// Callbacks with the statuses that a gateway receives for a message, in an order that differs between gateways.
fn statuses_for(endpoint: &Endpoint, gateway: usize, message: usize) -> Vec<Callback> {
    let place = |n: usize| (n * [1, 5][(gateway + message) % 2] + gateway * 2 + message) % STATUSES.len();
    (0..STATUSES.len()).map(|n| callback(endpoint, gateway, message, STATUSES[place(n)])).collect()
}

fn callback(endpoint: &Endpoint, gateway: usize, message: usize, status: &str) -> Callback {
    signed_form(endpoint, &format!("MessageSid=SM{message}&MessageStatus={status}&Gateway={gateway}"))
}

/// An event of a message: its state key, whether it has a status, and its stored rule.
struct StoredEvent {
    key: Vec<u8>,
    has_status: bool,
    rule: String,
}

/// The events of each message in the order of their ids, and the state key of the message's row.
fn stored_events(database: &Database) -> BTreeMap<i64, (Vec<StoredEvent>, Vec<u8>)> {
    let key = |row: &serde_json::Value| hex::decode(row["state_key"].as_str().expect("a key")).expect("hex");
    let messages = database.rows("message_external_ids");
    let mut all: BTreeMap<i64, (Vec<StoredEvent>, Vec<u8>)> =
        messages.iter().map(|row| (row["id"].as_i64().expect("an id"), (Vec::new(), key(row)))).collect();
    for row in database.rows("webhook_events") {
        let (events, _) = all.get_mut(&row["mapping_id"].as_i64().expect("a message")).expect("its row");
        let rule = row["applied_rule"].as_str().expect("a rule").to_owned();
        events.push(StoredEvent { key: key(&row), has_status: row.get("status").is_some(), rule });
    }
    all
}

fn rule(current: Option<&[u8]>, event: &StoredEvent) -> &'static str {
    Rule::for_event(current, &event.key, event.has_status).into()
}

/// Asserts that the rules are those of the events in the order of their ids.
fn assert_in_order(events: &[StoredEvent]) {
    let mut current: Option<&[u8]> = None;
    for (place, event) in events.iter().enumerate() {
        assert_eq!(event.rule, rule(current, event), "event {place}");
        current = current.max(Some(&event.key));
    }
}

/// Asserts that the rules are those of some order: changes of the status are in the order of their keys, and each other event was
/// compared with one of them.
fn assert_in_some_order(events: &[StoredEvent], row_key: &[u8]) {
    let changes_status = |event: &&StoredEvent| event.rule.parse::<Rule>().is_ok_and(Rule::changes_status);
    let mut changes: Vec<&StoredEvent> = events.iter().filter(changes_status).collect();
    changes.sort_by(|one, other| one.key.cmp(&other.key));
    let mut current: Option<&[u8]> = None;
    for event in &changes {
        assert_eq!(event.rule, rule(current, event));
        current = Some(&event.key);
    }
    assert_eq!(current, Some(row_key), "the row has the greatest key");
    for event in events.iter().filter(|event| !changes_status(event)) {
        assert!(changes.iter().any(|change| rule(Some(&change.key), event) == event.rule), "{}", event.rule);
    }
}

/// Asserts that the callbacks have caused every rule that they can, so that the test is meaningful.
fn assert_varied(messages: &BTreeMap<i64, (Vec<StoredEvent>, Vec<u8>)>) {
    assert_eq!(messages.len(), MESSAGES);
    assert!(messages.values().all(|(events, _)| events.len() == GATEWAYS * STATUSES.len()));
    let rules: BTreeSet<&str> = messages.values().flat_map(|(events, _)| events).map(|event| event.rule.as_str()).collect();
    assert!(rules.is_superset(&BTreeSet::from(["first", "higher_rank", "lower_rank"])), "{rules:?}");
    assert!(rules.contains("greater_key") || rules.contains("lesser_key"), "{rules:?}");
}

const TIMEOUT: std::time::Duration = std::time::Duration::from_secs(30);

crate::databases! {
    // Each gateway awaits the response before the next status of a message, so no batch has two of its events, and the ids of the
    // events are in the order in which the message's row was locked.
    fn applied_rule_is_exact_with_alternating_gateways(database) {
        let endpoint = endpoint();
        let stores: Vec<Direct> = (0..GATEWAYS).map(|_| open(&database)).collect();
        let writes = stores.iter().enumerate().flat_map(|(gateway, store)| {
            let endpoint = &endpoint;
            (0..MESSAGES).map(move |message| async move {
                for callback in statuses_for(endpoint, gateway, message) {
                    receive((verifier(), &store.intake), endpoint, &callback, TIMEOUT).await.expect("stored");
                }
            })
        });
        run(join_all(writes));
        let messages = stored_events(&database);
        assert_varied(&messages);
        for (events, row_key) in messages.values() {
            assert_in_order(events);
            assert_in_some_order(events, row_key);
        }
    }

    // All statuses at once, in batches.
    fn applied_rule_is_exact_with_concurrent_batches(database) {
        let endpoint = endpoint();
        let stores: Vec<Direct> = (0..GATEWAYS).map(|_| open(&database)).collect();
        let writes = stores.iter().enumerate().flat_map(|(gateway, store)| {
            let endpoint = &endpoint;
            let callbacks = (0..MESSAGES).flat_map(move |message| statuses_for(endpoint, gateway, message));
            callbacks.map(move |callback| async move { receive((verifier(), &store.intake), endpoint, &callback, TIMEOUT).await })
        });
        assert!(run(join_all(writes)).iter().all(Result::is_ok));
        let messages = stored_events(&database);
        assert_varied(&messages);
        for (events, row_key) in messages.values() {
            assert_in_some_order(events, row_key);
            assert_in_order(events);
        }
    }
}
