//! Readiness while queries and records are expensive.

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::support::{
    client::{self, Response},
    database::{Backend, Database},
    gateway::Gateway,
    twilio,
};

const NOW: i64 = 1_773_502_200;
const READ_TOKEN: &str = "reader-token-0123456789";

/// A generous bound for any response while the machine is busy.
const PATIENCE: Duration = Duration::from_secs(15);

fn gateway(backend: Backend) -> Gateway {
    twilio::gateway(Database::new(backend), NOW, &[("OPS_READ_TOKEN", READ_TOKEN)])
}

fn read(gateway: &Gateway, target: &str) -> Response {
    client::get(gateway.running().ops, target, &[("Authorization", &format!("Bearer {READ_TOKEN}"))])
}

/// The failures among readiness, health and an honest callback, in words.
fn check(gateway: &Gateway, id: &str) -> Vec<String> {
    let ready = client::get(gateway.running().ops, "/readyz", &[]);
    let health = client::get(gateway.address(), "/webhooks/health", &[]);
    let callback = twilio::form(gateway, &format!("MessageSid={id}&MessageStatus=sent"));
    let checks = health.json()["checks"].to_string();
    [("readyz", ready.status, String::new()), ("health", health.status, checks), ("callback", callback.status, String::new())]
        .into_iter()
        .filter(|(_, status, _)| *status != 200)
        .map(|(name, status, detail)| format!("{name} {status} {detail}"))
        .collect()
}

/// Inserts messages of the last 700 days.
fn insert_messages(database: &Database, count: u32) {
    let columns = "INSERT INTO message_external_ids (external_id, service_type, status, created_at)";
    database.execute(&match database {
        Database::Sqlite { .. } => format!(
            "{columns} WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {count}) \
             SELECT 'B' || i, 'twilio', 'delivered', datetime({NOW} - (i * 7919) % 60000000, 'unixepoch') FROM n"
        ),
        Database::Postgres { .. } => format!(
            "{columns} SELECT 'B' || i, 'twilio', 'delivered', \
             to_timestamp({NOW} - (i * 7919::bigint) % 60000000) AT TIME ZONE 'UTC' FROM generate_series(0, {count} - 1) AS i"
        ),
    });
}

/// Runs 64 queries with the read token at once, twice, beside checks of readiness, health and honest callbacks.
fn flood_with_statistics(backend: Backend) {
    let gateway = gateway(backend);
    insert_messages(&gateway.database, 120_000);
    let running = AtomicUsize::new(64);
    let (answers, failures, rounds) = thread::scope(|scope| {
        let query = || {
            let answer = |_| {
                let started = Instant::now();
                let answer = read(&gateway, "/api/stats?bucket=day&since=2024-05-01T00:00:00Z&until=2026-03-14T15:30:00Z");
                (answer, started.elapsed())
            };
            let answers: Vec<_> = (0..2).map(answer).collect();
            running.fetch_sub(1, Ordering::SeqCst);
            answers
        };
        let queries: Vec<_> = (0..64).map(|_| scope.spawn(query)).collect();
        let (mut failures, mut rounds) = (Vec::new(), 0);
        while running.load(Ordering::SeqCst) > 0 || rounds < 5 {
            failures.extend(check(&gateway, &format!("SM{rounds}")));
            rounds += 1;
        }
        let answers: Vec<(Response, Duration)> = queries.into_iter().flat_map(|query| query.join().expect("answers")).collect();
        (answers, failures, rounds)
    });
    let answered = answers.iter().filter(|(answer, _)| answer.status == 200).count();
    let slowest = answers.iter().map(|(_, took)| *took).max().expect("answers");
    assert!(failures.is_empty(), "{failures:?} in {rounds} rounds");
    assert!(answered > 0 && answered < 128, "{answered} answered");
    assert!(slowest < PATIENCE, "{slowest:?}");
    for (answer, _) in answers.iter().filter(|(answer, _)| answer.status != 200) {
        let body = answer.json();
        assert_eq!((answer.status, &body["success"], &body["error"]), (503, &json!(false), &json!("too_many_queries")));
        assert!(answer.header("retry-after").is_some() && body["detail"].is_string(), "{answer:?}");
    }
    // The other classes of queries and the background tasks were not affected either.
    assert_eq!(read(&gateway, "/api/messages?limit=1").status, 200);
}

#[test]
fn statistics_leave_the_gateway_ready_on_sqlite() {
    flood_with_statistics(Backend::Sqlite);
}

