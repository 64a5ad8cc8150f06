//! What is not genuine: limited by network, kept in a ring, never in anybody's way, and verified again when it was our mistake.

use serde_json::{Value, json};
use waybill::{
    callback::Callback,
    config::{Config, Env},
    doctor::reverify::{Outcome, reverify},
    endpoint::Endpoint,
    endpoints::Endpoints,
    signature::{Outgoing, Rejected},
    store::{Options, Rejection, Ring, Store},
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
const SVIX_OF_NOBODY: &str = "whsec_QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl8=";
const RESEND: &str = "/webhooks/resend";

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds).expect("an instant")
}

fn owned(variables: &[(&str, &str)]) -> Vec<(String, String)> {
    variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn load(variables: &[(&str, &str)]) -> Vec<Endpoint> {
    Config::load(&variables.iter().copied().collect::<Env>()).expect("a configuration").config.endpoints
}

fn endpoints(variables: &[(&str, &str)]) -> Endpoints {
    Endpoints::new(load(variables), "https://hooks.example.com".parse().expect("a URL"))
}

/// An e-mail's event as Resend sends it, signed under that secret.
fn email(secret: &str, id: &str) -> Outgoing {
    let sender = load(&[("RESEND_WEBHOOK_SECRET", secret)]).remove(0);
    let body =
        r#"{"type":"email.delivered","created_at":"2026-01-01T00:00:00Z","data":{"email_id":"e1","to":["a@example.com"]}}"#;
    let unsigned = sender.outgoing("POST", RESEND, "application/json", body);
    let mut outgoing = Outgoing { id: id.to_owned(), seconds: NOW, ..unsigned };
    sender.sign(sender.spec.schemes[0], &mut outgoing);
    outgoing
}

/// Waits until everything that was refused so far is kept, and ends the keeping.
fn kept(gateway: &Gateway) -> Vec<Value> {
    gateway.running().gateway.rejections.close();
    gateway.database.rows("rejected_requests")
}

fn forged(gateway: &Gateway, headers: &[(&str, &str)]) -> Response {
    let signature = [("X-Twilio-Signature", "AAAAAAAAAAAAAAAAAAAAAAAAAAA=")];
    gateway.post(twilio::PATH, &owned(&[&signature, headers].concat()), b"MessageSid=SM1&MessageStatus=sent")
}

/// As [`Outcome`], in one word.
fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Unknown => "unknown",
        Outcome::Refused { .. } => "refused",
        Outcome::NoEndpoint => "no endpoint",
        Outcome::Genuine { .. } => "genuine",
        Outcome::Stored(committed) if committed.is_duplicate() => "duplicate",
        Outcome::Stored(_) => "stored",
    }
}

/// Verifies a kept request again without a running gateway.
fn again(database: &Database, endpoints: &Endpoints, id: i64, dry_run: bool) -> Outcome {
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
    Rejection::new(endpoint, &received(endpoint, outgoing, at), Rejected::Mismatch, None)
}

