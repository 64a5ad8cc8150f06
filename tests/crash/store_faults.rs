//! Syncs of the SQLite store that fail: of its log, and of the file into which the log is copied.

use std::{fs, sync::Mutex, time::Duration};

use crate::{
    checker, faults, image,
    ledger::Ledger,
    load, power_loss,
    process::{self, Process},
    random::Random,
    support::{
        database::{Backend, Database},
        poll::wait_until,
    },
};

/// A migrated file; its path, and that of its log.
fn migrated() -> (Database, String, String) {
    let database = Database::new(Backend::Sqlite);
    assert!(process::command("migrate", &database.url()).status().expect("the binary").success());
    let file = database.url().trim_start_matches("sqlite://").to_owned();
    let log = format!("{file}-wal");
    (database, file, log)
}

/// Starts a gateway for which the syncs of that file fail.
fn gateway(database: &Database, file: &str, error: &str, when: &str) -> Process {
    let fault = format!("inject=fdatasync,fsync:error={error}:when={when}");
    Process::gateway_with_faults(&database.url(), &["-P", file, "-e", "trace=fdatasync,fsync", "-e", &fault])
}

/// The number of acknowledged callbacks, and of responses with 503.
fn counts(ledger: &Mutex<Ledger>) -> (usize, usize) {
    let ledger = ledger.lock().expect("not poisoned");
    (ledger.acknowledged.len(), ledger.unavailable)
}

fn assert_sound(what: &str, database: &Database, ledger: Mutex<Ledger>) {
    let ledger = ledger.into_inner().expect("not poisoned");
    checker::store_acknowledged(database, &ledger.acknowledged);
    let findings = checker::check(database);
    println!("store: failed syncs of the {what}: {findings}, {} responses with 503", ledger.unavailable);
    findings.assert_sound();
    assert!(findings.present() > 0, "nothing was acknowledged, so nothing was tested");
}

/// A commit whose sync fails is answered with 503, the next one whose sync succeeds is acknowledged, and none is while all fail.
pub fn failed_syncs_of_the_log_lose_nothing() {
    if !faults::are_available() {
        return;
    }
    let (mut random, seed) = Random::seeded();
    println!("CRASH_SEED={seed}");
    let (database, _, log) = migrated();
    let ledger = Mutex::new(Ledger::new(random.fork()));
    for error in ["EIO", "ENOSPC", "EIO"] {
        let (_, unavailable) = counts(&ledger);
        // A transaction that failed once is tried again, so several in succession fail.
        let first = 40 + random.below(40);
        let when = format!("{first}..{}", first + 20 + random.below(20));
        let recover = |_: &load::Clients| {
            wait_until("a response with 503", || counts(&ledger).1 > unavailable);
            let (acknowledged, _) = counts(&ledger);
            wait_until("acknowledgments after it", || counts(&ledger).0 > acknowledged + 100);
        };
        load::beside(gateway(&database, &log, error, &when), &ledger, recover, Process::kill);
    }
    let (_, unavailable) = counts(&ledger);
    let acknowledge_nothing = |clients: &load::Clients| {
        wait_until("every sync to fail", || counts(&ledger).1 > unavailable + 50);
        let (acknowledged, _) = counts(&ledger);
        clients.go_on_for(Duration::from_secs(1));
        assert_eq!(counts(&ledger).0, acknowledged, "acknowledged without a sync");
    };
    load::beside(gateway(&database, &log, "EIO", "60+"), &ledger, acknowledge_nothing, Process::kill);
    // Another process finds the log as the failed syncs have left it.
    load::cycle(Process::gateway(&database.url()), &ledger, Duration::from_millis(500), Process::kill);
    assert_sound("log", &database, ledger);
}

/// The log is not restarted while it cannot be copied, also not by the end of the process.
pub fn failed_syncs_of_the_file_lose_nothing() {
    if !faults::are_available() {
        return;
    }
    let (mut random, seed) = Random::seeded();
    println!("CRASH_SEED={seed}");
    let (database, file, log) = migrated();
    let ledger = Mutex::new(Ledger::new(random.fork()));
    for end in [Process::terminate, Process::kill] {
        load::cycle(gateway(&database, &file, "EIO", "1+"), &ledger, Duration::from_secs(8), end);
        // A process that ends by itself copies the log and removes it.
        assert!(fs::metadata(&log).is_ok_and(|log| log.len() > 0), "the log was copied, so no sync has failed");
    }
    load::cycle(Process::gateway(&database.url()), &ledger, Duration::from_millis(500), Process::kill);
    assert_sound("file", &database, ledger);
}

/// Control of the method: after a power cut, callbacks are missing that a gateway acknowledged without a sync.
pub fn missing_sync_is_detected() {
    if !(faults::are_available() && image::is_available()) {
        return;
    }
    let start = |image: &image::Image, faults: &[&str]| Process::gateway_with_faults(&image.database_url(), faults);
    power_loss::detect_missing_sync("store", Ledger::new, start, |_| ());
}