#[test]
fn statistics_leave_the_gateway_ready_on_postgres() {
    flood_with_statistics(Backend::Postgres);
}

/// Errors that one row can cause, each as the message of a trigger, and on Postgres with its SQLSTATE.
const ERRORS: [(&str, &str, &str); 11] = [
    ("P-full", "53100", "could not extend file: No space left on device; database or disk is full"),
    ("P-memory", "53200", "out of memory"),
    ("P-timeout", "57014", "canceling statement due to statement timeout"),
    ("P-missing", "42P01", "relation \"x\" does not exist: no such table"),
    ("P-denied", "42501", "permission denied for table x; attempt to write a readonly database"),
    ("P-shutdown", "57P01", "terminating connection due to administrator command"),
    ("P-io", "58030", "disk I/O error"),
    ("P-serial", "40001", "could not serialize access due to concurrent update"),
    ("P-long", "22001", "value too long for type character varying(255)"),
    ("P-check", "23514", "new row violates check constraint \"x\""),
    ("P-index", "54000", "index row size 5000 exceeds btree version 4 maximum 2704 for index \"x\""),
];

/// Makes the database raise those errors for messages with those ids, and one for bodies that contain `P-body`.
fn raise_errors(database: &Database) {
    match database {
        Database::Sqlite { .. } => {
            for (id, _, message) in ERRORS {
                database.execute(&format!(
                    "CREATE TRIGGER \"{id}\" BEFORE INSERT ON message_external_ids WHEN NEW.external_id = '{id}' \
                     BEGIN SELECT RAISE(ABORT, '{message}'); END"
                ));
            }
            database.execute(
                "CREATE TRIGGER bodies BEFORE INSERT ON webhook_bodies WHEN instr(NEW.body, CAST('P-body' AS BLOB)) > 0 \
                 BEGIN SELECT RAISE(ABORT, 'out of memory'); END",
            );
        }
        Database::Postgres { .. } => {
            let cases = ERRORS.map(|(id, state, message)| {
                format!("WHEN '{id}' THEN RAISE EXCEPTION '%', '{message}' USING ERRCODE = '{state}'; ")
            });
            database.execute(&format!(
                "CREATE FUNCTION raise_error() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN CASE NEW.external_id {} \
                 WHEN 'P-slow' THEN LOOP NULL; END LOOP; \
                 WHEN 'P-killer' THEN PERFORM pg_terminate_backend(pg_backend_pid()); \
                 ELSE NULL; END CASE; RETURN NEW; END $$",
                cases.concat()
            ));
            database.execute(
                "CREATE TRIGGER errors BEFORE INSERT ON message_external_ids FOR EACH ROW EXECUTE FUNCTION raise_error()",
            );
            database.execute(
                "CREATE FUNCTION raise_body() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
                 IF position('P-body'::bytea IN NEW.body) > 0 THEN RAISE EXCEPTION 'out of memory' USING ERRCODE = '53200'; END IF; \
                 RETURN NEW; END $$",
            );
            database.execute("CREATE TRIGGER bodies BEFORE INSERT ON webhook_bodies FOR EACH ROW EXECUTE FUNCTION raise_body()");
        }
    }
}

/// Sends a form that the database does not accept beside honest ones; returns its response and all failures.
fn send_beside_honest_ones(gateway: &Gateway, round: usize, form: &str) -> (u16, Vec<String>) {
    thread::scope(|scope| {
        let hostile = scope.spawn(move || twilio::form(gateway, form).status);
        let honest: Vec<_> = (0..8).map(|n| scope.spawn(move || check(gateway, &format!("SM-{round}-{n}")))).collect();
        let mut failures: Vec<String> = honest.into_iter().flat_map(|one| one.join().expect("checks")).collect();
        let status = hostile.join().expect("a response");
        failures.extend(check(gateway, &format!("SM-{round}-after")));
        (status, failures.into_iter().map(|failure| format!("{form}: {failure}")).collect())
    })
}

fn request_states(database: &Database) -> Vec<Value> {
    database
        .rows("webhook_requests")
        .into_iter()
        .filter(|row| row["state"] != "processed")
        .map(|row| row["reason"].clone())
        .collect()
}