crate::databases! {
    fn the_ring_keeps_a_thousand_rows_ten_megabytes_and_a_day(database) {
        let endpoint = load(&[("TWILIO_AUTH_TOKEN", TOKEN)]).remove(0);
        let url = database.url().parse().expect("a database URL");
        waybill::store::migrate(&url).expect("migrated");
        let mut ring = Ring::new(&url);
        for batch in 0..15_u8 {
            let rows: Vec<Rejection> = (0..100).map(|_| rejection(&endpoint, vec![batch], at(NOW))).collect();
            ring.keep(&rows, at(NOW)).expect("kept");
        }
        let bodies = |database: &Database| -> Vec<String> {
            database.rows("rejected_requests").iter().map(|row| row["body"].as_str().expect("hex").to_owned()).collect()
        };
        let seen = bodies(&database);
        assert_eq!((seen.len(), seen[0].as_str(), seen[999].as_str()), (1_000, "05", "0e"), "the newest are kept");
        for _ in 0..60 {
            ring.keep(&[rejection(&endpoint, vec![0; 256 << 10], at(NOW + 1))], at(NOW + 1)).expect("kept");
        }
        let bytes: usize = bodies(&database).iter().map(|body| body.len() / 2).sum();
        assert!(bytes <= 10 << 20 && bytes > 9 << 20, "{bytes}");
        ring.keep(&[], at(NOW + 24 * 3_600)).expect("kept");
        assert!(!bodies(&database).is_empty());
        ring.keep(&[], at(NOW + 2 + 24 * 3_600)).expect("kept");
        assert_eq!(bodies(&database).len(), 0, "a day is over");
    }

    // Somebody who knows the id of a callback that is still to come cannot take its place.
    fn what_was_forged_first_makes_nothing_a_duplicate(database) {
        let gateway = Gateway::on(database, at(NOW), &owned(&[("RESEND_WEBHOOK_SECRET", SVIX)]));
        assert_eq!(gateway.send(&email(OTHER_SVIX, "msg_1")).status, 401);
        let genuine = gateway.send(&email(SVIX, "msg_1"));
        assert_eq!((genuine.status, genuine.json()), (200, json!({ "success": true })), "the first of its kind");
        assert_eq!(gateway.database.rows("message_external_ids")[0]["status"], "delivered");
        let rows = kept(&gateway);
        assert_eq!((rows.len(), &rows[0]["cause"]), (1, &json!("mismatch")));
        assert_eq!(rows[0]["finding"], "no configured secret gives this signature; no near miss matches: the secret is probably another one");
    }

    fn what_was_refused_is_verified_again_after_the_secret_was_mended(database) {
        let gateway = Gateway::on(database, at(NOW), &owned(&[("RESEND_WEBHOOK_SECRET", OTHER_SVIX)]));
        assert_eq!(gateway.send(&email(SVIX, "msg_1")).status, 401);
        assert_eq!(gateway.send(&email(SVIX, "msg_1")).status, 401, "it came again");
        let ids: Vec<i64> = kept(&gateway).iter().map(id).collect();
        let database = gateway.stop();
        let as_it_was = endpoints(&[("RESEND_WEBHOOK_SECRET", OTHER_SVIX)]);
        let Outcome::Refused { cause, finding } = again(&database, &as_it_was, ids[0], false) else { panic!("not mended") };
        assert_eq!((cause, finding.contains("no near miss")), (Rejected::Mismatch, true));
        assert_eq!(word(&again(&database, &endpoints(&[("TWILIO_AUTH_TOKEN", TOKEN)]), ids[0], false)), "no endpoint");
        let mended = endpoints(&[("RESEND_WEBHOOK_SECRET", SVIX)]);
        let dry = again(&database, &mended, ids[0], true);
        assert!(matches!(&dry, Outcome::Genuine { verified_by } if verified_by == "svix:0"), "{dry:?}");
        assert_eq!((database.rows("webhook_requests").len(), database.rows("rejected_requests").len()), (0, 2), "a dry run");
        let outcomes: Vec<&str> = [0, 0, 1].map(|index: usize| word(&again(&database, &mended, ids[index], false))).to_vec();
        assert_eq!(outcomes, ["stored", "unknown", "duplicate"]);
        assert_eq!(database.rows("rejected_requests").len(), 0);
        let message = &database.rows("message_external_ids")[0];
        assert_eq!([&message["status"], &message["verified_by"]], ["delivered", "svix:0"]);
        assert_eq!(database.rows("webhook_requests")[0]["received_at"], "2026-03-14 14:53:20", "when it came");
    }

    // As an operator does it: the gateway is started again with the right secret, and is asked.
    fn a_refused_request_is_replayed_over_http(database) {
        let first = Gateway::on(database, at(NOW), &owned(&[("RESEND_WEBHOOK_SECRET", OTHER_SVIX)]));
        assert_eq!(first.send(&email(SVIX, "msg_1")).status, 401);
        assert_eq!(first.send(&email(SVIX_OF_NOBODY, "msg_2")).status, 401);
        let ids: Vec<i64> = kept(&first).iter().map(id).collect();
        let gateway = Gateway::on(first.stop(), at(NOW + 3_600), &owned(&[("RESEND_WEBHOOK_SECRET", SVIX)]));
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
        assert_eq!(ask(&format!("r{}/replay", ids[0])).0, 404, "it is in the ring no more");
        assert_eq!(ask(&format!("r{}/replay", ids[1])).0, 422, "nobody's");
        assert_eq!(ask(&format!("r{}/discard", ids[1])).0, 200);
        assert_eq!(gateway.database.rows("rejected_requests").len(), 0);
    }

    // A second gateway's or a crashed one's lock: the answer does not wait, and nothing is kept of it.
    fn a_locked_database_holds_up_no_refusal(database) {
        let gateway = Gateway::on(database, at(NOW), &owned(&[("TWILIO_AUTH_TOKEN", TOKEN)]));
        let lock = gateway.database.lock();
        for _ in 0..200 {
            assert_eq!(forged(&gateway, &[]).status, 401);
        }
        lock.release();
        assert_eq!(twilio::form(&gateway, "MessageSid=SM00000000000000000000000000000001&MessageStatus=sent").status, 200);
        assert!(kept(&gateway).len() <= 200);
    }
}

