//! Requests that are rejected before they reach the store, and change no table.

use serde_json::json;
use waybill::{fixture::Fixture, time::Timestamp};

use crate::{
    case::{TestRequest, gateway, path, scheme, signed_at, signed_request},
    proof::{Place, places},
    support::{client::Response, database::Backend, gateway::Gateway},
};

/// Asserts a rejection that changes no table. A wrong token at the end of the URL makes an unknown path; without its signature, a
/// request of a kind that is always signed gets a response that asks for a retry.
fn assert_rejected_by_scheme(case: &Fixture, gateway: &Gateway, response: &Response, before: &str, label: &str) {
    let error = match (scheme(case).name, response.status) {
        ("url-token", 404) => "not_found",
        ("jwt", 503) => "unavailable",
        _ => return assert_rejected(gateway, response, before, label),
    };
    assert_eq!(response.json(), json!({ "success": false, "error": error }), "{label}");
    assert_eq!(gateway.row_counts(), before, "{label} changed a table");
}

pub(super) fn assert_rejected(gateway: &Gateway, response: &Response, before: &str, label: &str) {
    assert_eq!(response.status, 401, "{label}: {}", String::from_utf8_lossy(&response.body));
    assert_eq!(response.json(), json!({ "success": false, "error": "invalid_signature" }), "{label}");
    assert_eq!(gateway.row_counts(), before, "{label} changed a table");
}

pub(super) fn changed_payload(case: &Fixture, backend: Backend) {
    let gateway = gateway(case, backend);
    let request = signed_request(case, &gateway);
    let before = gateway.row_counts();
    for part in 0..=2 {
        assert_rejected(&gateway, &request.flipped(part, 2).send_to(&gateway), &before, &format!("bit {part}"));
    }
    assert_rejected(&gateway, &request.longer("&a=1").send_to(&gateway), &before, "a longer payload");
}

pub(super) fn changed_url(case: &Fixture, backend: Backend) {
    let gateway = gateway(case, backend);
    let mut request = signed_request(case, &gateway);
    let before = gateway.row_counts();
    request.target += if request.target.contains('?') { "&x=1" } else { "?x=1" };
    assert_rejected(&gateway, &request.send_to(&gateway), &before, "another query");
}

/// Verifier and parser agree: under another content type a form is not covered by its signature.
pub(super) fn changed_content_type(case: &Fixture, backend: Backend) {
    let gateway = gateway(case, backend);
    let request = signed_request(case, &gateway);
    let before = gateway.row_counts();
    for (label, changed) in other_content_types(&request) {
        assert_rejected(&gateway, &changed.send_to(&gateway), &before, label);
    }
}

/// The request without a content type, and with others.
pub(super) fn other_content_types(request: &TestRequest) -> impl Iterator<Item = (&'static str, TestRequest)> {
    let others = [
        "application/json",
        "text/plain",
        "multipart/form-data; boundary=x",
        "application/x-www-form-urlencoded; charset=utf-16",
    ];
    [None].into_iter().chain(others.map(Some)).map(|other| {
        let mut changed = request.clone();
        changed.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("content-type"));
        changed.headers.extend(other.map(|value| ("Content-Type".to_owned(), value.to_owned())));
        (other.unwrap_or("no content type"), changed)
    })
}

pub(super) fn missing_proof(case: &Fixture, backend: Backend) {
    let gateway = gateway(case, backend);
    let request = signed_request(case, &gateway);
    let before = gateway.row_counts();
    for place in places(case, &request) {
        assert_rejected_by_scheme(case, &gateway, &place.dropped(&request).send_to(&gateway), &before, &format!("{place:?}"));
    }
}

pub(super) fn repeated_proof(case: &Fixture, backend: Backend) {
    let gateway = gateway(case, backend);
    let request = signed_request(case, &gateway);
    let before = gateway.row_counts();
    for place in places(case, &request) {
        assert_rejected_by_scheme(case, &gateway, &place.doubled(&request).send_to(&gateway), &before, &format!("{place:?}"));
    }
}

/// A digest of the wrong length never matches and causes no failure.
pub(super) fn truncated_proof(case: &Fixture, backend: Backend) {
    let gateway = gateway(case, backend);
    let request = signed_request(case, &gateway);
    let before = gateway.row_counts();
    // Other laws cover the headers that accompany a signature: an id, a time.
    let is_proof = |place: &Place| match place {
        Place::Header(index) => {
            let name = request.headers[*index].0.to_ascii_lowercase();
            name.ends_with("-signature") || name == "authorization"
        }
        _ => true,
    };
    for place in places(case, &request).into_iter().filter(is_proof) {
        let value = place.value(&request);
        let mut variants: Vec<String> =
            [0, 1, value.len() / 2, value.len() - 1].iter().map(|&length| value[..length].to_owned()).collect();
        variants.extend([format!("{value}A"), "sha256=".to_owned(), "v1,".to_owned(), ",".to_owned(), "A".repeat(4_000)]);
        for variant in variants {
            assert_rejected_by_scheme(case, &gateway, &place.replaced(&request, &variant).send_to(&gateway), &before, &variant);
        }
    }
}

/// One second beyond the tolerance, in both directions.
pub(super) fn clock_beyond_tolerance(case: &Fixture, backend: Backend) {
    let gateway = gateway(case, backend);
    let (signed_at, tolerance) = (signed_at(case, &gateway), scheme(case).tolerance.expect("a tolerance"));
    let before = gateway.row_counts();
    for offset in [-tolerance - 1, tolerance + 1] {
        gateway.set_clock(Timestamp::from_seconds(signed_at + offset).expect("an instant"));
        assert_rejected(&gateway, &signed_request(case, &gateway).send_to(&gateway), &before, &format!("{offset} seconds"));
    }
}

/// The proof of one account is not accepted at another's endpoint.
pub(super) fn proof_of_another_account(case: &Fixture, backend: Backend) {
    let gateway = gateway(case, backend);
    let mut request = signed_request(case, &gateway);
    let before = gateway.row_counts();
    request.target = request.target.replacen(&path(case), &format!("{}/other", path(case)), 1);
    assert_rejected_by_scheme(case, &gateway, &request.send_to(&gateway), &before, "another account");
}
