//! Postgres that crashes, hangs, or cannot be reached at the start.

use std::{
    net::{SocketAddr, TcpListener},
    time::{Duration, Instant},
};

use waybill::{
    config::{Config, Env},
    endpoint::Endpoint,
    http::Running,
    metrics::QueueFigures,
    receive::receive,
    store::{Actor, Author, DatabaseUrl, Gauges, MessageFilter, Options, Registration, Store, StoreError},
    time::{Clock, Timestamp},
};

use crate::{
    store::{endpoint, run, status},
    support::{
        client::{self, Response},
        cluster::Cluster,
        direct::Direct,
        gateway::{self, OPS_TOKEN, verifier},
        metrics::Metrics,
        poll::wait_until,
        twilio::{PATH, TOKEN},
    },
};

/// Longest response to a callback, and longest answer of a health check.
const CALLBACK_LIMIT: Duration = Duration::from_secs(3);
const HEALTH_LIMIT: Duration = Duration::from_millis(1_500);

#[test]
fn cluster_of_the_tests_survives_what_they_do_to_it() {
    let cluster = Cluster::start();
    cluster.execute("CREATE TABLE marks (mark TEXT); INSERT INTO marks VALUES ('kept')");
    cluster.kill();
    cluster.run();
    cluster.freeze();
    cluster.thaw();
    cluster.stop();
    cluster.run();
    assert_eq!(cluster.query("SELECT mark AS row FROM marks"), ["kept"]);
}

fn url(text: &str) -> DatabaseUrl {
    text.parse().expect("a database URL")
}

fn start(cluster: &Cluster) -> Running {
    let variables = [("TWILIO_AUTH_TOKEN".to_owned(), TOKEN.to_owned())];
    gateway::start(&cluster.url(), Clock::System, &variables)
}

pub(crate) fn send_status(running: &Running, id: &str) -> Response {
    let router = running.gateway.router();
    let endpoint = router.endpoint_at(PATH).expect("an endpoint");
    let form = format!("MessageSid={id}&MessageStatus=sent");
    let mut outgoing = endpoint.outgoing("POST", PATH, "application/x-www-form-urlencoded", form);
    endpoint.sign(endpoint.spec.schemes[0], &mut outgoing);
    client::send(running.public, &outgoing.method, &outgoing.target, &outgoing.headers, &outgoing.body)
}

/// A response, which must come within that time.
fn within(limit: Duration, what: &str, respond: impl FnOnce() -> Response) -> Response {
    let started = Instant::now();
    let response = respond();
    let took = started.elapsed();
    assert!(took < limit, "{what} took {took:?}");
    response
}

pub(crate) fn ops(address: SocketAddr, target: &str) -> Response {
    client::get(address, target, &[("Authorization", &format!("Bearer {OPS_TOKEN}"))])
}

/// Processes that are stopped keep every connection open and answer nothing.
#[test]
fn hanging_postgres_delays_no_response_for_long_and_recovers_by_itself() {
    let cluster = Cluster::start();
    let running = start(&cluster);
    assert_eq!(send_status(&running, "SM-before").status, 200);
    assert_eq!(client::get(running.public, "/webhooks/health", &[]).status, 200);
    cluster.freeze();
    for round in 0..3 {
        let callback = within(CALLBACK_LIMIT, "a callback", || send_status(&running, &format!("SM-{round}")));
        assert!(callback.status == 503 && callback.header("retry-after").is_some(), "{callback:?}");
        let health = within(HEALTH_LIMIT, "the public health check", || client::get(running.public, "/webhooks/health", &[]));
        assert_eq!(health.status, 503);
        assert_eq!(within(HEALTH_LIMIT, "readiness", || ops(running.ops, "/readyz")).status, 503);
        let report = within(HEALTH_LIMIT, "the report", || ops(running.ops, "/api/health")).json();
        assert_eq!((&report["status"], &report["checks"]["database"]), (&"unhealthy".into(), &"fail".into()));
        let list = within(CALLBACK_LIMIT + HEALTH_LIMIT, "a list", || ops(running.ops, "/api/messages"));
        assert_eq!(list.status, 503);
    }
    cluster.thaw();
    wait_until("the gateway to recover", || ops(running.ops, "/readyz").status == 200);
    for round in 0..3 {
        // It may have been committed after its response, so that this is a copy.
        assert_eq!(send_status(&running, &format!("SM-{round}")).status, 200);
    }
    assert_eq!(ops(running.ops, "/api/messages").status, 200);
    gateway::stop(running);
    let stored = cluster.query("SELECT count(*) || ' ' || count(DISTINCT external_id) AS row FROM message_external_ids");
    assert_eq!(stored, ["4 4"]);
    assert_eq!(cluster.query("SELECT count(*)::text AS row FROM webhook_events"), ["4"]);
}

#[test]
fn killed_postgres_is_used_again_once_it_runs() {
    let cluster = Cluster::start();
    let running = start(&cluster);
    assert_eq!(send_status(&running, "SM-before").status, 200);
    cluster.kill();
    let callback = within(CALLBACK_LIMIT, "a callback", || send_status(&running, "SM-during"));
    assert!(callback.status == 503 && callback.header("retry-after").is_some(), "{callback:?}");
    cluster.run();
    wait_until("the gateway to recover", || send_status(&running, "SM-during").status == 200);
    gateway::stop(running);
    assert_eq!(cluster.query("SELECT count(*)::text AS row FROM webhook_events"), ["2"]);
}

