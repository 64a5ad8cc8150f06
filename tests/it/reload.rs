//! A reload: a changed configuration is taken over as a whole or not at all, and nothing in progress is lost.

use std::{
    fs,
    io::{Read, Write},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
};

use serde_json::{Value, json};
use tempfile::TempDir;
use waybill::{
    config::{Config, Env},
    signature::Outgoing,
    time::Timestamp,
};

use crate::support::{
    client::{self, Response},
    database::{Backend, Database},
    gateway::{Gateway, OPS_TOKEN, PUBLIC_URL},
    metrics::Metrics,
};

const FIRST: &str = "3f1c9a0e5b7d42688c14d2a96f0b7e35";
const SECOND: &str = "9d02b7e35f1c9a0e5b7d42688c14d2a9";
const READ_TOKEN: &str = "reader-token-0123456789";
const SECONDS: i64 = 1_773_502_200;
const PATH: &str = "/webhooks/twilio";

/// A gateway whose configuration is a file.
struct Reloadable {
    folder: TempDir,
    gateway: Gateway,
}

impl Reloadable {
    fn start(database: Database, variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join(".env");
        write(&folder, variables);
        let gateway = Gateway::from_file(database, Timestamp::from_seconds(SECONDS).expect("an instant"), &file);
        Self { folder, gateway }
    }

    fn sqlite(variables: &[(&str, &str)]) -> Self {
        Self::start(Database::new(Backend::Sqlite), variables)
    }

    /// Writes the file and reloads it.
    fn reload(&self, variables: &[(&str, &str)]) -> Value {
        write(&self.folder, variables);
        let response = self.post("/api/reload", OPS_TOKEN);
        assert_eq!(response.status, 200, "{}", String::from_utf8_lossy(&response.body));
        response.json()
    }

    fn post(&self, target: &str, token: &str) -> Response {
        let bearer = [("Authorization".to_owned(), format!("Bearer {token}"))];
        client::send(self.gateway.running().ops, "POST", target, &bearer, b"")
    }

    fn get(&self, target: &str, token: &str) -> u16 {
        client::get(self.gateway.running().ops, target, &[("Authorization", &format!("Bearer {token}"))]).status
    }

    /// The status of a callback that is signed with a secret.
    fn send(&self, secret: &str, id: usize) -> u16 {
        self.gateway.send(&signed(PATH, secret, id)).status
    }
}

/// Replaces the file, as an editor or a configuration tool does. Its name is complete at any time.
fn write(folder: &TempDir, variables: &[(&str, &str)]) {
    let base = [("OPS_TOKEN", OPS_TOKEN), ("WEBHOOK_BASE_URL", PUBLIC_URL)];
    let is_given = |name: &str| variables.iter().any(|(given, _)| *given == name);
    let base = base.iter().filter(|(name, _)| !is_given(name));
    let text: String = base.chain(variables).flat_map(|(name, value)| [name, "='", value, "'\n"]).collect();
    let new = folder.path().join("new");
    fs::write(&new, text).expect("written");
    fs::rename(new, folder.path().join(".env")).expect("renamed");
}

/// A callback for a message of its own.
fn signed(path: &str, secret: &str, id: usize) -> Outgoing {
    let env: Env = [("TWILIO_AUTH_TOKEN", secret), ("WEBHOOK_BASE_URL", PUBLIC_URL)].into_iter().collect();
    let endpoint = Config::load(&env).expect("a configuration").config.endpoints.remove(0).build();
    let form = format!("MessageSid=SM{id:032x}&MessageStatus=delivered&To=%2B15558675310");
    let mut outgoing = endpoint.outgoing("POST", path, "application/x-www-form-urlencoded", form);
    endpoint.sign(endpoint.spec.schemes[0], &mut outgoing);
    outgoing
}

fn names(changes: &Value, kind: &str) -> Vec<String> {
    let endpoints = changes["endpoints"][kind].as_array().expect("a list");
    endpoints
        .iter()
        .map(|one| format!("{}/{}", one["service_type"].as_str().unwrap_or(""), one["account"].as_str().unwrap_or("")))
        .collect()
}

