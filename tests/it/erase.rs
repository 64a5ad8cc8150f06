//! Erasing a person: no column of any table contains their data afterwards, counts remain, and nothing restores the data.

use std::process::Output;

use serde_json::Value;
use waybill::{fixture::Fixture, http::Running, time::Clock};

use crate::{
    shutdown::command,
    simulate::secrets,
    support::{client, database::Database, gateway},
};

/// Recipients, senders and callers in the recorded callbacks of each provider.
const PEOPLE: [&str; 13] = [
    "+15558675310",
    "Ada <ada@dest.example>",
    "b@dest.example",
    "447700900102",
    "+255700100006",
    "+1 555 010 1050",
    "+1 (555) 010-1044",
    "+15559876543",
    "00447700900000",
    "carol@other.example",
    "archive@acme.example",
    "renée@dest.example",
    "\"a b\"@dest.example",
];

/// Words of the subject of an e-mail from one of them, and the address from which one opened another.
const CONTENT: [&str; 2] = ["where is it?", "2001:db8::7"];

fn erase(database: &Database, arguments: &[&str]) -> Output {
    let mut command = command();
    command.arg("erase").args(arguments).env("DATABASE_URL", database.url());
    command.output().expect("the binary")
}

fn counts(database: &Database, person: &str, more: &[&str]) -> Vec<(String, u64)> {
    let output = erase(database, &[&["--recipient", person, "--json"], more].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let counts: Vec<Value> = serde_json::from_slice(&output.stdout).expect("JSON alone on standard output");
    let count = |count: &Value| (count["table"].as_str().expect("a name").to_owned(), count["rows"].as_u64().expect("a number"));
    counts.iter().map(count).collect()
}

/// Sends every recorded callback.
fn send_fixtures(running: &Running) {
    for fixture in Fixture::all().expect("fixtures").iter().filter(|fixture| fixture.is_sendable()) {
        let endpoint = running.gateway.endpoint(&fixture.spec.default_path()).expect("an endpoint");
        let sent = fixture.outgoing(&endpoint, Clock::System.now());
        assert_eq!(client::send(running.public, &sent.method, &sent.target, &sent.headers, &sent.body).status, 200);
    }
}

/// A gateway with every recorded callback, rows by an application, and a rejected request.
fn gateway_with_data(database: &Database) -> Running {
    let running = gateway::start(&database.url(), Clock::System, &secrets());
    send_fixtures(&running);
    database.execute("INSERT INTO communication_metrics (reference, recipient) VALUES ('order-1', '+15558675310'), ('order-2', 'ada@dest.example')");
    let body = match database {
        Database::Sqlite { .. } => "CAST('To=%2B15558675310' AS BLOB)",
        Database::Postgres { .. } => "convert_to('To=%2B15558675310', 'UTF8')",
    };
    database.make_rejected();
    database.execute(&format!(
        "INSERT INTO rejected_requests (service_type, account, cause, method, url, headers, body, received_at) \
         VALUES ('twilio', 'default', 'mismatch', 'POST', '/webhooks/twilio', '{{}}', {body}, '2026-03-14 15:30:00')"
    ));
    running
}

fn tables(database: &Database) -> Vec<String> {
    database.query(match database {
        Database::Sqlite { .. } => "SELECT name AS row FROM pragma_table_list WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
        Database::Postgres { .. } => {
            "SELECT table_name::text AS row FROM information_schema.tables WHERE table_schema = current_schema()"
        }
    })
}

/// Every value of every column of every table, as text; bytes as the text they are.
fn dump(database: &Database) -> Vec<(String, String)> {
    let mut dump = Vec::new();
    for table in tables(database) {
        for row in database.rows(&table) {
            for (column, value) in row.as_object().expect("a row") {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                let text =
                    if column == "body" { String::from_utf8_lossy(&hex::decode(&text).expect("hex")).into_owned() } else { text };
                // Hashes contain no personal data.
                if !["dedupe_key", "event_key", "state_key"].contains(&column.as_str()) {
                    dump.push((format!("{table}.{column}"), text));
                }
            }
        }
    }
    dump
}

/// The columns that contain the person's data.
fn columns_mentioning(database: &Database, person: &str) -> Vec<String> {
    mentions(&dump(database), person)
}

/// The values that contain the person's data, by plain text search.
fn mentions(dump: &[(String, String)], person: &str) -> Vec<String> {
    let digits: String = person.chars().filter(char::is_ascii_digit).collect();
    let needles = if person.contains('@') {
        let address = person.trim_end_matches('>').rsplit('<').next().expect("an address").to_lowercase();
        vec![address.replace('@', "%40"), address]
    } else {
        vec![digits.trim_start_matches("00").to_owned()]
    };
    let has_needle = |text: &str| {
        let text = text.to_lowercase();
        needles.iter().any(|needle| text.contains(needle))
    };
    dump.iter().filter(|(_, text)| has_needle(text)).map(|(place, text)| format!("{place}: {text}")).collect()
}

fn assert_none_is_mentioned(database: &Database) {
    let dump = dump(database);
    for person in PEOPLE {
        assert_eq!(mentions(&dump, person), Vec::<String>::new(), "{person}");
    }
}

/// Statuses and counts of all messages, which erasing must not change.
fn statistics(database: &Database) -> Vec<String> {
    database.query(
        "SELECT service_type || ' ' || external_id || ' ' || status || ' ' || CAST(revision AS TEXT) || ' ' || CAST(open_count AS TEXT) AS row \
         FROM message_external_ids ORDER BY id",
    )
}

crate::databases! {
    fn erase_removes_personal_data_from_every_column_for_good(database) {
        let running = gateway_with_data(&database);
        let before = statistics(&database);
        let lengths = |database: &Database| {
            ["webhook_requests", "webhook_events", "calls", "inbound_messages"].map(|table| database.rows(table).len())
        };
        let rows = lengths(&database);
        let with_content = |database: &Database| {
            dump(database).into_iter().filter(|(_, text)| CONTENT.iter().any(|content| text.contains(content))).collect::<Vec<_>>()
        };
        assert!(with_content(&database).iter().filter(|(place, _)| place == "webhook_events.detail").count() >= CONTENT.len());
        for person in PEOPLE {
            let expected = counts(&database, person, &["--dry-run"]);
            assert!(!columns_mentioning(&database, person).is_empty(), "{person} is in the data, and a dry run leaves it there");
            assert!(expected.iter().any(|(_, rows)| *rows > 0), "{expected:?}");
            let erased = counts(&database, person, &[]);
            assert_eq!(erased[0], expected[0], "messages");
            assert_eq!(columns_mentioning(&database, person), Vec::<String>::new(), "{person}");
            assert!(counts(&database, person, &[]).iter().all(|(_, rows)| *rows == 0), "{person}");
        }
        assert_eq!((statistics(&database), lengths(&database)), (before, rows), "statuses, counts and rows remain");
        assert_eq!(with_content(&database), [], "content is erased with its sender, and a client with its recipient");
        // A copy of an erased request is known by its key, and restores nothing.
        send_fixtures(&running);
        assert_none_is_mentioned(&database);
        running.stop();
        // Re-parsing all requests does not restore the data.
        let before = statistics(&database);
        let output = command()
            .args(["rederive", "--since", "2020-01-01T00:00:00Z", "--yes"])
            .env("DATABASE_URL", database.url())
            .envs(secrets())
            .output()
            .expect("the binary");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_none_is_mentioned(&database);
        assert_eq!(statistics(&database), before);
    }
}

#[test]
fn erase_requires_a_number_or_address_and_does_not_echo_it() {
    let database = Database::new(crate::support::database::Backend::Sqlite);
    for invalid in ["12345", "a-name", "a@", ""] {
        let output = erase(&database, &["--recipient", invalid]);
        assert_eq!(output.status.code(), Some(2), "{invalid}");
    }
    let output = erase(&database, &["--recipient", "+15558675310"]);
    assert_eq!(output.status.code(), Some(1), "not migrated");
    let output_text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output_text.contains("waybill migrate") && !output_text.contains("15558675310"), "{output_text}");
}
