//! Commands that query and correct data without a running gateway, with tables or JSON as output.

use std::process::Output;

use serde_json::Value;

use crate::{
    shutdown::command,
    support::{
        database::{Backend, Database},
        twilio::{self, TOKEN},
    },
};

fn waybill(database: &Database, arguments: &[&str]) -> Output {
    let mut command = command();
    command.args(arguments).env("DATABASE_URL", database.url()).env("TWILIO_AUTH_TOKEN", TOKEN);
    command.output().expect("the binary")
}

fn text(database: &Database, arguments: &[&str]) -> String {
    let output = waybill(database, arguments);
    let shown = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(output.status.success(), "{shown}{}", String::from_utf8_lossy(&output.stderr));
    assert!(!shown.contains(TOKEN), "no secret is shown");
    shown
}

fn json(database: &Database, arguments: &[&str]) -> Value {
    let shown = text(database, &[arguments, &["--json"]].concat());
    serde_json::from_str(&shown).unwrap_or_else(|error| panic!("JSON alone on standard output: {error}: {shown}"))
}

fn code(database: &Database, arguments: &[&str]) -> Option<i32> {
    waybill(database, arguments).status.code()
}

/// A database with three messages, one of them with a late report, and two callbacks that cannot be parsed.
fn database_with_messages(database: Database) -> Database {
    let gateway = twilio::gateway(database, 1_773_502_200, &[]);
    for (id, status) in [("SM1", "queued"), ("SM2", "delivered"), ("SM2", "sent"), ("SM3", "undelivered&ErrorCode=30003")] {
        let body = format!("MessageSid={id}&MessageStatus={status}&To=%2B15558675310&AccountSid=AC0");
        assert_eq!(twilio::form(&gateway, &body).status, 200);
    }
    for id in ["SM4", "SM5"] {
        assert_eq!(twilio::form(&gateway, &format!("MessageSid={id}&MessageStatus=sent&MessageStatus=delivered")).status, 200);
    }
    gateway.stop()
}

fn ids(page: &Value, list: &str, field: &str) -> Vec<String> {
    let rows = page[list].as_array().expect("a list");
    rows.iter().map(|row| row[field].as_str().expect("a text").to_owned()).collect()
}

