//! Measures pages of lists among a million messages, with every filter and many pages deep, and while the newest messages are not indexed.
//!
//! `cargo bench --bench lists` uses SQLite in a temporary folder; with `BENCH_DATABASE_URL=postgres://…` also an empty Postgres database,
//! which it fills. `BENCH_ROWS` sets the number of messages. The last lines are the table in docs/performance.md.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    unreachable_pub,
    dead_code,
    reason = "a benchmark fails by panicking and prints its result; it uses one function of another benchmark's module"
)]

mod fill;
#[path = "../throughput/machine.rs"]
mod machine;
mod report;

use std::time::Instant;

use waybill::{
    config::DatabaseUrl,
    status::Status,
    store::{
        Bucket, CallFilter, Cursor, FeedCursor, InboundFilter, MessageFilter, Options, Page, RequestFilter, RequestState,
        RoomFilter, StatsFilter, Store, StoreError,
    },
    time::Timestamp,
};

use self::report::Report;

/// Pages read of each list, and rows per page.
const PAGES: usize = 100;
const LIMIT: i64 = 100;

/// Messages that may be unindexed while callbacks are waiting.
const UNINDEXED: usize = 100_000;

/// Reads pages and reports the time of each.
fn read_pages<T>(report: &mut Report, name: &str, mut page: impl FnMut(Option<Cursor>) -> Result<Page<T>, StoreError>) {
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
    report.add(name, times, rows);
}

fn day() -> (Option<Timestamp>, Option<Timestamp>) {
    (Timestamp::parse("2026-11-01T00:00:00Z"), Timestamp::parse("2026-11-02T00:00:00Z"))
}

