//! The durable write path: batches, duplicates, poison records, several gateways, and plain SQL by the application.

use std::time::{Duration, Instant};

use futures_util::{StreamExt, future::join_all, stream::FuturesUnordered};
use serde_json::json;
use sha2::{Digest, Sha256};
use waybill::{
    callback::Callback,
    config::{Config, Env},
    endpoint::Endpoint,
    queue::{Durable, NotDurable},
    receive::{ReceiveError, receive},
    store::{Options, Store, StoreError, StoredResponse},
    time::Timestamp,
};

use crate::support::{
    callback::{received, signed},
    database::{Database, Lock},
    direct::Direct,
    gateway::verifier,
    poll::wait_until,
    twilio::TOKEN,
};

const TIMEOUT: Duration = Duration::from_secs(30);

/// The longest wait for room in a full queue.
const QUEUE_TIMEOUT: Duration = Duration::from_millis(500);

pub fn endpoint() -> Endpoint {
    endpoint_with("UNKNOWN_MESSAGE_RESPONSE", "accept")
}

fn endpoint_with(variable: &str, value: &str) -> Endpoint {
    let env: Env = [("TWILIO_AUTH_TOKEN", TOKEN), ("WEBHOOK_BASE_URL", "https://hooks.example.com"), (variable, value)]
        .into_iter()
        .collect();
    Config::load(&env).expect("a configuration").config.endpoints.remove(0).build()
}

pub fn status(endpoint: &Endpoint, id: &str, status: &str) -> Callback {
    signed_form(endpoint, &format!("MessageSid={id}&MessageStatus={status}"))
}

pub fn signed_form(endpoint: &Endpoint, body: &str) -> Callback {
    let at = Timestamp::from_seconds(1_773_500_000).expect("an instant");
    signed(endpoint, endpoint.path(), body.to_owned(), "", at)
}

/// A signed JSON document.
pub fn document(endpoint: &Endpoint, body: &str) -> Callback {
    let target = format!("{}?bodySHA256={}", endpoint.path(), hex::encode(Sha256::digest(body)));
    let mut outgoing = endpoint.outgoing("POST", target, "application/json", body);
    endpoint.sign(endpoint.spec.schemes[0], &mut outgoing);
    received(endpoint, outgoing, Timestamp::from_seconds(0).expect("an instant"))
}

pub fn open(database: &Database) -> Direct {
    Direct::open(database)
}

pub fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}

/// Receives callbacks concurrently, so that they queue and form batches.
pub fn all_at_once(store: &Direct, endpoint: &Endpoint, callbacks: &[Callback]) -> Vec<Result<Durable, ReceiveError>> {
    let received =
        run(join_all(callbacks.iter().map(|callback| receive((verifier(), &store.intake), endpoint, callback, TIMEOUT))));
    received.into_iter().map(|received| received.map(|received| received.durable)).collect()
}

pub fn reject_poison(database: &Database) {
    match database {
        Database::Sqlite { .. } => database.execute(
            "CREATE TRIGGER poison BEFORE INSERT ON message_external_ids WHEN NEW.external_id = 'POISON' \
             BEGIN SELECT RAISE(ABORT, 'poison'); END",
        ),
        Database::Postgres { .. } => {
            database.execute("ALTER TABLE message_external_ids ADD CONSTRAINT poison CHECK (external_id <> 'POISON')");
        }
    }
}

