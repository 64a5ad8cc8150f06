//! Fills a database with rows, using plain SQL.

use std::{ops::Range, time::Instant};

use diesel::{Connection, PgConnection, SqliteConnection, connection::SimpleConnection};
use waybill::config::DatabaseUrl;

/// SQL that differs between the databases.
struct Dialect {
    /// The numbers of a range, as column `i`.
    numbers: fn(Range<usize>) -> String,
    /// The time of row `i`; the rows are spread over thirty days.
    time: &'static str,
    key: &'static str,
    events_at: &'static str,
    end: &'static str,
}

const SQLITE: Dialect = Dialect {
    numbers: |rows| {
        let (first, last) = (rows.start, rows.end - 1);
        format!("(WITH RECURSIVE s(i) AS (SELECT {first} UNION ALL SELECT i + 1 FROM s WHERE i < {last}) SELECT i FROM s)")
    },
    time: "strftime('%Y-%m-%d %H:%M:%f', '2026-10-23', (i * 2592000.0 / ROWS) || ' seconds')",
    key: "randomblob(16)",
    events_at: "i",
    end: "ANALYZE;",
};

const POSTGRES: Dialect = Dialect {
    numbers: |rows| format!("generate_series({}::bigint, {}) AS s(i)", rows.start, rows.end - 1),
    time: "timestamp '2026-10-23' + i * interval '2592000 seconds' / ROWS",
    key: "decode(md5(i::text), 'hex')",
    events_at: "pg_current_xact_id()::text::bigint",
    end: "VACUUM ANALYZE;",
};

const SERVICE: &str = "CASE WHEN (i * 7919) % 1000 < 550 THEN 'twilio' WHEN (i * 7919) % 1000 < 850 THEN 'resend' \
    WHEN (i * 7919) % 1000 < 950 THEN 'vonage' WHEN (i * 7919) % 1000 < 999 THEN 'signalwire' ELSE 'mifumo' END";
const ACCOUNT: &str =
    "CASE WHEN (i * 104729) % 1000 < 900 THEN 'default' WHEN (i * 104729) % 1000 < 999 THEN 'acme' ELSE 'rare' END";
const STATUS: &str = "CASE WHEN (i * 1299709) % 10000 < 8500 THEN 'delivered' WHEN (i * 1299709) % 10000 < 9300 THEN 'sent' \
    WHEN (i * 1299709) % 10000 < 9600 THEN 'failed' WHEN (i * 1299709) % 10000 < 9999 THEN 'bounced' ELSE 'canceled' END";
const STATE: &str = "CASE WHEN i % 1000 = 0 THEN 'quarantined' WHEN i % 5000 = 1 THEN 'discarded' ELSE 'processed' END";
const ENDED: &str = "CASE WHEN i % 1000 = 0 THEN 'busy' ELSE 'ended' END";

/// Messages with their requests and events. Providers, accounts and statuses have skewed distributions. A row's id is its number.
fn messages(dialect: &Dialect, all: &str, time: &str) -> Vec<String> {
    let Dialect { key, events_at, .. } = dialect;
    vec![
        format!(
            "INSERT INTO communication_metrics (reference, recipient) SELECT 'order-' || (i / 10), '+1555' || (i % 200000) \
             FROM {all} WHERE i % 10 = 0"
        ),
        format!(
            "INSERT INTO message_external_ids (external_id, service_type, account, status, recipient, sender, created_at, updated_at, \
             status_at, delivered_at, failed_at, opened_at, message_id, matched_id, state_key) \
             SELECT 'SM' || i, service, account, status, '+1555' || (i % 200000), '+1999' || (i % 5), at, at, at, \
             CASE WHEN status = 'delivered' THEN at END, CASE WHEN status IN ('failed', 'bounced') THEN at END, \
             CASE WHEN i % 3 = 0 THEN at END, CASE WHEN i % 10 = 0 THEN i / 10 END, CASE WHEN i % 10 = 0 THEN i / 10 END, {key} \
             FROM (SELECT i, {SERVICE} AS service, {ACCOUNT} AS account, {STATUS} AS status, {time} AS at FROM {all}) AS one"
        ),
        format!(
            "INSERT INTO webhook_requests (service_type, account, dedupe_key, state, answer, verified_by, method, url, headers, \
             received_at, event_count, events_at) SELECT {SERVICE}, {ACCOUNT}, {key}, {STATE}, 200, 'request/0', 'POST', \
             '/webhooks/twilio', '{{}}', {time}, 1, {events_at} FROM {all}"
        ),
        format!(
            "INSERT INTO webhook_events (request_id, service_type, account, external_id, event_type, status, state_key, received_at, \
             mapping_id) SELECT i, {SERVICE}, {ACCOUNT}, 'SM' || i, 'message.sent', 'sent', {key}, {time}, i FROM {all}"
        ),
    ]
}

