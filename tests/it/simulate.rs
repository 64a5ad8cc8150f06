//! `waybill simulate`: its callbacks are verified, are new if they have an id, and are sent only to the given address.

use std::process::{Command, Output};

use waybill::{
    fixture::Fixture,
    providers,
    time::{Clock, Timestamp},
};

use crate::{
    shutdown::command,
    support::{
        database::{Backend, Database},
        gateway::{self, Gateway, PUBLIC_URL},
    },
};

/// A secret for every setting that takes one.
pub(crate) fn secrets() -> Vec<(String, String)> {
    providers::ALL.iter().flat_map(|spec| spec.generate_variables("_", &crate::support::random(7))).collect()
}

/// A gateway with the system clock, because signatures contain the time of the other process.
fn started(database: &Database, variables: &[(String, String)]) -> (waybill::http::Running, String) {
    let running = gateway::start(&database.url(), Clock::System, variables);
    let origin = format!("http://{}", running.public);
    (running, origin)
}

fn simulate(arguments: &[&str], variables: &[(String, String)]) -> Command {
    let mut command = command();
    command.arg("simulate").args(arguments).env("WEBHOOK_BASE_URL", PUBLIC_URL).envs(variables.iter().cloned());
    command
}

fn shown(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn shows_no_secret(secrets: &[(String, String)], output: &Output) -> bool {
    secrets.iter().all(|(_, secret)| !shown(output).contains(secret.as_str()))
}

fn requests(database: &Database) -> usize {
    database.query("SELECT CAST(count(*) AS TEXT) AS row FROM webhook_requests").concat().parse().expect("a number")
}

/// Sends each event twice to one gateway, which must accept all, as new callbacks if they have an id.
fn assert_all_accepted(database: &Database, events: &[Fixture]) {
    let variables = secrets();
    let (running, origin) = started(database, &variables);
    let mut new = 0;
    for event in events {
        let arguments = [event.spec.name, &event.name, "--to", &origin, "--count", "2"];
        let output = simulate(&arguments, &variables).output().expect("the binary");
        let (name, output_text) = (format!("{}/{}", event.spec.name, event.name), shown(&output));
        assert!(output.status.success(), "{name}: {output_text}");
        assert!(shows_no_secret(&variables, &output), "{name}: {output_text}");
        if output_text == "200: 2\n" {
            new += 2;
        } else {
            assert!(output_text.starts_with("This callback has no id, so"), "{name}: {output_text}");
        }
    }
    assert!(new > events.len(), "most callbacks have an id: {new} of {}", 2 * events.len());
    assert!(requests(database) >= new, "each new one is stored");
    running.stop();
}

fn sendable() -> Vec<Fixture> {
    Fixture::all().expect("fixtures").into_iter().filter(Fixture::is_sendable).collect()
}

#[test]
fn simulate_sends_every_event_of_every_provider() {
    assert_all_accepted(&Database::new(Backend::Sqlite), &sendable());
}

crate::databases! {
    fn simulate_sends_one_event_of_each_provider(database) {
        let mut events = sendable();
        events.dedup_by_key(|event| event.spec.name);
        assert_eq!(events.len(), providers::ALL.len());
        assert_all_accepted(&database, &events);
    }

    fn simulated_copies_are_new_callbacks_unless_duplicates_are_requested(database) {
        let variables = secrets();
        let (running, origin) = started(&database, &variables);
        let send = |more: &[&str]| {
            let arguments = [&["twilio", "status-delivered", "--to", &origin, "--count", "5"], more].concat();
            let output = simulate(&arguments, &variables).output().expect("the binary");
            assert!(output.status.success(), "{}", shown(&output));
            shown(&output)
        };
        assert_eq!(send(&[]), "200: 5\n");
        let ids = database.query("SELECT DISTINCT external_id AS row FROM message_external_ids WHERE status = 'delivered'");
        assert_eq!(ids.len(), 5);
        assert!(ids.iter().all(|id| id.starts_with("SM") && id.len() == 34), "{ids:?}");
        assert_eq!(send(&["--duplicates", "--rate", "1000"]), "200: 5, 4 of them duplicates\n");
        assert_eq!(database.rows("message_external_ids").len(), 6);
        running.stop();
    }
}

/// With a single configured secret, callbacks recorded under another scheme are signed by its scheme.
#[test]
fn simulate_signs_with_the_configured_scheme() {
    let variables = vec![("VONAGE_SIGNATURE_SECRET".to_owned(), "Zx81-signature-secret-q7".to_owned())];
    let database = Database::new(Backend::Sqlite);
    let (running, origin) = started(&database, &variables);
    for event in
        sendable().iter().filter(|event| event.spec.name == "vonage" && event.request.sign.as_deref() == Some("url-token"))
    {
        let output = simulate(&["vonage", &event.name, "--to", &origin], &variables).output().expect("the binary");
        assert!(output.status.success(), "{}: {}", event.name, shown(&output));
    }
    running.stop();
}

#[test]
fn simulate_sends_only_to_the_given_url() {
    let code = |arguments: &[&str], more: &[(&str, &str)]| {
        let output = simulate(arguments, &secrets()).envs(more.iter().copied()).output().expect("the binary");
        (output.status.code(), shown(&output))
    };
    for listen in ["0.0.0.0:8080", "203.0.113.7:8080", "127.0.0.1:0"] {
        let (code, shown) = code(&["twilio", "status-delivered"], &[("LISTEN", listen)]);
        assert_eq!(code, Some(2), "{shown}");
        assert!(shown.contains("--to"), "{shown}");
    }
    for wrong in ["https://hooks.example.com", "hooks.example.com", "http://h/?a", "file:///etc/passwd"] {
        assert_eq!(code(&["twilio", "status-delivered", "--to", wrong], &[]).0, Some(2), "{wrong}");
    }
    assert_eq!(code(&["twilio", "nonsense"], &[]).0, Some(2));
    assert_eq!(code(&["unknown", "status-delivered"], &[]).0, Some(2));
    assert_eq!(code(&["twilio", "status-delivered", "--account", "other"], &[]).0, Some(2));
    assert_eq!(code(&["twilio", "status-delivered"], &[("RETENTION_DAYS", "long")]).0, Some(78));
    assert_eq!(code(&["twilio", "status-delivered", "--to", "http://127.0.0.1:1"], &[]).0, Some(1));
}

#[test]
fn simulate_fails_on_rejection() {
    let now = Timestamp::from_seconds(1_773_502_200).expect("an instant");
    let gateway =
        Gateway::start(Backend::Sqlite, now, &[("TWILIO_AUTH_TOKEN".to_owned(), "another-token-0123456789".to_owned())]);
    let origin = format!("http://{}", gateway.address());
    let output =
        simulate(&["twilio", "status-delivered", "--to", &origin, "--count", "2"], &secrets()).output().expect("the binary");
    assert_eq!(output.status.code(), Some(1));
    assert!(shown(&output).starts_with("401: 2\n"), "{}", shown(&output));
}

#[test]
fn simulate_lists_events() {
    let output = simulate(&["--list"], &[]).output().expect("the binary");
    let shown = shown(&output);
    assert!(output.status.success());
    for event in sendable() {
        assert!(shown.contains(&event.name), "{}", event.name);
    }
    let output = simulate(&["--list", "resend"], &[]).output().expect("the binary");
    assert!(!String::from_utf8_lossy(&output.stdout).contains("twilio"));
}
