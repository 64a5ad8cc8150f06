//! Measures the steps of processing a callback in isolation: verification, parsing, building rows, folding a later status, and
//! transactions of several sizes on both databases.
//!
//! `cargo bench --bench pieces` commits to SQLite in a temporary folder; with `BENCH_DATABASE_URL=postgres://…` also to that Postgres.
//! `cargo bench --bench pieces -- commit` runs the benchmarks whose names contain `commit`.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    unreachable_pub,
    dead_code,
    reason = "a benchmark fails by panicking and prints its result; it uses only some functions of the tests' module"
)]

#[path = "../tests/support/callback.rs"]
mod callback;

use std::sync::atomic::{AtomicU64, Ordering};

use divan::{Bencher, counter::ItemsCount};
use tokio::runtime::Runtime;
use waybill::{
    callback::Callback,
    config::{Config, Env},
    endpoint::Endpoint,
    fixture::Fixture,
    store::{Options, Record, Store},
    time::{Clock, Timestamp},
};

/// The gateway's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SECRETS: [(&str, &str); 4] = [
    ("TWILIO_AUTH_TOKEN", "3f1c9a0e5b7d42688c14d2a96f0b7e35"),
    ("RESEND_WEBHOOK_SECRET", "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA="),
    ("VONAGE_SIGNATURE_SECRET", "Zx81-signature-secret-q7"),
    ("WEBHOOK_BASE_URL", "https://hooks.example.com"),
];

/// A form signed over URL and parameters, a JSON body signed by Svix, and a JSON body signed over its parameters.
const CALLBACKS: [&str; 3] = ["twilio/status-delivered", "resend/email-delivered", "vonage/receipt-delivered-json"];

/// Records per transaction.
const SIZES: [usize; 3] = [1, 16, 128];

fn main() {
    divan::main();
}

fn endpoint(provider: &str) -> Endpoint {
    let env: Env = SECRETS.into_iter().collect();
    let endpoints = Config::load(&env).expect("a configuration").config.endpoints;
    endpoints.into_iter().find(|endpoint| endpoint.spec.name == provider).expect("an enabled endpoint").build()
}

/// A callback from a fixture, signed for its endpoint.
fn fixture_callback(name: &str) -> (Endpoint, Callback) {
    let (provider, case) = name.split_once('/').expect("a provider and a case");
    let (endpoint, fixture) = (endpoint(provider), Fixture::find(provider, case).expect("a case"));
    let now = Timestamp::parse(&fixture.request.now).expect("an instant");
    let outgoing = fixture.outgoing(&endpoint, now);
    let callback = callback::received(&endpoint, outgoing, now);
    (endpoint, callback)
}

#[divan::bench(args = CALLBACKS)]
fn verify(bencher: Bencher<'_, '_>, name: &str) {
    let (endpoint, callback) = fixture_callback(name);
    bencher.bench(|| endpoint.verify(&callback).expect("a valid signature"));
}

#[divan::bench(args = CALLBACKS)]
fn parse(bencher: Bencher<'_, '_>, name: &str) {
    let (endpoint, callback) = fixture_callback(name);
    // Verified for each sample, because the proof caches the decoded payload.
    let verified = || endpoint.verify(&callback).expect("a valid signature");
    bencher.with_inputs(verified).bench_local_refs(|verified| endpoint.parse(verified));
}

/// Builds the rows that the writer inserts.
#[divan::bench(args = CALLBACKS)]
fn rows(bencher: Bencher<'_, '_>, name: &str) {
    let (endpoint, callback) = fixture_callback(name);
    let verified = endpoint.verify(&callback).expect("a valid signature");
    let events = || endpoint.parse(&verified).events;
    bencher.with_inputs(events).bench_local_values(|events| Record::new(&endpoint, &verified, events));
}

/// Folds a later status into a known message.
#[divan::bench]
fn fold(bencher: Bencher<'_, '_>) {
    let endpoint = endpoint("twilio");
    let [sent, delivered] = ["sent", "delivered"].map(|status| record(&endpoint, 0, status));
    bencher.with_inputs(|| (sent.clone(), delivered.clone())).bench_values(|(mut row, later)| {
        row.absorb(later);
        row
    });
}

#[divan::bench(args = SIZES)]
fn commit_sqlite_new(bencher: Bencher<'_, '_>, size: usize) {
    commit_sqlite(bencher, size, false);
}

#[divan::bench(args = SIZES)]
fn commit_sqlite_known(bencher: Bencher<'_, '_>, size: usize) {
    commit_sqlite(bencher, size, true);
}

#[divan::bench(args = SIZES)]
fn commit_postgres_new(bencher: Bencher<'_, '_>, size: usize) {
    commit_postgres(bencher, size, false);
}

#[divan::bench(args = SIZES)]
fn commit_postgres_known(bencher: Bencher<'_, '_>, size: usize) {
    commit_postgres(bencher, size, true);
}

fn commit_sqlite(bencher: Bencher<'_, '_>, size: usize, are_known: bool) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    commit(bencher, &format!("sqlite://{}", folder.path().join("bench.db").display()), size, are_known);
}

fn commit_postgres(bencher: Bencher<'_, '_>, size: usize, are_known: bool) {
    #[expect(clippy::disallowed_methods, reason = "the benchmark's own switch")]
    match std::env::var("BENCH_DATABASE_URL") {
        Ok(url) => commit(bencher, &url, size, are_known),
        Err(_) => println!("BENCH_DATABASE_URL is not set: skipping Postgres"),
    }
}

/// Measures commits of the first status of new messages, or of a later status of messages whose first one is committed beforehand.
fn commit(bencher: Bencher<'_, '_>, url: &str, size: usize, are_known: bool) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let store = Store::open(&url.parse().expect("a URL"), Options::default()).expect("a store");
    let endpoint = endpoint("twilio");
    // Unique to this run.
    let start = u64::try_from(Clock::System.now().seconds()).expect("after 1970") << 32;
    let next = AtomicU64::new(start);
    let inputs = || {
        let first = next.fetch_add(1 << 8, Ordering::Relaxed);
        let batch = |status: &str| (first..).take(size).map(|number| record(&endpoint, number, status)).collect();
        if are_known {
            append(&runtime, &store, batch("sent"));
            batch("delivered")
        } else {
            batch("sent")
        }
    };
    let bencher = bencher.counter(ItemsCount::new(size)).with_inputs(inputs);
    bencher.bench_local_values(|records| append(&runtime, &store, records));
    store.close();
}

fn append(runtime: &Runtime, store: &Store, records: Vec<Record>) {
    let outcomes = runtime.block_on(store.append_all(records));
    assert!(outcomes.iter().all(Result::is_ok), "a commit");
}

/// A verified and parsed status of a numbered message.
fn record(endpoint: &Endpoint, number: u64, status: &str) -> Record {
    let body = callback::status_form(number, status);
    let callback = callback::signed(endpoint, endpoint.path(), body, "", Clock::System.now());
    let verified = endpoint.verify(&callback).expect("a valid signature");
    Record::new(endpoint, &verified, endpoint.parse(&verified).events)
}
