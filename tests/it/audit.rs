//! The audit trail: each change made by hand has one entry, which contains neither a token nor personal data.

use serde_json::{Value, json};
use waybill::time::Timestamp;

use crate::{
    shutdown::command,
    support::{
        client::{self, Response},
        database::Database,
        gateway::{Gateway, OPS_TOKEN},
        twilio,
    },
};

const SECONDS: i64 = 1_773_502_200;
const PERSON: &str = "+15558675310";

fn post(gateway: &Gateway, target: &str, body: &str) -> Response {
    let headers = [("Authorization".to_owned(), format!("Bearer {OPS_TOKEN}"))];
    client::send(gateway.running().ops, "POST", target, &headers, body.as_bytes())
}

fn cli(database: &Database, arguments: &[&str]) -> String {
    let mut command = command();
    let output = command.args(arguments).env("DATABASE_URL", database.url()).output().expect("the binary");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Two callbacks that are quarantined.
fn quarantine_two(gateway: &Gateway) {
    for id in ["SM1", "SM2"] {
        let body = format!("MessageSid={id}&MessageStatus=sent&MessageStatus=delivered&To=%2B15558675310");
        assert_eq!(twilio::form(gateway, &body).status, 200);
    }
}

crate::databases! {
    fn each_change_has_one_entry(database) {
        let gateway = twilio::gateway(database, SECONDS, &[("OPS_READ_TOKEN", "reader-token-0123456789")]);
        quarantine_two(&gateway);
        gateway.database.execute("UPDATE webhook_requests SET reason = 'poison'");
        assert_eq!(post(&gateway, "/api/requests/1/discard", "").status, 200);
        assert_eq!(post(&gateway, "/api/requests/1/discard", "").status, 409, "no entry");
        assert_eq!(post(&gateway, "/api/requests/2/replay", "").status, 422, "no entry");
        let messages: Vec<Value> = (0..120)
            .map(|n| json!({ "reference": format!("order-{n}"), "service_type": "twilio", "recipient": PERSON }))
            .collect();
        assert_eq!(post(&gateway, "/api/messages", &Value::Array(messages).to_string()).status, 200);
        cli(&gateway.database, &["erase", "--recipient", PERSON, "--dry-run"]);
        cli(&gateway.database, &["erase", "--recipient", PERSON]);
        let read = ("Authorization", "Bearer reader-token-0123456789");
        let page = client::get(gateway.running().ops, "/api/audit", &[read]).json();
        let entries = page["entries"].as_array().expect("entries");
        let field = |name: &str| entries.iter().map(|entry| entry[name].clone()).collect::<Vec<_>>();
        assert_eq!(field("action"), ["erase", "register", "discard"]);
        assert_eq!(field("actor"), ["cli", "ops", "ops"]);
        assert_eq!((&field("target")[1..], &field("items")[1..]), (&[Value::Null, json!("1")][..], &[json!(120), json!(1)][..]));
        assert!(entries[0]["target"].as_str().is_some_and(|hash| hash.len() == "sha256:".len() + 6) && entries[0]["items"].as_i64() > Some(0));
        assert!(!page.to_string().contains("15558675310") && !page.to_string().contains(OPS_TOKEN));
        let next = client::get(gateway.running().ops, "/api/audit?limit=2", &[read]).json();
        let last = client::get(gateway.running().ops, &format!("/api/audit?cursor={}", next["next_cursor"].as_str().expect("a cursor")), &[read]);
        assert_eq!(last.json()["entries"][0]["action"], "discard");
        assert_eq!(cli(&gateway.database, &["audit"]).matches("register").count(), 1);
    }

    fn replay_and_its_entry_are_one_transaction(database) {
        let gateway = twilio::gateway(database, SECONDS, &[]);
        assert_eq!(twilio::form(&gateway, "MessageSid=SM1&MessageStatus=sent").status, 200);
        gateway.database.execute("DELETE FROM webhook_events; DELETE FROM message_external_ids; UPDATE webhook_requests SET state = 'quarantined', reason = 'poison'");
        gateway.database.execute("ALTER TABLE audit_log RENAME TO away");
        assert_eq!(post(&gateway, "/api/requests/1/replay", "").status, 503);
        assert_eq!(gateway.database.rows("webhook_requests")[0]["state"], "quarantined", "not changed without an entry");
        gateway.database.execute("ALTER TABLE away RENAME TO audit_log");
        assert_eq!(post(&gateway, "/api/requests/1/replay?dry_run=true", "").status, 200);
        assert_eq!(gateway.database.rows("audit_log").len(), 0);
        assert_eq!(post(&gateway, "/api/requests/1/replay", "").status, 200);
        assert_eq!(gateway.database.rows("audit_log")[0]["action"], "replay");
    }

    fn audit_log_is_bounded_by_rows_and_age(database) {
        let gateway = twilio::gateway(database, SECONDS, &[]);
        let numbers = match &gateway.database {
            Database::Sqlite { .. } => "(WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10100) SELECT i FROM n) AS n",
            Database::Postgres { .. } => "generate_series(1, 10100) AS n (i)",
        };
        let columns = "INSERT INTO audit_log (recorded_at, actor, action, items)";
        gateway.database.execute(&format!("{columns} VALUES ('2024-01-01 00:00:00', 'cli', 'erase', 1), ('2026-03-14 00:00:00', 'cli', 'erase', 2)"));
        gateway.database.execute(&format!("{columns} SELECT '2026-03-14 00:00:00', 'ops', 'register', 1 FROM {numbers}"));
        let now = Timestamp::from_seconds(SECONDS).expect("an instant");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(gateway.running().gateway.store.prune(now, false, drop)).expect("pruned");
        let counts = gateway.database.query("SELECT action || ' ' || count(*) AS row FROM audit_log GROUP BY action ORDER BY action");
        assert_eq!(counts, ["erase 1", "register 10000"], "registrations do not displace the others");
    }
}
