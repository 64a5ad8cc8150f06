//! The gateway is killed at random moments and started again on the same database.

use std::{
    sync::{Mutex, mpsc::RecvTimeoutError},
    time::Duration,
};

use libtest_mimic::Trial;

use crate::{
    checker::{self, Figures},
    ledger::Ledger,
    load,
    process::Process,
    random::{self, Random},
    support::database::{BACKENDS, Backend, Database},
};

pub fn trial(backend: Backend) -> Trial {
    crate::passing(format!("sigkill {}", backend.name()), move || acknowledged_is_there(backend))
}

/// One start in so many is killed before it serves: while it migrates or recovers.
const EARLY_ONE_IN: usize = 4;

fn acknowledged_is_there(backend: Backend) {
    let (cycles, latest) = random::cycles("CRASH_CYCLES", 6);
    let (mut random, seed) = Random::seeded();
    let database = Database::new(backend);
    let ledger = Mutex::new(Ledger::new(random.fork()));
    println!("CRASH_SEED={seed}");
    for cycle in 0..cycles {
        if cycle % EARLY_ONE_IN == 0 {
            kill_while_it_starts(&database, Duration::from_millis(random.below(100)));
        }
        load::cycle(Process::gateway(&database.url()), &ledger, random.moment(latest), Process::kill);
    }
    let ledger = ledger.into_inner().expect("not poisoned");
    checker::record(&database, &ledger.acknowledged);
    let figures = checker::look(&database);
    // Those of the last cycle are only there; those before were told by the next process.
    let unseen = figures.stored - figures.present() + i64::try_from(ledger.stored_unseen).expect("a number");
    println!(
        "sigkill {}: {cycles} cycles, {figures}, {unseen} stored but unacknowledged at a kill, {} refused with 503",
        backend.name(),
        ledger.refused
    );
    figures.assert_sound();
    assert!(figures.present() > 0, "nothing was acknowledged, so nothing was tested");
}

fn kill_while_it_starts(database: &Database, after: Duration) {
    let mut process = Process::gateway(&database.url());
    // Its log may speak at any time; that it goes on is all that matters here.
    let ended = process.lines.recv_timeout(after);
    assert_ne!(ended, Err(RecvTimeoutError::Disconnected), "it ended by itself");
    process.kill();
}

/// Ways to damage what was stored, each with the rules that must be found broken. `{n}` stands for the acknowledged id of
/// that place, another one each time: the tables number their rows in different orders.
const DAMAGES: [(&str, &[&str]); 9] = [
    ("DELETE FROM message_external_ids WHERE external_id = {0}", &[checker::LOST, checker::WITHOUT_MESSAGE]),
    ("DELETE FROM webhook_events WHERE external_id = {1}", &[checker::LOST, checker::WITHOUT_EVENT]),
    (
        "DELETE FROM webhook_bodies WHERE request_id = (SELECT request_id FROM webhook_events WHERE external_id = {2})",
        &[checker::LOST, checker::WITHOUT_BODY],
    ),
    (
        "DELETE FROM webhook_requests WHERE id = (SELECT request_id FROM webhook_events WHERE external_id = {3})",
        &[checker::LOST, checker::WITHOUT_REQUEST],
    ),
    ("UPDATE webhook_bodies SET body = (SELECT body FROM webhook_bodies LIMIT 1)", &[checker::LOST, checker::BODIES_DOUBLED]),
    ("UPDATE message_external_ids SET revision = revision + 1", &[checker::REVISION]),
    (
        "INSERT INTO message_external_ids (external_id, service_type, recipient_key) \
         SELECT external_id, service_type, 'another' FROM message_external_ids",
        &[checker::MESSAGES_DOUBLED],
    ),
    (
        "INSERT INTO webhook_events (event_key, service_type, account, external_id, event_type, state_key, received_at) \
         SELECT state_key, service_type, account, external_id, event_type, state_key, received_at FROM webhook_events",
        &[checker::EVENTS_DOUBLED],
    ),
    ("UPDATE webhook_requests SET state = 'quarantined'", &[checker::QUARANTINED]),
];

pub fn checker_has_teeth() {
    for backend in BACKENDS {
        let database = Database::new(backend);
        let ledger = Mutex::new(Ledger::new(Random::seeded().0));
        load::cycle(Process::gateway(&database.url()), &ledger, Duration::from_millis(500), Process::kill);
        checker::record(&database, &ledger.into_inner().expect("not poisoned").acknowledged);
        let mut before: Figures = checker::look(&database);
        before.assert_sound();
        for (damage, rules) in DAMAGES {
            let damage = (0..4).fold(damage.to_owned(), |damage, place| {
                let id = format!("(SELECT external_id FROM acknowledged ORDER BY external_id LIMIT 1 OFFSET {place})");
                damage.replace(&format!("{{{place}}}"), &id)
            });
            database.execute(&damage);
            let after = checker::look(&database);
            for rule in rules {
                assert!(after.broken(rule) > before.broken(rule), "{damage} was not found as {rule:?}: {after}");
            }
            before = after;
        }
    }
}
