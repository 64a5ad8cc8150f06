//! SIGKILL at random moments, and restart on the same database.

use std::{
    sync::{Mutex, mpsc::RecvTimeoutError},
    time::Duration,
};

use libtest_mimic::Trial;

use crate::{
    checker::{self, Findings},
    ledger::Ledger,
    load,
    process::Process,
    random::{self, Random},
    support::{
        database::{BACKENDS, Backend, Database},
        timing,
    },
};

pub fn trial(backend: Backend) -> Trial {
    timing::trial(format!("sigkill {}", backend.name()), move || acknowledged_callbacks_survive_sigkill(backend))
}

/// One start in this many is killed before it serves, while it migrates or recovers.
const STARTUP_KILL_ONE_IN: usize = 4;

fn acknowledged_callbacks_survive_sigkill(backend: Backend) {
    let (cycles, latest) = random::cycles("CRASH_CYCLES", 6);
    let (mut random, seed) = Random::seeded();
    let database = Database::new(backend);
    let ledger = Mutex::new(Ledger::new(random.fork()));
    println!("CRASH_SEED={seed}");
    for cycle in 0..cycles {
        if cycle % STARTUP_KILL_ONE_IN == 0 {
            kill_during_startup(&database, Duration::from_millis(random.below(100)));
        }
        load::cycle(Process::gateway(&database.url()), &ledger, random.moment(latest), Process::kill);
    }
    let ledger = ledger.into_inner().expect("not poisoned");
    checker::store_acknowledged(&database, &ledger.acknowledged);
    let findings = checker::check(&database);
    // Those of the last cycle are counted in the tables; earlier ones were reported as duplicates by the next process.
    let unseen = findings.stored - findings.present() + i64::try_from(ledger.stored_unseen).expect("a number");
    println!(
        "sigkill {}: {cycles} cycles, {findings}, {unseen} stored but unacknowledged at a kill, {} responses with 503",
        backend.name(),
        ledger.unavailable
    );
    findings.assert_sound();
    assert!(findings.present() > 0, "nothing was acknowledged, so nothing was tested");
}

fn kill_during_startup(database: &Database, after: Duration) {
    let mut process = Process::gateway(&database.url());
    // A line of the log is fine; the process must not end.
    let ended = process.lines.recv_timeout(after);
    assert_ne!(ended, Err(RecvTimeoutError::Disconnected), "the process ended by itself");
    process.kill();
}

/// Damages to the tables, each with the rules that the checker must report as violated. `{n}` is the n-th acknowledged id. Each
/// damage uses another one, because the tables number their rows in different orders.
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
    ("UPDATE webhook_bodies SET body = (SELECT body FROM webhook_bodies LIMIT 1)", &[checker::LOST, checker::DUPLICATE_BODIES]),
    ("UPDATE message_external_ids SET revision = revision + 1", &[checker::REVISION]),
    (
        "INSERT INTO message_external_ids (external_id, service_type, recipient_key) \
         SELECT external_id, service_type, 'another' FROM message_external_ids",
        &[checker::DUPLICATE_MESSAGES],
    ),
    (
        "INSERT INTO webhook_events (event_key, service_type, account, external_id, event_type, state_key, received_at) \
         SELECT state_key, service_type, account, external_id, event_type, state_key, received_at FROM webhook_events",
        &[checker::DUPLICATE_EVENTS],
    ),
    ("UPDATE webhook_requests SET state = 'quarantined'", &[checker::QUARANTINED]),
];

pub fn checker_detects_damage() {
    for backend in BACKENDS {
        let database = Database::new(backend);
        let ledger = Mutex::new(Ledger::new(Random::seeded().0));
        load::cycle(Process::gateway(&database.url()), &ledger, Duration::from_millis(500), Process::kill);
        checker::store_acknowledged(&database, &ledger.into_inner().expect("not poisoned").acknowledged);
        let mut before: Findings = checker::check(&database);
        before.assert_sound();
        for (damage, rules) in DAMAGES {
            let damage = (0..4).fold(damage.to_owned(), |damage, place| {
                let id = format!("(SELECT external_id FROM acknowledged ORDER BY external_id LIMIT 1 OFFSET {place})");
                damage.replace(&format!("{{{place}}}"), &id)
            });
            database.execute(&damage);
            let after = checker::check(&database);
            for rule in rules {
                assert!(after.broken(rule) > before.broken(rule), "{damage} was not reported as {rule:?}: {after}");
            }
            before = after;
        }
    }
}
