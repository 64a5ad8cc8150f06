//! Callbacks that wait in the spool are shown wherever tables are read, so that no table is taken for all that is known.

use std::{net::SocketAddr, process::Output};

use serde_json::{Value, json};
use waybill::{
    endpoint::Endpoint,
    time::{Clock, Timestamp},
};

use crate::support::{
    client::{self, Response},
    cluster::Cluster,
    database::{Backend, Database},
    gateway::{self, Gateway, OPS_TOKEN},
    poll::wait_until,
    process::{self, Process},
    twilio::{self, form},
};

const NOW: i64 = 1_773_500_000;
const FIRST: &str = "MessageSid=SM1&MessageStatus=sent&To=%2B15558675310";
const SECOND: &str = "MessageSid=SM2&MessageStatus=sent&To=%2B15558675310";

/// A folder for a spool, and the variables of one that takes every callback.
struct Spool(tempfile::TempDir);

impl Spool {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn path(&self) -> String {
        self.0.path().join("spool").display().to_string()
    }

    /// Runs a command beside the spool.
    fn command(&self, database: &Database, arguments: &[&str]) -> Output {
        let mut command = process::command();
        command.args(arguments).env("DATABASE_URL", database.url()).env("SPOOL_PATH", self.path());
        command.env("TWILIO_AUTH_TOKEN", twilio::TOKEN).output().expect("the binary")
    }
}

fn api(gateway: &Gateway, target: &str) -> Response {
    client::get(gateway.running().ops, target, &[("Authorization", &format!("Bearer {OPS_TOKEN}"))])
}

