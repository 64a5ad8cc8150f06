//! Acknowledged callbacks survive in the spool: after SIGKILL at random moments, and after a power cut.

use std::{
    fs,
    path::Path,
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use libtest_mimic::Trial;
use waybill::queue::spool::{FileOwner, inspect};

use crate::{
    checker, faults,
    image::{self, Image},
    ledger::Ledger,
    load, power_loss,
    process::Process,
    random::{self, Random},
    support::{
        database::{Backend, Database},
        timing,
    },
};

/// Further cycles until one has left something to the next process.
const MORE_CYCLES: usize = 20;

const DRAIN_TIMEOUT: Duration = Duration::from_mins(1);

pub fn trial(backend: Backend) -> Trial {
    timing::trial(format!("spool: sigkill {}", backend.name()), move || acknowledged_callbacks_survive_sigkill(backend))
}

fn acknowledged_callbacks_survive_sigkill(backend: Backend) {
    let (cycles, latest) = random::cycles("CRASH_CYCLES", 2);
    let (mut random, seed) = Random::seeded();
    let (database, folder) = (Database::new(backend), tempfile::tempdir().expect("a folder"));
    let ledger = Mutex::new(Ledger::of_queue(random.fork()));
    println!("CRASH_SEED={seed}");
    let mut left = 0;
    // On a busy machine a process may have drained everything when it is killed.
    for cycle in 0..cycles + MORE_CYCLES {
        if cycle >= cycles && left > 0 {
            break;
        }
        let gateway = Process::spooling_gateway(&database.url(), folder.path());
        load::cycle(gateway, &ledger, random.moment(latest), Process::kill);
        left += pending(folder.path());
    }
    drain(&database.url(), folder.path());
    let ledger = ledger.into_inner().expect("not poisoned");
    checker::store_acknowledged(&database, &ledger.acknowledged);
    let findings = checker::check(&database);
    println!(
        "spool: sigkill {}: {cycles} cycles, {findings}, {left} left to the next process, {} responses with 503",
        backend.name(),
        ledger.unavailable
    );
    findings.assert_sound();
    assert!(findings.present() > 0 && left > 0, "nothing was acknowledged or left, so nothing was tested");
}

/// Requests that no process has drained.
fn pending(folder: &Path) -> u64 {
    let files = inspect(folder).expect("a folder");
    assert!(files.iter().all(|file| [FileOwner::Process, FileOwner::None].contains(&file.owner)), "{files:?}");
    files.iter().map(|file| file.pending).sum()
}

/// Runs a gateway until it has drained all files.
fn drain(database_url: &str, folder: &Path) {
    let mut gateway = Process::spooling_gateway(database_url, folder);
    gateway.address();
    let started = Instant::now();
    while pending(folder) > 0 {
        assert!(started.elapsed() < DRAIN_TIMEOUT, "{} requests are not drained", pending(folder));
        thread::yield_now();
    }
    gateway.kill();
}

/// Control of the method: it must detect that a segment is missing.
pub fn lost_segment_is_detected() {
    let (database, folder) = (Database::new(Backend::Sqlite), tempfile::tempdir().expect("a folder"));
    let ledger = Mutex::new(Ledger::of_queue(Random::seeded().0));
    let found = (0..5).any(|_| {
        let gateway = Process::spooling_gateway(&database.url(), folder.path());
        load::cycle(gateway, &ledger, Duration::from_millis(300), Process::kill);
        let is_left = pending(folder.path()) > 0;
        for entry in fs::read_dir(folder.path()).expect("a folder").map(|entry| entry.expect("an entry")) {
            fs::remove_file(entry.path()).expect("a file");
        }
        is_left
    });
    assert!(found, "each process had drained everything when it was killed");
    drain(&database.url(), folder.path());
    checker::store_acknowledged(&database, &ledger.into_inner().expect("not poisoned").acknowledged);
    let findings = checker::check(&database);
    assert!(findings.broken(checker::LOST) > 0, "{findings}");
}

pub fn acknowledged_callbacks_survive_power_loss() {
    let start = |image: &Image| Process::spooling_gateway(&image.database_url(), &image.spool());
    let recover = |image: &Image| {
        println!("spool: {} left to the next process", pending(&image.spool()));
        drain(&image.database_url(), &image.spool());
    };
    power_loss::survive("spool: power loss", Ledger::of_queue, start, recover);
}

/// After a sync has failed, what was acknowledged before is still drained, and nothing that was not synced is acknowledged.
pub fn failed_syncs_lose_nothing() {
    if !faults::are_available() {
        return;
    }
    let (mut random, seed) = Random::seeded();
    println!("CRASH_SEED={seed}");
    let (database, folder) = (Database::new(Backend::Sqlite), tempfile::tempdir().expect("a folder"));
    let ledger = Mutex::new(Ledger::of_queue(random.fork()));
    for error in ["EIO", "ENOSPC", "EIO"] {
        let every = format!("inject=fdatasync:error={error}:when={}+{}", 40 + random.below(40), 5 + random.below(20));
        let faults = ["-e", "trace=fdatasync", "-e", &every];
        let gateway = Process::spooling_gateway_with_faults(&database.url(), folder.path(), &faults);
        load::cycle(gateway, &ledger, Duration::from_secs(3), Process::kill);
    }
    drain(&database.url(), folder.path());
    let ledger = ledger.into_inner().expect("not poisoned");
    checker::store_acknowledged(&database, &ledger.acknowledged);
    let findings = checker::check(&database);
    println!("spool: failed syncs: {findings}, {} responses with 503", ledger.unavailable);
    findings.assert_sound();
    assert!(findings.present() > 0, "nothing was acknowledged, so nothing was tested");
}

/// Control of the method: after a power cut, callbacks are missing that a gateway acknowledged without a sync.
pub fn missing_sync_is_detected() {
    if !(faults::are_available() && image::is_available()) {
        return;
    }
    let start =
        |image: &Image, faults: &[&str]| Process::spooling_gateway_with_faults(&image.database_url(), &image.spool(), faults);
    power_loss::detect_missing_sync("spool", Ledger::of_queue, start, |image| drain(&image.database_url(), &image.spool()));
}