#[test]
fn secret_is_replaced_in_two_steps() {
    let one = Reloadable::sqlite(&[("TWILIO_AUTH_TOKEN", FIRST)]);
    assert_eq!([one.send(FIRST, 1), one.send(SECOND, 2)], [200, 401]);
    let both = one.reload(&[("TWILIO_AUTH_TOKEN", &format!("{SECOND},{FIRST}"))]);
    assert_eq!([one.send(FIRST, 3), one.send(SECOND, 4)], [200, 200]);
    let last = one.reload(&[("TWILIO_AUTH_TOKEN", SECOND)]);
    assert_eq!([one.send(FIRST, 5), one.send(SECOND, 6)], [401, 200]);
    let unchanged = one.reload(&[("TWILIO_AUTH_TOKEN", SECOND)]);
    for (response, changed) in [(&both, vec!["twilio/default"]), (&last, vec!["twilio/default"]), (&unchanged, vec![])] {
        assert_eq!(names(response, "changed"), changed);
        assert_eq!((names(response, "added").len(), names(response, "removed").len()), (0, 0));
        assert_eq!((&response["applied"], &response["needs_restart"]), (&json!(true), &json!([])));
        assert!(![FIRST, SECOND, OPS_TOKEN].iter().any(|secret| response.to_string().contains(secret)), "{response}");
    }
}

#[test]
fn request_in_progress_ends_with_the_endpoint_with_which_it_began() {
    let one = Reloadable::sqlite(&[("TWILIO_AUTH_TOKEN", FIRST)]);
    let Outgoing { headers, body, .. } = signed(PATH, FIRST, 1);
    let mut stream = client::connect(one.gateway.address());
    let headers: String = headers.iter().flat_map(|(name, value)| [name, ": ", value, "\r\n"]).collect();
    let length = body.len();
    let head = format!("POST {PATH} HTTP/1.1\r\nHost: h\r\n{headers}Expect: 100-continue\r\nContent-Length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).expect("sent");
    // The interim response shows that the request has been accepted.
    let mut interim = [0; b"HTTP/1.1 100 Continue\r\n\r\n".len()];
    stream.read_exact(&mut interim).expect("received");
    let changes = one.reload(&[("RESEND_WEBHOOK_SECRET", "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=")]);
    assert_eq!(
        (names(&changes, "added"), names(&changes, "removed")),
        (vec!["resend/default".to_owned()], vec!["twilio/default".to_owned()])
    );
    assert_eq!(one.send(FIRST, 2), 404, "the next request");
    stream.write_all(&body).expect("sent");
    assert_eq!(client::read(&mut stream).status, 200);
    assert_eq!(one.gateway.database.rows("message_external_ids").len(), 1);
}

#[test]
fn no_request_fails_while_reloads_are_made() {
    let one = Reloadable::sqlite(&[("TWILIO_AUTH_TOKEN", FIRST)]);
    let (ends, sent) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !ends.load(Ordering::Relaxed) {
                    assert_eq!(one.send(FIRST, sent.fetch_add(1, Ordering::Relaxed)), 200);
                }
            });
        }
        for count in 0..20 {
            let order = if count % 2 == 0 { format!("{SECOND},{FIRST}") } else { format!("{FIRST},{SECOND}") };
            one.reload(&[("TWILIO_AUTH_TOKEN", &order), ("TWILIO__ACME__AUTH_TOKEN", SECOND)]);
        }
        ends.store(true, Ordering::Relaxed);
    });
    let sent = sent.load(Ordering::Relaxed);
    assert!(sent > 20, "{sent}");
    assert_eq!(one.gateway.database.rows("message_external_ids").len(), sent);
}

