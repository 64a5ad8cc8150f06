//! Metrics: every request is counted once, with any outcome, under labels that no client can extend. The sums are also checked
//! whenever a test's gateway stops (`support::gateway::stop`).

use std::{io::Write, time::Duration};

use serde_json::json;
use waybill::{fixture::Fixture, providers, time::Timestamp};

use crate::support::{
    client,
    database::{Backend, Database},
    gateway::{Gateway, OPS_TOKEN},
    metrics::Metrics,
    twilio,
};

const SECONDS: i64 = 1_773_500_000;

fn now() -> Timestamp {
    Timestamp::from_seconds(SECONDS).expect("an instant")
}

fn gateway_on(database: Database, more: &[(&str, &str)]) -> Gateway {
    let proofs = providers::ALL.iter().flat_map(|spec| spec.generate_variables("_", &crate::support::random(1)));
    let more = more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Gateway::start_on(database, now(), &proofs.chain(more).collect::<Vec<_>>())
}

/// Signed by the endpoint's first scheme.
fn signed(gateway: &Gateway, path: &str, body: &str) -> u16 {
    let endpoint = gateway.endpoint(path.trim_end_matches("/swml"));
    let content_type = if body.starts_with('{') { "application/json" } else { "application/x-www-form-urlencoded" };
    let mut outgoing = endpoint.outgoing("POST", path, content_type, body);
    outgoing.seconds = SECONDS;
    endpoint.sign(endpoint.spec.schemes[0], &mut outgoing);
    gateway.send(&outgoing).status
}

/// Sends a request with raw headers and a raw body.
fn raw(gateway: &Gateway, path: &str, head: &str, body: &str) -> u16 {
    let request = format!("POST {path} HTTP/1.1\r\nHost: h\r\n{head}\r\n\r\n{body}");
    client::exchange(gateway.address(), request.as_bytes()).status
}

fn stale(gateway: &Gateway) -> u16 {
    let endpoint = gateway.endpoint("/webhooks/resend");
    let fixture = Fixture::all().expect("fixtures").into_iter().find(|case| case.name == "email-delivered").expect("a case");
    gateway.send(&fixture.outgoing(endpoint, Timestamp::from_seconds(SECONDS - 3_600).expect("an instant"))).status
}

/// A request, its expected response, and its expected provider, outcome and cause.
type Step = (&'static str, fn(&Gateway) -> u16, u16, [&'static str; 3]);

const STATUS: &str = "MessageSid=SM1&MessageStatus=sent";
const UNSIGNED_V1: &str =
    r#"{"message_uuid":"aaaaaaaa-bbbb-4ccc-8ddd-0123456789ab","status":"delivered","to":"1","from":"2","channel":"sms"}"#;

