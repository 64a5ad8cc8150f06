//! The two listeners over HTTP: methods, framing, limits, responses.

use std::{io::Write, time::Duration};

use serde_json::{Value, json};
use waybill::{fixture::Fixture, providers, time::Timestamp};

use crate::support::{
    client,
    database::{Backend, Database},
    gateway::{Gateway, OPS_TOKEN},
};

const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");

/// A signature header of any value, with which the body is read before it is rejected.
const INVALID_SIGNATURE: (&str, &str) = ("X-Twilio-Signature", "x");

fn now() -> Timestamp {
    Timestamp::parse("2026-03-14T15:30:00Z").expect("an instant")
}

fn variables() -> Vec<(String, String)> {
    let proofs = providers::ALL.iter().flat_map(|spec| spec.generate_variables("_", &crate::support::random(1)));
    proofs.collect()
}

fn gateway() -> Gateway {
    Gateway::start(Backend::Sqlite, now(), &variables())
}

fn post(gateway: &Gateway, target: &str, headers: &[(&str, &str)], body: &[u8]) -> client::Response {
    let headers: Vec<(String, String)> = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    gateway.post(target, &headers, body)
}

/// Sends every recorded callback that a gateway with these secrets accepts.
fn send_fixtures(gateway: &Gateway) -> usize {
    let fixtures: Vec<Fixture> = Fixture::all().expect("fixtures").into_iter().filter(Fixture::is_sendable).collect();
    for fixture in &fixtures {
        let endpoint = gateway.endpoint(&fixture.spec.default_path());
        let response = gateway.send(&fixture.outgoing(endpoint, now()));
        assert_eq!(response.status, 200, "{}/{}", fixture.spec.name, fixture.name);
    }
    fixtures.len()
}

#[test]
fn unknown_paths_are_not_found_in_any_spelling() {
    let gateway = gateway();
    for path in [
        "/",
        "/webhooks",
        "/webhooks/unknown",
        "/webhooks/twilio/",
        "/webhooks//twilio",
        "/WEBHOOKS/twilio",
        "/webhooks/%74wilio",
        "/webhooks/twilio;x",
        "/webhooks/twilio/acme",
    ] {
        let response = post(&gateway, path, &[FORM], b"a=1");
        assert_eq!((response.status, response.json()), (404, json!({ "success": false, "error": "not_found" })), "{path}");
    }
}

#[test]
fn methods_are_limited_to_those_of_the_provider() {
    let gateway = gateway();
    for method in ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"] {
        let response = client::send(gateway.address(), method, "/webhooks/resend", &[], b"");
        assert_eq!((response.status, response.header("Allow")), (405, Some("POST")), "{method}");
        assert!(method == "HEAD" || response.json()["error"] == "method_not_allowed", "{method}");
    }
    let twilio = client::send(gateway.address(), "PUT", "/webhooks/twilio", &[], b"");
    assert_eq!((twilio.status, twilio.header("Allow")), (405, Some("POST, GET, HEAD")));
    let health = client::send(gateway.address(), "POST", "/webhooks/health", &[], b"");
    assert_eq!((health.status, health.header("Allow"), &health.json()["success"]), (405, Some("GET, HEAD"), &json!(false)));
}

#[test]
fn encoded_body_is_rejected_before_it_is_read() {
    let gateway = gateway();
    for encoding in ["gzip", "br", "GZIP", "deflate", "gzip, identity"] {
        let request = format!(
            "POST /webhooks/twilio HTTP/1.1\r\nHost: h\r\nContent-Encoding: {encoding}\r\nContent-Length: 200000\r\n\r\n"
        );
        let response = client::exchange(gateway.address(), request.as_bytes());
        assert_eq!((response.status, response.json()["error"].clone()), (415, json!("unsupported_media_type")), "{encoding}");
    }
    assert_eq!(post(&gateway, "/webhooks/twilio", &[FORM, ("Content-Encoding", "identity")], b"a=1").status, 401);
}

