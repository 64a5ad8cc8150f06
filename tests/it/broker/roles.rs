//! The parts of a fleet: what each opens, serves and refuses.

use std::fs;

use waybill::config::{Config, Env};

use super::{Nats, Part, count, wait_for_rows};
use crate::support::{
    client,
    database::{Backend, Database},
    poll::eventually,
    process::command,
};

#[test]
fn gateway_has_no_database_and_writes_no_file() {
    let (nats, database) = (Nats::start(), Database::new(Backend::Sqlite));
    let gateway = Part::start("gateway", &database, &nats.url(), &[]);
    gateway.send_until_acknowledged(1, "sent");
    assert_eq!(client::send(gateway.running().public, "POST", "/webhooks/twilio", &[], b"MessageSid=SM1").status, 401);
    gateway.running().gateway.rejections.settle();
    assert_eq!(gateway.ops("/readyz").status, 200);
    for (path, status) in [
        ("/api/health", 200),
        ("/metrics", 200),
        ("/openapi.json", 200),
        ("/api/messages", 503),
        ("/api/requests", 503),
        ("/", 503),
    ] {
        assert_eq!(gateway.ops(path).status, status, "{path}");
    }
    let detail = gateway.ops("/api/stats").json()["detail"].to_string();
    assert!(detail.contains("writer"), "{detail}");
    assert_eq!(client::get(gateway.running().ops, "/api/messages", &[]).status, 401);
    let health = client::get(gateway.running().public, "/webhooks/health", &[]).json();
    assert_eq!(health["checks"], serde_json::json!({ "broker": "ok", "verification": "ok" }));
    let Database::Sqlite { folder, .. } = &database else { panic!("SQLite") };
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0);
}

#[test]
fn writer_accepts_no_callback_and_serves_operations() {
    let (nats, database) = (Nats::start(), Database::new(Backend::Sqlite));
    let writer = Part::start("writer", &database, &nats.url(), &[]);
    let refused = writer.send(1, "sent");
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    let health = || client::get(writer.running().public, "/webhooks/health", &[]).status;
    eventually("health", || (health() == 200).then_some(()));
    assert_eq!(writer.ops("/api/messages").status, 200);
    let gateway = Part::start("gateway", &Database::placeholder(), &nats.url(), &[]);
    gateway.send_until_acknowledged(1, "sent");
    wait_for_rows(&database, "webhook_requests", 1);
    assert_eq!(count(&database, "message_external_ids"), 1);
}

fn problems(variables: &[(&str, &str)]) -> Vec<String> {
    let env: Env = variables.iter().copied().collect();
    Config::inspect(&env).problems.into_iter().map(|problem| problem.to_string()).collect()
}

#[test]
fn variables_of_the_broker_are_checked() {
    let broker = ("QUEUE_URL", "nats://localhost");
    let expect = |variables: &[(&str, &str)], expected: &str| {
        let found = problems(variables);
        assert!(found.iter().any(|problem| problem.contains(expected)), "{variables:?}: {found:?}");
    };
    assert_eq!(problems(&[broker]), Vec::<String>::new());
    expect(&[("WAYBILL_ROLE", "writer")], "without QUEUE_URL");
    expect(&[broker, ("WAYBILL_ROLE", "reader")], "`gateway`, `writer` or `all`");
    expect(&[broker, ("WAYBILL_ROLE", "gateway")], "OPS_TOKEN: a token is required");
    expect(&[broker, ("SPOOL_PATH", "/var/spool")], "either this or QUEUE_URL");
    expect(&[broker, ("WAYBILL_STREAM", "a.b")], "letters, digits");
    expect(&[broker, ("QUEUE_REPLICAS", "2")], "1, 3 or 5");
    expect(&[broker, ("QUEUE_MAX_BYTES", "1000")], "1 MiB");
    expect(&[broker, ("QUEUE_CREDENTIALS", "/does/not/exist")], "credentials file");
    expect(&[broker, ("QUEUE_NKEY", "4c8e1b7a9d3f526880aa")], "begins with SU");
    expect(&[broker, ("QUEUE_TLS_CERT", "Cargo.toml")], "QUEUE_TLS_KEY");
    expect(&[("QUEUE_URL", "nats://user:hunter2@one,nats://user:other@two")], "one login");
    let shown = problems(&[("QUEUE_URL", "http://user:hunter2@one")]).concat();
    assert!(!shown.contains("hunter2"), "{shown}");
}

/// `check` looks at the broker, and names what the stream may lose.
#[test]
fn check_reports_the_broker() {
    let (mut nats, database) = (Nats::start(), Database::new(Backend::Sqlite));
    let check = |url: &str, more: &[(&str, &str)]| {
        let output = command()
            .arg("check")
            .env("DATABASE_URL", database.url())
            .env("QUEUE_URL", url)
            .env("TWILIO_AUTH_TOKEN", crate::support::twilio::TOKEN)
            .envs(more.iter().copied())
            .output()
            .expect("the binary");
        (output.status.code(), String::from_utf8(output.stdout).expect("UTF-8"))
    };
    let (code, report) = check(&nats.url(), &[("UNKNOWN_MESSAGE_RESPONSE", "not-found")]);
    assert_eq!(code, Some(0), "{report}");
    for expected in ["has one replica", "sync_interval", "`not-found` is not offered with QUEUE_URL"] {
        assert!(report.contains(expected), "{expected}: {report}");
    }
    nats.kill();
    let (code, report) = check(&nats.url().replace("nats://", "nats://user:hunter2@"), &[]);
    assert!(code != Some(0) && report.contains("QUEUE_URL: cannot connect") && !report.contains("hunter2"), "{report}");
    nats.restart();
    // The role is also an argument.
    let output = command().args(["serve", "--role", "writer"]).env("DATABASE_URL", database.url()).output().expect("the binary");
    assert_eq!(output.status.code(), Some(78));
    eventually("the broker", || (check(&nats.url(), &[]).0 == Some(0)).then_some(()));
}
