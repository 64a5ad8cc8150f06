//! Rejected requests: limited per network, stored in a ring buffer, never delaying other requests, and re-verified on request.

use serde_json::{Value, json};
use waybill::{
    callback::Callback,
    config::{Config, Env},
    doctor::reverify::{Reverified, reverify},
    endpoint::{Endpoint, EndpointConfig},
    router::Router,
    signature::{Outgoing, VerifyError},
    store::{Options, RejectedRequest, Rejection, RingBuffer, Store},
    time::Timestamp,
};

use crate::support::{
    callback::received,
    client::{self, Response},
    database::{Backend, Database},
    gateway::{Gateway, OPS_TOKEN},
    twilio::{self, TOKEN},
};

const NOW: i64 = 1_773_500_000;
const SVIX: &str = "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=";
const OTHER_SVIX: &str = "whsec_ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=";
const UNKNOWN_SVIX: &str = "whsec_QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl8=";
const RESEND: &str = "/webhooks/resend";

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds).expect("an instant")
}

fn owned(variables: &[(&str, &str)]) -> Vec<(String, String)> {
    variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn load(variables: &[(&str, &str)]) -> Vec<Endpoint> {
    let config = Config::load(&variables.iter().copied().collect::<Env>()).expect("a configuration").config;
    config.endpoints.into_iter().map(EndpointConfig::build).collect()
}

fn endpoints(variables: &[(&str, &str)]) -> Router {
    Router::new(load(variables), "https://hooks.example.com".parse().expect("a URL"))
}

/// A delivery event as Resend sends it, signed by that secret.
fn email(secret: &str, id: &str) -> Outgoing {
    let sender = load(&[("RESEND_WEBHOOK_SECRET", secret)]).remove(0);
    let body =
        r#"{"type":"email.delivered","created_at":"2026-01-01T00:00:00Z","data":{"email_id":"e1","to":["a@example.com"]}}"#;
    let unsigned = sender.outgoing("POST", RESEND, "application/json", body);
    let mut outgoing = Outgoing { id: id.to_owned(), seconds: NOW, ..unsigned };
    sender.sign(sender.spec.schemes[0], &mut outgoing);
    outgoing
}

/// Stops the recorder, and returns the rejected requests that it has stored.
fn stored_rejections(gateway: &Gateway) -> Vec<Value> {
    gateway.running().gateway.rejections.close();
    gateway.database.rows("rejected_requests")
}

fn forged(gateway: &Gateway, headers: &[(&str, &str)]) -> Response {
    let signature = [("X-Twilio-Signature", "AAAAAAAAAAAAAAAAAAAAAAAAAAA=")];
    gateway.post(twilio::PATH, &owned(&[&signature, headers].concat()), b"MessageSid=SM1&MessageStatus=sent")
}

/// The name of an [`Outcome`].
fn outcome_name(outcome: &Reverified) -> &'static str {
    match outcome {
        Reverified::NotFound => "unknown",
        Reverified::NotVerified { .. } => "rejected",
        Reverified::NoEndpoint => "no endpoint",
        Reverified::Verified { .. } => "verified",
        Reverified::Stored(committed) if committed.is_duplicate() => "duplicate",
        Reverified::Stored(_) => "stored",
    }
}

/// Re-verifies a stored request without a running gateway.
fn reverify_stored(database: &Database, endpoints: &Router, id: i64, dry_run: bool) -> Reverified {
    let store = Store::open(&database.url().parse().expect("a database URL"), Options::default()).expect("a store");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let outcome = runtime.block_on(reverify(endpoints, &store, id, dry_run)).expect("the database");
    store.close();
    outcome
}

fn id(row: &Value) -> i64 {
    row["id"].as_i64().expect("a number")
}

fn rejection(endpoint: &Endpoint, body: Vec<u8>, at: Timestamp) -> Rejection {
    let outgoing = endpoint.outgoing("POST", twilio::PATH, "text/plain", body);
    let rejected = RejectedRequest::new(received(endpoint, outgoing, at), VerifyError::Mismatch);
    Rejection::new(endpoint, RejectedRequest { is_near_miss: true, ..rejected })
}