crate::databases! {
    fn duplicates_inside_one_batch_are_folded(database) {
        let (store, endpoint) = (open(&database), endpoint());
        let callbacks: Vec<Callback> = (0..100).map(|n| status(&endpoint, "SM1", ["queued", "sent", "delivered"][n % 3])).collect();
        let outcomes = all_at_once(&store, &endpoint, &callbacks);
        let new = outcomes.iter().filter(|outcome| !outcome.as_ref().expect("stored").is_duplicate()).count();
        assert_eq!(new, 3);
        let row = database.rows("message_external_ids").remove(0);
        assert_eq!((&row["status"], &row["revision"]), (&json!("delivered"), &json!(3)));
        assert_eq!(database.rows("webhook_requests").len(), 3);
    }

    fn batch_answers_each_request_by_its_own_message(database) {
        let (store, endpoint) = (open(&database), endpoint_with("UNKNOWN_MESSAGE_RESPONSE", "not-found"));
        database.execute("INSERT INTO communication_metrics (id) VALUES (7)");
        // Every third message is registered.
        for n in (0..60).step_by(3) {
            database.execute(&format!("INSERT INTO message_external_ids (message_id, external_id, service_type) VALUES (7, 'SM{n}', 'twilio')"));
        }
        let callbacks: Vec<Callback> = (0..120).map(|n| status(&endpoint, &format!("SM{}", n % 60), "sent")).collect();
        for (n, outcome) in all_at_once(&store, &endpoint, &callbacks).into_iter().enumerate() {
            let answer = if n.is_multiple_of(3) { StoredResponse::Success } else { StoredResponse::NotFound };
            assert_eq!(outcome.expect("stored").response(), answer, "SM{}", n % 60);
        }
        for row in database.rows("webhook_events") {
            let id: usize = row["external_id"].as_str().expect("an id")[2..].parse().expect("a number");
            let request = database.rows("webhook_requests").into_iter().find(|request| request["id"] == row["request_id"]).expect("a request");
            assert_eq!(request["answer"], if id.is_multiple_of(3) { 200 } else { 404 }, "SM{id}");
        }
    }

    fn event_in_two_requests_of_a_batch_is_stored_once(database) {
        let (store, endpoint) = (open(&database), endpoint_with("UNKNOWN_MESSAGE_RESPONSE", "not-found"));
        let event = r#"{"specversion":"1.0","source":"s","id":"1","type":"com.twilio.messaging.message.sent","data":{"messageSid":"SM1"}}"#;
        let callbacks: Vec<Callback> = (0..20).map(|n| document(&endpoint, &format!("[{}{event}]", " ".repeat(n)))).collect();
        let outcomes: Vec<Durable> = all_at_once(&store, &endpoint, &callbacks).into_iter().map(|outcome| outcome.expect("stored")).collect();
        assert!(outcomes.iter().all(|outcome| outcome.response() == StoredResponse::NotFound), "{outcomes:?}");
        assert_eq!(outcomes.iter().filter(|outcome| !outcome.is_duplicate()).count(), 1);
        assert_eq!((database.rows("webhook_events").len(), database.rows("webhook_requests").len()), (1, 20));
    }

    fn poison_record_is_quarantined_and_its_batch_is_stored(database) {
        let (store, endpoint) = (open(&database), endpoint());
        reject_poison(&database);
        let mut callbacks: Vec<Callback> = (0..50).map(|n| status(&endpoint, &format!("SM{n}"), "sent")).collect();
        callbacks.insert(25, status(&endpoint, "POISON", "sent"));
        let outcomes = all_at_once(&store, &endpoint, &callbacks);
        assert!(outcomes.iter().all(Result::is_ok));
        assert_eq!(database.rows("message_external_ids").len(), 50);
        let requests = database.rows("webhook_requests");
        let quarantined: Vec<_> = requests.iter().filter(|row| row["state"] == "quarantined").collect();
        assert_eq!((requests.len(), quarantined.len()), (51, 1));
        assert_eq!(quarantined[0]["reason"], "poison");
        assert_eq!(database.rows("webhook_bodies").len(), 51, "its body is stored too");
        let retried = all_at_once(&store, &endpoint, &callbacks[25..26]).remove(0).expect("stored");
        assert!(retried.is_duplicate(), "a retry of poison gets the same answer");
    }

    fn gateways_that_share_a_database_never_deadlock(database) {
        let endpoint = endpoint();
        let stores: Vec<Direct> = (0..4).map(|_| open(&database)).collect();
        // Every store writes the same 40 messages in another order.
        let statuses = ["queued", "sending", "sent", "delivered"];
        let callbacks: Vec<Callback> =
            (0..40).flat_map(|n| statuses.map(|status_name| status(&endpoint, &format!("SM{n}"), status_name))).collect();
        let received = stores.iter().enumerate().flat_map(|(place, store)| {
            let (callbacks, endpoint) = (&callbacks, &endpoint);
            (0..callbacks.len()).map(move |n| {
                let index = (n * (2 * place + 1) + place * 37) % callbacks.len();
                receive((verifier(), &store.intake), endpoint, &callbacks[index], TIMEOUT)
            })
        });
        let outcomes = run(join_all(received));
        assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
        let rows = database.rows("message_external_ids");
        assert_eq!(rows.len(), 40);
        assert!(rows.iter().all(|row| row["status"] == "delivered" && row["revision"] == 4));
    }

    fn cancelled_caller_does_not_cancel_its_write(database) {
        let (store, endpoint) = (open(&database), endpoint());
        let callback = status(&endpoint, "SM1", "sent");
        // Without the lock the writer could commit before the caller is cancelled.
        let lock = database.lock();
        let late = run(receive((verifier(), &store.intake), &endpoint, &callback, Duration::ZERO));
        assert!(matches!(late, Err(ReceiveError::Late)));
        lock.release();
        store.close();
        assert_eq!(database.rows("message_external_ids").len(), 1);
    }

    fn full_queue_rejects_new_records_and_stores_queued_ones(database) {
        let (store, endpoint) = (open(&database), endpoint());
        let callbacks: Vec<Callback> = (0..2_000).map(|n| status(&endpoint, &format!("SM{n}"), "sent")).collect();
        let mut lock = Some(database.lock());
        let (mut stored, mut rejected, mut timed_out) = (0, 0, 0);
        run(async {
            let mut pending: FuturesUnordered<_> =
                callbacks.iter().map(|callback| receive((verifier(), &store.intake), &endpoint, callback, TIMEOUT)).collect();
            while let Some(outcome) = pending.next().await {
                match outcome {
                    Ok(_) => stored += 1,
                    Err(ReceiveError::NotDurable(NotDurable::Store(StoreError::Busy))) => rejected += 1,
                    // The lock timeout of Postgres is about as long as the wait for a place in the queue.
                    Err(ReceiveError::NotDurable(NotDurable::Store(StoreError::Unavailable | StoreError::Locked))) => timed_out += 1,
                    Err(other) => panic!("{other}"),
                }
                lock.take().into_iter().for_each(Lock::release);
            }
        });
        assert!(rejected + timed_out > 0 && timed_out <= 256, "{rejected} rejected, {timed_out} timed out");
        assert_eq!(stored + rejected + timed_out, callbacks.len());
        assert!(stored >= 1_024, "at least the capacity of the queue");
        assert_eq!(database.rows("message_external_ids").len(), stored);
    }

    fn burst_waits_for_queue_capacity(database) {
        let (store, endpoint) = (open(&database), endpoint());
        let callbacks: Vec<Callback> = (0..1_500).map(|n| status(&endpoint, &format!("SM{n}"), "sent")).collect();
        let outcomes = run(join_all(callbacks.iter().map(|callback| async {
            let started = Instant::now();
            let outcome = receive((verifier(), &store.intake), &endpoint, callback, TIMEOUT).await;
            (outcome, started.elapsed())
        })));
        let stored = outcomes.iter().filter(|(outcome, _)| outcome.is_ok()).count();
        assert!(stored >= 1_024, "all for which there was a place: {stored}");
        // A slow machine may make no room in time.
        for (outcome, waited) in outcomes {
            match outcome {
                Ok(_) => {}
                Err(ReceiveError::NotDurable(NotDurable::Store(StoreError::Busy))) => assert!(waited >= QUEUE_TIMEOUT, "{waited:?}"),
                Err(other) => panic!("{other}"),
            }
        }
    }

    fn closed_store_rejects_records(database) {
        let (store, endpoint) = (open(&database), endpoint());
        store.close();
        let rejected = run(receive((verifier(), &store.intake), &endpoint, &status(&endpoint, "SM1", "sent"), TIMEOUT));
        assert!(matches!(rejected, Err(ReceiveError::NotDurable(NotDurable::Store(StoreError::Unavailable)))));
    }

    fn three_column_insert_of_the_guide_is_adopted(database) {
        let (store, endpoint) = (open(&database), endpoint());
        database.execute("INSERT INTO communication_metrics (reference, channel) VALUES ('order-771', 'sms')");
        database.execute("INSERT INTO message_external_ids (message_id, external_id, service_type) VALUES (1, 'SM1', 'twilio')");
        let registered = database.rows("message_external_ids").remove(0);
        assert_eq!((&registered["status"], &registered["revision"]), (&json!("registered"), &json!(0)));
        all_at_once(&store, &endpoint, &[status(&endpoint, "SM1", "delivered")]).remove(0).expect("stored");
        let rows = database.rows("message_external_ids");
        assert_eq!(rows.len(), 1);
        assert_eq!((&rows[0]["status"], &rows[0]["message_id"]), (&json!("delivered"), &json!(1)));
    }

    fn plain_sql_registration_never_lowers_the_status(database) {
        let (store, endpoint) = (open(&database), endpoint());
        all_at_once(&store, &endpoint, &[status(&endpoint, "SM1", "delivered")]).remove(0).expect("stored");
        database.execute("INSERT INTO communication_metrics (reference) VALUES ('order-771')");
        database.execute(
            "INSERT INTO message_external_ids (message_id, external_id, service_type) VALUES (1, 'SM1', 'twilio') \
             ON CONFLICT (service_type, account, external_id, recipient_key) DO UPDATE SET message_id = EXCLUDED.message_id",
        );
        let row = database.rows("message_external_ids").remove(0);
        assert_eq!((&row["status"], &row["message_id"]), (&json!("delivered"), &json!(1)));
    }

    fn store_reports_reachability(database) {
        let store = open(&database);
        assert!(store.is_reachable() && store.is_writer_healthy() && store.has_room());
    }
}

