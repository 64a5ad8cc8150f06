//! The power goes at random moments: what was acknowledged by then must be on the disk.

use std::sync::Mutex;

use crate::{
    callback, checker, committer,
    image::{self, Image},
    ledger::Ledger,
    load,
    process::{self, Process},
    random::{self, Random},
};

pub fn keeps_what_was_acknowledged() {
    if !image::is_available() {
        return;
    }
    let (cycles, latest) = random::cycles("POWERLOSS_CYCLES", 2);
    let (mut random, seed) = Random::seeded();
    println!("CRASH_SEED={seed}");
    let ledger = Mutex::new(Ledger::new(random.fork()));
    let mut image = Image::make().expect("an image, as before");
    for cycle in 1..=cycles {
        let mut after = None;
        load::cycle(Process::gateway(&image.database_url()), &ledger, random.moment(latest), |gateway| {
            gateway.freeze();
            // What the gateway had sent by now was committed before, so all that the clients will read counts, and they
            // read until the process is gone.
            after = Some(image.after_a_power_cut());
            gateway.kill();
        });
        // The next cycle goes on with the disk that was found, so that its log grows until it is written back.
        image = after.expect("a disk");
        let database = image.database();
        checker::record(&database, &ledger.lock().expect("not poisoned").acknowledged);
        let figures = checker::look(&database);
        let unseen = figures.stored - figures.present();
        println!("power loss: cycle {cycle} of {cycles}, {figures}, {unseen} stored but unacknowledged");
        figures.assert_sound();
    }
    assert!(!ledger.lock().expect("not poisoned").acknowledged.is_empty(), "nothing was acknowledged, so nothing was tested");
}

/// The kernel may write back by itself at any moment, and then nothing is missing.
const ATTEMPTS: usize = 5;

/// The teeth of the method: it must find a writer that does not sync.
pub fn finds_synchronous_normal() {
    if !image::is_available() {
        return;
    }
    let (mut random, _) = Random::seeded();
    let (lost, acknowledged) = lost_by_a_committer("FULL", &mut random);
    println!("power loss: synchronous=FULL lost {lost} of {acknowledged}");
    assert_eq!(lost, 0);
    let found = (0..ATTEMPTS).any(|_| {
        let (lost, acknowledged) = lost_by_a_committer("NORMAL", &mut random);
        println!("power loss: synchronous=NORMAL lost {lost} of {acknowledged}");
        lost > 0
    });
    assert!(found, "a writer that does not sync was not found");
}

/// How many of the rows that it said were committed are not there after a power cut.
fn lost_by_a_committer(synchronous: &str, random: &mut Random) -> (usize, usize) {
    let image = Image::make().expect("an image, as before");
    let migrated = process::command("migrate", &image.database_url()).status().expect("the binary");
    assert!(migrated.success());
    let mut committer = committer::start(&image.file(), synchronous);
    let rows = committer::COMMITS * committer::ROWS_PER_COMMIT;
    let some = usize::try_from(1 + random.below(rows / 2)).expect("few");
    let mut said: Vec<String> = committer.lines.iter().take(some).collect();
    committer.freeze();
    let database = image.after_a_power_cut().database();
    committer.kill();
    said.extend(&committer.lines);
    let present = database.query("SELECT external_id AS row FROM message_external_ids");
    let is_lost = |number: &&String| !present.contains(&callback::external_id(number.parse().expect("a number")));
    (said.iter().filter(is_lost).count(), said.len())
}
