//! Accepted requests: their responses and rows.

use std::{fs, path::Path};

use serde_json::{Value, json};
use waybill::{fixture::Fixture, replay::rederive, store::RederiveOutcome, time::Timestamp};

use super::rejected::{assert_rejected, other_content_types};
use crate::{
    case::{answer, gateway, is_verified, rows, scheme, signed_at, signed_request},
    support::{self, database::Backend, gateway::Gateway},
};

/// Response and rows are as recorded, and the stored body is byte for byte the one sent.
pub(super) fn as_recorded(case: &Fixture, backend: Backend) {
    let gateway = gateway(case, backend);
    let request = signed_request(case, &gateway);
    let response = request.send_to(&gateway);
    let seen = json!({ "status": response.status, "answer": answer(&response), "rows": rows(&gateway) });
    if support::variable("UPDATE_EXPECT").is_some() {
        let file =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(case.spec.name).join(&case.name).join("expected.json");
        assert_eq!(seen["status"], case.expected["status"], "the status is set by hand");
        fs::write(file, format!("{seen:#}\n")).expect("a writable fixture");
    } else {
        assert_eq!(seen, case.expected, "{seen:#}");
    }
    let bodies: Vec<Value> = gateway.database.rows("webhook_bodies").into_iter().map(|row| row["body"].clone()).collect();
    let expected: Vec<Value> = is_verified(case).then(|| hex::encode(&request.body).into()).into_iter().collect();
    assert_eq!(bodies, expected, "the body is stored as it was sent");
    assert_rederived_alike(&gateway);
}

/// Re-parsing the stored requests yields the same rows.
fn assert_rederived_alike(gateway: &Gateway) {
    let gateway = &gateway.running().gateway;
    let epoch = Timestamp::from_seconds(0).expect("an instant");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let progress = runtime.block_on(rederive(&gateway.store, &gateway.router(), epoch, 0, true)).expect("the store answers");
    if let Some(progress) = progress {
        assert_eq!((progress.unread, progress.outcome), (0, RederiveOutcome::default()), "the re-derived rows differ");
    }
}

/// A retry gets the same response, marked as a duplicate if the format allows it, and changes no row.
pub(super) fn duplicate_changes_nothing(case: &Fixture, backend: Backend) {
    let gateway = gateway(case, backend);
    let request = signed_request(case, &gateway);
    let first = request.send_to(&gateway);
    let (counts, seen) = (gateway.row_counts(), rows(&gateway));
    let second = request.send_to(&gateway);
    assert_eq!(second.status, first.status);
    if answer(&first) == json!({ "success": true }) {
        assert_eq!(answer(&second), json!({ "success": true, "duplicate": true }));
    } else {
        assert_eq!(answer(&second), answer(&first));
    }
    assert_eq!((gateway.row_counts(), rows(&gateway)), (counts, seen));
}

/// The tolerance is inclusive in both directions.
pub(super) fn clock_at_tolerance_is_accepted(case: &Fixture, backend: Backend) {
    let gateway = gateway(case, backend);
    let (signed_at, tolerance) = (signed_at(case, &gateway), scheme(case).tolerance.expect("a tolerance"));
    for offset in [-tolerance, tolerance] {
        gateway.set_clock(Timestamp::from_seconds(signed_at + offset).expect("an instant"));
        assert_eq!(signed_request(case, &gateway).send_to(&gateway).status, case.expected["status"], "{offset} seconds");
        gateway.database.clear();
    }
}

/// A forged request cannot make the verified one a duplicate.
pub(super) fn forgery_makes_no_duplicate(case: &Fixture, backend: Backend) {
    let gateway = gateway(case, backend);
    let request = signed_request(case, &gateway);
    assert_rejected(&gateway, &request.longer("0").send_to(&gateway), &gateway.row_counts(), "forged");
    let verified = request.send_to(&gateway);
    assert_eq!(verified.status, case.expected["status"]);
    assert_eq!(answer(&verified), case.expected["answer"]);
}

/// If the bytes of the body are signed, the content type does not change the result.
pub(super) fn content_type_is_irrelevant(case: &Fixture, backend: Backend) {
    let gateway = gateway(case, backend);
    for (label, changed) in other_content_types(&signed_request(case, &gateway)) {
        let response = changed.send_to(&gateway);
        assert_eq!(response.status, case.expected["status"], "{label}");
        assert_eq!(answer(&response), case.expected["answer"], "{label}");
        assert_eq!(rows(&gateway)["message_external_ids"], case.expected["rows"]["message_external_ids"], "{label}");
        gateway.database.clear();
    }
}

/// The vendor's libraries disagree on signing blank values, so one can be added to a captured request. The rows stay the same.
pub(super) fn blank_parameters_change_nothing(case: &Fixture, backend: Backend) {
    let gateway = gateway(case, backend);
    let request = signed_request(case, &gateway);
    for name in
        ["status", "err-code", "messageId", "message_uuid", "request_id", "conversation_uuid", "uuid", "concat", "client-ref"]
    {
        let payload =
            if request.body.is_empty() { request.target.clone() } else { String::from_utf8_lossy(&request.body).into_owned() };
        if payload.contains(&format!("{name}=")) || payload.contains(&format!("\"{name}\"")) {
            continue;
        }
        let mut more = request.clone();
        if request.body.is_empty() {
            more.target = format!("{}&{name}=+", more.target);
        } else if request.body.starts_with(b"{") {
            more.body.splice(1..1, format!("\"{name}\":\" \",").into_bytes());
        } else {
            more.body.extend_from_slice(format!("&{name}=+").as_bytes());
        }
        let status = more.send_to(&gateway).status;
        if status == 401 {
            // The sender signs blank values, so none can be added.
            continue;
        }
        assert_eq!(status, 200, "{name}");
        let seen = rows(&gateway);
        for table in ["message_external_ids", "inbound_messages", "inbound_parts", "webhook_events"] {
            assert_eq!(seen.get(table), case.expected["rows"].get(table), "{name}: {table}");
        }
        gateway.database.clear();
    }
}
