//! Migration of a version 1 database with stored callbacks to version 2.

use std::{fs, path::Path};

use libtest_mimic::Trial;
use serde_json::Value;
use waybill::{fixture::Fixture, store::migrate};

use crate::{
    case::{answer, cases, gateway_on, signed_request},
    support::{
        database::{BACKENDS, Backend, Database},
        timing,
    },
};

/// The cases that version 1 received, in order.
const RECEIVED: [&str; 12] = [
    "conversation/embedded-message-id",
    "mifumo/sent-many-recipients-some-twice",
    "resend/email-bounced",
    "resend/not-json",
    "resend/several-recipients",
    "twilio/event-batch",
    "twilio/inbound-mms",
    "twilio/status-delivered",
    "twilio/status-undelivered",
    "twilio/voice-completed",
    "vonage/guide-inbound-part",
    "vonage/receipt-delivered-json",
];

const MIGRATIONS: [&str; 4] =
    ["2026-11-22-000000_base", "2026-11-22-100000_correlation", "2026-11-22-200000_operations", "2026-11-22-210000_lists"];

pub(crate) fn trials() -> Vec<Trial> {
    let trial = |backend: Backend| {
        timing::trial(format!("upgrade from version 1 {}", backend.name()), move || {
            upgrade_from_version_1_preserves_rows(backend);
        })
    };
    BACKENDS.map(trial).into()
}

fn upgrade_from_version_1_preserves_rows(backend: Backend) {
    let mut database = version_1(backend);
    let before = database.rows("message_external_ids");
    assert!(!migrate(&database.url().parse().expect("a URL")).expect("migrations").is_empty());
    assert_eq!(database.rows("message_external_ids"), before, "every message's row is unchanged");
    let unlinked = "SELECT external_id AS row FROM webhook_events AS e WHERE (event_type LIKE 'message.%' AND event_type <> 'message.received') \
                    <> EXISTS (SELECT 1 FROM message_external_ids AS m WHERE m.id = e.mapping_id AND m.external_id = e.external_id)";
    assert_eq!(database.query(unlinked), Vec::<String>::new(), "events name their messages");
    for case in received() {
        database = retry_is_duplicate(&case, database);
    }
    assert_eq!(database.rows("message_external_ids"), before);
    let fresh = cases().into_iter().find(|case| case.spec.name == "twilio" && case.name == "status-sent").expect("the case");
    let gateway = gateway_on(&fresh, database);
    let newest = |table: &str| gateway.database.rows(table).last().and_then(|row| row["id"].as_i64()).expect("a row");
    let newest_before = ["webhook_requests", "webhook_events", "message_external_ids"].map(newest);
    assert_eq!(signed_request(&fresh, &gateway).send_to(&gateway).status, 200);
    let is_newer = ["webhook_requests", "webhook_events", "message_external_ids"]
        .map(newest)
        .into_iter()
        .zip(newest_before)
        .all(|(now, before)| now > before);
    assert!(is_newer, "ids increase");
    let found = [
        ("inbound?sender=%2B15558675310", "inbound", 2),
        ("messages?recipient=Ada%40dest.example", "messages", 2),
        ("messages?status=bounced", "messages", 1),
    ];
    for (list, member, count) in found {
        let page = gateway.ops(&format!("/api/{list}"));
        assert_eq!(page[member].as_array().map(Vec::len), Some(count), "{list}: {page}");
    }
}

fn received() -> impl Iterator<Item = Fixture> {
    let cases = cases();
    RECEIVED.into_iter().map(move |name| {
        let case = cases.iter().find(|case| format!("{}/{}", case.spec.name, case.name) == name);
        case.unwrap_or_else(|| panic!("no case {name}")).clone()
    })
}

/// A database of version 1 with the rows that its gateway created.
fn version_1(backend: Backend) -> Database {
    let database = Database::new(backend);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    database.execute(
        "CREATE TABLE __diesel_schema_migrations (version VARCHAR(50) PRIMARY KEY NOT NULL, run_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP)",
    );
    for name in MIGRATIONS {
        let up = root.join("migrations").join(backend.name()).join(name).join("up.sql");
        database.execute(&fs::read_to_string(up).expect("up.sql"));
        let version: String = name.chars().take_while(|c| *c != '_').filter(char::is_ascii_digit).collect();
        database.execute(&format!("INSERT INTO __diesel_schema_migrations (version) VALUES ('{version}')"));
    }
    let rows = include_str!("version-1.sql");
    match backend {
        Backend::Sqlite => database.execute(rows),
        Backend::Postgres => {
            database.execute(&rows.replace("X'", "'\\x"));
            for table in [
                "webhook_requests",
                "webhook_events",
                "message_external_ids",
                "inbound_sets",
                "inbound_messages",
                "inbound_parts",
            ] {
                database
                    .execute(&format!("SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}))"));
            }
        }
    }
    database
}

/// Asserts that a retry gets the first response and creates no row.
fn retry_is_duplicate(case: &Fixture, database: Database) -> Database {
    let gateway = gateway_on(case, database);
    let before = gateway.row_counts();
    let response = signed_request(case, &gateway).send_to(&gateway);
    assert_eq!(response.status, if case.name == "not-json" { 400 } else { 200 }, "{}", case.name);
    // The reply to some of Twilio's requests is TwiML.
    if answer(&response)["success"] == true {
        assert_eq!(answer(&response)["duplicate"], Value::Bool(true), "{}", case.name);
    }
    assert_eq!(gateway.row_counts(), before, "{}", case.name);
    gateway.stop()
}