/// Control of the startup check: a weakened commit setting is reported.
#[test]
fn postgres_without_synchronous_commit_is_rejected() {
    let database = Database::new(crate::support::database::Backend::Postgres);
    let open = |setting: &str| {
        let url = format!("{}%20-csynchronous_commit%3D{setting}", database.url());
        Store::open(&url.parse().expect("a database URL"), Options::default()).map(drop)
    };
    assert!(matches!(open("off"), Err(StoreError::NotDurable(_))));
    assert!(matches!(open("local"), Err(StoreError::NotDurable(_))));
    assert!(open("on").is_ok() && open("remote_apply").is_ok());
}

#[test]
fn unreachable_database_is_unavailable() {
    let url = "postgres://user@127.0.0.1:1/none".parse().expect("a database URL");
    assert!(matches!(Store::open(&url, Options::default()), Err(StoreError::Unavailable)));
}

/// A lost connection is detected and replaced, and the record is written again.
#[test]
fn writer_reconnects() {
    let database = Database::new(crate::support::database::Backend::Postgres);
    let url = format!("{}&application_name=writer_reconnects", database.url());
    let store = Direct::from(Store::open(&url.parse().expect("a database URL"), Options::default()).expect("a store"));
    let endpoint = endpoint();
    let connections = |column: &str| {
        database
            .query(&format!("SELECT {column}::text AS row FROM pg_stat_activity WHERE application_name = 'writer_reconnects'"))
    };
    // The process of the migrations' connection ends a little after it.
    wait_until("the writer's only connection", || connections("pid").len() == 1);
    assert_eq!(connections("pg_terminate_backend(pid)"), ["true"]);
    let stored: Vec<bool> = (0..5)
        .map(|n| all_at_once(&store, &endpoint, &[status(&endpoint, &format!("SM{n}"), "sent")]).remove(0).is_ok())
        .collect();
    assert_eq!(stored, [true; 5]);
    assert_eq!(database.rows("message_external_ids").len(), 5);
}

