//! Retention: expired rows are deleted, and the events of a message expire together, so that none is partly rebuildable.

use std::process::Output;

use serde_json::{Value, json};
use waybill::time::Clock;

use crate::{
    shutdown::command,
    support::{
        database::{Backend, Database},
        twilio,
    },
};

const DAY: i64 = 24 * 3600;

fn prune(database: &Database, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = command();
    command.arg("prune").args(arguments).env("DATABASE_URL", database.url()).envs(variables.iter().copied());
    command.output().expect("the binary")
}

fn counts(database: &Database, arguments: &[&str], variables: &[(&str, &str)]) -> Value {
    let output = prune(database, &[arguments, &["--json"]].concat(), variables);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON alone on standard output")
}

/// Receives statuses of messages at a gateway whose clock is that many days back.
fn receive(database: Database, days_ago: i64, callbacks: &[(&str, &str)]) -> Database {
    let gateway = twilio::gateway(database, Clock::System.now().seconds() - days_ago * DAY, &[]);
    for (id, status) in callbacks {
        let response =
            twilio::form(&gateway, &format!("MessageSid={id}&MessageStatus={status}&To=%2B15558675310&AccountSid=AC0"));
        assert_eq!(response.status, 200);
    }
    gateway.stop()
}

fn lengths(database: &Database) -> [usize; 4] {
    ["webhook_bodies", "webhook_events", "webhook_requests", "message_external_ids"].map(|table| database.rows(table).len())
}

crate::databases! {
    fn bodies_expire_and_all_else_stays(database) {
        let database = receive(database, 31, &[("SM1", "queued"), ("SM2", "queued")]);
        let database = receive(database, 29, &[("SM1", "sent")]);
        let expected = json!({ "bodies": 2, "events": 0, "requests": 0 });
        assert_eq!(counts(&database, &["--dry-run"], &[]), expected);
        assert_eq!(lengths(&database), [3, 3, 3, 2], "a dry run changes nothing");
        assert_eq!(counts(&database, &[], &[]), expected);
        assert_eq!(lengths(&database), [1, 3, 3, 2]);
        assert_eq!(counts(&database, &[], &[]), json!({ "bodies": 0, "events": 0, "requests": 0 }));
        assert_eq!(counts(&database, &[], &[("RETENTION_DAYS", "0")])["bodies"], 0, "0 means no limit");
    }

    fn events_expire_with_the_last_of_their_message(database) {
        let database = receive(database, 90, &[("SM1", "queued"), ("SM2", "queued"), ("SM2", "sent")]);
        let database = receive(database, 2, &[("SM1", "delivered")]);
        let rows = database.rows("message_external_ids");
        let days = [("EVENT_RETENTION_DAYS", "60")];
        let expected = json!({ "bodies": 3, "events": 2, "requests": 2 });
        assert_eq!(counts(&database, &["--dry-run"], &days), expected);
        assert_eq!(counts(&database, &[], &days), expected);
        assert_eq!(lengths(&database), [1, 2, 2, 2]);
        assert_eq!(database.rows("message_external_ids"), rows, "message rows do not change");
        let remaining = database.query("SELECT DISTINCT external_id AS row FROM webhook_events");
        assert_eq!(remaining, ["SM1"], "all events of a message expire together");
        // The request of a retained event remains, so a retry is a duplicate.
        let gateway = twilio::gateway(database, Clock::System.now().seconds(), &[]);
        let retried = twilio::form(&gateway, "MessageSid=SM1&MessageStatus=queued&To=%2B15558675310&AccountSid=AC0");
        assert_eq!(retried.json()["duplicate"], true);
    }

    fn request_is_retained_as_long_as_its_body(database) {
        let database = receive(database, 90, &[("SM1", "queued")]);
        let days = [("RETENTION_DAYS", "365"), ("EVENT_RETENTION_DAYS", "60")];
        assert_eq!(counts(&database, &[], &days), json!({ "bodies": 0, "events": 1, "requests": 0 }));
        assert_eq!(lengths(&database), [1, 0, 1, 1]);
    }

    fn prune_deletes_more_than_one_batch(database) {
        let database = receive(database, 90, &[("SM1", "queued")]);
        let key = match database {
            Database::Sqlite { .. } => "CAST(printf('%016d', n) AS BLOB)",
            Database::Postgres { .. } => "decode(md5(n::text), 'hex')",
        };
        database.execute(&format!(
            "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 5000) \
             INSERT INTO webhook_requests (service_type, account, dedupe_key, state, answer, verified_by, method, url, headers, received_at) \
             SELECT service_type, 'n' || n, {key}, state, answer, verified_by, method, url, headers, received_at \
             FROM webhook_requests CROSS JOIN numbers WHERE account = 'default'"
        ));
        database.execute(
            "INSERT INTO webhook_bodies (request_id, body, received_at) \
             SELECT r.id, b.body, b.received_at FROM webhook_requests r CROSS JOIN webhook_bodies b WHERE r.account <> 'default'",
        );
        assert_eq!(counts(&database, &["--dry-run"], &[])["bodies"], 5001);
        assert_eq!(counts(&database, &[], &[("EVENT_RETENTION_DAYS", "7")]), json!({ "bodies": 5001, "events": 1, "requests": 5001 }));
        assert_eq!(lengths(&database), [0, 0, 0, 1]);
    }

    fn prune_requires_a_migrated_database(database) {
        let output = prune(&database, &[], &[]);
        assert_eq!(output.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&output.stderr).contains("waybill migrate"));
        assert!(database.columns("webhook_bodies").is_empty());
    }
}

#[test]
fn running_gateway_prunes_through_its_writer() {
    let database = receive(Database::new(Backend::Sqlite), 31, &[("SM1", "queued")]);
    let gateway = twilio::gateway(database, Clock::System.now().seconds(), &[]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let mut reports = 0;
    let store = &gateway.running().gateway.store;
    let pruned = runtime.block_on(store.prune(Clock::System.now(), false, |_| reports += 1)).expect("a database");
    assert_eq!((pruned.bodies, lengths(&gateway.database)[0]), (1, 0));
    assert!(reports > 0, "progress is reported");
}

#[test]
fn prune_prints_counts_and_documented_exit_codes() {
    let database = receive(Database::new(Backend::Sqlite), 31, &[("SM1", "queued")]);
    let output = prune(&database, &["--dry-run"], &[]);
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("1 bodies, 0 events, 0 requests would be deleted."));
    assert_eq!(prune(&database, &[], &[("EVENT_RETENTION_DAYS", "3")]).status.code(), Some(78));
    assert_eq!(prune(&database, &["--nonsense"], &[]).status.code(), Some(2));
    assert_eq!(prune(&database, &[], &[("DATABASE_URL", "postgres://user@127.0.0.1:1/none")]).status.code(), Some(75));
}
