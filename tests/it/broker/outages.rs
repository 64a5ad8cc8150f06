//! Processes that are killed, and a broker that is unavailable or full: nothing acknowledged is lost, and nothing is doubled.

use std::time::{Duration, Instant};

use async_nats::jetstream::{self, consumer::pull};

use super::{Nats, Part, count, wait_for_rows};
use crate::support::{
    callback, client,
    cluster::Cluster,
    database::{Backend, Database},
    poll::eventually,
    process::Process,
};

/// A rejection comes in time for the provider, and asks for a retry.
fn assert_unavailable(gateway: &Part, message: u64) {
    let start = Instant::now();
    let response = gateway.send(message, "sent");
    assert_eq!((response.status, response.header("retry-after")), (503, Some("1")));
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
}

#[test]
fn gateway_starts_without_the_broker_and_connects_later() {
    let mut nats = Nats::start();
    nats.kill();
    let gateway = Part::start("gateway", &Database::placeholder(), &nats.url(), &[]);
    assert_unavailable(&gateway, 1);
    assert_eq!(gateway.ops("/readyz").status, 503);
    nats.restart();
    gateway.send_until_acknowledged(1, "sent");
    eventually("readiness", || (gateway.ops("/readyz").status == 200).then_some(()));
}

crate::databases! {
    fn killed_broker_keeps_what_it_confirmed(database) {
        let mut nats = Nats::start();
        let gateway = Part::start("gateway", &Database::placeholder(), &nats.url(), &[]);
        for round in 0..3_u64 {
            gateway.send_until_acknowledged(10_000 + round, "sent");
            // It is killed while requests are on their way.
            let (sent, first) = std::sync::mpsc::channel();
            let acknowledged: Vec<u64> = std::thread::scope(|scope| {
                let gateway = &gateway;
                let senders: Vec<_> = (0..4_u64)
                    .map(|sender| {
                        let sent = sent.clone();
                        scope.spawn(move || {
                            let messages = (0..20).map(|number| 1 + round * 100 + sender * 20 + number);
                            let is_acknowledged = |message: &u64| {
                                let response = gateway.send(*message, "sent");
                                sent.send(*message).expect("the test waits");
                                response.status == 200
                            };
                            messages.filter(is_acknowledged).collect::<Vec<u64>>()
                        })
                    })
                    .collect();
                assert_eq!(first.iter().take(10).count(), 10);
                nats.kill();
                senders.into_iter().flat_map(|sender| sender.join().expect("a sender")).collect()
            });
            assert!((9..80).contains(&acknowledged.len()), "{}", acknowledged.len());
            assert_unavailable(&gateway, 99_999);
            nats.restart();
            let _writer = Part::start("writer", &database, &nats.url(), &[]);
            for message in acknowledged {
                eventually("a row of every acknowledged callback", || {
                    let sid = format!("SM{message:032x}");
                    let found = database.query(&format!("SELECT external_id AS row FROM message_external_ids WHERE external_id = '{sid}'"));
                    (found.len() == 1).then_some(())
                });
            }
        }
        assert_eq!(count(&database, "webhook_requests"), count(&database, "message_external_ids"));
        assert_eq!(database.query("SELECT CAST(coalesce(sum(duplicate_count), 0) AS TEXT) AS row FROM webhook_requests"), ["0"]);
    }

    fn killed_writer_loses_and_doubles_nothing(database) {
        let nats = Nats::start();
        prepare_consumer(&nats, Duration::from_secs(1));
        let gateway = Part::start("gateway", &Database::placeholder(), &nats.url(), &[]);
        gateway.send_until_acknowledged(0, "sent");
        for round in 0..3 {
            for message in 1..100 {
                assert_eq!(gateway.send(round * 100 + message, "sent").status, 200);
            }
            let before = count_if_migrated(&database);
            let writer = Process::start(&database, &[("QUEUE_URL", &nats.url()), ("WAYBILL_ROLE", "writer")]);
            eventually("a batch", || (count_if_migrated(&database) > before).then_some(()));
            // After its COMMIT, and before some of its acknowledgments.
            writer.signal("KILL");
        }
        let _writer = Part::start("writer", &database, &nats.url(), &[]);
        gateway.wait_for("an empty stream", |state| state.pending == 0);
        assert_eq!((count(&database, "webhook_requests"), count(&database, "message_external_ids")), (298, 298));
        assert_eq!(database.query("SELECT CAST(coalesce(sum(duplicate_count), 0) AS TEXT) AS row FROM webhook_requests"), ["0"]);
    }
}

fn count_if_migrated(database: &Database) -> usize {
    if database.columns("webhook_requests").is_empty() { 0 } else { count(database, "webhook_requests") }
}

fn work_queue() -> jetstream::stream::Config {
    jetstream::stream::Config {
        name: "WAYBILL".to_owned(),
        subjects: vec!["waybill.>".to_owned()],
        retention: jetstream::stream::RetentionPolicy::WorkQueue,
        discard: jetstream::stream::DiscardPolicy::New,
        ..Default::default()
    }
}

