//! The gateway process: start, signals, exit codes. At shutdown every accepted request is answered and durable.

use std::{
    io::{Read, Write},
    process::{Command, Stdio},
};

use waybill::{config::Config, fixture::Fixture, time::Timestamp};

pub(crate) use crate::support::process::command;
use crate::support::{client, database::Database, process::Process, twilio::TOKEN};

fn signed(case: &str) -> (Vec<(String, String)>, Vec<u8>) {
    let env = [("TWILIO_AUTH_TOKEN", TOKEN), ("WEBHOOK_BASE_URL", "https://hooks.example.com")].into_iter().collect();
    let endpoint = Config::load(&env).expect("a configuration").config.endpoints.remove(0).build();
    let fixture = Fixture::all()
        .expect("fixtures")
        .into_iter()
        .find(|fixture| fixture.spec.name == "twilio" && fixture.name == case)
        .expect("a case");
    let outgoing = fixture.outgoing(&endpoint, Timestamp::from_seconds(0).expect("an instant"));
    (outgoing.headers, outgoing.body)
}

const CONTINUE: &[u8; 25] = b"HTTP/1.1 100 Continue\r\n\r\n";

crate::databases! {
    fn accepted_requests_are_answered_and_durable_at_shutdown(database) {
        let mut process = Process::start(&database, &[]);
        let (headers, body) = signed("status-sent");
        let (other_headers, other_body) = signed("status-queued");
        // At the time of the signal, half of a request has been sent.
        let mut stream = client::connect(process.public);
        let mut head = "POST /webhooks/twilio HTTP/1.1\r\nHost: h\r\n".to_owned();
        for (name, value) in &headers {
            head += &format!("{name}: {value}\r\n");
        }
        head += &format!("Expect: 100-continue\r\nContent-Length: {}\r\n\r\n", body.len());
        let (first, second) = body.split_at(body.len() / 2);
        stream.write_all(head.as_bytes()).expect("sent");
        // The interim response shows that the request has been accepted.
        let mut interim = [0; CONTINUE.len()];
        stream.read_exact(&mut interim).expect("received");
        assert_eq!(&interim, CONTINUE);
        stream.write_all(first).expect("sent");
        let other = client::send(process.public, "POST", "/webhooks/twilio", &other_headers, &other_body);
        assert_eq!(other.status, 200);
        process.signal("TERM");
        process.log.iter().find(|line| line.contains("stopping")).expect("the line of the shutdown");
        stream.write_all(second).expect("sent");
        let response = client::read(&mut stream);
        assert_eq!((response.status, response.json()), (200, serde_json::json!({ "success": true })));
        assert!(process.child.wait().expect("an exit").success());
        assert_eq!(database.rows("message_external_ids").len(), 2);
    }

    fn killed_gateway_restarts_with_all_it_acknowledged(database) {
        let (headers, body) = signed("status-sent");
        let process = Process::start(&database, &[]);
        assert_eq!(client::send(process.public, "POST", "/webhooks/twilio", &headers, &body).status, 200);
        process.signal("KILL");
        drop(process);
        let process = Process::start(&database, &[]);
        let retried = client::send(process.public, "POST", "/webhooks/twilio", &headers, &body);
        assert_eq!(retried.json(), serde_json::json!({ "success": true, "duplicate": true }));
    }
}

/// Clients that delay their bodies do not block others. The gateway is a separate process, because of the limit on open files.
#[test]
fn slow_clients_do_not_starve_others() {
    let database = Database::new(crate::support::database::Backend::Sqlite);
    let process = Process::start(&database, &[]);
    let head = b"POST /webhooks/twilio HTTP/1.1\r\nHost: h\r\nX-Twilio-Signature: x\r\nContent-Length: 10\r\n\r\nabc";
    let slow: Vec<_> = (0..600)
        .map(|_| {
            let mut stream = client::connect(process.public);
            stream.write_all(head).expect("sent");
            stream
        })
        .collect();
    let (headers, body) = signed("status-sent");
    assert_eq!(client::send(process.public, "POST", "/webhooks/twilio", &headers, &body).status, 200);
    drop(slow);
}

#[test]
fn exit_codes_match_documentation() {
    let code = |command: &mut Command| command.stderr(Stdio::null()).stdout(Stdio::null()).status().expect("the binary").code();
    assert_eq!(code(command().arg("nonsense")), Some(2));
    assert_eq!(code(command().arg("serve").env("DATABASE_URL", "mysql://h/d")), Some(78));
    assert_eq!(code(command().arg("migrate").env("DATABASE_URL", "postgres://user@127.0.0.1:1/none")), Some(75));
}

#[test]
fn migrate_lists_and_applies() {
    let database = Database::new(crate::support::database::Backend::Sqlite);
    let run = |arguments: &[&str]| {
        let output = command().args(arguments).env("DATABASE_URL", database.url()).output().expect("the binary");
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    assert!(run(&["migrate", "--dry-run"]).starts_with("pending 2026-11-22-000000_base"));
    let Database::Sqlite { folder, .. } = &database else { panic!("SQLite") };
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0, "a dry run creates no file");
    assert!(run(&["migrate"]).starts_with("applied 2026"));
    assert!(run(&["migrate"]).starts_with("nothing to do"));
}