fn messages(store: &Store, report: &mut Report) {
    let (since, until) = day();
    let all = MessageFilter { limit: LIMIT, ..MessageFilter::default() };
    let filters = [
        ("all", all.clone()),
        ("one day", MessageFilter { since, until, ..all.clone() }),
        ("status=delivered", MessageFilter { status: Some(Status::Delivered), ..all.clone() }),
        ("status=bounced", MessageFilter { status: Some(Status::Bounced), ..all.clone() }),
        ("status=canceled (100 rows)", MessageFilter { status: Some(Status::Canceled), ..all.clone() }),
        ("status=canceled, one day", MessageFilter { status: Some(Status::Canceled), since, until, ..all.clone() }),
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
            MessageFilter { service_type: Some("mifumo"), account: Some("default".to_owned()), ..all.clone() },
        ),
        ("account=default", MessageFilter { account: Some("default".to_owned()), ..all.clone() }),
        ("account=rare (1000 rows)", MessageFilter { account: Some("rare".to_owned()), ..all.clone() }),
        (
            "account=rare, service_type=twilio",
            MessageFilter { account: Some("rare".to_owned()), service_type: Some("twilio"), ..all.clone() },
        ),
        (
            "account=rare, status=failed",
            MessageFilter { account: Some("rare".to_owned()), status: Some(Status::Failed), ..all.clone() },
        ),
        (
            "account=rare, status=delivered",
            MessageFilter { account: Some("rare".to_owned()), status: Some(Status::Delivered), ..all.clone() },
        ),
        (
            "service_type=mifumo, account=rare, status=canceled",
            MessageFilter {
                service_type: Some("mifumo"),
                account: Some("rare".to_owned()),
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
        read_pages(report, &format!("messages: {name}"), |cursor| store.messages(&MessageFilter { cursor, ..filter.clone() }));
    }
}

fn requests(store: &Store, report: &mut Report) {
    let (since, until) = day();
    let all = RequestFilter { limit: LIMIT, ..RequestFilter::default() };
    for (name, filter) in [
        ("all", all.clone()),
        ("one day", RequestFilter { since, until, ..all.clone() }),
        ("state=processed", RequestFilter { state: Some(RequestState::Processed), ..all.clone() }),
        ("state=quarantined", RequestFilter { state: Some(RequestState::Quarantined), ..all.clone() }),
        (
            "state=quarantined, service_type=mifumo",
            RequestFilter { state: Some(RequestState::Quarantined), service_type: Some("mifumo"), ..all.clone() },
        ),
        ("state=discarded (200 rows)", RequestFilter { state: Some(RequestState::Discarded), ..all.clone() }),
        ("service_type=mifumo", RequestFilter { service_type: Some("mifumo"), ..all.clone() }),
        ("account=rare", RequestFilter { account: Some("rare".to_owned()), ..all }),
    ] {
        read_pages(report, &format!("requests: {name}"), |cursor| store.requests(&RequestFilter { cursor, ..filter.clone() }));
    }
}

fn inbound_calls_rooms(store: &Store, report: &mut Report) {
    let (since, until) = day();
    let all = InboundFilter { limit: LIMIT, ..InboundFilter::default() };
    for (name, filter) in [
        ("all", all.clone()),
        ("one day", InboundFilter { since, until, ..all.clone() }),
        ("sender", InboundFilter { sender: Some("+15554711".to_owned()), ..all.clone() }),
        ("recipient", InboundFilter { recipient: Some("+19993".to_owned()), ..all.clone() }),
        ("service_type=mifumo (100 rows)", InboundFilter { service_type: Some("mifumo"), ..all.clone() }),
        ("account=rare (100 rows)", InboundFilter { account: Some("rare".to_owned()), ..all }),
    ] {
        read_pages(report, &format!("inbound: {name}"), |cursor| {
            store.inbound_messages(&InboundFilter { cursor, ..filter.clone() })
        });
    }
    let all = CallFilter { limit: LIMIT, ..CallFilter::default() };
    for (name, filter) in [
        ("all", all.clone()),
        ("one day", CallFilter { since, until, ..all.clone() }),
        ("status=busy (100 rows)", CallFilter { status: Some("busy".to_owned()), ..all.clone() }),
        ("service_type=mifumo", CallFilter { service_type: Some("mifumo"), ..all.clone() }),
        ("account=rare", CallFilter { account: Some("rare".to_owned()), ..all }),
    ] {
        read_pages(report, &format!("calls: {name}"), |cursor| store.calls(&CallFilter { cursor, ..filter.clone() }));
    }
    let all = RoomFilter { limit: LIMIT, ..RoomFilter::default() };
    for (name, filter) in
        [("all", all.clone()), ("status=busy (100 rows)", RoomFilter { status: Some("busy".to_owned()), ..all })]
    {
        read_pages(report, &format!("rooms: {name}"), |cursor| store.rooms(&RoomFilter { cursor, ..filter.clone() }));
    }
}

fn feed(store: &Store, report: &mut Report) {
    let (mut after, mut times, mut rows) = (FeedCursor::default(), Vec::new(), 0);
    for _ in 0..PAGES {
        let started = Instant::now();
        let page = store.events_after(after, 500).expect("a page");
        times.push(started.elapsed());
        rows += page.events.len();
        after = page.next;
    }
    report.add("events: after, 500 each", times, rows);
}

fn stats(store: &Store, report: &mut Report) {
    let until = Timestamp::parse("2026-11-22T00:00:00Z").expect("an instant");
    for (name, since, bucket) in [
        ("stats: a day by hour", "2026-11-21T00:00:00Z", Bucket::Hour),
        ("stats: thirty days by day", "2026-10-23T00:00:00Z", Bucket::Day),
        ("stats: thirty days by hour", "2026-10-23T00:00:00Z", Bucket::Hour),
    ] {
        let filter = StatsFilter { since: Timestamp::parse(since).expect("an instant"), until, bucket, service_type: None };
        let times = (0..5).map(|_| {
            let started = Instant::now();
            store.stats(&filter, filter.starts().expect("periods")).expect("figures");
            started.elapsed()
        });
        report.add(name, times.collect(), 0);
    }
}

/// Updates the derived tables.
fn derive(store: &Store) {
    let started = Instant::now();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    while runtime.block_on(store.derive()).expect("derived tables") > 0 {}
    eprintln!("derived tables updated in {:.1} s", started.elapsed().as_secs_f64());
}

/// Fills a database and measures its lists, first those that scan the newest messages because these are not indexed.
fn measure(url: &DatabaseUrl, rows: usize, report: &mut Report) {
    let store = Store::open(url, Options::default()).expect("a store");
    let settled = rows.saturating_sub(UNINDEXED).max(1);
    fill::fill(url, 1..settled, rows);
    derive(&store);
    fill::fill(url, settled..rows + 1, rows);
    let newest = MessageFilter { recipient: Some("+1555199999".to_owned()), limit: LIMIT, ..MessageFilter::default() };
    read_pages(report, &format!("messages: recipient, while {UNINDEXED} are not indexed"), |cursor| {
        store.messages(&MessageFilter { cursor, ..newest.clone() })
    });
    let times = (0..PAGES).map(|_| {
        let started = Instant::now();
        let _activity = store.activities().expect("the activity").of("twilio", "default");
        started.elapsed()
    });
    report.add(&format!("endpoints: last request, while {UNINDEXED} are not counted"), times.collect(), 0);
    derive(&store);
    messages(&store, report);
    requests(&store, report);
    inbound_calls_rooms(&store, report);
    feed(&store, report);
    stats(&store, report);
    store.close();
}

fn main() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    #[expect(clippy::disallowed_methods, reason = "the benchmark's own switches")]
    let variable = |name: &str| std::env::var(name).ok();
    let rows = variable("BENCH_ROWS").map_or(1_000_000, |rows| rows.parse().expect("a number"));
    let mut report = Report::default();
    report.add_database("SQLite");
    measure(&format!("sqlite://{}", folder.path().join("bench.db").display()).parse().expect("a URL"), rows, &mut report);
    if let Some(url) = variable("BENCH_DATABASE_URL") {
        report.add_database("Postgres");
        measure(&url.parse().expect("a database URL"), rows, &mut report);
    }
    report.print(rows);
}