fn send_refused_records(backend: Backend) {
    let gateway = gateway(backend);
    raise_errors(&gateway.database);
    let more: &[&str] = if matches!(backend, Backend::Postgres) { &["P-slow", "P-killer"] } else { &[] };
    let ids: Vec<&str> = ERRORS.iter().map(|(id, ..)| *id).chain(more.iter().copied()).collect();
    let mut failures = Vec::new();
    for (round, id) in ids.iter().enumerate() {
        let (status, beside) = send_beside_honest_ones(&gateway, round, &format!("MessageSid={id}&MessageStatus=sent"));
        failures.extend(beside);
        if status != 200 {
            failures.push(format!("{id}: answered {status}"));
        }
    }
    assert!(failures.is_empty(), "{failures:?}");
    // However often it comes.
    for round in 0..20 {
        let (status, beside) =
            send_beside_honest_ones(&gateway, 100 + round, &format!("MessageSid=P-index&MessageStatus=sent&Of={round}"));
        assert!(status == 200 && beside.is_empty(), "{status} {beside:?}");
    }
    assert_eq!(request_states(&gateway.database), vec![json!("poison"); ids.len() + 20]);
    // Not even the request of this one can be stored.
    let (status, beside) = send_beside_honest_ones(&gateway, ids.len(), "MessageSid=P-body&MessageStatus=sent");
    assert!(status == 503 && beside.is_empty(), "{status} {beside:?}");
}

#[test]
fn one_record_never_makes_the_gateway_unready_on_sqlite() {
    send_refused_records(Backend::Sqlite);
}

#[test]
fn one_record_never_makes_the_gateway_unready_on_postgres() {
    send_refused_records(Backend::Postgres);
}

/// A row that the application locks delays only its own callbacks.
#[test]
fn locked_row_delays_only_its_callbacks() {
    let gateway = gateway(Backend::Postgres);
    assert_eq!(twilio::form(&gateway, "MessageSid=SM-locked&MessageStatus=sent").status, 200);
    let mut application = gateway.database.postgres();
    let execute =
        |connection: &mut _, sql: &str| diesel::connection::SimpleConnection::batch_execute(connection, sql).expect("SQL");
    execute(&mut application, "BEGIN; UPDATE message_external_ids SET price = '1' WHERE external_id = 'SM-locked'");
    let delivered = "MessageSid=SM-locked&MessageStatus=delivered";
    let (status, failures) = send_beside_honest_ones(&gateway, 1, delivered);
    assert!(status == 503 && failures.is_empty(), "{status} {failures:?}");
    execute(&mut application, "COMMIT");
    assert_eq!(send_beside_honest_ones(&gateway, 2, delivered), (200, Vec::new()));
    let rows = gateway.database.rows("message_external_ids");
    assert!(rows.iter().any(|row| row["external_id"] == "SM-locked" && row["status"] == "delivered"));
}

/// Replaces the table of messages by a view of which every query is slow, with rows that are far apart.
fn slow_down(database: &Database) {
    let pause = "SELECT count(*) AS pause FROM \
                 (WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 250000) SELECT i FROM n) AS numbers";
    let rows = (0..120_i64).map(|step| format!("({}, 'S{step}', 'twilio', '2026-03-14 12:00:00')", 1 + step * 65_536));
    let rows = rows.collect::<Vec<_>>().join(", ");
    database.execute(&format!("INSERT INTO message_external_ids (id, external_id, service_type, created_at) VALUES {rows}"));
    database.execute("ALTER TABLE message_external_ids RENAME TO messages");
    database
        .execute(&format!("CREATE VIEW message_external_ids AS SELECT messages.* FROM ({pause}) AS paused CROSS JOIN messages"));
}

/// A query that would take long ends at its deadline.
#[test]
fn statistics_end_at_their_deadline() {
    let outcome = |backend| {
        let gateway = gateway(backend);
        slow_down(&gateway.database);
        let started = Instant::now();
        let answer = read(&gateway, "/api/stats");
        let outcome = (answer.status, answer.json()["error"].clone(), started.elapsed());
        // The background tasks read the table as well, and the gateway waits for them when it stops.
        gateway.database.execute("DROP VIEW message_external_ids");
        gateway.database.execute("ALTER TABLE messages RENAME TO message_external_ids");
        outcome
    };
    let outcomes = thread::scope(|scope| {
        [Backend::Sqlite, Backend::Postgres]
            .map(|backend| scope.spawn(move || outcome(backend)))
            .map(|one| one.join().expect("an outcome"))
    });
    for (status, error, took) in outcomes {
        assert_eq!((status, error), (503, json!("query_timeout")), "{took:?}");
        assert!(took < PATIENCE, "{took:?}");
    }
}