crate::databases! {
    fn ring_buffer_is_bounded_by_rows_bytes_and_age(database) {
        let endpoint = load(&[("TWILIO_AUTH_TOKEN", TOKEN)]).remove(0);
        let url = database.url().parse().expect("a database URL");
        waybill::store::migrate(&url).expect("migrated");
        let mut ring = RingBuffer::new(&url);
        for batch in 0..15_u8 {
            let rows: Vec<Rejection> = (0..100).map(|_| rejection(&endpoint, vec![batch], at(NOW))).collect();
            ring.insert(&rows, at(NOW)).expect("stored");
        }
        let bodies = |database: &Database| -> Vec<String> {
            database.rows("rejected_requests").iter().map(|row| row["body"].as_str().expect("hex").to_owned()).collect()
        };
        let seen = bodies(&database);
        assert_eq!((seen.len(), seen[0].as_str(), seen[999].as_str()), (1_000, "05", "0e"), "the newest are retained");
        for _ in 0..60 {
            ring.insert(&[rejection(&endpoint, vec![0; 256 << 10], at(NOW + 1))], at(NOW + 1)).expect("stored");
        }
        let bytes: usize = bodies(&database).iter().map(|body| body.len() / 2).sum();
        assert!(bytes <= 8 << 20 && bytes > 7 << 20, "{bytes}");
        if let Database::Sqlite { .. } = database {
            let size = std::fs::metadata(database.rejected_file()).expect("a file").len();
            assert!(size <= 10 << 20, "{size}");
        }
        ring.insert(&[], at(NOW + 24 * 3_600)).expect("stored");
        assert!(!bodies(&database).is_empty());
        ring.insert(&[], at(NOW + 2 + 24 * 3_600)).expect("stored");
        assert_eq!(bodies(&database).len(), 0, "the retention of a day is over");
    }

    // Rows that are replaced again and again leave room behind, which is reclaimed.
    fn ring_is_bounded_on_the_disk(database) {
        let endpoint = load(&[("TWILIO_AUTH_TOKEN", TOKEN)]).remove(0);
        let url = database.url().parse().expect("a database URL");
        waybill::store::migrate(&url).expect("migrated");
        let mut ring = RingBuffer::new(&url);
        for number in 0..160_u32 {
            // Not compressible.
            let mut body = vec![0; 256 << 10];
            getrandom::fill(&mut body).expect("random bytes");
            ring.insert(&[rejection(&endpoint, body, at(NOW))], at(NOW)).expect("stored");
            if number % 20 == 19 {
                ring.trim(at(NOW)).expect("trimmed");
            }
        }
        let bytes: u64 = match &database {
            Database::Sqlite { .. } => std::fs::metadata(database.rejected_file()).expect("a file").len(),
            Database::Postgres { .. } => {
                database.query("SELECT pg_total_relation_size('rejected_requests')::text AS row")[0].parse().expect("a number")
            }
        };
        assert!(bytes <= 18 << 20, "{bytes}");
        assert!(!database.rows("rejected_requests").is_empty() || matches!(database, Database::Postgres { .. }));
    }

    // A client that knows the id of a future callback cannot take its place.
    fn forged_request_makes_no_duplicate(database) {
        let gateway = Gateway::start_on(database, at(NOW), &owned(&[("RESEND_WEBHOOK_SECRET", SVIX)]));
        assert_eq!(gateway.send(&email(OTHER_SVIX, "msg_1")).status, 401);
        let verified = gateway.send(&email(SVIX, "msg_1"));
        assert_eq!((verified.status, verified.json()), (200, json!({ "success": true })), "it is no duplicate");
        assert_eq!(gateway.database.rows("message_external_ids")[0]["status"], "delivered");
        let rows = stored_rejections(&gateway);
        assert_eq!((rows.len(), &rows[0]["cause"]), (1, &json!("mismatch")));
        assert_eq!(rows[0]["finding"], "no configured secret gives this signature; no near miss matches: the configured secret is probably wrong");
    }

    fn rejected_request_can_be_replayed_after_secret_fix(database) {
        let gateway = Gateway::start_on(database, at(NOW), &owned(&[("RESEND_WEBHOOK_SECRET", OTHER_SVIX)]));
        assert_eq!(gateway.send(&email(SVIX, "msg_1")).status, 401);
        assert_eq!(gateway.send(&email(SVIX, "msg_1")).status, 401, "a retry");
        let ids: Vec<i64> = stored_rejections(&gateway).iter().map(id).collect();
        let database = gateway.stop();
        let unchanged = endpoints(&[("RESEND_WEBHOOK_SECRET", OTHER_SVIX)]);
        let Reverified::NotVerified { cause, finding } = reverify_stored(&database, &unchanged, ids[0], false) else { panic!("the secret is not fixed") };
        assert_eq!((cause, finding.contains("no near miss")), (VerifyError::Mismatch, true));
        assert_eq!(outcome_name(&reverify_stored(&database, &endpoints(&[("TWILIO_AUTH_TOKEN", TOKEN)]), ids[0], false)), "no endpoint");
        let fixed = endpoints(&[("RESEND_WEBHOOK_SECRET", SVIX)]);
        let dry = reverify_stored(&database, &fixed, ids[0], true);
        assert!(matches!(&dry, Reverified::Verified { verified_by } if verified_by == "svix:0"), "{dry:?}");
        assert_eq!((database.rows("webhook_requests").len(), database.rows("rejected_requests").len()), (0, 2), "a dry run");
        let outcomes: Vec<&str> = [0, 0, 1].map(|index: usize| outcome_name(&reverify_stored(&database, &fixed, ids[index], false))).to_vec();
        assert_eq!(outcomes, ["stored", "unknown", "duplicate"]);
        assert_eq!(database.rows("rejected_requests").len(), 0);
        let message = &database.rows("message_external_ids")[0];
        assert_eq!([&message["status"], &message["verified_by"]], ["delivered", "svix:0"]);
        assert_eq!(database.rows("webhook_requests")[0]["received_at"], "2026-03-14 14:53:20", "the time of receipt");
    }

    // As an operator does it: restart with the right secret, then replay over HTTP.
    fn rejected_request_is_replayed_over_http(database) {
        let first = Gateway::start_on(database, at(NOW), &owned(&[("RESEND_WEBHOOK_SECRET", OTHER_SVIX)]));
        assert_eq!(first.send(&email(SVIX, "msg_1")).status, 401);
        assert_eq!(first.send(&email(UNKNOWN_SVIX, "msg_2")).status, 401);
        let ids: Vec<i64> = stored_rejections(&first).iter().map(id).collect();
        let gateway = Gateway::start_on(first.stop(), at(NOW + 3_600), &owned(&[("RESEND_WEBHOOK_SECRET", SVIX)]));
        let ask = |what: &str| {
            let token = owned(&[("Authorization", &format!("Bearer {OPS_TOKEN}"))]);
            let answer = client::send(gateway.running().ops, "POST", &format!("/api/requests/{what}"), &token, b"");
            (answer.status, answer.json())
        };
        let (status, dry) = ask(&format!("r{}/replay?dry_run=true", ids[0]));
        assert_eq!((status, &dry["applied"], &dry["verified_by"]), (200, &json!(false), &json!("svix:0")), "{dry}");
        assert_eq!(gateway.database.rows("message_external_ids").len(), 0);
        let (status, done) = ask(&format!("r{}/replay", ids[0]));
        assert_eq!((status, &done["applied"], &done["duplicate"]), (200, &json!(true), &json!(false)), "{done}");
        assert_eq!(gateway.database.rows("message_external_ids")[0]["status"], "delivered");
        assert_eq!(ask(&format!("r{}/replay", ids[0])).0, 404, "it is no longer stored");
        assert_eq!(ask(&format!("r{}/replay", ids[1])).0, 422, "no secret verifies it");
        assert_eq!(ask(&format!("r{}/discard", ids[1])).0, 200);
        assert_eq!(ask(&format!("r{}/discard", ids[1])).0, 404, "it is no longer stored");
        assert_eq!(ask(&format!("{}/discard", ids[1])).0, 404, "there is no verified request of that number");
        assert_eq!(gateway.database.rows("rejected_requests").len(), 0);
    }

    // Another gateway may hold the lock. The response does not wait for it; the rejections may be dropped.
    fn locked_database_does_not_delay_rejections(database) {
        let gateway = Gateway::start_on(database, at(NOW), &owned(&[("TWILIO_AUTH_TOKEN", TOKEN)]));
        let lock = gateway.database.lock();
        for _ in 0..200 {
            assert_eq!(forged(&gateway, &[]).status, 401);
        }
        lock.release();
        assert_eq!(twilio::form(&gateway, "MessageSid=SM00000000000000000000000000000001&MessageStatus=sent").status, 200);
        assert!(stored_rejections(&gateway).len() <= 200);
    }
}

