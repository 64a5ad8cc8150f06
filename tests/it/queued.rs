//! Recorded callbacks give the same rows through a queue as without it.

use serde_json::Value;
use waybill::{fixture::Fixture, time::Timestamp};

use crate::{
    simulate::secrets,
    support::{
        database::{Backend, Database},
        gateway::{Gateway, TABLES},
        nats::Nats,
        poll::eventually,
    },
};

/// Columns that depend on the order of the rows, or on the time of the write.
const NOT_COMPARED: [&str; 7] = ["id", "request_id", "events_at", "mapping_id", "message_row_id", "created_at", "updated_at"];

#[derive(Debug, PartialEq)]
struct Outcome {
    responses: Vec<String>,
    rows: Vec<(&'static str, Value)>,
}

/// Sends every recorded callback that many times, and waits for its requests to be in the database.
fn send_all(more: &[(&str, String)], times: i64, requests: Option<usize>) -> Outcome {
    let now = Timestamp::from_seconds(1_773_500_000).expect("an instant");
    let variables: Vec<_> =
        secrets().into_iter().chain(more.iter().map(|(name, value)| ((*name).to_owned(), value.clone()))).collect();
    let gateway = Gateway::start(Backend::Sqlite, now, &variables);
    let queue = || gateway.running().gateway.intake.queue();
    eventually("a connection", || queue().is_none_or(|queue| !queue.state().is_failing).then_some(()));
    let mut responses = Vec::new();
    for fixture in Fixture::all().expect("fixtures").into_iter().filter(Fixture::is_sendable) {
        let router = gateway.running().gateway.router();
        let endpoint = router.iter().find(|endpoint| endpoint.spec.name == fixture.spec.name);
        let outgoing = fixture.outgoing(endpoint.expect("an endpoint"), now);
        // A request with the same time of receipt would be the same one, drained again.
        for seconds in 0..times {
            gateway.set_clock(Timestamp::from_seconds(now.seconds() + seconds).expect("an instant"));
            let response = gateway.send(&outgoing);
            // A queue recognizes copies of requests, but not requests of which every event is known.
            let answer = String::from_utf8_lossy(&response.body).replace(r#""duplicate":true,"#, "");
            responses.push(format!("{}/{}: {} {answer}", fixture.spec.name, fixture.name, response.status));
        }
    }
    if let Some(requests) = requests {
        eventually("every request", || (gateway.database.rows("webhook_requests").len() == requests).then_some(()));
        eventually("no backlog", || queue().is_none_or(|queue| !queue.has_backlog()).then_some(()));
    }
    let database = gateway.stop();
    Outcome { responses, rows: TABLES.iter().flat_map(|table| rows(&database, table)).collect() }
}

fn rows(database: &Database, table: &'static str) -> Vec<(&'static str, Value)> {
    let comparable = |mut row: Value| {
        row.as_object_mut().expect("a row").retain(|name, _| !NOT_COMPARED.contains(&name.as_str()));
        (table, row)
    };
    database.rows(table).into_iter().map(comparable).collect()
}

fn assert_equal(direct: &Outcome, queued: &Outcome) {
    assert!(direct.responses.len() > 600, "{}", direct.responses.len());
    for (direct, queued) in direct.responses.iter().zip(&queued.responses) {
        assert_eq!(direct, queued);
    }
    let [missing, more] = [(direct, queued), (queued, direct)].map(|(one, other)| {
        one.rows.iter().filter(|row| !other.rows.contains(row)).map(|(table, row)| format!("{table} {row}")).collect::<Vec<_>>()
    });
    assert!(missing.is_empty() && more.is_empty(), "missing: {missing:#?}, instead: {more:#?}");
    assert_eq!((direct.responses.len(), direct.rows.len()), (queued.responses.len(), queued.rows.len()));
}

fn requests(outcome: &Outcome) -> usize {
    outcome.rows.iter().filter(|(table, _)| *table == "webhook_requests").count()
}

#[test]
fn recorded_callbacks_give_the_same_rows_through_the_spool() {
    let folder = tempfile::tempdir().expect("a folder");
    let direct = send_all(&[], 2, None);
    let variables = [("SPOOL_PATH", folder.path().display().to_string()), ("SPOOL_MODE", "always".to_owned())];
    assert_equal(&direct, &send_all(&variables, 2, Some(requests(&direct))));
}

#[test]
fn recorded_callbacks_give_the_same_rows_through_the_broker() {
    let nats = Nats::start();
    let direct = send_all(&[], 1, None);
    let variables = [("QUEUE_URL", nats.url()), ("QUEUE_MAX_BYTES", "67108864".to_owned())];
    let queued = send_all(&variables, 1, Some(requests(&direct)));
    assert_equal(&direct, &queued);
}