fn check_of_spool(gateway: &Gateway) -> (u16, Value) {
    let response = client::get(gateway.address(), "/webhooks/health", &[]);
    (response.status, response.json()["checks"]["spool"].clone())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

crate::databases! {
    fn readers_of_tables_are_told_what_they_lack(database) {
        let spool = Spool::new();
        let gateway = twilio::gateway(database, NOW, &[("SPOOL_PATH", &spool.path()), ("SPOOL_MODE", "always")]);
        assert_eq!(check_of_spool(&gateway), (200, json!("ok")));
        assert_eq!(api(&gateway, "/api/messages").header("waybill-queued"), None);
        let lock = gateway.database.lock();
        let answers = [FIRST, SECOND, FIRST].map(|body| form(&gateway, body).json());
        assert_eq!(answers, [json!({ "success": true }), json!({ "success": true }), json!({ "success": true, "duplicate": true })]);
        gateway.set_clock(Timestamp::from_seconds(NOW + 40).expect("an instant"));

        let queue = gateway.running().gateway.queue().expect("a spool");
        assert_eq!((queue.name, queue.mode, queue.pending, queue.lag_seconds), ("spool", Some("always"), 3, 40));
        for target in ["/api/messages?external_id=SM1", "/api/messages/1", "/api/messages/1/explain"] {
            assert_eq!(api(&gateway, target).header("waybill-queued"), Some("3"), "{target}");
        }
        for target in ["/messages", "/messages/1"] {
            let page = gateway.ops_page(target);
            assert!(page.contains("3 callbacks are not in the tables yet; the oldest has waited 40 s."), "{target}: {page}");
        }
        assert_eq!(check_of_spool(&gateway), (200, json!("warn")));
        let figures = gateway.metrics();
        for (name, expected) in [("queue_pending_requests", 3.0), ("queue_oldest_seconds", 40.0), ("queued_total", 3.0), ("drained_total", 0.0)] {
            assert_eq!(figures.sum(name, &[]), expected, "{name}");
        }

        lock.release();
        wait_until("the spool to be drained", || gateway.running().gateway.queue().is_some_and(|queue| queue.pending == 0));
        let figures = gateway.metrics();
        let drained = |outcome| figures.sum("drained_total", &[("outcome", outcome)]);
        assert_eq!((drained("accepted"), drained("duplicate"), drained("quarantined")), (2.0, 1.0, 0.0));
        let outcome = |outcome| figures.sum("requests_outcome_total", &[("outcome", outcome)]);
        assert_eq!((outcome("accepted"), outcome("duplicate")), (2.0, 1.0));
        assert_eq!(figures.sum("queue_pending_requests", &[]), figures.sum("queued_total", &[]) - figures.sum("drained_total", &[]));
        assert_eq!(api(&gateway, "/api/messages").header("waybill-queued"), None);
        assert_eq!(check_of_spool(&gateway), (200, json!("ok")));
        let overview = gateway.ops_page("/");
        assert!(overview.contains("<h2>Spool</h2>") && !overview.contains("not in the tables yet;"), "{overview}");
        assert_eq!(gateway.ops("/api/health")["queue"]["mode"], "always");
    }
}

/// Sends a form that is signed for the account of the tests.
fn send(address: SocketAddr, endpoint: &Endpoint, body: &str) -> Response {
    let mut outgoing = endpoint.outgoing("POST", twilio::PATH, "application/x-www-form-urlencoded", body);
    endpoint.sign(endpoint.spec.schemes[0], &mut outgoing);
    client::send(address, &outgoing.method, &outgoing.target, &outgoing.headers, &outgoing.body)
}

#[test]
fn gateway_is_degraded_and_ready_while_the_spool_replaces_the_database() {
    let (cluster, spool) = (Cluster::start(), Spool::new());
    let variables = [("SPOOL_PATH", spool.path()), ("TWILIO_AUTH_TOKEN", twilio::TOKEN.to_owned())];
    let variables = variables.map(|(name, value)| (name.to_owned(), value));
    let running = gateway::start(&cluster.url(), Clock::System, &variables);
    let endpoint = running.gateway.endpoint(twilio::PATH).expect("an endpoint");
    let get =
        |address: SocketAddr, target: &str| client::get(address, target, &[("Authorization", &format!("Bearer {OPS_TOKEN}"))]);
    let checks = || get(running.public, "/webhooks/health").json()["checks"].clone();
    assert_eq!((&checks()["database"], &checks()["spool"]), (&json!("ok"), &json!("ok")));

    cluster.stop();
    for body in [FIRST, SECOND] {
        assert_eq!((send(running.public, &endpoint, body).status, body), (200, body));
    }
    assert_eq!((&checks()["database"], &checks()["spool"]), (&json!("warn"), &json!("warn")));
    assert_eq!((get(running.public, "/webhooks/health").status, get(running.ops, "/readyz").status), (200, 200));
    let health = get(running.ops, "/api/health").json();
    assert_eq!((&health["status"], &health["waiting"]), (&json!("degraded"), &Value::Null));
    assert_eq!((&health["queue"]["pending"], &health["queue"]["is_database_away"]), (&json!(2), &json!(true)));
    let list = get(running.ops, "/api/messages");
    assert_eq!((list.status, list.header("waybill-queued")), (503, Some("2")));
    let page = text(&get(running.ops, "/messages").body);
    assert!(page.contains("The database is unavailable. Callbacks are stored in the spool."), "{page}");
    assert!(page.contains("Callbacks that arrive now are acknowledged"), "{page}");

    cluster.run();
    wait_until("the spool to be drained", || get(running.ops, "/api/health").json()["status"] == "healthy");
    assert_eq!(get(running.ops, "/api/messages").json()["messages"].as_array().map(Vec::len), Some(2));
    gateway::stop(running);
}

/// A process that has acknowledged a callback and is killed before it is drained.
fn abandon(database: &Database, spool: &Spool) {
    let process = Process::start(database, &[("SPOOL_PATH", &spool.path()), ("SPOOL_MODE", "always")]);
    let lock = database.lock();
    let signer = twilio::gateway(Database::new(Backend::Sqlite), NOW, &[]);
    assert_eq!(send(process.public, signer.endpoint(twilio::PATH), FIRST).status, 200);
    process.signal("KILL");
    drop(process);
    lock.release();
}

#[test]
fn commands_tell_what_the_tables_lack() {
    let (database, spool) = (Database::ready(Backend::Sqlite), Spool::new());
    let empty = spool.command(&database, &["spool", "--json"]);
    assert_eq!((empty.status.code(), text(&empty.stdout)), (Some(1), String::new()));
    assert!(text(&empty.stderr).contains("does not exist"), "{}", text(&empty.stderr));
    abandon(&database, &spool);

    let report = spool.command(&database, &["spool", "--json"]);
    let report: Value = serde_json::from_slice(&report.stdout).expect("JSON alone on standard output");
    assert_eq!((&report["pending"], &report["files"][0]["state"]), (&json!(1), &json!("orphan")), "{report}");
    assert!(report["oldest"].is_string() && report["files"].as_array().is_some_and(|files| files.len() == 1), "{report}");
    assert!(text(&spool.command(&database, &["spool"]).stdout).contains("A gateway with this folder adopts the orphans"));

    let hint = "1 callback is in the spool and not in the tables yet: ";
    for arguments in [
        &["messages", "--json"] as &[&str],
        &["explain", "SM1", "--json"],
        &["requests", "list", "--json"],
        &["suppressions", "--json"],
        &["prune", "--json"],
        &["rederive", "--since", "1d", "--json"],
        &["audit", "--json"],
        &["erase", "--recipient", "+15558675310", "--dry-run", "--json"],
    ] {
        let output = spool.command(&database, arguments);
        assert!(text(&output.stderr).contains(hint), "{arguments:?}: {}", text(&output.stderr));
        assert!(!text(&output.stdout).contains("spool"), "{arguments:?}");
    }
    let erased = spool.command(&database, &["erase", "--recipient", "+15558675310"]);
    assert_eq!(erased.status.code(), Some(3), "{}", text(&erased.stderr));
    assert!(text(&erased.stderr).contains("run this again once they are drained"), "{}", text(&erased.stderr));
    assert!(text(&spool.command(&database, &["check"]).stdout).contains(hint));

    let gateway = twilio::gateway(database, Clock::System.now().seconds(), &[("SPOOL_PATH", &spool.path())]);
    wait_until("the orphan to be adopted", || gateway.row_counts().starts_with("1 "));
    let database = gateway.stop();
    let erased = spool.command(&database, &["erase", "--recipient", "+15558675310"]);
    assert_eq!(erased.status.code(), Some(0), "{}", text(&erased.stderr));
    assert!(text(&erased.stderr).contains("sees the spool of this host only"), "{}", text(&erased.stderr));
    let without =
        process::command().args(["spool"]).env("DATABASE_URL", database.url()).env("TWILIO_AUTH_TOKEN", twilio::TOKEN).output();
    assert!(text(&without.expect("the binary").stdout).contains("SPOOL_PATH is not set"));
}

#[test]
fn erase_says_that_it_does_not_see_the_broker() {
    let database = Database::ready(Backend::Sqlite);
    let erase = |more: &[(&str, &str)]| {
        let mut command = process::command();
        command.args(["erase", "--recipient", "+15558675310"]).env("DATABASE_URL", database.url());
        command.env("TWILIO_AUTH_TOKEN", twilio::TOKEN).envs(more.iter().copied()).output().expect("the binary")
    };
    let beside_a_broker = erase(&[("QUEUE_URL", "nats://127.0.0.1:1")]);
    assert_eq!(beside_a_broker.status.code(), Some(0), "{}", text(&beside_a_broker.stderr));
    assert!(text(&beside_a_broker.stderr).contains("does not see the broker"), "{}", text(&beside_a_broker.stderr));
    let without_a_queue = text(&erase(&[]).stderr);
    assert!(!without_a_queue.contains("this command"), "{without_a_queue}");
}

#[test]
fn api_document_has_the_header_of_what_is_missing() {
    let document = serde_json::to_value(waybill::http::openapi()).expect("JSON");
    for (path, status) in
        [("/api/messages", "200"), ("/api/messages/{id}", "404"), ("/api/requests", "200"), ("/api/health", "200")]
    {
        let header = &document["paths"][path]["get"]["responses"][status]["headers"]["Waybill-Queued"];
        assert_eq!(header["schema"]["type"], "integer", "{path} {status}");
    }
    assert!(document["paths"]["/livez"]["get"]["responses"]["200"]["headers"].is_null());
}
