//! A captured request re-encoded under the same signature.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use waybill::{fixture::Fixture, time::Timestamp};

use crate::{
    case::{TestRequest, answer, gateway, now, rows, signed_request},
    reencoded::variants,
    support::{database::Backend, gateway::Gateway},
};

/// After its original it is rejected, or it is a duplicate.
pub(super) fn is_rejected_or_duplicate(case: &Fixture, backend: Backend) {
    let gateway = gateway(case, backend);
    let request = signed_request(case, &gateway);
    let original = request.send_to(&gateway);
    assert_eq!(original.status, case.expected["status"]);
    let (counts, seen) = (gateway.row_counts(), rows(&gateway));
    let variants = variants(&request);
    let is_known = |way: &str, request: &TestRequest| {
        let response = request.send_to(&gateway);
        let is_same =
            answer(&response) == json!({ "success": true, "duplicate": true }) || answer(&response) == answer(&original);
        assert!([400, 401, 404].contains(&response.status) || is_same, "{way}: response {}", response.status);
    };
    for (way, variant) in &variants {
        is_known(way, variant);
    }
    assert_eq!((gateway.row_counts(), rows(&gateway)), (counts, seen));

    // Also after its row has expired.
    prune(&gateway, Timestamp::from_seconds(now(case).seconds() + 60 * 24 * 3600).expect("an instant"));
    assert_eq!(gateway.database.rows("webhook_requests"), Vec::<Value>::new());
    let (counts, seen) = (gateway.row_counts(), rows(&gateway));
    is_known("the original", &request);
    for (way, variant) in variants.iter().step_by(5) {
        is_known(way, variant);
    }
    assert_eq!((gateway.row_counts(), rows(&gateway)), (counts, seen), "after its row has expired");
}

pub(super) fn prune(gateway: &Gateway, at: Timestamp) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(gateway.running().gateway.store.prune(at, false, drop)).expect("a database");
}

/// Before its original it is rejected, or it refers to the same messages: a field may be missing and a status unreadable, but
/// nothing is stored of anything else.
pub(super) fn refers_to_no_other_message(case: &Fixture, backend: Backend) {
    let gateway = gateway(case, backend);
    let request = signed_request(case, &gateway);
    let empty = gateway.row_counts();
    request.send_to(&gateway);
    let mut known = references(&gateway);
    known.insert("status unknown".to_owned());
    gateway.database.clear();
    for (way, variant) in variants(&request) {
        let response = variant.send_to(&gateway);
        if [400, 401, 404].contains(&response.status) {
            continue;
        }
        let others: Vec<String> = references(&gateway).difference(&known).cloned().collect();
        assert!(others.is_empty(), "{way} refers to {others:?}");
        // The original is the same request in any case.
        request.send_to(&gateway);
        let requests = gateway.database.query("SELECT CAST(count(*) AS TEXT) AS row FROM webhook_requests").concat();
        assert_eq!(requests, "1", "{way} has a key of its own");
        gateway.database.clear();
    }
    assert_eq!(gateway.row_counts(), empty);
}

/// The ids and statuses that the tables hold.
fn references(gateway: &Gateway) -> BTreeSet<String> {
    let references = "SELECT 'message ' || external_id AS row FROM message_external_ids \
                      UNION SELECT 'status ' || status FROM message_external_ids \
                      UNION SELECT 'inbound message ' || external_id FROM inbound_messages \
                      UNION SELECT 'call ' || external_id FROM calls";
    gateway.database.query(references).into_iter().collect()
}
