//! A proof has one reading: whatever it leaves open may be changed, and the request is rejected or leads to the same rows.

use serde_json::Value;
use waybill::fixture::Fixture;

use super::rejected::other_content_types;
use crate::{
    case::{TestRequest, answer, gateway, rows, scheme, signed_request},
    reencoded,
    support::database::Backend,
};

/// The rows that a request may lead to. Those of the request itself name its method and its URL.
const TABLES: [&str; 6] = ["message_external_ids", "webhook_events", "inbound_messages", "inbound_parts", "calls", "rooms"];

pub(super) fn changes_nothing(case: &Fixture, backend: Backend) {
    let gateway = gateway(case, backend);
    let request = signed_request(case, &gateway);
    let empty = gateway.row_counts();
    for (way, changed) in changed(case, &request) {
        let response = changed.send_to(&gateway);
        let is_rejected = [401, 404, 405, 503].contains(&response.status) || answer(&response)["error"] == "bad_request";
        if is_rejected && gateway.row_counts() == empty {
            continue;
        }
        let seen = rows(&gateway);
        for table in TABLES {
            let rows = |rows: &Value| rows.get(table).and_then(Value::as_array).cloned().unwrap_or_default();
            let expected = if is_rejected { Vec::new() } else { rows(&case.expected["rows"]) };
            assert_eq!(rows(&seen), expected, "{way}: response {}, {table}", response.status);
        }
        gateway.database.clear();
    }
}

fn changed(case: &Fixture, request: &TestRequest) -> Vec<(String, TestRequest)> {
    let mut all: Vec<(String, TestRequest)> =
        other_content_types(request).map(|(label, changed)| (label.to_owned(), changed)).collect();
    all.push(("a form".to_owned(), with_header(request, "Content-Type", "application/x-www-form-urlencoded")));
    for method in ["GET", "POST"] {
        all.push((method.to_owned(), TestRequest { method: method.to_owned(), ..request.clone() }));
    }
    for (name, value) in [
        ("X-HTTP-Method-Override", "GET"),
        ("X-Forwarded-Host", "elsewhere.example"),
        ("X-Original-URL", "/webhooks/other"),
        ("Content-Disposition", "form-data; name=\"status\""),
        ("Content-Language", "de"),
        ("Accept", "text/xml"),
    ] {
        all.push((name.to_owned(), with_header(request, name, value)));
    }
    // Without a body, and without a signature, the query is the payload, and anyone may write it.
    if scheme(case).covers_payload || !request.body.is_empty() {
        for more in
            ["x=1", "messageId=VICTIM&status=delivered&sig=00", "MessageSid=SMVICTIM&MessageStatus=delivered", "message_id=7"]
        {
            let glue = if request.target.contains('?') { '&' } else { '?' };
            let target = format!("{}{glue}{more}", request.target);
            all.push((format!("the query {more}"), TestRequest { target, ..request.clone() }));
        }
    }
    if scheme(case).covers_payload {
        all.extend(reencoded::in_other_places(request));
    }
    all
}

fn with_header(request: &TestRequest, name: &str, value: &str) -> TestRequest {
    let mut changed = request.clone();
    changed.headers.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
    changed.headers.push((name.to_owned(), value.to_owned()));
    changed
}