/// Creates the stream, and the consumer with a shorter time until a message is delivered again, so that the test is short.
fn prepare_consumer(nats: &Nats, ack_wait: Duration) {
    crate::store::run(async {
        let context = jetstream::new(async_nats::connect(nats.url()).await.expect("a connection"));
        let stream = context.create_stream(work_queue()).await.expect("a stream");
        let consumer = pull::Config { durable_name: Some("waybill-writers".to_owned()), ack_wait, ..Default::default() };
        stream.create_consumer(consumer).await.expect("a consumer");
    });
}

/// Callbacks are accepted while the database is unavailable, and written once it is back.
#[test]
fn outage_of_the_database_stops_no_callback() {
    let (nats, cluster) = (Nats::start(), Cluster::start());
    let part = Part::start_on("all", &cluster.url(), &nats.url(), &[]);
    part.send_until_acknowledged(0, "sent");
    let stored = || cluster.query("SELECT CAST(count(*) AS TEXT) AS row FROM message_external_ids")[0].clone();
    eventually("the first row", || (stored() == "1").then_some(()));
    cluster.kill();
    for message in 1..40 {
        assert_eq!(part.send(message, "sent").status, 200);
    }
    assert_eq!(part.ops("/readyz").status, 200);
    part.wait_for("the lag", |state| state.pending == 39);
    cluster.run();
    eventually("the other rows", || (stored() == "40").then_some(()));
    part.wait_for("an empty stream", |state| state.pending == 0);
    let doubled = cluster.query("SELECT CAST(sum(duplicate_count) AS TEXT) AS row FROM webhook_requests");
    assert_eq!(doubled, ["0"]);
}

/// A full stream refuses callbacks until a writer has made room.
#[test]
fn full_stream_refuses_and_recovers() {
    let (nats, database) = (Nats::start(), Database::new(Backend::Sqlite));
    let gateway = Part::start("gateway", &Database::placeholder(), &nats.url(), &[("QUEUE_MAX_BYTES", "1048576")]);
    gateway.send_until_acknowledged(0, "sent");
    let endpoint = gateway.running().gateway.endpoint("/webhooks/twilio").expect("an endpoint");
    let large = |message: u64| {
        let body = format!("{}&Padding={}", callback::status_form(message, "sent"), "x".repeat(100_000));
        client::exchange(gateway.running().public, &callback::request_bytes(&endpoint, &body))
    };
    let accepted = (1..20).take_while(|message| large(*message).status == 200).count();
    assert!((8..11).contains(&accepted), "{accepted}");
    let refused = large(50);
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    gateway.wait_for("a full stream", |state| state.is_failing);
    assert_eq!(gateway.ops("/readyz").status, 503);
    let _writer = Part::start("writer", &database, &nats.url(), &[]);
    wait_for_rows(&database, "webhook_requests", accepted + 1);
    gateway.wait_for("room", |state| !state.is_failing);
    assert_eq!(large(50).status, 200);
    wait_for_rows(&database, "webhook_requests", accepted + 2);
}

/// Callbacks that were in the deleted stream are lost with it; those acknowledged afterwards are not.
#[test]
fn deleted_stream_is_created_again_and_read() {
    let (nats, database) = (Nats::start(), Database::new(Backend::Sqlite));
    let part = Part::start("all", &database, &nats.url(), &[]);
    part.send_until_acknowledged(0, "sent");
    wait_for_rows(&database, "webhook_requests", 1);
    crate::store::run(async {
        let context = jetstream::new(async_nats::connect(nats.url()).await.expect("a connection"));
        context.delete_stream("WAYBILL").await.expect("deleted");
    });
    assert_unavailable(&part, 1);
    part.send_until_acknowledged(1, "sent");
    wait_for_rows(&database, "webhook_requests", 2);
}

/// A limit on the number of messages, of a stream that an operator made.
#[test]
fn stream_with_its_most_messages_is_unhealthy() {
    let nats = Nats::start();
    let config = jetstream::stream::Config { max_messages: 2, ..work_queue() };
    crate::store::run(async {
        let context = jetstream::new(async_nats::connect(nats.url()).await.expect("a connection"));
        context.create_stream(config).await.expect("a stream");
    });
    let gateway = Part::start("gateway", &Database::placeholder(), &nats.url(), &[]);
    (0..2).for_each(|message| gateway.send_until_acknowledged(message, "sent"));
    assert_unavailable(&gateway, 2);
    gateway.wait_for("a full stream", |state| state.is_failing);
    assert_eq!(gateway.ops("/readyz").status, 503);
}

/// A process of any role stops at once, although it reads the stream.
#[test]
fn stopped_processes_exit_at_once() {
    let (nats, database) = (Nats::start(), Database::new(Backend::Sqlite));
    for role in ["gateway", "writer", "all"] {
        let url = nats.url();
        let variables = [("QUEUE_URL", url.as_str()), ("QUEUE_MAX_BYTES", "67108864"), ("WAYBILL_ROLE", role)];
        let mut process = Process::start(&database, &variables);
        eventually("health", || (client::get(process.public, "/webhooks/health", &[]).status == 200).then_some(()));
        let start = Instant::now();
        process.signal("TERM");
        assert!(process.child.wait().expect("an exit").success(), "{role}");
        assert!(start.elapsed() < Duration::from_secs(10), "{role}: {:?}", start.elapsed());
    }
}
