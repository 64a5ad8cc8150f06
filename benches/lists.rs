//! How long a page takes among a million messages, by every filter and many pages deep.
//!
//! `cargo bench --bench lists` uses SQLite in a temporary folder; `BENCH_DATABASE_URL=postgres://…` an empty Postgres database or
//! schema, which it fills. `BENCH_ROWS` is the number of messages.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a benchmark fails by panicking and prints its result"
)]

use std::time::{Duration, Instant};

use diesel::{Connection, PgConnection, SqliteConnection, connection::SimpleConnection};
use waybill::{
    config::DatabaseUrl,
    status::Status,
    store::{
        Bucket, Cursor, FeedCursor, InboundFilter, MessageFilter, Options, Page, RequestFilter, RequestState, StatsFilter, Store,
        StoreError,
    },
    time::Timestamp,
};

/// Pages that are turned of each list, and rows of each.
const PAGES: usize = 200;
const LIMIT: i64 = 100;

/// What differs between the two databases.
struct Dialect {
    numbers: fn(usize) -> String,
    instant: &'static str,
    key: &'static str,
    end: &'static str,
}

const SQLITE: Dialect = Dialect {
    numbers: |rows| format!("(WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < {rows}) SELECT i FROM s)"),
    instant: "strftime('%Y-%m-%d %H:%M:%f', '2026-10-23', (i * 2592000.0 / ROWS) || ' seconds')",
    key: "CAST(printf('%032d', i) AS BLOB)",
    end: "ANALYZE;",
};

const POSTGRES: Dialect = Dialect {
    numbers: |rows| format!("generate_series(1::bigint, {rows}) AS s(i)"),
    instant: "timestamp '2026-10-23' + i * interval '2592000 seconds' / ROWS",
    key: "decode(md5(i::text), 'hex')",
    end: "ANALYZE message_external_ids; ANALYZE webhook_requests; ANALYZE webhook_events; ANALYZE inbound_messages;",
};

/// Rows as they are found: most of one provider, account and status, some of another, few of a third.
fn statements(dialect: &Dialect, rows: usize) -> Vec<String> {
    let Dialect { numbers, key, .. } = dialect;
    let instant = dialect.instant.replace("ROWS", &rows.to_string());
    let service = "CASE WHEN (i * 7919) % 1000 < 550 THEN 'twilio' WHEN (i * 7919) % 1000 < 850 THEN 'resend' \
        WHEN (i * 7919) % 1000 < 950 THEN 'vonage' WHEN (i * 7919) % 1000 < 999 THEN 'signalwire' ELSE 'mifumo' END";
    let account = "CASE WHEN (i * 104729) % 1000 < 900 THEN 'default' WHEN (i * 104729) % 1000 < 999 THEN 'acme' ELSE 'rare' END";
    let status = "CASE WHEN (i * 1299709) % 10000 < 8500 THEN 'delivered' WHEN (i * 1299709) % 10000 < 9300 THEN 'sent' \
        WHEN (i * 1299709) % 10000 < 9600 THEN 'failed' WHEN (i * 1299709) % 10000 < 9999 THEN 'bounced' ELSE 'canceled' END";
    let state = "CASE WHEN i % 1000 = 0 THEN 'quarantined' WHEN i % 5000 = 1 THEN 'discarded' ELSE 'processed' END";
    let all = numbers(rows);
    vec![
        format!(
            "INSERT INTO communication_metrics (reference, recipient) SELECT 'order-' || i, '+1555' || (i % 200000) FROM {}",
            numbers(rows / 10)
        ),
        format!(
            "INSERT INTO message_external_ids (external_id, service_type, account, status, recipient, created_at, message_id, opened_at) \
             SELECT 'SM' || i, {service}, {account}, {status}, '+1555' || (i % 200000), {instant}, \
             CASE WHEN i % 10 = 0 THEN i / 10 END, CASE WHEN i % 3 = 0 THEN {instant} END FROM {all}"
        ),
        format!(
            "INSERT INTO webhook_requests (service_type, account, dedupe_key, state, answer, verified_by, method, url, headers, received_at) \
             SELECT {service}, {account}, {key}, {state}, 200, 'request/0', 'POST', '/webhooks/twilio', '{{}}', {instant} FROM {all}"
        ),
        format!(
            "INSERT INTO webhook_events (event_key, request_id, service_type, account, external_id, event_type, status, state_key, received_at) \
             SELECT {key}, i, {service}, {account}, 'SM' || i, 'message.sent', 'sent', {key}, {instant} FROM {all}"
        ),
        format!(
            "INSERT INTO inbound_messages (service_type, account, external_id, sender, recipient, text, received_at) \
             SELECT {service}, {account}, 'IN' || i, '+1555' || (i % 20000), '+1999' || (i % 5), 'hello', {instant} FROM {}",
            numbers(rows / 10)
        ),
        dialect.end.to_owned(),
    ]
}

