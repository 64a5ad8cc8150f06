//! The durable write path: batches, duplicates, poison, several gateways, and what plain SQL may do beside it.

use std::time::Duration;

use futures_util::{StreamExt, future::join_all, stream::FuturesUnordered};
use serde_json::json;
use sha2::{Digest, Sha256};
use waybill::{
    callback::Callback,
    config::{Config, Env},
    endpoint::Endpoint,
    receive::{Refusal, receive},
    store::{Answer, Committed, Options, Store, StoreError},
    time::Timestamp,
};

use crate::support::{
    callback::{received, signed},
    database::{Database, Lock},
    twilio::TOKEN,
};

const PATIENCE: Duration = Duration::from_secs(30);

fn endpoint() -> Endpoint {
    endpoint_with("UNKNOWN_MESSAGE_RESPONSE", "accept")
}

fn endpoint_with(variable: &str, value: &str) -> Endpoint {
    let env: Env = [("TWILIO_AUTH_TOKEN", TOKEN), ("WEBHOOK_BASE_URL", "https://hooks.example.com"), (variable, value)]
        .into_iter()
        .collect();
    Config::load(&env).expect("a configuration").config.endpoints.remove(0)
}

fn status(endpoint: &Endpoint, id: &str, status: &str) -> Callback {
    let body = format!("MessageSid={id}&MessageStatus={status}");
    let at = Timestamp::from_seconds(1_773_500_000).expect("an instant");
    signed(endpoint, endpoint.path(), body, "", at)
}

/// A signed JSON document.
fn document(endpoint: &Endpoint, body: &str) -> Callback {
    let target = format!("{}?bodySHA256={}", endpoint.path(), hex::encode(Sha256::digest(body)));
    let mut outgoing = endpoint.outgoing("POST", target, "application/json", body);
    endpoint.sign(endpoint.spec.schemes[0], &mut outgoing);
    received(endpoint, outgoing, Timestamp::from_seconds(0).expect("an instant"))
}

fn open(database: &Database) -> Store {
    Store::open(&database.url().parse().expect("a database URL"), Options { max_retries: 20, ..Options::default() })
        .expect("a store")
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}

/// Sends all at once, so that they queue up into batches.
fn all_at_once(store: &Store, endpoint: &Endpoint, callbacks: &[Callback]) -> Vec<Result<Committed, Refusal>> {
    let received = run(join_all(callbacks.iter().map(|callback| receive(store, endpoint, callback, PATIENCE))));
    received.into_iter().map(|received| received.map(|received| received.committed)).collect()
}