#[test]
fn invalid_configuration_is_refused_as_a_whole() {
    let one = Reloadable::sqlite(&[("TWILIO_AUTH_TOKEN", FIRST)]);
    let weak = "a-weak-weak-weak";
    let refused = |variables: &[(&str, &str)], named: &[&str]| {
        write(&one.folder, variables);
        for target in ["/api/reload", "/api/reload?dry_run=true"] {
            let response = one.post(target, OPS_TOKEN);
            let document = response.json();
            assert_eq!((response.status, &document["error"]), (422, &json!("invalid_configuration")), "{document}");
            let problems = document["problems"].as_array().expect("problems");
            assert_eq!(
                problems.iter().map(|one| one["variable"].as_str().expect("a name")).collect::<Vec<_>>(),
                named,
                "{document}"
            );
            assert!([SECOND, weak].iter().all(|secret| !document.to_string().contains(secret)), "{document}");
        }
        assert_eq!([one.send(FIRST, 1), one.send(SECOND, 2)], [200, 401], "the old one stays");
    };
    // All problems are named, and what is valid beside them is not taken over.
    refused(
        &[("TWILIO_AUTH_TOKEN", SECOND), ("OPS_READ_TOKEN", weak), ("TRUSTED_PROXIES", "10.0.0.0/33")],
        &["OPS_READ_TOKEN", "TRUSTED_PROXIES"],
    );
    refused(&[("TWILIO_AUTH_TOKEN_FILE", "/nowhere/secret")], &["TWILIO_AUTH_TOKEN_FILE"]);
    let proofs = one.post("/api/reload", OPS_TOKEN).json()["problems"][0]["variable"].clone();
    assert_eq!(proofs, "TWILIO_AUTH_TOKEN_FILE");
    // A file that was cut off, and one that has gone.
    write(&one.folder, &[]);
    let document = one.post("/api/reload", OPS_TOKEN).json();
    assert!(document["problems"][0]["sentence"].as_str().is_some_and(|text| text.starts_with("none is set")), "{document}");
    fs::remove_file(one.folder.path().join(".env")).expect("removed");
    let document = one.post("/api/reload", OPS_TOKEN).json();
    assert!(document["problems"][0]["variable"].as_str().is_some_and(|name| name.contains(".env")), "{document}");
    assert_eq!(one.send(FIRST, 3), 200);
    assert!(one.gateway.metrics().sum("reloads_total", &[("result", "refused")]) > 2.5);
}

#[test]
fn accounts_come_and_go() {
    let both = [("TWILIO_AUTH_TOKEN", FIRST), ("TWILIO__ACME__AUTH_TOKEN", SECOND)];
    let one = Reloadable::sqlite(&both[..1]);
    let acme = |id: usize| one.gateway.send(&signed("/webhooks/twilio/acme", SECOND, id)).status;
    assert_eq!(acme(1), 404);
    write(&one.folder, &both);
    let dry = one.post("/api/reload?dry_run=true", OPS_TOKEN).json();
    assert_eq!((&dry["applied"], names(&dry, "added")), (&json!(false), vec!["twilio/acme".to_owned()]));
    assert_eq!(acme(1), 404, "a dry run changes nothing");
    let added = one.reload(&both);
    assert_eq!(
        added["endpoints"]["added"],
        json!([{ "service_type": "twilio", "account": "acme", "path": "/webhooks/twilio/acme" }])
    );
    assert_eq!(acme(1), 200);
    let health = |account: &str| one.gateway.ops("/api/health")["endpoints"].to_string().contains(account);
    assert!(health("acme"));
    let removed = one.reload(&both[..1]);
    assert_eq!(names(&removed, "removed"), ["twilio/acme"]);
    assert_eq!((acme(2), one.send(FIRST, 3), health("acme")), (404, 200, false));
    let series = |name: &str| {
        one.gateway.metrics().0.iter().filter(|sample| sample.name.contains(name) && sample.labels["account"] == "acme").count()
    };
    assert_eq!((series("last_genuine"), series("requests_received_total")), (0, 1), "its counters stay, and it is not silent");
    one.reload(&both);
    assert_eq!(acme(4), 200);
    assert!((one.gateway.metrics().sum("requests_received_total", &[("account", "acme")]) - 2.0).abs() < 0.5);
}

#[test]
fn lists_of_addresses_are_taken_over() {
    let proxies = |networks: &'static str| {
        [("MIFUMO_URL_TOKEN", FIRST), ("CONVERSATION_WEBHOOK_SECRET", FIRST), ("CONVERSATION_ALLOWED_IPS", networks)]
    };
    let one = Reloadable::sqlite(&proxies("192.0.2.1"));
    let status =
        || one.gateway.post("/webhooks/conversation", &[("X-Forwarded-For".to_owned(), "203.0.113.9".to_owned())], b"{}").status;
    assert_eq!(status(), 403);
    one.reload(&proxies("127.0.0.0/8"));
    assert_eq!(status(), 401, "the list admits it, its signature is missing");
    let mut trusted = proxies("203.0.113.0/24").to_vec();
    one.reload(&trusted);
    assert_eq!(status(), 403);
    trusted.push(("TRUSTED_PROXIES", "127.0.0.1"));
    assert_eq!(one.reload(&trusted)["variables"], json!(["TRUSTED_PROXIES"]));
    assert_eq!(status(), 401, "the address in the header counts");
}