/// Tests the default limit.
#[test]
fn rejections_are_limited_by_network_and_verified_callbacks_are_not() {
    let variables = owned(&[("TWILIO_AUTH_TOKEN", TOKEN), ("TRUSTED_PROXIES", "127.0.0.1")]);
    let gateway = Gateway::limited(Database::new(Backend::Sqlite), at(NOW), &variables);
    let from = |address: &str| forged(&gateway, &[("X-Forwarded-For", address)]);
    for number in 0..60 {
        assert_eq!(from(&format!("203.0.113.{number}")).status, 401);
    }
    let limited = from("203.0.113.200");
    assert_eq!((limited.status, limited.json()), (429, json!({ "success": false, "error": "too_many_requests" })));
    assert_eq!((limited.header("Retry-After"), limited.header("RateLimit-Limit")), (Some("61"), None));
    let unsigned = gateway.post(twilio::PATH, &owned(&[("X-Forwarded-For", "203.0.113.1")]), b"{}");
    assert_eq!(unsigned.status, 429, "even if no body is read");
    assert_eq!(
        [from("203.0.112.1").status, from("2001:db8::1").status, from("nonsense").status],
        [401; 3],
        "other networks have limits of their own"
    );
    let endpoint = gateway.endpoint(twilio::PATH);
    let body = "MessageSid=SM00000000000000000000000000000001&MessageStatus=sent";
    let mut verified = endpoint.outgoing("POST", twilio::PATH, "application/x-www-form-urlencoded", body);
    endpoint.sign(endpoint.spec.schemes[0], &mut verified);
    verified.headers.push(("X-Forwarded-For".to_owned(), "203.0.113.9".to_owned()));
    assert_eq!(gateway.send(&verified).status, 200, "from the same network");
    assert_eq!(stored_rejections(&gateway).len(), 63, "limited requests are not stored");
}

