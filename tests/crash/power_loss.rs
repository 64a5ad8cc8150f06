//! Power cuts at random moments: the disk must hold every callback acknowledged before.

use std::{sync::Mutex, time::Duration};

use crate::{
    callback, checker, committer,
    image::{self, Image},
    ledger::Ledger,
    load,
    process::{self, Process},
    random::{self, Random},
};

pub fn acknowledged_callbacks_survive_power_loss() {
    survive("power loss", Ledger::new, |image| Process::gateway(&image.database_url()), |_| ());
}

/// Cuts the power of a gateway's disk again and again. `recover` makes the database hold what the disk does.
pub fn survive(name: &str, ledger: fn(Random) -> Ledger, start: impl Fn(&Image) -> Process, recover: impl Fn(&Image)) {
    if !image::is_available() {
        return;
    }
    let (cycles, latest) = random::cycles("POWERLOSS_CYCLES", 2);
    let (mut random, seed) = Random::seeded();
    println!("CRASH_SEED={seed}");
    let ledger = Mutex::new(ledger(random.fork()));
    let mut image = Image::make().expect("an image");
    for cycle in 1..=cycles {
        let mut after = None;
        load::cycle(start(&image), &ledger, random.moment(latest), |gateway| {
            gateway.freeze();
            // The frozen gateway has sent only responses to durable callbacks. The clients read them until it is killed, so all of
            // them count.
            after = Some(image.after_power_cut());
            gateway.kill();
        });
        // The next cycle continues on the copied disk, so that its log grows until it is written back.
        image = after.expect("a disk");
        recover(&image);
        let database = image.database();
        checker::store_acknowledged(&database, &ledger.lock().expect("not poisoned").acknowledged);
        let findings = checker::check(&database);
        let unseen = findings.stored - findings.present();
        println!("{name}: cycle {cycle} of {cycles}, {findings}, {unseen} stored but unacknowledged");
        findings.assert_sound();
    }
    assert!(!ledger.lock().expect("not poisoned").acknowledged.is_empty(), "nothing was acknowledged, so nothing was tested");
}

/// The kernel may write everything back before the copy, and then no row is missing.
const ATTEMPTS: usize = 5;

/// Control of the method: it must detect a writer that does not sync.
pub fn missing_sync_is_detected() {
    if !image::is_available() {
        return;
    }
    let (mut random, _) = Random::seeded();
    let (lost, acknowledged) = rows_lost_by_committer("FULL", &mut random);
    println!("power loss: synchronous=FULL lost {lost} of {acknowledged}");
    assert_eq!(lost, 0);
    let found = (0..ATTEMPTS).any(|_| {
        let (lost, acknowledged) = rows_lost_by_committer("NORMAL", &mut random);
        println!("power loss: synchronous=NORMAL lost {lost} of {acknowledged}");
        lost > 0
    });
    assert!(found, "a writer that does not sync was not detected");
}

/// Number of rows that are missing after a power cut, and of rows that were reported as committed.
fn rows_lost_by_committer(synchronous: &str, random: &mut Random) -> (usize, usize) {
    let image = Image::make().expect("an image");
    let migrated = process::command("migrate", &image.database_url()).status().expect("the binary");
    assert!(migrated.success());
    let mut committer = committer::start(&image.file(), synchronous);
    let rows = committer::COMMITS * committer::ROWS_PER_COMMIT;
    let some = usize::try_from(1 + random.below(rows / 2)).expect("few");
    let mut lines: Vec<String> = committer.lines.iter().take(some).collect();
    committer.freeze();
    let database = image.after_power_cut().database();
    committer.kill();
    lines.extend(&committer.lines);
    let present = database.query("SELECT external_id AS row FROM message_external_ids");
    let is_lost = |number: &&String| !present.contains(&callback::external_id(number.parse().expect("a number")));
    (lines.iter().filter(is_lost).count(), lines.len())
}

/// Cuts the power of a gateway whose syncs strace skips, until acknowledged callbacks are missing. Fails if they never are.
pub fn detect_missing_sync(
    name: &str,
    ledger: fn(Random) -> Ledger,
    start: impl Fn(&Image, &[&str]) -> Process,
    recover: impl Fn(&Image),
) {
    let faults = ["-e", "trace=fdatasync,fsync", "-e", "inject=fdatasync,fsync:retval=0:when=60+"];
    let found = (0..ATTEMPTS).any(|_| {
        let image = Image::make().expect("an image");
        let ledger = Mutex::new(ledger(Random::seeded().0));
        let mut after = None;
        load::cycle(start(&image, &faults), &ledger, Duration::from_secs(2), |gateway| {
            gateway.freeze();
            after = Some(image.after_power_cut());
            gateway.kill();
        });
        let image = after.expect("a disk");
        recover(&image);
        let database = image.database();
        checker::store_acknowledged(&database, &ledger.into_inner().expect("not poisoned").acknowledged);
        let findings = checker::check(&database);
        println!("{name}: power loss without syncs: {findings}");
        findings.broken(checker::LOST) > 0
    });
    assert!(found, "a gateway that does not sync was not detected");
}