#[test]
fn documents_and_public_urls_are_taken_over() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (document, token) = (folder.path().join("swml.json"), "vurl-0123456789abcdef0123456789abcdef");
    let say = |words: &str| {
        fs::write(&document, json!({ "version": "1.0.0", "sections": { "main": [{ "play": words }] } }).to_string())
    };
    say("say:first").expect("written");
    let path = document.display().to_string();
    let mut variables = vec![("SIGNALWIRE_URL_TOKEN", token), ("SIGNALWIRE_SWML", &path), ("TWILIO_AUTH_TOKEN", FIRST)];
    let one = Reloadable::sqlite(&variables);
    let fetched = || {
        let target = format!("/webhooks/signalwire/swml/t/{token}");
        let response = one.gateway.post(
            &target,
            &[("Content-Type".to_owned(), "application/json".to_owned())],
            br#"{"call":{"call_id":"c"}}"#,
        );
        String::from_utf8(response.body).expect("UTF-8")
    };
    assert!(fetched().contains("say:first"), "{}", fetched());
    say("say:second").expect("written");
    assert_eq!(names(&one.reload(&variables), "changed"), ["signalwire/default"]);
    assert!(fetched().contains("say:second"));
    assert_eq!(one.send(FIRST, 1), 200);
    variables.push(("WEBHOOK_BASE_URL", "https://other.example.com"));
    let moved = one.reload(&variables);
    assert_eq!((names(&moved, "changed").len(), &moved["variables"]), (2, &json!(["WEBHOOK_BASE_URL"])));
    assert_eq!(one.send(FIRST, 2), 401, "signed for the URL of before");
}

#[test]
fn tokens_are_replaced_and_open_streams_end_with_them() {
    let variables =
        |all: &'static str, read: &'static str| [("TWILIO_AUTH_TOKEN", FIRST), ("OPS_TOKEN", all), ("OPS_READ_TOKEN", read)];
    let one = Reloadable::sqlite(&variables(OPS_TOKEN, READ_TOKEN));
    for (token, status) in [(READ_TOKEN, 403), ("wrong-token-0123456789", 401), ("", 401)] {
        assert_eq!(one.post("/api/reload", token).status, status, "{token}");
    }
    let basic = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!(":{OPS_TOKEN}"));
    let basic = [("Authorization".to_owned(), format!("Basic {basic}"))];
    assert_eq!(
        client::send(one.gateway.running().ops, "POST", "/api/reload", &basic, b"").status,
        401,
        "a password changes nothing"
    );
    assert_eq!(
        client::get(one.gateway.running().ops, "/api/reload", &[("Authorization", &format!("Bearer {OPS_TOKEN}"))]).status,
        405
    );
    let mut stream = client::connect(one.gateway.running().ops);
    let request = format!("GET /api/events/stream HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {READ_TOKEN}\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("sent");
    assert_eq!(stream.read(&mut [0; 1]).expect("received"), 1);
    let (new, new_read) = ("other-ops-token-9876543210", "other-reader-token-9876543210");
    assert_eq!(one.reload(&variables(new, new_read))["variables"], json!(["OPS_TOKEN", "OPS_READ_TOKEN"]));
    for (token, status) in [(OPS_TOKEN, 401), (READ_TOKEN, 401), (new, 200), (new_read, 200)] {
        assert_eq!(one.get("/api/health", token), status, "{token}");
    }
    assert_eq!(
        [
            one.post("/api/reload", OPS_TOKEN).status,
            one.post("/api/reload", new_read).status,
            one.post("/api/reload", new).status
        ],
        [401, 403, 200]
    );
    // Its end, well before the time-out of the client.
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).expect("the end of the stream");
}

