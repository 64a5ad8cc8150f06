//! A SQLite database that another process locks while the gateway starts.

use std::{
    fs::File,
    process::Stdio,
    time::{Duration, Instant},
};

use waybill::store::{Options, Store, StoreError};

use crate::support::{
    database::{Backend, Database},
    poll::wait_until,
    process, twilio,
};

const NOW: i64 = 1_773_500_000;

fn start_while_locked(mode: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let spool = folder.path().display().to_string();
    let database = Database::ready(Backend::Sqlite);
    let lock = database.lock();
    let gateway = twilio::gateway(database, NOW, &[("SPOOL_PATH", &spool), ("SPOOL_MODE", mode)]);
    for message in ["SM1", "SM2"] {
        let response = twilio::form(&gateway, &format!("MessageSid={message}&MessageStatus=sent"));
        assert_eq!(response.status, 200, "{mode}: {response:?}");
    }
    let queue = gateway.running().gateway.queue().expect("a spool");
    assert_eq!((queue.pending, queue.is_database_away), (2, true), "{mode}");
    lock.release();
    wait_until("the spool to be drained", || gateway.row_counts().starts_with("2 "));
}

#[test]
fn gateway_with_a_spool_starts_and_drains_once_the_lock_is_released() {
    start_while_locked("always");
    start_while_locked("outage");
}

#[test]
fn gateway_without_a_spool_exits_as_for_an_unavailable_database() {
    let database = Database::ready(Backend::Sqlite);
    let lock = database.lock();
    let mut serve = process::command();
    serve.arg("serve").env("DATABASE_URL", database.url()).env("TWILIO_AUTH_TOKEN", twilio::TOKEN);
    serve.env("LISTEN", "127.0.0.1:0").env("OPS_LISTEN", "127.0.0.1:0");
    let status = serve.stdout(Stdio::null()).stderr(Stdio::null()).status().expect("the binary");
    assert_eq!(status.code(), Some(75));
    lock.release();
}

#[test]
fn folder_that_another_process_locks_delays_the_start_briefly() {
    let database = Database::new(Backend::Sqlite);
    let Database::Sqlite { folder, .. } = &database else { panic!("SQLite") };
    let lock = File::open(folder.path()).expect("a folder");
    lock.lock().expect("locked");
    let started = Instant::now();
    let opened = Store::open(&database.url().parse().expect("a URL"), Options::default());
    assert!(matches!(opened, Err(StoreError::Locked)));
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}