#[test]
fn rejected_requests_store_no_credentials() {
    let token = "sw-9d530c4e1b7a9d3f5268806e2f4a1c7b";
    let variables = owned(&[
        ("SIGNALWIRE_BASIC_AUTH", "waybill:sw-basic-password-01"),
        ("SIGNALWIRE_SIGNING_KEY", "PSKtest1234567890abcdef"),
        ("VONAGE_SIGNATURE_SECRET", TOKEN),
        ("VONAGE_URL_TOKEN", token),
    ]);
    let gateway = Gateway::start_on(Database::new(Backend::Sqlite), at(NOW), &variables);
    let jwt = "Bearer eyJhbGciOiJIUzI1NiJ9.eyJpYXQiOjF9.c2lnbmF0dXJl";
    let (cookie, basic) = (("Cookie", "canary=1"), ("Authorization", "Basic Y2FuYXJ5OmNhbmFyeQ=="));
    for (path, headers) in [
        ("/webhooks/signalwire?secret=canary&x=1", vec![cookie, basic, ("X-SignalWire-Signature", "0"), ("X-Api-Key", "canary")]),
        ("/webhooks/vonage?sig=00&messageId=1", vec![("Authorization", jwt)]),
        ("/webhooks/vonage?sig=00&messageId=1", vec![basic]),
        ("/webhooks/vonage?sig=00&messageId=1", vec![("Authorization", "Bearer canary")]),
        (&format!("/webhooks/vonage/t/{token}?sig=00&messageId=1"), vec![]),
    ] {
        assert_eq!(client::get(gateway.address(), path, &headers).status, 401, "{path}");
    }
    let rows = stored_rejections(&gateway);
    let text = json!(rows).to_string();
    assert!(!text.contains("canary") && !text.contains("Y2FuYXJ5") && !text.contains(token), "{text}");
    let headers: Vec<Value> =
        rows.iter().map(|row| serde_json::from_str(row["headers"].as_str().expect("text")).expect("JSON")).collect();
    assert_eq!([&headers[0]["x-signalwire-signature"], &headers[1]["authorization"]], ["0", jwt]);
    assert_eq!(
        [&rows[0]["url"], &rows[4]["url"]],
        ["/webhooks/signalwire?secret=***&x=1", "/webhooks/vonage/t/***?sig=00&messageId=1"]
    );
}