crate::databases! {
    fn messages_command_filters_and_paginates(database) {
        let database = database_with_messages(database);
        let table = text(&database, &["messages"]);
        assert!(table.contains("SM1") && table.contains("delivered") && !table.contains("next_cursor"), "{table}");
        let listed = |arguments: &[&str]| ids(&json(&database, &[&["messages"], arguments].concat()), "messages", "external_id");
        assert_eq!(listed(&[]), ["SM3", "SM2", "SM1"]);
        assert_eq!(listed(&["--status", "delivered"]), ["SM2"]);
        assert_eq!(listed(&["--external-id", "SM1", "--service-type", "twilio", "--account", "default"]), ["SM1"]);
        assert_eq!(listed(&["--recipient", "15558675310"]).len(), 3);
        assert_eq!(listed(&["--recipient", "+1555"]).len(), 0);
        assert_eq!(listed(&["--until", "2020-01-01T00:00:00Z"]).len(), 0);
        let first = json(&database, &["messages", "--limit", "2"]);
        let cursor = first["next_cursor"].as_str().expect("a cursor");
        assert_eq!(listed(&["--limit", "2", "--cursor", cursor]), ["SM1"]);
        assert!(text(&database, &["messages", "--limit", "2"]).contains(&format!("More: --cursor {cursor}")));
        for wrong in [["--status", "lost"], ["--service-type", "unknown"], ["--since", "yesterday"], ["--cursor", "x"], ["--limit", "0"]] {
            assert_eq!(code(&database, &[&["messages"][..], &wrong].concat()), Some(2), "{wrong:?}");
        }
    }

    fn explain_command_shows_the_timeline(database) {
        let database = database_with_messages(database);
        let explanation = text(&database, &["explain", "SM2"]);
        for part in ["twilio/default SM2", "message.delivered", "message.sent", "Arrived late", "Request "] {
            assert!(explanation.contains(part), "{part} in {explanation}");
        }
        assert!(text(&database, &["explain", "SM3"]).contains("Error 30003"));
        let explained = json(&database, &["explain", "SM2"]);
        assert_eq!(explained[0]["timeline"].as_array().map(Vec::len), Some(2));
        assert_eq!(code(&database, &["explain", "SM9"]), Some(1));
    }

    fn requests_command_lists_shows_and_discards(database) {
        let database = database_with_messages(database);
        let page = json(&database, &["requests", "list"]);
        let listed = ids(&page, "requests", "id");
        assert_eq!(listed.len(), 2, "{page}");
        let [newer, older] = listed.as_slice() else { panic!("two") };
        let shown = json(&database, &["requests", "show", older]);
        assert_eq!((shown["state"].as_str(), shown["body_encoding"].as_str()), (Some("quarantined"), Some("text")));
        assert!(shown["body"].as_str().is_some_and(|body| body.contains("SM4")));
        assert!(text(&database, &["requests", "show", older]).contains("MessageSid=SM4"));
        // The request still cannot be parsed, because nothing has changed.
        let replayed = waybill(&database, &["requests", "replay", older]);
        assert_eq!(replayed.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&replayed.stdout).contains("it still cannot be parsed"));
        assert_eq!(code(&database, &["requests", "replay", "--all", "--dry-run"]), Some(1));
        text(&database, &["requests", "discard", older, "--dry-run"]);
        assert_eq!(ids(&json(&database, &["requests", "list"]), "requests", "id").len(), 2, "a dry run changes nothing");
        assert_eq!(json(&database, &["requests", "discard", older])[0]["done"], true);
        assert_eq!(ids(&json(&database, &["requests", "list"]), "requests", "id"), std::slice::from_ref(newer));
        assert_eq!(ids(&json(&database, &["requests", "list", "--state", "discarded"]), "requests", "id"), std::slice::from_ref(older));
        assert_eq!(code(&database, &["requests", "discard", older]), Some(1), "it is no longer quarantined");
        text(&database, &["requests", "discard", "--all"]);
        assert!(ids(&json(&database, &["requests", "list"]), "requests", "id").is_empty());
        assert_eq!(code(&database, &["requests", "show", "r1"]), Some(1));
        assert_eq!(code(&database, &["requests", "replay", "r1"]), Some(1), "there is no such request");
        for wrong in [&["requests", "show", "x"][..], &["requests", "replay"], &["requests", "replay", "1", "--all"], &["requests", "list", "--state", "x"]] {
            assert_eq!(code(&database, wrong), Some(2), "{wrong:?}");
        }
    }

    fn terminal_output_escapes_control_characters(database) {
        let gateway = twilio::gateway(database, 1_773_502_200, &[]);
        let body = "MessageSid=SM1&MessageStatus=sent&MessageStatus=read&Word=\u{1b}[31mred\u{9b}2J";
        assert_eq!(twilio::form(&gateway, body).status, 200);
        let database = gateway.stop();
        let page = json(&database, &["requests", "list", "--state", "processed"]);
        let id = &ids(&page, "requests", "id")[0];
        let shown = text(&database, &["requests", "show", id]);
        assert!(shown.contains("red") && !shown.contains(['\u{1b}', '\u{9b}']), "{shown:?}");
        assert_eq!(json(&database, &["requests", "show", id])["body"], body, "JSON has the exact text");
        assert!(!text(&database, &["requests", "show", id, "--json"]).contains(['\u{1b}', '\u{9b}']));
    }

    fn fixed_requests_can_be_replayed(database) {
        let database = database_with_messages(database);
        // As if an older version had failed to parse it.
        database.execute("UPDATE webhook_requests SET state = 'quarantined', reason = 'invalid_payload: x' WHERE id = 1");
        database.execute("DELETE FROM webhook_events WHERE request_id = 1");
        database.execute("DELETE FROM message_external_ids WHERE external_id = 'SM1'");
        let dry = json(&database, &["requests", "replay", "1", "--dry-run"]);
        assert_eq!((&dry[0]["done"], &dry[0]["replayed"]["changes"][0]["is_new"]), (&true.into(), &true.into()));
        assert_eq!(database.rows("message_external_ids").len(), 2, "a dry run changes nothing");
        assert!(text(&database, &["requests", "replay", "1"]).contains("status: null -> queued"));
        assert_eq!(database.rows("message_external_ids").len(), 3);
    }

    fn rederive_command_previews_before_it_applies(database) {
        let database = database_with_messages(database);
        let since = ["rederive", "--since", "2020-01-01T00:00:00Z"];
        assert!(text(&database, &since).contains("Nothing to change."));
        let rows = database.rows("message_external_ids");
        database.execute("UPDATE message_external_ids SET status = 'delivered' WHERE external_id = 'SM1'");
        let shown = text(&database, &since);
        assert!(shown.contains("status: delivered -> queued") && shown.contains("Nothing was changed"), "{shown}");
        let report = json(&database, &[&since[..], &["--dry-run"]].concat());
        assert_eq!((&report["applied"], &report["messages"], &report["requests"]), (&false.into(), &1.into(), &4.into()));
        assert_ne!(database.rows("message_external_ids"), rows);
        assert!(text(&database, &[&since[..], &["--yes"]].concat()).contains("The difference was applied."));
        let status = |rows: &[Value]| rows.iter().map(|row| row["status"].clone()).collect::<Vec<_>>();
        assert_eq!(status(&database.rows("message_external_ids")), status(&rows));
        assert_eq!(code(&database, &["rederive"]), Some(2));
    }

    fn commands_require_a_migrated_database(database) {
        for arguments in [&["messages"][..], &["explain", "SM1"], &["requests", "list"], &["rederive", "--since", "2020-01-01T00:00:00Z"]] {
            let output = waybill(&database, arguments);
            assert_eq!(output.status.code(), Some(1), "{arguments:?}");
            assert!(String::from_utf8_lossy(&output.stderr).contains("waybill migrate"), "{arguments:?}");
        }
    }
}

#[test]
fn unavailable_database_has_its_exit_code() {
    for arguments in
        [&["messages"][..], &["explain", "SM1"], &["requests", "list"], &["prune"], &["erase", "--recipient", "+15558675310"]]
    {
        let status =
            command().args(arguments).env("DATABASE_URL", "postgres://user@127.0.0.1:1/none").output().expect("the binary");
        assert_eq!(status.status.code(), Some(75), "{arguments:?}");
    }
}

#[test]
fn openapi_command_prints_the_document() {
    let document = text(&Database::new(Backend::Sqlite), &["openapi"]);
    let document: Value = serde_json::from_str(&document).expect("JSON");
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")));
    assert!(document["paths"]["/api/messages"].is_object());
}