fn refuse_poison(database: &Database) {
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
        let fresh = outcomes.iter().filter(|outcome| !outcome.as_ref().expect("stored").is_duplicate()).count();
        assert_eq!(fresh, 3);
        let row = database.rows("message_external_ids").remove(0);
        assert_eq!((&row["status"], &row["revision"]), (&json!("delivered"), &json!(3)));
        assert_eq!(database.rows("webhook_requests").len(), 3);
    }

    fn each_of_a_batch_gets_the_answer_of_its_own_message(database) {
        let (store, endpoint) = (open(&database), endpoint_with("UNKNOWN_MESSAGE_RESPONSE", "not-found"));
        database.execute("INSERT INTO communication_metrics (id) VALUES (7)");
        // Every third is registered.
        for n in (0..60).step_by(3) {
            database.execute(&format!("INSERT INTO message_external_ids (message_id, external_id, service_type) VALUES (7, 'SM{n}', 'twilio')"));
        }
        let callbacks: Vec<Callback> = (0..120).map(|n| status(&endpoint, &format!("SM{}", n % 60), "sent")).collect();
        for (n, outcome) in all_at_once(&store, &endpoint, &callbacks).into_iter().enumerate() {
            let answer = if n.is_multiple_of(3) { Answer::Success } else { Answer::NotFound };
            assert_eq!(outcome.expect("stored").answer(), answer, "SM{}", n % 60);
        }
        for row in database.rows("webhook_events") {
            let id: usize = row["external_id"].as_str().expect("an id")[2..].parse().expect("a number");
            let request = database.rows("webhook_requests").into_iter().find(|request| request["id"] == row["request_id"]).expect("a request");
            assert_eq!(request["answer"], if id.is_multiple_of(3) { 200 } else { 404 }, "SM{id}");
        }
    }

    fn the_same_event_in_two_requests_of_a_batch_is_one_event_and_two_answers(database) {
        let (store, endpoint) = (open(&database), endpoint_with("UNKNOWN_MESSAGE_RESPONSE", "not-found"));
        let event = r#"{"specversion":"1.0","source":"s","id":"1","type":"com.twilio.messaging.message.sent","data":{"messageSid":"SM1"}}"#;
        let callbacks: Vec<Callback> = (0..20).map(|n| document(&endpoint, &format!("[{}{event}]", " ".repeat(n)))).collect();
        let outcomes: Vec<Committed> = all_at_once(&store, &endpoint, &callbacks).into_iter().map(|outcome| outcome.expect("stored")).collect();
        assert!(outcomes.iter().all(|outcome| outcome.answer() == Answer::NotFound), "{outcomes:?}");
        assert_eq!(outcomes.iter().filter(|outcome| !outcome.is_duplicate()).count(), 1);
        assert_eq!((database.rows("webhook_events").len(), database.rows("webhook_requests").len()), (1, 20));
    }

    fn poison_is_quarantined_and_its_neighbours_are_stored(database) {
        let (store, endpoint) = (open(&database), endpoint());
        refuse_poison(&database);
        let mut callbacks: Vec<Callback> = (0..50).map(|n| status(&endpoint, &format!("SM{n}"), "sent")).collect();
        callbacks.insert(25, status(&endpoint, "POISON", "sent"));
        let outcomes = all_at_once(&store, &endpoint, &callbacks);
        assert!(outcomes.iter().all(Result::is_ok));
        assert_eq!(database.rows("message_external_ids").len(), 50);
        let requests = database.rows("webhook_requests");
        let quarantined: Vec<_> = requests.iter().filter(|row| row["state"] == "quarantined").collect();
        assert_eq!((requests.len(), quarantined.len()), (51, 1));
        assert_eq!(quarantined[0]["reason"], "poison");
        assert_eq!(database.rows("webhook_bodies").len(), 51, "its body is kept");
        let again = all_at_once(&store, &endpoint, &callbacks[25..26]).remove(0).expect("stored");
        assert!(again.is_duplicate(), "a retry of poison gets the same answer");
    }

    fn gateways_that_share_a_database_never_deadlock(database) {
        let endpoint = endpoint();
        let stores: Vec<Store> = (0..4).map(|_| open(&database)).collect();
        // Every store writes the same 40 messages, each in another order.
        let words = ["queued", "sending", "sent", "delivered"];
        let callbacks: Vec<Callback> =
            (0..40).flat_map(|n| words.map(|word| status(&endpoint, &format!("SM{n}"), word))).collect();
        let received = stores.iter().enumerate().flat_map(|(place, store)| {
            let (callbacks, endpoint) = (&callbacks, &endpoint);
            (0..callbacks.len()).map(move |n| {
                let index = (n * (2 * place + 1) + place * 37) % callbacks.len();
                receive(store, endpoint, &callbacks[index], PATIENCE)
            })
        });
        let outcomes = run(join_all(received));
        assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
        let rows = database.rows("message_external_ids");
        assert_eq!(rows.len(), 40);
        assert!(rows.iter().all(|row| row["status"] == "delivered" && row["revision"] == 4));
    }

    fn a_caller_that_hangs_up_does_not_cancel_its_write(database) {
        let (store, endpoint) = (open(&database), endpoint());
        let callback = status(&endpoint, "SM1", "sent");
        let late = run(receive(&store, &endpoint, &callback, Duration::ZERO));
        assert!(matches!(late, Err(Refusal::Late)));
        store.close();
        assert_eq!(database.rows("message_external_ids").len(), 1);
    }

    fn a_full_queue_is_refused_and_what_it_holds_is_stored(database) {
        let (store, endpoint) = (open(&database), endpoint());
        let callbacks: Vec<Callback> = (0..500).map(|n| status(&endpoint, &format!("SM{n}"), "sent")).collect();
        let mut lock = Some(database.lock());
        let (mut stored, mut refused, mut timed_out) = (0, 0, 0);
        run(async {
            let mut pending: FuturesUnordered<_> =
                callbacks.iter().map(|callback| receive(&store, &endpoint, callback, PATIENCE)).collect();
            while let Some(outcome) = pending.next().await {
                match outcome {
                    Ok(_) => stored += 1,
                    Err(Refusal::NotStored(StoreError::Busy)) => refused += 1,
                    // Postgres gives up waiting for a lock about when the queue's patience ends.
                    Err(Refusal::NotStored(StoreError::Unavailable)) => timed_out += 1,
                    Err(other) => panic!("{other}"),
                }
                lock.take().into_iter().for_each(Lock::release);
            }
        });
        assert!(refused + timed_out > 0 && timed_out <= 128, "{refused} refused, {timed_out} timed out");
        assert_eq!(stored + refused + timed_out, callbacks.len());
        assert!(stored >= 256, "the queue's own length at the least");
        assert_eq!(database.rows("message_external_ids").len(), stored);
    }

    fn a_burst_over_the_queue_waits_for_a_place(database) {
        let (store, endpoint) = (open(&database), endpoint());
        let callbacks: Vec<Callback> = (0..500).map(|n| status(&endpoint, &format!("SM{n}"), "sent")).collect();
        let outcomes = all_at_once(&store, &endpoint, &callbacks);
        assert!(outcomes.iter().all(Result::is_ok));
    }

    fn a_closed_store_takes_nothing(database) {
        let (store, endpoint) = (open(&database), endpoint());
        store.close();
        let refused = run(receive(&store, &endpoint, &status(&endpoint, "SM1", "sent"), PATIENCE));
        assert!(matches!(refused, Err(Refusal::NotStored(StoreError::Unavailable))));
    }

    fn the_guides_three_column_insert_works_and_is_adopted(database) {
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

    fn registering_by_plain_sql_after_the_callback_never_lowers_the_status(database) {
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

    fn the_store_answers_whether_it_is_there(database) {
        let store = open(&database);
        assert!(store.is_reachable() && store.is_writing() && store.has_room());
    }
}

/// Teeth of the check at the start: an operator who weakens the commit is told.
#[test]
fn a_postgres_that_does_not_sync_its_commits_is_refused() {
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
fn a_database_that_is_away_is_unavailable() {
    let url = "postgres://nobody@127.0.0.1:1/none".parse().expect("a database URL");
    assert!(matches!(Store::open(&url, Options::default()), Err(StoreError::Unavailable)));
}

/// A lost connection is found and replaced; what came meanwhile is refused, not lost silently.
#[test]
fn the_writer_reconnects() {
    let database = Database::new(crate::support::database::Backend::Postgres);
    let url = format!("{}&application_name=the_writer_reconnects", database.url());
    let store = Store::open(&url.parse().expect("a database URL"), Options::default()).expect("a store");
    let endpoint = endpoint();
    let killed = database.query(
        "SELECT pg_terminate_backend(pid)::text AS row FROM pg_stat_activity WHERE application_name = 'the_writer_reconnects'",
    );
    assert_eq!(killed, ["true"], "the writer's only connection");
    let stored: Vec<bool> = (0..5)
        .map(|n| all_at_once(&store, &endpoint, &[status(&endpoint, &format!("SM{n}"), "sent")]).remove(0).is_ok())
        .collect();
    assert_eq!(stored, [false, true, true, true, true]);
    assert_eq!(database.rows("message_external_ids").len(), 4);
}

/// A database that refuses every row is in trouble; calling all of it poison would lose what it means.
#[test]
fn a_database_that_refuses_everything_is_unavailable() {
    let database = Database::new(crate::support::database::Backend::Sqlite);
    let (store, endpoint) = (open(&database), endpoint());
    database.execute("CREATE TRIGGER broken BEFORE INSERT ON message_external_ids BEGIN SELECT RAISE(ABORT, 'broken'); END");
    let callbacks: Vec<Callback> = (0..10).map(|n| status(&endpoint, &format!("SM{n}"), "sent")).collect();
    let refused = all_at_once(&store, &endpoint, &callbacks).iter().filter(|outcome| outcome.is_err()).count();
    assert_eq!(refused, 7, "three may be poison");
    database.execute("DROP TRIGGER broken");
    let outcomes = all_at_once(&store, &endpoint, &callbacks[5..]);
    assert!(outcomes.iter().all(Result::is_ok), "it recovers by itself");
}