const STEPS: [Step; 19] = [
    ("a new event", |g| signed(g, "/webhooks/twilio", STATUS), 200, ["twilio", "accepted", ""]),
    ("a retry", |g| signed(g, "/webhooks/twilio", STATUS), 200, ["twilio", "duplicate", ""]),
    (
        "no id",
        |g| signed(g, "/webhooks/mifumo", r#"{"event":"message.delivered","recipient":"+255700000001"}"#),
        400,
        ["mifumo", "quarantined", ""],
    ),
    ("a document's fetch", |g| signed(g, "/webhooks/signalwire/swml", r#"{"call":{}}"#), 200, ["signalwire", "ignored", ""]),
    ("an unknown shape", |g| signed(g, "/webhooks/twilio", "MessageStatus=sent"), 200, ["twilio", "accepted", ""]),
    ("poison", |g| signed(g, "/webhooks/twilio", "MessageSid=POISON&MessageStatus=sent"), 200, ["twilio", "quarantined", ""]),
    ("a probe", |g| client::get(g.address(), "/webhooks/vonage", &[]).status, 200, ["vonage", "ignored", ""]),
    ("no signature", |g| raw(g, "/webhooks/twilio", "Content-Length: 0", ""), 401, ["twilio", "rejected", "missing"]),
    (
        "the signature of another body",
        |g| {
            raw(
                g,
                "/webhooks/twilio",
                "Content-Type: application/x-www-form-urlencoded\r\nX-Twilio-Signature: RSOYDt4T1cUTdK1PDd93/VVr8B8=\r\nContent-Length: 3",
                "a=1",
            )
        },
        401,
        ["twilio", "rejected", "mismatch"],
    ),
    (
        "a malformed signature",
        |g| raw(g, "/webhooks/twilio", "X-Twilio-Signature: garbage\r\nContent-Length: 3", "a=1"),
        401,
        ["twilio", "rejected", "malformed"],
    ),
    (
        "two signatures",
        |g| raw(g, "/webhooks/twilio", "X-Twilio-Signature: a\r\nX-Twilio-Signature: b\r\nContent-Length: 3", "a=1"),
        401,
        ["twilio", "rejected", "repeated"],
    ),
    ("a stale signature", stale, 401, ["resend", "rejected", "stale"]),
    (
        "another account",
        |g| signed(g, "/webhooks/twilio/acme", &format!("AccountSid=AC9&{STATUS}")),
        401,
        ["twilio", "rejected", "other_account"],
    ),
    (
        "an unsigned request of a signed kind",
        |g| {
            raw(
                g,
                "/webhooks/vonage",
                &format!("Content-Type: application/json\r\nContent-Length: {}", UNSIGNED_V1.len()),
                UNSIGNED_V1,
            )
        },
        503,
        ["vonage", "rejected", "unsigned"],
    ),
    (
        "another network",
        |g| raw(g, "/webhooks/conversation", "Content-Length: 2", "{}"),
        403,
        ["conversation", "rejected", "forbidden"],
    ),
    (
        "a body that is too long",
        |g| raw(g, "/webhooks/mifumo", "Content-Length: 300000", ""),
        413,
        ["mifumo", "failed", "too_large"],
    ),
    (
        "a compressed body",
        |g| raw(g, "/webhooks/mifumo", "Content-Encoding: gzip\r\nContent-Length: 3", "abc"),
        415,
        ["mifumo", "failed", "encoded"],
    ),
    (
        "a malformed chunk",
        |g| raw(g, "/webhooks/mifumo", "X-Webhook-Signature: 00\r\nTransfer-Encoding: chunked", "zz\r\n"),
        400,
        ["mifumo", "failed", "malformed"],
    ),
    (
        "exhausted memory for bodies",
        |g| {
            let all = g.running().gateway.body_room.permit(None);
            all.grow(0, 128 << 20).expect("no request in progress");
            raw(g, "/webhooks/mifumo", "X-Webhook-Signature: 00\r\nContent-Length: 3", "abc")
        },
        503,
        ["mifumo", "failed", "overloaded"],
    ),
];

fn reject_poison(database: &Database) {
    match database {
        Database::Sqlite { .. } => database.execute(
            "CREATE TRIGGER poison BEFORE INSERT ON message_external_ids WHEN NEW.external_id = 'POISON' BEGIN SELECT RAISE(ABORT, 'x'); END",
        ),
        Database::Postgres { .. } => database.execute("ALTER TABLE message_external_ids ADD CONSTRAINT poison CHECK (external_id <> 'POISON')"),
    }
}

/// Polls the metrics until they match: a request that ends without a response gives no signal.
fn until(gateway: &Gateway, what: &str, is_reached: impl Fn(&Metrics) -> bool) -> Metrics {
    let started = std::time::Instant::now();
    loop {
        let metrics = gateway.metrics();
        if is_reached(&metrics) {
            return metrics;
        }
        assert!(started.elapsed() < Duration::from_secs(20), "never {what}: {:?}", metrics.0);
        std::thread::yield_now();
    }
}

crate::databases! {
    fn outcomes_and_causes_are_counted_once(database) {
        let gateway = gateway_on(database, &[
            ("TWILIO__ACME__AUTH_TOKEN", twilio::TOKEN),
            ("TWILIO__ACME__ACCOUNT_SID", "AC00000000000000000000000000000000"),
            ("CONVERSATION_ALLOWED_IPS", "203.0.113.0/24"),
        ]);
        reject_poison(&gateway.database);
        for (what, send, status, [provider, outcome, cause]) in STEPS {
            let before = gateway.metrics();
            assert_eq!(send(&gateway), status, "{what}");
            let after = gateway.metrics();
            let more = |name: &str, labels: &[(&str, &str)]| (after.sum(name, labels) - before.sum(name, labels)).round();
            let labels = ("provider", provider);
            assert_eq!([more("requests_received_total", &[]), more("requests_received_total", &[labels])], [1.0, 1.0], "{what}: received");
            assert_eq!([more("requests_outcome_total", &[]), more("requests_outcome_total", &[labels, ("outcome", outcome)])], [1.0, 1.0], "{what}: {outcome}");
            assert_eq!([more("answers_total", &[]), more("answers_total", &[labels, ("status", &status.to_string())])], [1.0, 1.0], "{what}: answer");
            let causes = ["rejected", "failed"].map(|name| more(&format!("requests_{name}_total"), &[]));
            assert_eq!(causes, ["rejected", "failed"].map(|name| f64::from(u8::from(name == outcome))), "{what}: causes");
            if !cause.is_empty() {
                assert_eq!(more(&format!("requests_{outcome}_total"), &[labels, ("cause", cause)]), 1.0, "{what}: {cause}: {:?}", after.values("cause"));
            }
        }
        let metrics = gateway.metrics();
        metrics.assert_conserved();
        assert!(metrics.sum("database_errors_total", &[]) >= 1.0, "the error of the poison record");
        let labels = [("provider", "twilio"), ("account", "default"), ("scheme", "request"), ("secret", "0")];
        assert_eq!(metrics.sum("verified_total", &labels), 4.0);
        assert_eq!(metrics.sum("unmatched_total", &[]), 1.0);
        assert_eq!(metrics.sum("endpoint_last_genuine_timestamp_seconds", &[("provider", "twilio")]), 1_773_500_000.0);
    }

    fn gauges_match_tables(database) {
        let gateway = gateway_on(database, &[]);
        let fixtures: Vec<Fixture> = Fixture::all().expect("fixtures").into_iter().filter(Fixture::is_sendable).collect();
        for fixture in &fixtures {
            let outgoing = fixture.outgoing(gateway.endpoint(&fixture.spec.default_path()), now());
            for _ in 0..2 {
                assert_eq!(gateway.send(&outgoing).status, 200, "{}/{}", fixture.spec.name, fixture.name);
            }
        }
        gateway.running().gateway.refresh_gauges().expect("gauges");
        let metrics = gateway.metrics();
        let rows = |table: &str| gateway.database.rows(table);
        let number = |things: usize| f64::from(u32::try_from(things).expect("few"));
        let requests = rows("webhook_requests");
        assert_eq!(requests.len(), fixtures.len());
        let outcome = |outcome| metrics.sum("requests_outcome_total", &[("outcome", outcome)]);
        let stored = ["accepted", "duplicate", "quarantined", "ignored"].map(outcome).iter().sum::<f64>();
        assert_eq!(stored, 2.0 * number(requests.len()));
        assert!(outcome("duplicate") >= number(requests.len()) - outcome("ignored"));
        let quarantined = requests.iter().filter(|row| row["state"] == "quarantined").count();
        assert_eq!([outcome("quarantined"), metrics.sum("quarantined_requests", &[])], [number(quarantined); 2]);
        let (events, messages) = (rows("webhook_events"), rows("message_external_ids"));
        assert_eq!(metrics.sum("events_total", &[]), number(events.len()));
        for event_type in ["message.opened", "message.clicked", "message.delivered", "unknown"] {
            let count = events.iter().filter(|row| row["event_type"] == event_type).count();
            assert_eq!(metrics.sum("events_total", &[("event_type", event_type)]), number(count), "{event_type}");
        }
        assert_eq!(metrics.sum("event_lag_seconds_count", &[]), number(events.iter().filter(|row| row.get("occurred_at").is_some()).count()));
        let unknown = events.iter().filter(|row| row["event_type"] == "unknown").count();
        assert_eq!(metrics.sum("unmapped_values_total", &[("kind", "event_type")]), number(unknown));
        assert_eq!(metrics.sum("messages", &[]), number(messages.len()));
        for status in ["delivered", "bounced", "sent", "registered"] {
            let count = messages.iter().filter(|row| row["status"] == status).count();
            assert_eq!(metrics.sum("messages", &[("status", status)]), number(count), "{status}");
        }
        assert_eq!(metrics.sum("unmatched_messages", &[]), number(messages.iter().filter(|row| row.get("message_id").is_none()).count()));
        assert_eq!(metrics.sum("commit_batch_size_sum", &[]), 2.0 * number(requests.len()));
    }

    fn last_verified_request_survives_restart(database) {
        let gateway = gateway_on(database, &[]);
        assert_eq!(signed(&gateway, "/webhooks/twilio", STATUS), 200);
        let database = gateway.stop();
        database.execute("UPDATE message_external_ids SET created_at = '2026-03-14 14:00:00'");
        let gateway = gateway_on(database, &[]);
        let last = |metrics: &Metrics| metrics.sum("endpoint_last_genuine_timestamp_seconds", &[]);
        assert_eq!(last(&gateway.metrics()), 0.0, "not restored yet");
        gateway.running().gateway.restore_last_seen().expect("rows");
        gateway.running().gateway.refresh_gauges().expect("rows");
        let metrics = gateway.metrics();
        assert_eq!(last(&metrics), 1_773_500_000.0);
        assert_eq!([metrics.sum("unmatched_messages", &[]), metrics.sum("oldest_unmatched_seconds", &[])], [1.0, 3_200.0]);
    }

    fn aborted_requests_are_counted(database) {
        let gateway = gateway_on(database, &[("WEBHOOK_TIMEOUT", "1")]);
        let head = "POST /webhooks/twilio HTTP/1.1\r\nHost: h\r\nX-Twilio-Signature: x\r\nContent-Length: 10\r\n\r\nabc";
        let mut stream = client::connect(gateway.address());
        stream.write_all(head.as_bytes()).expect("sent");
        until(&gateway, "received", |metrics| metrics.sum("requests_received_total", &[]) > 0.5);
        drop(stream);
        until(&gateway, "failed", |metrics| metrics.sum("requests_failed_total", &[]) > 0.5).assert_conserved();
        // A request whose client disconnects before the commit.
        let endpoint = gateway.endpoint("/webhooks/twilio");
        let request = crate::support::callback::request_bytes(endpoint, STATUS);
        let lock = gateway.database.lock();
        let mut stream = client::connect(gateway.address());
        stream.write_all(&request).expect("sent");
        until(&gateway, "verified", |metrics| metrics.sum("verified_total", &[]) > 0.5);
        drop(stream);
        let ended = |metrics: &Metrics| metrics.sum("requests_outcome_total", &[]) > 1.5;
        until(&gateway, "ended", ended).assert_conserved();
        lock.release();
        assert_eq!(signed(&gateway, "/webhooks/twilio", "MessageSid=SM2&MessageStatus=sent"), 200);
    }

    fn failed_commits_are_counted(database) {
        let gateway = gateway_on(database, &[("WEBHOOK_TIMEOUT", "1")]);
        // SQLite waits for a lock longer than the response timeout, Postgres shorter.
        let cause = if matches!(gateway.database, Database::Sqlite { .. }) { "timeout" } else { "database" };
        let lock = gateway.database.lock();
        assert_eq!(signed(&gateway, "/webhooks/twilio", STATUS), 503);
        lock.release();
        let metrics = gateway.metrics();
        assert_eq!(metrics.sum("requests_failed_total", &[("cause", cause)]), 1.0);
        assert_eq!(metrics.sum("answers_total", &[("status", "503")]), 1.0);
    }

    fn label_cardinality_is_bounded(database) {
        let gateway = gateway_on(database, &[]);
        let send_unknown_values = |n: usize| {
            let id = format!("SM{n:032x}");
            let status = |provider_status: &str| format!("MessageSid={id}&MessageStatus={provider_status}&ErrorCode=9{n}&To=%2B1555{n}");
            signed(&gateway, "/webhooks/twilio", &status(&format!("odd{n}")));
            signed(&gateway, "/webhooks/twilio", &status("failed"));
            for path in [format!("/webhooks/twilio/{id}"), format!("/webhooks/unknown{n}"), "/webhooks/twilio".to_owned()] {
                for method in ["POST", "GET", &format!("ODD{n}")] {
                    client::send(gateway.address(), method, &path, &[("X-Twilio-Signature".to_owned(), format!("odd{n:05}"))], b"");
                }
            }
            let event = json!({ "type": format!("email.odd{n}"), "created_at": "2026-03-14T15:30:00Z", "data": { "email_id": id } });
            let endpoint = gateway.endpoint("/webhooks/resend");
            let mut outgoing = endpoint.outgoing("POST", "/webhooks/resend", "application/json", event.to_string());
            (outgoing.id, outgoing.seconds) = (id, SECONDS);
            endpoint.sign(endpoint.spec.schemes[0], &mut outgoing);
            assert_eq!(gateway.send(&outgoing).status, 200);
        };
        send_unknown_values(1);
        let series = |metrics: &Metrics| metrics.0.iter().map(|sample| format!("{} {:?}", sample.name, sample.labels)).collect::<std::collections::BTreeSet<_>>();
        // The background task also refreshes them, a second after the start.
        gateway.running().gateway.refresh_gauges().expect("gauges");
        let before = gateway.metrics();
        (2..15).for_each(send_unknown_values);
        let after = gateway.metrics();
        assert_eq!(series(&after).difference(&series(&before)).collect::<Vec<_>>(), Vec::<&String>::new());
        assert!(after.sum("unmapped_values_total", &[("kind", "event_type")]) > 10.0);
        assert!(after.sum("unmapped_values_total", &[("kind", "status")]) > 10.0);
        assert!(after.sum("unmapped_values_total", &[("kind", "error_code")]) > 10.0);
        assert!(!after.0.iter().any(|sample| format!("{sample:?}").contains("odd")), "text of a request in a label");
    }
}

#[test]
fn metrics_require_a_token() {
    let reader = "reader-token-0123456789";
    let gateway = gateway_on(Database::new(Backend::Sqlite), &[("OPS_READ_TOKEN", reader)]);
    let get = |authorization: &str| client::get(gateway.running().ops, "/metrics", &[("Authorization", authorization)]);
    for token in [OPS_TOKEN, reader] {
        let response = get(&format!("Bearer {token}"));
        assert_eq!(response.status, 200);
        assert_eq!(response.header("content-type"), Some("application/openmetrics-text; version=1.0.0; charset=utf-8"));
    }
    assert_eq!(get("Bearer wrong").status, 401);
    assert_eq!(client::get(gateway.running().ops, "/metrics", &[]).status, 401);
    assert_eq!(client::get(gateway.address(), "/metrics", &[]).status, 404, "not public");
}

/// A wrong token in a URL is an unknown path as well. The paths of the operations listener are no callbacks'.
#[test]
fn unknown_paths_are_counted() {
    let gateway = gateway_on(Database::new(Backend::Sqlite), &[]);
    let count = || gateway.metrics().sum("unknown_paths_total", &[]);
    assert_eq!(count(), 0.0);
    for path in [
        "/webhooks/resend/",
        "//webhooks/resend",
        "/Webhooks/resend",
        "/webhooks/unknown",
        "/webhooks/vonage/t/0123456789abcdef0123456789abcdef",
        "/",
    ] {
        assert_eq!(client::send(gateway.address(), "POST", path, &[], b"{}").status, 404, "{path}");
    }
    assert_eq!(count(), 6.0);
    client::get(gateway.address(), "/webhooks/resend", &[]);
    client::get(gateway.running().ops, "/unknown", &[]);
    assert_eq!(count(), 6.0);
}