#[test]
fn rejected_requests_are_stored_unchanged_except_masked_secrets() {
    let variables = [("TWILIO_AUTH_TOKEN", TOKEN), ("SIGNALWIRE_WEBHOOK_SECRET", "a-wrong-secret-0123456789")];
    let gateway = Gateway::start_on(Database::new(Backend::Sqlite), at(NOW), &owned(&variables));
    let endpoint = gateway.endpoint(twilio::PATH);
    let body = "MessageSid=SM00000000000000000000000000000001&MessageStatus=sent";
    let mut outgoing = endpoint.outgoing("POST", twilio::PATH, "application/x-www-form-urlencoded", body);
    endpoint.sign(endpoint.spec.schemes[0], &mut outgoing);
    outgoing.headers.push(outgoing.headers[1].clone());
    assert_eq!(gateway.send(&outgoing).status, 401, "its signature is repeated");
    let target = "/webhooks/signalwire?secret=the-right-secret-0123456789";
    assert_eq!(gateway.post(target, &[], br#"{"id":"m1","project_id":"p","status":"sent"}"#).status, 401);
    let ids: Vec<i64> = stored_rejections(&gateway).iter().map(id).collect();
    let database = gateway.stop();
    let fixed = [variables[0], ("SIGNALWIRE_WEBHOOK_SECRET", "the-right-secret-0123456789")];
    let fixed = endpoints(&fixed);
    let Reverified::NotVerified { cause, .. } = reverify_stored(&database, &fixed, ids[0], false) else {
        panic!("it must not be verified")
    };
    assert_eq!(cause, VerifyError::Repeated);
    let Reverified::NotVerified { finding, .. } = reverify_stored(&database, &fixed, ids[1], false) else {
        panic!("it must not be verified")
    };
    assert!(finding.contains("masked and not stored"), "{finding}");
    assert_eq!((database.rows("rejected_requests").len(), database.rows("webhook_requests").len()), (2, 0));
}

/// A crash may damage the file, because it is never synced.
#[test]
fn damaged_file_is_replaced() {
    let endpoint = load(&[("TWILIO_AUTH_TOKEN", TOKEN)]).remove(0);
    let database = Database::new(Backend::Sqlite);
    let url = database.url().parse().expect("a database URL");
    waybill::store::migrate(&url).expect("migrated");
    for damage in [&b"no database at all, but long enough to have a header of a hundred bytes".repeat(100)[..], b""] {
        std::fs::write(database.rejected_file(), damage).expect("damaged");
        let mut ring = RingBuffer::new(&url);
        ring.insert(&[rejection(&endpoint, vec![1], at(NOW))], at(NOW)).expect("stored in a new file");
        assert_eq!(database.rows("rejected_requests").len(), 1);
    }
}

/// Only the beginning of a long body is stored, which the replay says.
#[test]
fn replay_of_a_cut_body_says_so() {
    let gateway = Gateway::start_on(Database::new(Backend::Sqlite), at(NOW), &owned(&[("RESEND_WEBHOOK_SECRET", OTHER_SVIX)]));
    let sender = load(&[("RESEND_WEBHOOK_SECRET", SVIX)]).remove(0);
    let body = format!(r#"{{"type":"email.sent","x":"{}","data":{{"email_id":"e1"}}}}"#, "é".repeat(1_000));
    let mut outgoing = Outgoing { seconds: NOW, ..sender.outgoing("POST", RESEND, "application/json", body.as_bytes()) };
    sender.sign(sender.spec.schemes[0], &mut outgoing);
    assert_eq!(gateway.send(&outgoing).status, 401);
    let rows = stored_rejections(&gateway);
    let stored = rows[0]["body"].as_str().map(|hex| hex.len() / 2).expect("hex");
    assert!(stored <= 1_024 && body.is_char_boundary(stored), "{stored}");
    let fixed = endpoints(&[("RESEND_WEBHOOK_SECRET", SVIX)]);
    let outcome = reverify_stored(&gateway.stop(), &fixed, id(&rows[0]), false);
    let Reverified::NotVerified { finding, .. } = outcome else { panic!("its body is cut off") };
    assert_eq!(
        finding,
        format!("only {stored} of the {} bytes of its body are stored: have the provider send it again", body.len())
    );
}

/// A stored request is verified at its time of receipt, so that the tolerance applies to that time.
#[test]
fn replay_uses_the_time_of_receipt() {
    let endpoint = load(&[("RESEND_WEBHOOK_SECRET", SVIX)]).remove(0);
    let callback: Callback = received(&endpoint, email(SVIX, "msg_1"), at(NOW + 301));
    let database = Database::new(Backend::Sqlite);
    let url = database.url().parse().expect("a database URL");
    waybill::store::migrate(&url).expect("migrated");
    let row = Rejection::new(&endpoint, RejectedRequest::new(callback, VerifyError::Stale));
    RingBuffer::new(&url).insert(&[row], at(NOW + 301)).expect("stored");
    let rejection_id = id(&database.rows("rejected_requests")[0]);
    let outcome = reverify_stored(&database, &endpoints(&[("RESEND_WEBHOOK_SECRET", SVIX)]), rejection_id, false);
    let Reverified::NotVerified { cause, finding } = outcome else { panic!("it was stale") };
    assert_eq!(cause, VerifyError::Stale);
    assert!(finding.contains("301 s old"), "{finding}");
}

/// Development mode verifies nothing, so it cannot verify a rejected request either.
#[test]
fn unverified_mode_verifies_no_rejected_request() {
    let endpoint = load(&[("RESEND_WEBHOOK_SECRET", SVIX)]).remove(0);
    let callback: Callback = received(&endpoint, email(OTHER_SVIX, "msg_1"), at(NOW));
    let database = Database::new(Backend::Sqlite);
    let url = database.url().parse().expect("a database URL");
    waybill::store::migrate(&url).expect("migrated");
    RingBuffer::new(&url)
        .insert(&[Rejection::new(&endpoint, RejectedRequest::new(callback, VerifyError::Mismatch))], at(NOW))
        .expect("stored");
    let rejection_id = id(&database.rows("rejected_requests")[0]);
    let open = endpoints(&[("VERIFY_WEBHOOK_SIGNATURES", "false"), ("DATABASE_URL", "sqlite://unused.db")]);
    assert_eq!(outcome_name(&reverify_stored(&database, &open, rejection_id, false)), "rejected");
    assert_eq!(database.rows("webhook_requests").len(), 0);
}