/// Any number of records that the database rejects do not make it unhealthy.
#[test]
fn poison_records_never_make_the_gateway_unready() {
    let database = Database::new(crate::support::database::Backend::Sqlite);
    let (store, endpoint) = (open(&database), endpoint());
    reject_poison(&database);
    let poison: Vec<Callback> =
        (0..40).map(|n| signed_form(&endpoint, &format!("MessageSid=POISON&MessageStatus=sent&Place={n}"))).collect();
    for callbacks in poison.chunks(10) {
        let outcomes = all_at_once(&store, &endpoint, callbacks);
        assert!(outcomes.iter().all(|outcome| outcome.as_ref().is_ok_and(Durable::is_quarantined)), "{outcomes:?}");
        assert!(store.is_writer_healthy());
    }
    assert!(all_at_once(&store, &endpoint, &[status(&endpoint, "SM1", "sent")]).remove(0).is_ok());
    assert_eq!(database.rows("webhook_requests").iter().filter(|row| row["reason"] == "poison").count(), 40);
}

/// A database that rejects even rows of requests is unhealthy.
#[test]
fn database_that_rejects_requests_is_unavailable() {
    let database = Database::new(crate::support::database::Backend::Sqlite);
    let (store, endpoint) = (open(&database), endpoint());
    database.execute("CREATE TRIGGER broken BEFORE INSERT ON webhook_requests BEGIN SELECT RAISE(ABORT, 'broken'); END");
    let callbacks: Vec<Callback> = (0..10).map(|n| status(&endpoint, &format!("SM{n}"), "sent")).collect();
    assert!(all_at_once(&store, &endpoint, &callbacks).iter().all(Result::is_err));
    assert!(!store.is_writer_healthy());
    database.execute("DROP TRIGGER broken");
    assert!(all_at_once(&store, &endpoint, &callbacks).iter().all(Result::is_ok), "it recovers by itself");
}

/// A failover ends connections at any moment; the record that was being written is not at fault.
#[test]
fn record_whose_connection_is_lost_several_times_is_stored() {
    let database = Database::new(crate::support::database::Backend::Postgres);
    let (store, endpoint) = (open(&database), endpoint());
    // A sequence counts also in transactions that are lost.
    database.execute("CREATE SEQUENCE losses");
    database.execute(
        "CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         IF nextval('losses') <= 3 THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF; RETURN NEW; END $$",
    );
    database.execute("CREATE TRIGGER lose BEFORE INSERT ON message_external_ids FOR EACH ROW EXECUTE FUNCTION lose()");
    let outcome = all_at_once(&store, &endpoint, &[status(&endpoint, "SM1", "sent")]).remove(0).expect("stored");
    assert!(!outcome.is_quarantined());
    assert_eq!(database.rows("message_external_ids").len(), 1);
}