#[test]
fn oversized_body_is_rejected_declared_or_chunked() {
    let gateway = gateway();
    let limit = 256 << 10;
    assert_eq!(
        post(&gateway, "/webhooks/twilio", &[FORM, INVALID_SIGNATURE], &vec![b'a'; limit]).status,
        401,
        "at the limit it is read"
    );
    let declared = format!("POST /webhooks/twilio HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n", limit + 1);
    let response = client::exchange(gateway.address(), declared.as_bytes());
    assert_eq!((response.status, response.json()["error"].clone()), (413, json!("payload_too_large")));
    let mut chunked =
        b"POST /webhooks/twilio HTTP/1.1\r\nHost: h\r\nX-Twilio-Signature: x\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..=limit / 4096 {
        chunked.extend_from_slice(b"1000\r\n");
        chunked.extend_from_slice(&[b'a'; 4096]);
        chunked.extend_from_slice(b"\r\n");
    }
    chunked.extend_from_slice(b"0\r\n\r\n");
    assert_eq!(client::exchange(gateway.address(), &chunked).status, 413);
    let long = format!("/webhooks/twilio?{}", "a".repeat(8 << 10));
    assert_eq!(post(&gateway, &long, &[FORM], b"a=1").status, 413, "a URL over 8 KiB");
}

#[test]
fn missing_body_times_out() {
    let gateway = gateway();
    let mut stream = client::connect(gateway.address());
    stream
        .write_all(b"POST /webhooks/twilio HTTP/1.1\r\nHost: h\r\nX-Twilio-Signature: x\r\nContent-Length: 10\r\n\r\nabc")
        .expect("sent");
    let response = client::read(&mut stream);
    assert_eq!((response.status, response.json()["error"].clone()), (408, json!("request_timeout")));
    assert_eq!(response.header("connection"), Some("close"));
    assert_eq!(gateway.metrics().sum("requests_failed_total", &[("cause", "slow")]), 1.0);
}

#[test]
fn unsigned_request_is_rejected_without_its_body() {
    let gateway = gateway();
    let started = std::time::Instant::now();
    let head = b"POST /webhooks/twilio HTTP/1.1\r\nHost: h\r\nContent-Length: 200000\r\n\r\nabc";
    let response = client::exchange(gateway.address(), head);
    assert_eq!((response.status, response.json()["error"].clone()), (401, json!("invalid_signature")));
    assert!(started.elapsed() < Duration::from_secs(4), "the body's deadline is 5 s");
}

/// A body in one-byte chunks counts by its bytes, so that a client without a secret cannot exhaust the memory for bodies.
#[test]
fn tiny_chunks_count_by_their_bytes() {
    let gateway = gateway();
    let mut request =
        b"POST /webhooks/twilio HTTP/1.1\r\nHost: h\r\nX-Twilio-Signature: x\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    request.extend(b"1\r\na\r\n".repeat(200_000));
    request.extend_from_slice(b"0\r\n\r\n");
    assert_eq!(client::exchange(gateway.address(), &request).status, 401, "parsed, and rejected");
}

#[test]
fn hostile_framing_is_rejected() {
    let gateway = gateway();
    for head in [
        "Content-Length: 3\r\nTransfer-Encoding: chunked",
        "Content-Length: 3\r\nContent-Length: 4",
        "Content-Length: +3",
        "Transfer-Encoding: xchunked",
    ] {
        let request = format!("POST /webhooks/twilio HTTP/1.1\r\nHost: h\r\n{head}\r\n\r\nabc");
        let status = client::exchange(gateway.address(), request.as_bytes()).status;
        assert_eq!(status, 400, "{head}");
    }
}

