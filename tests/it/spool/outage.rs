//! An outage of Postgres in front of which a spool is configured.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use waybill::{http::Running, time::Clock};

use crate::{
    outage::{ops, send_status},
    support::{client, cluster::Cluster, gateway, poll::wait_until, twilio::TOKEN},
};

/// SignalWire closes the connection after 5 seconds.
const LIMIT: Duration = Duration::from_secs(4);

fn start(cluster: &Cluster, spool: &Path) -> Running {
    let spool = spool.to_str().expect("a path").to_owned();
    let variables = [("TWILIO_AUTH_TOKEN", TOKEN.to_owned()), ("SPOOL_PATH", spool)];
    gateway::start(&cluster.url(), Clock::System, &variables.map(|(name, value)| (name.to_owned(), value)))
}

/// Sends a status, which must be acknowledged in time; returns true if it is called a duplicate.
fn acknowledged(running: &Running, id: &str) -> bool {
    let started = Instant::now();
    let response = send_status(running, id);
    assert_eq!(response.status, 200, "{id}: {response:?}");
    assert!(started.elapsed() < LIMIT, "{id} took {:?}", started.elapsed());
    response.json()["duplicate"] == true
}

fn assert_degraded(running: &Running) {
    let health = client::get(running.public, "/webhooks/health", &[]);
    assert_eq!((health.status, &health.json()["status"]), (200, &"degraded".into()), "{health:?}");
    assert_eq!(ops(running.ops, "/readyz").status, 200);
}

fn wait_until_drained(running: &Running) {
    let intake = &running.gateway.intake;
    wait_until("the spool to be drained", || !intake.is_database_away() && !intake.queue().expect("a queue").has_backlog());
}

/// Requests as `id copies`, in the order of receipt.
fn requests(cluster: &Cluster) -> Vec<String> {
    cluster.query(
        "SELECT e.external_id || ' ' || r.duplicate_count AS row FROM webhook_requests r JOIN webhook_events e ON e.request_id = r.id \
         ORDER BY r.received_at",
    )
}

/// An outage, and its cause and end.
type Kind = (&'static str, fn(&Cluster), fn(&Cluster));

#[test]
fn outages_of_every_kind_are_invisible_to_providers() {
    let (cluster, spool) = (Cluster::start(), tempfile::tempdir().expect("a folder"));
    let running = start(&cluster, spool.path());
    let kinds: [Kind; 3] = [
        ("kill", Cluster::kill, Cluster::run),
        ("freeze", Cluster::freeze, Cluster::thaw),
        ("stop", Cluster::stop, Cluster::run),
    ];
    let mut expected = Vec::new();
    for (kind, strike, repair) in kinds {
        assert!(!acknowledged(&running, &format!("SM-{kind}-before")));
        strike(&cluster);
        for n in 0..3 {
            assert!(!acknowledged(&running, &format!("SM-{kind}-{n}")));
        }
        assert!(acknowledged(&running, &format!("SM-{kind}-0")), "a copy is recognized");
        assert_degraded(&running);
        repair(&cluster);
        // It does not overtake its original.
        assert!(acknowledged(&running, &format!("SM-{kind}-1")));
        wait_until_drained(&running);
        assert!(!acknowledged(&running, &format!("SM-{kind}-after")));
        let ids = [("before", 0), ("0", 1), ("1", 1), ("2", 0), ("after", 0)];
        expected.extend(ids.map(|(id, copies)| format!("SM-{kind}-{id} {copies}")));
    }
    assert_eq!(requests(&cluster), expected);
    assert_eq!(client::get(running.public, "/webhooks/health", &[]).json()["status"], "healthy");
    gateway::stop(running);
    assert_eq!(std::fs::read_dir(spool.path()).expect("a folder").count(), 0, "nothing is left");
}

#[test]
fn gateway_starts_without_postgres_and_takes_over_what_another_one_left() {
    let (cluster, spool) = (Cluster::start(), tempfile::tempdir().expect("a folder"));
    cluster.stop();
    for id in ["SM1", "SM2"] {
        let running = start(&cluster, spool.path());
        assert!(!acknowledged(&running, id));
        assert_degraded(&running);
        gateway::stop(running);
    }
    let running = start(&cluster, spool.path());
    cluster.run();
    wait_until_drained(&running);
    wait_until("the copies to be known", || requests(&cluster).len() == 2);
    assert!(acknowledged(&running, "SM1"), "the answer of the database");
    assert_eq!(requests(&cluster), ["SM1 1", "SM2 0"]);
    gateway::stop(running);
}
