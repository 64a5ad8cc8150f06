//! Recorded callbacks give the same rows through the spool as without it.

use serde_json::Value;
use waybill::{fixture::Fixture, time::Timestamp};

use crate::{
    simulate::secrets,
    support::{
        database::{Backend, Database},
        gateway::Gateway,
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

/// Sends every recorded callback, each twice; returns the responses and the rows.
fn send_all(backend: Backend, variables: &[(String, String)]) -> (Vec<String>, Vec<Vec<String>>) {
    let now = Timestamp::from_seconds(1_773_500_000).expect("an instant");
    let gateway = Gateway::start(backend, now, variables);
    let mut responses = Vec::new();
    for fixture in Fixture::all().expect("fixtures").into_iter().filter(Fixture::is_sendable) {
        let router = gateway.running().gateway.router();
        let endpoint = router.iter().find(|endpoint| endpoint.spec.name == fixture.spec.name);
        let outgoing = fixture.outgoing(endpoint.expect("an endpoint"), now);
        // A request with the same time of receipt would be the same one, drained again.
        for seconds in 0..2 {
            gateway.set_clock(Timestamp::from_seconds(now.seconds() + seconds).expect("an instant"));
            let response = gateway.send(&outgoing);
            // A queue recognizes copies of requests, but not requests of which every event is known.
            let answer = String::from_utf8_lossy(&response.body).replace(r#""duplicate":true,"#, "");
            responses.push(format!("{}/{}: {} {answer}", fixture.spec.name, fixture.name, response.status));
        }
    }
    let is_pending = |gateway: &Gateway| gateway.running().gateway.intake.queue().is_some_and(|queue| queue.state().pending > 0);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while is_pending(&gateway) {
        assert!(std::time::Instant::now() < deadline, "not drained");
        std::thread::yield_now();
    }
    let database: Database = gateway.stop();
    let rows = TABLES.map(|table| without_ids(database.rows(table))).to_vec();
    (responses, rows)
}

/// The rows without what depends on their order.
fn without_ids(rows: Vec<Value>) -> Vec<String> {
    let row = |mut row: Value| {
        for id in ["id", "request_id", "events_at", "mapping_id", "message_row_id"] {
            row.as_object_mut().expect("a row").remove(id);
        }
        row.to_string()
    };
    let mut rows: Vec<String> = rows.into_iter().map(row).collect();
    rows.sort();
    rows
}

#[test]
fn recorded_callbacks_give_the_same_rows_through_the_spool() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut variables = secrets();
    let direct = send_all(Backend::Sqlite, &variables);
    variables.push(("SPOOL_PATH".to_owned(), folder.path().display().to_string()));
    variables.push(("SPOOL_MODE".to_owned(), "always".to_owned()));
    let spooled = send_all(Backend::Sqlite, &variables);
    assert_eq!(direct.0.len(), spooled.0.len());
    for (direct, spooled) in direct.0.iter().zip(&spooled.0) {
        assert_eq!(direct, spooled);
    }
    for ((table, direct), spooled) in TABLES.iter().zip(&direct.1).zip(&spooled.1) {
        assert_eq!(direct.len(), spooled.len(), "{table}");
        for (direct, spooled) in direct.iter().zip(spooled) {
            assert_eq!(direct, spooled, "{table}");
        }
    }
}