/// The limit as it is by default.
#[test]
fn the_sixty_first_forgery_of_a_network_is_turned_away_and_a_genuine_callback_never() {
    let variables = owned(&[("TWILIO_AUTH_TOKEN", TOKEN), ("TRUSTED_PROXIES", "127.0.0.1")]);
    let gateway = Gateway::limited(Database::new(Backend::Sqlite), at(NOW), &variables);
    let from = |address: &str| forged(&gateway, &[("X-Forwarded-For", address)]);
    for number in 0..60 {
        assert_eq!(from(&format!("203.0.113.{number}")).status, 401);
    }
    let refused = from("203.0.113.200");
    assert_eq!((refused.status, refused.json()), (429, json!({ "success": false, "error": "too_many_requests" })));
    assert_eq!((refused.header("Retry-After"), refused.header("RateLimit-Limit")), (Some("60"), None));
    let unsigned = gateway.post(twilio::PATH, &owned(&[("X-Forwarded-For", "203.0.113.1")]), b"{}");
    assert_eq!(unsigned.status, 429, "also where nothing is read");
    assert_eq!([from("203.0.112.1").status, from("2001:db8::1").status, from("nonsense").status], [401; 3], "others are others");
    let endpoint = gateway.endpoint(twilio::PATH);
    let body = "MessageSid=SM00000000000000000000000000000001&MessageStatus=sent";
    let mut genuine = endpoint.outgoing("POST", twilio::PATH, "application/x-www-form-urlencoded", body);
    endpoint.sign(endpoint.spec.schemes[0], &mut genuine);
    genuine.headers.push(("X-Forwarded-For".to_owned(), "203.0.113.9".to_owned()));
    assert_eq!(gateway.send(&genuine).status, 200, "of the same network");
    assert_eq!(kept(&gateway).len(), 63, "what was turned away is not kept");
}

