//! A network on which one direction to Postgres is cut: connections stay open, and nothing that is waited for arrives. The process
//! ends in time after SIGTERM, and has lost nothing that it acknowledged.

use std::{
    collections::BTreeSet,
    thread,
    time::{Duration, Instant},
};

use crate::support::{
    client,
    cluster::Cluster,
    database::Database,
    nats::Nats,
    poll::{eventually, wait_until},
    process::Process,
    proxy::{Direction, Proxy},
    twilio::{self, PATH},
};

/// docs/deploy.md: `SHUTDOWN_DELAY`, which is 0 here, and 18 seconds.
const STOP_LIMIT: Duration = Duration::from_secs(19);

/// Sends the statuses of messages; returns those that are acknowledged.
pub(crate) fn send(process: &Process, messages: &[&str]) -> BTreeSet<String> {
    let endpoint = twilio::endpoint();
    let is_acknowledged = |message: &&&str| {
        let body = format!("MessageSid={message}&MessageStatus=sent");
        let mut outgoing = endpoint.outgoing("POST", PATH, "application/x-www-form-urlencoded", body);
        endpoint.sign(endpoint.spec.schemes[0], &mut outgoing);
        client::send(process.public, &outgoing.method, &outgoing.target, &outgoing.headers, &outgoing.body).status == 200
    };
    messages.iter().filter(is_acknowledged).map(|message| (*message).to_owned()).collect()
}

/// Cuts a direction while callbacks arrive, stops the process, and starts another one on the same queue and database.
fn stop_while_cut(cluster: &Cluster, direction: Direction, database: &str, variables: &[(&str, &str)]) {
    cluster.execute(&format!("CREATE DATABASE {database}"));
    let proxy = Proxy::start(&cluster.socket());
    let start = |url: &str| {
        let variables: Vec<(&str, &str)> = variables.iter().copied().chain([("DATABASE_URL", url)]).collect();
        Process::start(&Database::placeholder(), &variables)
    };
    let mut process = start(&proxy.url(database));
    let mut acknowledged = BTreeSet::new();
    wait_until("an acknowledgment", || {
        acknowledged.extend(send(&process, &["SM1"]));
        !acknowledged.is_empty()
    });
    proxy.cut(direction);
    acknowledged.extend(send(&process, &["SM2", "SM3"]));
    process.signal("TERM");
    let signaled = Instant::now();
    let status = eventually("the end of the process", || process.child.try_wait().expect("a process"));
    let took = signaled.elapsed();
    assert!(status.success() && took < STOP_LIMIT, "{database}: {status} after {took:?}");
    // Not before the process has ended.
    drop(proxy);

    let next = start(&cluster.url_of(database));
    let stored = || -> BTreeSet<String> {
        let query = "SELECT external_id AS row FROM message_external_ids";
        cluster.query_in(database, query).into_iter().collect()
    };
    wait_until("all that was acknowledged", || stored().is_superset(&acknowledged));
    drop(next);
    let query = "SELECT count(*)::text AS row FROM webhook_events";
    assert_eq!(cluster.query_in(database, query), [stored().len().to_string()], "{database}: each once");
}

#[test]
fn process_stops_in_time_and_loses_nothing_while_one_direction_is_cut() {
    let cluster = Cluster::start();
    let folders: Vec<_> = (0..4).map(|_| tempfile::tempdir().expect("a folder")).collect();
    let spools: Vec<String> = folders.iter().map(|folder| folder.path().join("spool").display().to_string()).collect();
    let servers = [Nats::start(), Nats::start()];
    let urls = servers.each_ref().map(Nats::url);
    thread::scope(|scope| {
        for (index, direction) in [Direction::ToServer, Direction::FromServer].into_iter().enumerate() {
            let (outage, always, cluster) = (&*spools[index], &*spools[2 + index], &cluster);
            let url = &*urls[index];
            let variables = [
                ("direct", vec![]),
                ("outage", vec![("SPOOL_PATH", outage)]),
                ("always", vec![("SPOOL_PATH", always), ("SPOOL_MODE", "always")]),
                ("broker", vec![("QUEUE_URL", url), ("QUEUE_MAX_BYTES", "67108864")]),
            ];
            for (name, variables) in variables {
                scope.spawn(move || stop_while_cut(cluster, direction, &format!("{name}{index}"), &variables));
            }
        }
    });
}