fn fill(url: &DatabaseUrl, rows: usize) {
    let run =
        |connection: &mut dyn FnMut(&str), dialect: &Dialect| statements(dialect, rows).iter().for_each(|sql| connection(sql));
    match url {
        DatabaseUrl::Sqlite(path) => {
            let mut connection = SqliteConnection::establish(&path.to_string_lossy()).expect("the file");
            connection.batch_execute("PRAGMA synchronous = OFF; PRAGMA cache_size = -262144").expect("pragmas");
            run(&mut |sql| connection.batch_execute(sql).unwrap_or_else(|error| panic!("{error}: {sql}")), &SQLITE);
        }
        DatabaseUrl::Postgres(url) => {
            let mut connection = PgConnection::establish(url.text()).expect("the Postgres");
            run(&mut |sql| connection.batch_execute(sql).unwrap_or_else(|error| panic!("{error}: {sql}")), &POSTGRES);
        }
    }
}

/// Turns pages and tells how long each took.
fn turn<T>(name: &str, mut page: impl FnMut(Option<Cursor>) -> Result<Page<T>, StoreError>) {
    let (mut cursor, mut times, mut rows) = (None, Vec::new(), 0);
    for _ in 0..PAGES {
        let started = Instant::now();
        let found = page(cursor.take()).unwrap_or_else(|error| panic!("{name}: {error}"));
        times.push(started.elapsed());
        rows += found.items.len();
        cursor = found.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    report(name, times, rows);
}

fn report(name: &str, mut times: Vec<Duration>, rows: usize) {
    times.sort_unstable();
    let at = |share: usize| times.get((times.len() * share / 100).min(times.len() - 1)).map_or(0.0, Duration::as_secs_f64) * 1e3;
    println!(
        "{name:<58} {:>4} pages {rows:>6} rows   p50 {:>8.2} ms   p99 {:>8.2} ms   max {:>8.2} ms",
        times.len(),
        at(50),
        at(99),
        at(100)
    );
}

fn messages(store: &Store) {
    let since = Timestamp::parse("2026-11-01T00:00:00Z");
    let until = Timestamp::parse("2026-11-02T00:00:00Z");
    let account = |name: &str| Some(name.to_owned());
    let all = MessageFilter { limit: LIMIT, ..MessageFilter::default() };
    let filters = [
        ("all", all.clone()),
        ("one day", MessageFilter { since, until, ..all.clone() }),
        ("status=delivered", MessageFilter { status: Some(Status::Delivered), ..all.clone() }),
        ("status=bounced", MessageFilter { status: Some(Status::Bounced), ..all.clone() }),
        ("status=canceled (100 rows)", MessageFilter { status: Some(Status::Canceled), ..all.clone() }),
        ("status=bounced, one day", MessageFilter { status: Some(Status::Bounced), since, until, ..all.clone() }),
        ("service_type=twilio", MessageFilter { service_type: Some("twilio"), ..all.clone() }),
        ("service_type=mifumo (1000 rows)", MessageFilter { service_type: Some("mifumo"), ..all.clone() }),
        ("service_type=conversation (none)", MessageFilter { service_type: Some("conversation"), ..all.clone() }),
        (
            "service_type=mifumo, status=bounced",
            MessageFilter { service_type: Some("mifumo"), status: Some(Status::Bounced), ..all.clone() },
        ),
        (
            "service_type=mifumo, account=default",
            MessageFilter { service_type: Some("mifumo"), account: account("default"), ..all.clone() },
        ),
        ("account=default", MessageFilter { account: account("default"), ..all.clone() }),
        ("account=rare (1000 rows)", MessageFilter { account: account("rare"), ..all.clone() }),
        (
            "account=rare, service_type=twilio",
            MessageFilter { account: account("rare"), service_type: Some("twilio"), ..all.clone() },
        ),
        ("account=rare, status=failed", MessageFilter { account: account("rare"), status: Some(Status::Failed), ..all.clone() }),
        (
            "account=rare, status=delivered",
            MessageFilter { account: account("rare"), status: Some(Status::Delivered), ..all.clone() },
        ),
        (
            "service_type=mifumo, account=rare, status=canceled",
            MessageFilter {
                service_type: Some("mifumo"),
                account: account("rare"),
                status: Some(Status::Canceled),
                ..all.clone()
            },
        ),
        ("recipient", MessageFilter { recipient: Some("+15554711".to_owned()), ..all.clone() }),
        ("external_id", MessageFilter { external_id: Some("SM500000".to_owned()), ..all.clone() }),
        ("message_id", MessageFilter { message_id: Some(50_000), ..all.clone() }),
        ("reference", MessageFilter { reference: Some("order-50000".to_owned()), ..all.clone() }),
        ("reference (none)", MessageFilter { reference: Some("nothing".to_owned()), ..all }),
    ];
    for (name, filter) in filters {
        turn(&format!("messages {name}"), |cursor| store.messages(&MessageFilter { cursor, ..filter.clone() }));
    }
}

fn others(store: &Store) {
    let all = RequestFilter { limit: LIMIT, ..RequestFilter::default() };
    for (name, filter) in [
        ("all", all.clone()),
        ("state=processed", RequestFilter { state: Some(RequestState::Processed), ..all.clone() }),
        ("state=quarantined", RequestFilter { state: Some(RequestState::Quarantined), ..all.clone() }),
        (
            "state=quarantined, service_type=mifumo",
            RequestFilter { state: Some(RequestState::Quarantined), service_type: Some("mifumo"), ..all.clone() },
        ),
        ("service_type=mifumo", RequestFilter { service_type: Some("mifumo"), ..all.clone() }),
        ("account=rare", RequestFilter { account: Some("rare".to_owned()), ..all }),
    ] {
        turn(&format!("requests {name}"), |cursor| store.requests(&RequestFilter { cursor, ..filter.clone() }));
    }
    let all = InboundFilter { limit: LIMIT, ..InboundFilter::default() };
    for (name, filter) in [
        ("all", all.clone()),
        ("sender", InboundFilter { sender: Some("+15554711".to_owned()), ..all.clone() }),
        ("recipient", InboundFilter { recipient: Some("+19993".to_owned()), ..all }),
    ] {
        turn(&format!("inbound {name}"), |cursor| store.inbound(&InboundFilter { cursor, ..filter.clone() }));
    }
    let (mut after, mut times, mut rows) = (FeedCursor::default(), Vec::new(), 0);
    for _ in 0..PAGES {
        let started = Instant::now();
        let page = store.events_after(after, 500).expect("a page");
        times.push(started.elapsed());
        rows += page.events.len();
        after = page.next;
    }
    report("events after, 500 each", times, rows);
    let until = Timestamp::parse("2026-11-22T00:00:00Z").expect("an instant");
    for (name, since, bucket) in [
        ("stats a day by hour", "2026-11-21T00:00:00Z", Bucket::Hour),
        ("stats thirty days by day", "2026-10-23T00:00:00Z", Bucket::Day),
        ("stats thirty days by hour", "2026-10-23T00:00:00Z", Bucket::Hour),
    ] {
        let filter = StatsFilter { since: Timestamp::parse(since).expect("an instant"), until, bucket, service_type: None };
        let times = (0..5).map(|_| {
            let started = Instant::now();
            store.stats(&filter, filter.starts().expect("periods")).expect("figures");
            started.elapsed()
        });
        report(name, times.collect(), 0);
    }
}

fn main() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    #[expect(clippy::disallowed_methods, reason = "the benchmark's own switches")]
    let variable = |name: &str| std::env::var(name).ok();
    let url = variable("BENCH_DATABASE_URL").unwrap_or_else(|| format!("sqlite://{}", folder.path().join("bench.db").display()));
    let rows = variable("BENCH_ROWS").map_or(1_000_000, |rows| rows.parse().expect("a number"));
    let url: DatabaseUrl = url.parse().expect("a database URL");
    let store = Store::open(&url, Options::default()).expect("a store");
    let started = Instant::now();
    fill(&url, rows);
    println!("{rows} messages in {:.0} s", started.elapsed().as_secs_f64());
    messages(&store);
    others(&store);
    store.close();
}