#[test]
fn passwords_cookies_and_tokens_of_others_are_not_kept() {
    let token = "sw-9d530c4e1b7a9d3f5268806e2f4a1c7b";
    let variables = owned(&[
        ("SIGNALWIRE_BASIC_AUTH", "waybill:sw-basic-password-01"),
        ("SIGNALWIRE_SIGNING_KEY", "PSKtest1234567890abcdef"),
        ("VONAGE_SIGNATURE_SECRET", TOKEN),
        ("VONAGE_URL_TOKEN", token),
    ]);
    let gateway = Gateway::on(Database::new(Backend::Sqlite), at(NOW), &variables);
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
    let rows = kept(&gateway);
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
fn what_is_kept_is_as_it_came_and_what_was_masked_is_said_to_be() {
    let variables = [("TWILIO_AUTH_TOKEN", TOKEN), ("SIGNALWIRE_WEBHOOK_SECRET", "a-wrong-secret-0123456789")];
    let gateway = Gateway::on(Database::new(Backend::Sqlite), at(NOW), &owned(&variables));
    let endpoint = gateway.endpoint(twilio::PATH);
    let body = "MessageSid=SM00000000000000000000000000000001&MessageStatus=sent";
    let mut outgoing = endpoint.outgoing("POST", twilio::PATH, "application/x-www-form-urlencoded", body);
    endpoint.sign(endpoint.spec.schemes[0], &mut outgoing);
    outgoing.headers.push(outgoing.headers[1].clone());
    assert_eq!(gateway.send(&outgoing).status, 401, "its signature stands there twice");
    let target = "/webhooks/signalwire?secret=the-right-secret-0123456789";
    assert_eq!(gateway.post(target, &[], br#"{"id":"m1","project_id":"p","status":"sent"}"#).status, 401);
    let ids: Vec<i64> = kept(&gateway).iter().map(id).collect();
    let database = gateway.stop();
    let mended = [variables[0], ("SIGNALWIRE_WEBHOOK_SECRET", "the-right-secret-0123456789")];
    let mended = endpoints(&mended);
    let Outcome::Refused { cause, .. } = again(&database, &mended, ids[0], false) else { panic!("it is genuine now") };
    assert_eq!(cause, Rejected::Repeated);
    let Outcome::Refused { finding, .. } = again(&database, &mended, ids[1], false) else { panic!("it is genuine now") };
    assert!(finding.contains("masked and not kept"), "{finding}");
    assert_eq!((database.rows("rejected_requests").len(), database.rows("webhook_requests").len()), (2, 0));
}

/// What the clock of a kept request is: the instant at which it came, so that its time window is that of then.
#[test]
fn a_kept_request_is_as_old_as_it_was() {
    let endpoint = load(&[("RESEND_WEBHOOK_SECRET", SVIX)]).remove(0);
    let callback: Callback = received(&endpoint, email(SVIX, "msg_1"), at(NOW + 301));
    let database = Database::new(Backend::Sqlite);
    let url = database.url().parse().expect("a database URL");
    waybill::store::migrate(&url).expect("migrated");
    let row = Rejection::new(&endpoint, &callback, Rejected::Stale, None);
    Ring::new(&url).keep(&[row], at(NOW + 301)).expect("kept");
    let only = id(&database.rows("rejected_requests")[0]);
    let outcome = again(&database, &endpoints(&[("RESEND_WEBHOOK_SECRET", SVIX)]), only, false);
    let Outcome::Refused { cause, finding } = outcome else { panic!("it was stale") };
    assert_eq!(cause, Rejected::Stale);
    assert!(finding.contains("301 s old"), "{finding}");
}

/// In development nothing is verified, so nothing that was refused becomes genuine there.
#[test]
fn where_nothing_is_verified_nothing_becomes_genuine() {
    let endpoint = load(&[("RESEND_WEBHOOK_SECRET", SVIX)]).remove(0);
    let callback: Callback = received(&endpoint, email(OTHER_SVIX, "msg_1"), at(NOW));
    let database = Database::new(Backend::Sqlite);
    let url = database.url().parse().expect("a database URL");
    waybill::store::migrate(&url).expect("migrated");
    Ring::new(&url).keep(&[Rejection::new(&endpoint, &callback, Rejected::Mismatch, None)], at(NOW)).expect("kept");
    let only = id(&database.rows("rejected_requests")[0]);
    let open = endpoints(&[("VERIFY_WEBHOOK_SIGNATURES", "false"), ("DATABASE_URL", "sqlite://unused.db")]);
    assert_eq!(word(&again(&database, &open, only, false)), "refused");
    assert_eq!(database.rows("webhook_requests").len(), 0);
}