#[test]
fn metrics_and_limits_are_kept() {
    let limited = |limit: &'static str| [("TWILIO_AUTH_TOKEN", FIRST), ("WEBHOOK_RATE_LIMIT", limit)];
    let one = Reloadable::sqlite(&limited("2"));
    assert_eq!(one.send(FIRST, 1), 200);
    let mut other = limited("2").to_vec();
    other[0].1 = "9d02b7e35f1c9a0e5b7d42688c14d2a9,3f1c9a0e5b7d42688c14d2a96f0b7e35";
    one.reload(&other);
    assert_eq!([one.send(FIRST, 2), one.send(FIRST, 3)], [200, 429], "the first one counts");
    assert_eq!(one.reload(&limited("3"))["variables"], json!(["WEBHOOK_RATE_LIMIT"]));
    assert_eq!([one.send(FIRST, 4), one.send(FIRST, 5)], [200, 429], "under another limit as well");
    let exposition = one.gateway.running().gateway.exposition().expect("an exposition");
    for metric in ["waybill_requests_received", "waybill_reloads"] {
        assert_eq!(exposition.matches(&format!("# TYPE {metric} ")).count(), 1, "{metric}");
    }
    let metrics = Metrics::parse(&exposition);
    let count = |name: &str, label: (&str, &str)| metrics.sum(name, &[label]);
    assert!((count("requests_received_total", ("account", "default")) - 5.0).abs() < 0.5);
    assert!((count("reloads_total", ("result", "applied")) - 2.0).abs() < 0.5);
    assert_eq!(one.gateway.ops("/api/health")["endpoints"][0]["last_hour"]["genuine"], 5, "429 is verified");
}

#[test]
fn what_needs_a_restart_is_named_and_stays() {
    let one = Reloadable::sqlite(&[("TWILIO_AUTH_TOKEN", FIRST), ("WEBHOOK_TIMEOUT", "3")]);
    let changed = [
        ("TWILIO_AUTH_TOKEN", SECOND),
        ("WEBHOOK_TIMEOUT", "3"),
        ("RETENTION_DAYS", "7"),
        ("VERIFY_WEBHOOK_SIGNATURES", "false"),
        ("LOG_FORMAT", "text"),
    ];
    for _ in 0..2 {
        let response = one.reload(&changed);
        assert_eq!(response["needs_restart"], json!(["VERIFY_WEBHOOK_SIGNATURES", "RETENTION_DAYS"]));
    }
    assert_eq!([one.send(FIRST, 1), one.send(SECOND, 2)], [401, 200], "callbacks are still verified");
    assert_eq!(one.reload(&[("TWILIO_AUTH_TOKEN", SECOND), ("WEBHOOK_TIMEOUT", "3")])["needs_restart"], json!([]));
}

crate::databases! {
    fn reloads_are_made_one_at_a_time_and_recorded(database) {
        let one = Reloadable::start(database, &[("TWILIO_AUTH_TOKEN", FIRST)]);
        write(&one.folder, &[("TWILIO_AUTH_TOKEN", SECOND)]);
        let responses = thread::scope(|scope| {
            let reloads: Vec<_> = (0..8).map(|_| scope.spawn(|| one.post("/api/reload", OPS_TOKEN))).collect();
            reloads.into_iter().map(|reload| reload.join().expect("a response")).collect::<Vec<_>>()
        });
        assert!(responses.iter().all(|response| response.status == 200));
        let changes: usize = responses.iter().map(|response| names(&response.json(), "changed").len()).sum();
        assert_eq!(changes, 1, "the others found nothing to change");
        assert_eq!([one.send(FIRST, 1), one.send(SECOND, 2)], [401, 200]);
        let entries = one.gateway.database.rows("audit_log");
        assert_eq!(entries.len(), 8);
        assert!(entries.iter().all(|entry| entry["action"] == "reload" && entry["actor"] == "ops"), "{entries:?}");
        assert_eq!(entries.iter().map(|entry| entry["items"].as_i64().expect("a number")).sum::<i64>(), 1);
        let audit = one.gateway.ops("/api/audit").to_string();
        assert!(audit.contains("reload") && !audit.contains(SECOND));
    }
}