/// A tenth as many inbound messages, with their addresses, calls and rooms.
fn inbound_calls_rooms(tenth: &str, time: &str) -> Vec<String> {
    let address = |role: &str, text: &str| {
        format!(
            "INSERT INTO message_addresses (address, owner, role, owner_id) SELECT {text}, 'inbound', '{role}', i FROM {tenth}"
        )
    };
    let (sender, recipient) = ("'+1555' || (i % 20000)", "'+1999' || (i % 5)");
    vec![
        format!(
            "INSERT INTO inbound_messages (id, service_type, account, external_id, sender, recipient, text, received_at) \
             SELECT i, {SERVICE}, {ACCOUNT}, 'IN' || i, {sender}, {recipient}, 'hello', {time} FROM {tenth}"
        ),
        address("sender", sender),
        address("recipient", recipient),
        format!(
            "INSERT INTO calls (id, service_type, account, external_id, status, created_at) \
             SELECT i, {SERVICE}, {ACCOUNT}, 'CA' || i, {ENDED}, {time} FROM {tenth}"
        ),
        format!(
            "INSERT INTO rooms (id, service_type, account, external_id, status, created_at) \
             SELECT i, {SERVICE}, {ACCOUNT}, 'RM' || i, {ENDED}, {time} FROM {tenth}"
        ),
    ]
}

fn statements(dialect: &Dialect, part: Range<usize>, rows: usize) -> Vec<String> {
    let time = |rows: usize| dialect.time.replace("ROWS", &rows.to_string());
    let mut all = messages(dialect, &(dialect.numbers)(part.clone()), &time(rows));
    if part.start == 1 {
        all.extend(inbound_calls_rooms(&(dialect.numbers)(1..rows / 10), &time(rows / 10)));
    }
    all.push(dialect.end.to_owned());
    all
}

/// Writes a part of `rows` messages. The first part also fills the other tables.
pub fn fill(url: &DatabaseUrl, part: Range<usize>, rows: usize) {
    let started = Instant::now();
    match url {
        DatabaseUrl::Sqlite(path) => {
            let mut connection = SqliteConnection::establish(&path.to_string_lossy()).expect("the SQLite file");
            connection.batch_execute("PRAGMA synchronous = OFF; PRAGMA cache_size = -262144").expect("pragmas");
            for sql in statements(&SQLITE, part.clone(), rows) {
                connection.batch_execute(&sql).unwrap_or_else(|error| panic!("{error}: {sql}"));
            }
        }
        DatabaseUrl::Postgres(url) => {
            let mut connection = PgConnection::establish(url.text()).expect("a Postgres connection");
            for sql in statements(&POSTGRES, part.clone(), rows) {
                connection.batch_execute(&sql).unwrap_or_else(|error| panic!("{error}: {sql}"));
            }
        }
    }
    eprintln!("{} messages written in {:.0} s", part.len(), started.elapsed().as_secs_f64());
}
