//! The machine's clock jumps while a gateway runs, by libfaketime: signed times count by the new clock, and nothing else changes.

use std::{fs, path::PathBuf};

use serde_json::Value;
use waybill::{
    config::Config,
    endpoint::{Endpoint, EndpointConfig},
    signature::Outgoing,
    time::Clock,
};

use crate::{
    outage::ops,
    support::{
        client,
        database::{Backend, Database},
        gateway::PUBLIC_URL,
        process::{self, Process},
        twilio::TOKEN,
    },
};

const DAY: i64 = 24 * 3600;
/// As libfaketime counts years.
const TEN_YEARS: i64 = 10 * 365 * DAY;

/// Jumps, each from the machine's time.
const JUMPS: [i64; 5] = [DAY, -DAY, TEN_YEARS, -TEN_YEARS, 0];

/// Providers whose callbacks have a signed time, by the scheme with one. Both accept a difference of 300 seconds.
const TIMED: [(&str, &str); 2] = [("resend", "svix"), ("vonage", "jwt")];

/// Differences from the gateway's clock. It goes on while a callback is under way, so that the latest ones have some room.
const INSIDE: [i64; 3] = [-280, 0, 300];
const OUTSIDE: [i64; 2] = [-301, 320];

/// Callbacks that are accepted after each jump.
const ACCEPTED: usize = 1 + TIMED.len() * INSIDE.len();

/// Raw bodies are retained for this time by the machine's clock.
const RETENTION: i64 = 30 * DAY;

const VARIABLES: [(&str, &str); 3] = [
    ("RESEND_WEBHOOK_SECRET", "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA="),
    ("VONAGE_SIGNATURE_SECRET", "Zx81mQ3vN8rT2yK7wZ5xB1cD4fG6hJ9k"),
    ("TWILIO_AUTH_TOKEN", TOKEN),
];

/// A clock that a file sets.
struct FakeClock {
    folder: tempfile::TempDir,
    library: PathBuf,
}

impl FakeClock {
    /// `None` if the library is not installed.
    #[expect(clippy::print_stderr, reason = "a test that was not run is named")]
    fn install() -> Option<Self> {
        let folders = fs::read_dir("/usr/lib").into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path());
        let mut libraries = folders.map(|folder| folder.join("faketime/libfaketimeMT.so.1"));
        let Some(library) = libraries.find(|library| library.exists()) else {
            eprintln!("NOT RUN: clock jumps: needs the package libfaketime");
            return None;
        };
        let clock = Self { folder: tempfile::tempdir().expect("a folder"), library };
        clock.set(0);
        Some(clock)
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("clock")
    }

    fn set(&self, offset: i64) {
        // Replaced at once, because it is read at every look at the clock.
        let next = self.folder.path().join("next");
        fs::write(&next, format!("{offset:+}\n")).expect("a file");
        fs::rename(next, self.file()).expect("a file");
    }

    fn variables(&self) -> Vec<(&'static str, String)> {
        vec![
            ("LD_PRELOAD", self.library.display().to_string()),
            ("FAKETIME_TIMESTAMP_FILE", self.file().display().to_string()),
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ]
    }
}

fn endpoints() -> Vec<Endpoint> {
    let env = VARIABLES.into_iter().chain([("WEBHOOK_BASE_URL", PUBLIC_URL)]).collect();
    let config = Config::load(&env).expect("a configuration").config;
    config.endpoints.into_iter().map(EndpointConfig::build).collect()
}

/// A running gateway, and the ids of what it has accepted.
struct Sender {
    process: Process,
    endpoints: Vec<Endpoint>,
    sent: usize,
}

impl Sender {
    /// The status of a callback for a new message of that provider, signed at that time.
    fn send(&mut self, (provider, scheme): (&str, &str), seconds: i64) -> u16 {
        self.sent += 1;
        let id = format!("M{}", self.sent);
        let endpoint = self.endpoints.iter().find(|endpoint| endpoint.spec.name == provider).expect("an endpoint");
        let scheme = endpoint.spec.schemes.iter().find(|known| known.name == scheme).expect("a scheme");
        let (content_type, body) = match provider {
            "twilio" => ("application/x-www-form-urlencoded", format!("MessageSid={id}&MessageStatus=sent")),
            "resend" => ("application/json", format!(r#"{{"type":"email.sent","data":{{"email_id":"{id}"}}}}"#)),
            _ => ("application/json", format!(r#"{{"message_uuid":"{id}","status":"submitted"}}"#)),
        };
        let mut outgoing = Outgoing { id, seconds, ..endpoint.outgoing("POST", endpoint.path(), content_type, body) };
        endpoint.sign(scheme, &mut outgoing);
        client::send(self.process.public, &outgoing.method, &outgoing.target, &outgoing.headers, &outgoing.body).status
    }
}

/// The numbers of bodies, events and requests that `prune` would delete.
fn expired(database: &Database, clock: &FakeClock) -> [Value; 3] {
    let mut command = process::command();
    command.args(["prune", "--dry-run", "--json"]).env("DATABASE_URL", database.url()).envs(clock.variables());
    let output = command.output().expect("the binary");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let counts: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    ["bodies", "events", "requests"].map(|name| counts[name].clone())
}

#[test]
fn jumps_of_the_clock_move_the_windows_of_signed_times_only() {
    let Some(clock) = FakeClock::install() else { return };
    let (database, faked) = (Database::new(Backend::Sqlite), clock.variables());
    let variables: Vec<(&str, &str)> = faked.iter().map(|(name, value)| (*name, value.as_str())).chain(VARIABLES).collect();
    let process = Process::start(&database, &variables);
    let mut sender = Sender { process, endpoints: endpoints(), sent: 0 };
    let mut received: Vec<i64> = Vec::new();
    for jump in JUMPS {
        clock.set(jump);
        let now = || Clock::System.now().seconds() + jump;
        assert_eq!(sender.send(("twilio", "request"), 0), 200, "{jump}");
        for timed in TIMED {
            for difference in INSIDE {
                assert_eq!(sender.send(timed, now() + difference), 200, "{timed:?} {jump} {difference}");
            }
            for difference in OUTSIDE {
                assert_eq!(sender.send(timed, now() + difference), 401, "{timed:?} {jump} {difference}");
            }
        }
        received.push(jump);
        let ready = client::get(sender.process.ops, "/readyz", &[]);
        assert_eq!((ready.status, ops(sender.process.ops, "/api/messages").status), (200, 200), "{jump}");
        let [bodies, events, requests] = expired(&database, &clock);
        assert_eq!((events, requests), (0.into(), 0.into()), "{jump}");
        let old = received.iter().filter(|at| jump - **at > RETENTION).count();
        assert_eq!(bodies, old * ACCEPTED, "{jump}: expired by this clock");
    }
    let Sender { mut process, .. } = sender;
    process.signal("TERM");
    assert!(process.child.wait().expect("an exit").success());
    let panics: Vec<String> = process.log.iter().filter(|line| line.contains("panicked")).collect();
    assert_eq!(panics, Vec::<String>::new());
    assert_eq!(database.rows("message_external_ids").len(), received.len() * ACCEPTED);
}