/// Every row of a list, by its pages, none of which is larger than the limit and one row.
fn pages(gateway: &Gateway, target: &str, list: &str, cursor: &str, next: &str) -> Vec<i64> {
    let (mut ids, mut after) = (Vec::new(), String::new());
    loop {
        let response = read(gateway, &format!("{target}?limit=500{after}"));
        assert!(response.status == 200 && response.body.len() < 5 << 19, "{} {}", response.status, response.body.len());
        let page = response.json();
        let rows = page[list].as_array().expect("rows");
        ids.extend(rows.iter().map(|row| row["id"].as_i64().expect("an id")));
        match page[next].as_str() {
            Some(position) if !rows.is_empty() => after = format!("&{cursor}={position}"),
            _ => return ids,
        }
    }
}

/// Rows whose texts are as long as a body make short pages.
#[test]
fn answers_are_bounded_in_bytes() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let gateway = gateway(backend);
        for n in 0..40 {
            assert_eq!(twilio::form(&gateway, &format!("MessageSid=SM1&MessageStatus=sent&Of={n}")).status, 200);
            gateway.database.execute(&format!(
                "INSERT INTO inbound_messages (external_id, service_type, account, text, received_at) \
                 VALUES ('I{n}', 'twilio', 'default', '{}', '2026-03-14 12:00:00')",
                "x".repeat(150_000)
            ));
        }
        gateway.database.execute(&format!("UPDATE webhook_events SET detail = '\"{}\"'", "x".repeat(150_000)));
        let inbound = pages(&gateway, "/api/inbound", "inbound", "cursor", "next_cursor");
        assert!(inbound.iter().copied().eq((1..=40).rev()), "{inbound:?}");
        for n in 0..100 {
            let words = "x".repeat(50_000);
            gateway.database.execute(&format!(
                "INSERT INTO suppressions (address, service_type, account, channel, reason, is_active, first_at, evidence) \
                 SELECT 'a{n}', 'twilio', 'default', 'sms', 'opt_out', {is_active}, '2026-03-14 12:00:00', \
                 '{{\"reports\":[{{\"at\":\"2026-03-14T12:00:00Z\",\"words\":\"{words}\"}}],\"lifts\":[]}}'",
                is_active = if backend == Backend::Sqlite { "1" } else { "TRUE" },
            ));
        }
        let suppressions = pages(&gateway, "/api/suppressions", "suppressions", "cursor", "next_cursor");
        assert!(suppressions.iter().copied().eq((1..=100).rev()), "{suppressions:?}");
        let events = pages(&gateway, "/api/events", "events", "after", "next");
        assert!(events.len() == 40 && events.is_sorted(), "{events:?}");
        let explained = read(&gateway, "/api/messages/1/explain");
        assert!(explained.json()["warnings"].to_string().contains("more events than are shown"));
        assert!(read(&gateway, "/api/messages/1").body.len() < 5 << 19);
    }
}

/// Opens an event stream from the beginning and reads its first event.
fn open_stream(gateway: &Gateway) -> TcpStream {
    let mut stream = client::connect(gateway.running().ops);
    let request =
        format!("GET /api/events/stream?after= HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {READ_TOKEN}\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("written");
    let (mut text, mut chunk) = (String::new(), [0; 4096]);
    while !text.contains("data: ") {
        let count = stream.read(&mut chunk).expect("an event");
        assert!(count > 0, "closed after {text}");
        text.push_str(&String::from_utf8_lossy(&chunk[..count]));
    }
    stream
}

/// As many event streams as are allowed leave room for everything else.
#[test]
fn event_streams_leave_room_for_queries() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let gateway = gateway(backend);
        assert_eq!(twilio::form(&gateway, "MessageSid=SM1&MessageStatus=sent").status, 200);
        let streams: Vec<TcpStream> = (0..32).map(|_| open_stream(&gateway)).collect();
        let refused = read(&gateway, "/api/events/stream");
        assert_eq!((refused.status, &refused.json()["error"]), (503, &json!("too_many_streams")));
        for round in 0..20 {
            let failures = check(&gateway, &format!("SM-{round}"));
            assert!(failures.is_empty() && read(&gateway, "/api/messages").status == 200, "{failures:?}");
        }
        drop(streams);
    }
}
