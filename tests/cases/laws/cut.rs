//! A captured request cut in another way under a signature that has no delimiters: the rows of the real one are as they would be without
//! it, whichever arrives first, and all such requests together make one row of an unknown event at most.

use serde_json::{Value, json};
use waybill::{fixture::Fixture, time::Timestamp};

use super::reencoded::prune;
use crate::{
    case::{TestRequest, answer, gateway, now, rows, rows_except, signed_request},
    reencoded::variants,
    support::{
        client::Response,
        database::{Backend, Database},
        gateway::Gateway,
    },
};

/// The ids of the stored requests, in the order of arrival.
fn requests(database: &Database) -> Vec<i64> {
    database.rows("webhook_requests").iter().map(|row| row["id"].as_i64().expect("an id")).collect()
}

fn assert_accepted_or_rejected(response: &Response, way: &str) {
    assert!([200, 400, 401, 404].contains(&response.status), "{way}: response {}", response.status);
}

/// At most one request beside the real one, with one unknown event that affects no row.
fn assert_unknown(gateway: &Gateway, others: &[i64], way: &str) {
    assert!(others.len() <= 1, "{way}: {} requests beside the real one", others.len());
    let of_others = |table: &str| -> Vec<Value> {
        let is_of_other = |row: &Value| row["request_id"].as_i64().is_some_and(|id| others.contains(&id));
        gateway.database.rows(table).into_iter().filter(is_of_other).collect()
    };
    let types: Vec<Value> = of_others("webhook_events").iter().map(|row| row["event_type"].clone()).collect();
    assert_eq!(types, vec![json!("unknown"); others.len()], "{way}");
}

/// After the real request.
pub(super) fn after_changes_nothing(case: &Fixture, backend: Backend) {
    let gateway = gateway(case, backend);
    let request = signed_request(case, &gateway);
    request.send_to(&gateway);
    let (own, seen) = (requests(&gateway.database), rows(&gateway));
    let variants = variants(&request);
    for (way, variant) in &variants {
        assert_accepted_or_rejected(&variant.send_to(&gateway), way);
    }
    let others: Vec<i64> = requests(&gateway.database).into_iter().filter(|id| !own.contains(id)).collect();
    assert_unknown(&gateway, &others, "after the real request");
    assert_eq!(rows_except(&gateway, &others), seen);

    // Also after the rows have expired.
    prune(&gateway, Timestamp::from_seconds(now(case).seconds() + 60 * 24 * 3600).expect("an instant"));
    assert_eq!(requests(&gateway.database), Vec::<i64>::new());
    let (counts, seen) = (gateway.row_counts(), rows(&gateway));
    request.send_to(&gateway);
    for (_, variant) in variants.iter().step_by(5) {
        variant.send_to(&gateway);
    }
    assert_eq!((gateway.row_counts(), rows(&gateway)), (counts, seen), "after the rows have expired");
}

/// Before the real request.
pub(super) fn before_changes_nothing(case: &Fixture, backend: Backend) {
    let gateway = gateway(case, backend);
    let request = signed_request(case, &gateway);
    let original = request.send_to(&gateway);
    let seen = rows(&gateway);
    gateway.database.clear();
    // All are compared after the real request; before it, every third one, for the sake of time.
    for (way, variant) in variants(&request).into_iter().step_by(3) {
        assert_accepted_or_rejected(&variant.send_to(&gateway), &way);
        let stored = requests(&gateway.database);
        let response = request.send_to(&gateway);
        let own = requests(&gateway.database).into_iter().find(|id| !stored.contains(id));
        if own.is_some() {
            assert_eq!((response.status, answer(&response)), (original.status, answer(&original)), "{way}");
            assert_unknown(&gateway, &stored, &way);
            assert_eq!(rows_except(&gateway, &stored), seen, "{way}");
        } else {
            assert_same_request(&gateway, &variant, &seen, &way);
        }
        gateway.database.clear();
    }
}

/// The variant is the real request, sent in another way.
fn assert_same_request(gateway: &Gateway, variant: &TestRequest, seen: &Value, way: &str) {
    let mut expected = seen.clone();
    let mut found = rows(gateway);
    for rows in [&mut expected, &mut found] {
        for row in rows["webhook_requests"].as_array_mut().expect("rows") {
            let row = row.as_object_mut().expect("an object");
            row.retain(|column, _| !["method", "url", "headers"].contains(&column.as_str()));
        }
    }
    assert_eq!(found, expected, "{way}: {} {}", variant.method, variant.target);
}