/// Every use of a store whose database is not open yet.
fn use_all(store: &Direct, endpoint: &Endpoint) -> Vec<Result<(), StoreError>> {
    let author = Author { actor: Actor::Ops, at: Timestamp::from_seconds(0).expect("an instant") };
    let registration = Registration {
        reference: "order-1".to_owned(),
        service_type: "twilio",
        account: String::new(),
        external_id: None,
        recipient: None,
        channel: None,
        sent_at: None,
    };
    let callback = status(endpoint, "SM1", "sent");
    let received = run(receive((verifier(), &store.intake), endpoint, &callback, Duration::from_secs(30)));
    vec![
        received.map(drop).map_err(|_| StoreError::Unavailable),
        run(store.derive()).map(drop),
        run(store.sweep(author.at)),
        run(store.prune(author.at, false, drop)).map(drop),
        run(store.register(vec![registration], author)).map(drop),
        run(store.derive_suppressions()),
        store.messages(&MessageFilter::default()).map(drop),
        store.gauges(|| false).map(|gauges: Option<Gauges>| drop(gauges)),
        store.activities().map(drop),
        store.counts().map(drop),
        if store.is_reachable() { Ok(()) } else { Err(StoreError::Unavailable) },
    ]
}

#[test]
fn unopened_store_answers_at_once_and_opens_when_postgres_runs() {
    let cluster = Cluster::start();
    cluster.stop();
    let store = Direct::from(Store::unopened(&url(&cluster.url()), Options::default()));
    let endpoint = endpoint();
    let started = Instant::now();
    let outcomes = use_all(&store, &endpoint);
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Err(StoreError::Unavailable))), "{outcomes:?}");
    assert!(started.elapsed() < Duration::from_secs(1), "no use waits for a connection");
    assert!(matches!(store.try_open(), Err(StoreError::Unavailable)) && !store.is_open());
    cluster.run();
    store.try_open().expect("an open database");
    let outcomes = use_all(&store, &endpoint);
    assert!(store.is_open() && outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    assert!(store.try_open().is_ok() && store.is_writer_healthy());
    store.close();
    // Of a newer version.
    cluster.execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('99999999999999')");
    let newer = Store::unopened(&url(&cluster.url()), Options::default());
    assert!(matches!(newer.try_open(), Err(StoreError::NewerSchema)));
    assert!(!newer.is_open() && !newer.is_writer_healthy() && newer.queue_capacity() > 0);
    newer.close();
}

/// A peer that accepts connections and says nothing.
#[test]
fn silent_peer_delays_the_start_briefly() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let silent = url(&format!("postgres://waybill@{address}/waybill?sslmode=disable"));
    let started = Instant::now();
    let store = Direct::from(Store::open_or_later(&silent, Options::default(), Duration::from_millis(200)).expect("a store"));
    let outcomes = use_all(&store, &endpoint());
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Err(StoreError::Unavailable))), "{outcomes:?}");
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    // Another thread is still connecting, until its timeout.
    assert!(matches!(store.try_open(), Err(StoreError::Unavailable)));
    assert!(matches!(Store::open(&silent, Options::default()), Err(StoreError::Unavailable)));
    store.close();
}

/// A database that cannot be reached costs a batch of any size an attempt, and not one for each record.
#[test]
fn killed_postgres_costs_a_batch_one_attempt() {
    let cluster = Cluster::start();
    let store = Store::open(&url(&cluster.url()), Options::default()).expect("a store");
    let endpoint = endpoint();
    let record = |n: usize| {
        let callback = status(&endpoint, &format!("SM{n}"), "sent");
        let verified = endpoint.verify(&callback).expect("verified");
        waybill::store::Record::new(&endpoint, &verified, endpoint.parse(&verified).events)
    };
    cluster.kill();
    let outcomes = run(store.append_all((0..500).map(record).collect()));
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Err(StoreError::Unavailable))), "{outcomes:?}");
    let metrics = waybill::metrics::Metrics::new(store.metrics(), store.queue_capacity());
    let failures =
        Metrics::parse(&metrics.exposition(0, QueueFigures::default()).expect("an exposition")).sum("database_errors_total", &[]);
    assert!((1.0..=2.0).contains(&failures), "{failures} transactions failed");
    assert!(!store.is_writer_healthy());
}

/// Without a queue the response is limited to what leaves the provider its answer in time.
#[test]
fn configured_timeout_is_limited_without_a_queue() {
    let env: Env = [("TWILIO_AUTH_TOKEN", TOKEN)].into_iter().collect();
    let configured = Config::load(&env).expect("a configuration").config.timeout;
    let cluster_of_none = Direct::from(Store::unopened(&url("postgres://localhost/none"), Options::default()));
    assert!(cluster_of_none.intake.limit(configured) < CALLBACK_LIMIT);
    assert_eq!(cluster_of_none.intake.limit(Duration::from_secs(1)), Duration::from_secs(1));
}