#[test]
fn signature_failures_have_one_response() {
    let gateway = gateway();
    let mut answers: Vec<(u16, Vec<u8>)> = [
        vec![FORM],
        vec![FORM, ("X-Twilio-Signature", "")],
        vec![FORM, ("X-Twilio-Signature", "garbage")],
        vec![FORM, ("X-Twilio-Signature", "sha256=00")],
        vec![FORM, ("X-Twilio-Signature", "\u{e9}")],
        vec![FORM, ("X-Twilio-Signature", "a"), ("X-Twilio-Signature", "b")],
        vec![("X-Twilio-Signature", "RSOYDt4T1cUTdK1PDd93/VVr8B8=")],
    ]
    .iter()
    .map(|headers| post(&gateway, "/webhooks/twilio", headers, b"MessageSid=SM1&MessageStatus=sent"))
    .map(|response| (response.status, response.body))
    .collect();
    answers.dedup();
    assert_eq!(answers, [(401, br#"{"error":"invalid_signature","success":false}"#.to_vec())]);
}

#[test]
fn forwarded_headers_never_enter_the_signed_url() {
    let gateway = gateway();
    let fixture = Fixture::all()
        .expect("fixtures")
        .into_iter()
        .find(|case| (case.spec.name, case.name.as_str()) == ("twilio", "status-sent"))
        .expect("a case");
    let mut outgoing = fixture.outgoing(gateway.endpoint("/webhooks/twilio"), now());
    for name in ["X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded", "X-Original-URL"] {
        outgoing.headers.push((name.to_owned(), "evil.example".to_owned()));
    }
    assert_eq!(gateway.send(&outgoing).status, 200);
}

#[test]
fn health_document_has_monitoring_fields() {
    let gateway = gateway();
    let response = client::get(gateway.address(), "/webhooks/health", &[]);
    assert_eq!(response.status, 200);
    assert_eq!(
        response.json(),
        json!({
            "status": "healthy",
            "service": "webhook_handlers",
            "endpoints": {
                "conversation": "/webhooks/conversation",
                "mifumo": "/webhooks/mifumo",
                "resend": "/webhooks/resend",
                "signalwire": "/webhooks/signalwire",
                "twilio": "/webhooks/twilio",
                "vonage": "/webhooks/vonage",
            },
            "timestamp": "2026-03-14T15:30:00Z",
            "checks": { "database": "ok", "endpoints": "ok", "queue": "ok", "verification": "ok", "writer": "ok" },
        })
    );
    assert_eq!(client::send(gateway.address(), "HEAD", "/webhooks/health", &[], b"").status, 200);
}

#[test]
fn liveness_and_readiness_need_no_token() {
    let gateway = gateway();
    for path in ["/livez", "/readyz"] {
        assert_eq!(client::get(gateway.running().ops, path, &[]).status, 200, "{path}");
        assert_eq!(client::get(gateway.address(), path, &[]).status, 404, "{path} is not public");
    }
}

#[test]
fn ops_routes_require_the_token() {
    let gateway = gateway();
    let token = format!("Bearer {OPS_TOKEN}");
    for wrong in ["", "Bearer", "Bearer ", "Bearer wrong", &token[..token.len() - 1], "Basic dGVzdDp0ZXN0", OPS_TOKEN] {
        let response = client::get(gateway.running().ops, "/api/messages", &[("Authorization", wrong)]);
        assert_eq!((response.status, response.json()["error"].clone()), (401, json!("unauthorized")), "{wrong}");
    }
    let twice = client::get(gateway.running().ops, "/api/messages", &[("Authorization", &token), ("Authorization", &token)]);
    assert_eq!(twice.status, 401);
    assert_eq!(client::get(gateway.running().ops, "/api/messages", &[("Authorization", &token)]).status, 200);
    assert_eq!(client::get(gateway.address(), "/api/messages", &[("Authorization", &token)]).status, 404, "not public");
}

#[test]
fn read_token_grants_read_access() {
    let mut variables = variables();
    variables.push(("OPS_READ_TOKEN".to_owned(), "reader-token-0123456789".to_owned()));
    let gateway = Gateway::start(Backend::Sqlite, now(), &variables);
    let response = client::get(gateway.running().ops, "/api/messages", &[("Authorization", "Bearer reader-token-0123456789")]);
    assert_eq!(response.status, 200);
}

fn ids(page: &Value) -> Vec<i64> {
    page["messages"].as_array().expect("messages").iter().map(|message| message["id"].as_i64().expect("an id")).collect()
}

crate::databases! {
    fn messages_are_filtered_and_paginated(database) {
        let gateway = Gateway::start_on(database, now(), &variables());
        send_fixtures(&gateway);
        let all = ids(&gateway.ops("/api/messages?limit=500"));
        assert!(all.len() > 30, "many");
        let (mut paged, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = gateway.ops(&format!("/api/messages?limit=7{cursor}"));
            paged.extend(ids(&page));
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(paged, all, "pages contain the same messages");
        for (filter, column, value) in [
            ("service_type=resend", "service_type", "resend"),
            ("status=bounced", "status", "bounced"),
            ("external_id=SM123", "external_id", "SM123"),
            ("recipient=%2B1234567890", "recipient", "+1234567890"),
            ("account=default", "account", "default"),
        ] {
            let page = gateway.ops(&format!("/api/messages?limit=500&{filter}"));
            let messages = page["messages"].as_array().expect("messages").clone();
            assert!(!messages.is_empty() && messages.iter().all(|message| message[column] == value), "{filter}");
        }
        gateway.database.execute("INSERT INTO communication_metrics (reference) VALUES ('order-9')");
        gateway.database.execute("UPDATE message_external_ids SET message_id = 1 WHERE external_id = 'SM123'");
        for filter in ["reference=order-9", "message_id=1"] {
            assert_eq!(ids(&gateway.ops(&format!("/api/messages?{filter}"))).len(), 1, "{filter}");
        }
        assert_eq!(ids(&gateway.ops("/api/messages?until=2000-01-01T00:00:00Z")).len(), 0);
        assert_eq!(ids(&gateway.ops("/api/messages?limit=500&since=2000-01-01T00:00:00Z")).len(), all.len());
        for wrong in ["limit=0", "limit=501", "limit=x", "cursor=x", "since=yesterday", "colour=red", "status=%00"] {
            assert_eq!(gateway.ops(&format!("/api/messages?{wrong}"))["error"], "invalid_query", "{wrong}");
        }
    }

    fn recorded_callbacks_are_stored(database) {
        let gateway = Gateway::start_on(database, now(), &variables());
        let sent = send_fixtures(&gateway);
        assert_eq!(gateway.database.rows("webhook_requests").len(), sent);
        assert_eq!(gateway.database.rows("webhook_bodies").len(), sent);
    }
}

/// While the database cannot commit, the response is 503 within the timeout. Afterwards the gateway recovers.
#[test]
fn failed_commit_is_reported_as_unavailable() {
    let gateway = Gateway::start(Backend::Postgres, now(), &variables());
    let fixture = Fixture::all()
        .expect("fixtures")
        .into_iter()
        .find(|case| (case.spec.name, case.name.as_str()) == ("twilio", "status-sent"))
        .expect("a case");
    let outgoing = fixture.outgoing(gateway.endpoint("/webhooks/twilio"), now());
    let started = std::time::Instant::now();
    let lock = gateway.database.lock();
    let response = gateway.send(&outgoing);
    lock.release();
    assert_eq!((response.status, response.json()["error"].clone()), (503, json!("unavailable")));
    assert_eq!(response.header("retry-after"), Some("1"));
    assert!(started.elapsed() < Duration::from_secs(5), "before SignalWire closes the connection");
    let health = client::get(gateway.address(), "/webhooks/health", &[]);
    assert_eq!((health.status, health.json()["checks"]["writer"].clone()), (503, json!("fail")));
    assert_eq!(client::get(gateway.running().ops, "/readyz", &[]).status, 503);
    assert_eq!(gateway.send(&outgoing).status, 200);
    assert_eq!(client::get(gateway.running().ops, "/readyz", &[]).status, 200);
}
