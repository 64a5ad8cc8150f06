//! Recorded callbacks give the same rows through the broker as without it.

use serde_json::Value;
use waybill::{fixture::Fixture, time::Timestamp};

use super::{Nats, count};
use crate::{
    simulate::secrets,
    support::{
        database::{Backend, Database},
        gateway::Gateway,
        nats::eventually,
    },
};

/// The tables that callbacks change.
const TABLES: [&str; 8] = [
    "webhook_requests",
    "webhook_bodies",
    "webhook_events",
    "message_external_ids",
    "inbound_messages",
    "inbound_parts",
    "calls",
    "rooms",
];

/// Sends every recorded callback; returns the responses, and the rows once there are as many requests as expected.
fn send_all(variables: &[(String, String)], requests: Option<usize>) -> (Vec<String>, Vec<Vec<String>>) {
    let now = Timestamp::from_seconds(1_773_500_000).expect("an instant");
    let gateway = Gateway::start(Backend::Sqlite, now, variables);
    if let Some(queue) = gateway.running().gateway.intake.queue() {
        eventually("a connection", || (!queue.state().is_failing).then_some(()));
    }
    let mut responses = Vec::new();
    for fixture in Fixture::all().expect("fixtures").into_iter().filter(Fixture::is_sendable) {
        let router = gateway.running().gateway.router();
        let endpoint = router.iter().find(|endpoint| endpoint.spec.name == fixture.spec.name);
        let response = gateway.send(&fixture.outgoing(endpoint.expect("an endpoint"), now));
        // A queue does not know requests of which every event is known.
        let answer = String::from_utf8_lossy(&response.body).replace(r#""duplicate":true,"#, "");
        responses.push(format!("{}/{}: {} {answer}", fixture.spec.name, fixture.name, response.status));
    }
    if let Some(requests) = requests {
        eventually("every request", || (count(&gateway.database, "webhook_requests") == requests).then_some(()));
    }
    let database: Database = gateway.stop();
    (responses, TABLES.map(|table| without_ids(database.rows(table))).to_vec())
}

/// The rows without what depends on their order or on the time of the write.
fn without_ids(rows: Vec<Value>) -> Vec<String> {
    let row = |mut row: Value| {
        for id in ["id", "request_id", "events_at", "mapping_id", "message_row_id", "created_at", "updated_at"] {
            row.as_object_mut().expect("a row").remove(id);
        }
        row.to_string()
    };
    let mut rows: Vec<String> = rows.into_iter().map(row).collect();
    rows.sort();
    rows
}

#[test]
fn recorded_callbacks_give_the_same_rows_through_the_broker() {
    let nats = Nats::start();
    let mut variables = secrets();
    let direct = send_all(&variables, None);
    variables.extend([("QUEUE_URL".to_owned(), nats.url()), ("QUEUE_MAX_BYTES".to_owned(), "67108864".to_owned())]);
    let queued = send_all(&variables, Some(direct.1[0].len()));
    assert!(direct.0.len() > 600, "{}", direct.0.len());
    for (direct, queued) in direct.0.iter().zip(&queued.0) {
        assert_eq!(direct, queued);
    }
    for ((table, direct), queued) in TABLES.iter().zip(&direct.1).zip(&queued.1) {
        assert_eq!(direct.len(), queued.len(), "{table}");
        for (direct, queued) in direct.iter().zip(queued) {
            assert_eq!(direct, queued, "{table}");
        }
    }
}
