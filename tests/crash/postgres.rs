//! Postgres crashes under load, and the gateway goes on without a restart.

use std::{sync::Mutex, time::Duration};

use crate::{
    checker::{self, Findings},
    ledger::Ledger,
    load,
    process::Process,
    random::{self, Random},
    support::{cluster::Cluster, database::Database, poll::wait_until},
};

/// Its processes end at once, on its own command (`pg_ctl stop -m immediate`) or by SIGKILL.
const CRASHES: [fn(&Cluster); 2] = [Cluster::stop, Cluster::kill];

pub fn acknowledged_callbacks_survive_its_crash() {
    let (cycles, latest) = random::cycles("POSTGRES_CYCLES", 2);
    let (mut random, seed) = Random::seeded();
    println!("CRASH_SEED={seed}");
    let cluster = Cluster::start();
    let ledger = Mutex::new(Ledger::new(random.fork()));
    let acknowledged = || ledger.lock().expect("not poisoned").acknowledged.len();
    let crash_again_and_again = |clients: &load::Clients| {
        for crash in CRASHES.into_iter().cycle().take(cycles * CRASHES.len()) {
            clients.go_on_for(random.moment(latest));
            crash(&cluster);
            cluster.run();
            let before = acknowledged();
            wait_until("an acknowledgment after the crash", || acknowledged() > before);
        }
    };
    load::beside(Process::gateway(&cluster.url()), &ledger, crash_again_and_again, Process::kill);
    let ledger = ledger.into_inner().expect("not poisoned");
    let findings = check(&cluster, &ledger);
    println!(
        "postgres: {cycles} immediate stops and {cycles} times SIGKILL, {findings}, {} stored but unacknowledged at a crash, {} responses \
         with 503",
        ledger.stored_unseen, ledger.unavailable
    );
    findings.assert_sound();
    assert!(findings.present() > 0, "nothing was acknowledged, so nothing was tested");
}

fn check(cluster: &Cluster, ledger: &Ledger) -> Findings {
    let (server, schema) = (cluster.url(), "public".to_owned());
    let database = Database::Postgres { server, schema, connection: Mutex::new(cluster.connect()), is_reusable: false };
    checker::store_acknowledged(&database, &ledger.acknowledged);
    checker::check(&database)
}

/// The server may have written everything when it is killed.
const ATTEMPTS: usize = 5;

/// Control of the method: it must detect commits that are reported before they are written. A gateway does not start with such a
/// Postgres, so the operator makes it one while the gateway runs.
pub fn asynchronous_commits_are_detected() {
    let found = (0..ATTEMPTS).any(|_| {
        let cluster = Cluster::start();
        let ledger = Mutex::new(Ledger::new(Random::seeded().0));
        let commit_asynchronously = |clients: &load::Clients| {
            // For ten seconds nothing else writes the log.
            for setting in ["synchronous_commit = off", "wal_writer_delay = '10s'", "wal_writer_flush_after = '1GB'"] {
                cluster.execute(&format!("ALTER SYSTEM SET {setting}"));
            }
            cluster.execute("SELECT pg_reload_conf()");
            clients.go_on_for(Duration::from_millis(500));
        };
        load::beside(Process::gateway(&cluster.url()), &ledger, commit_asynchronously, |gateway| {
            cluster.kill();
            gateway.kill();
        });
        cluster.run();
        let findings = check(&cluster, &ledger.into_inner().expect("not poisoned"));
        println!("postgres: SIGKILL with synchronous_commit=off: {findings}");
        findings.broken(checker::LOST) > 0
    });
    assert!(found, "a Postgres that reports commits before it writes them was not detected");
}
