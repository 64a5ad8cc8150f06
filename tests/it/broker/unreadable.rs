//! Messages that a writer cannot store do not stop it and are not lost: they are moved to a stream of their own, and back by a writer
//! that can.

use async_nats::{
    HeaderMap,
    jetstream::{
        self, Context,
        consumer::pull,
        stream::{Config, DiscardPolicy, RetentionPolicy},
    },
};
use tokio::runtime::Runtime;

use super::{Nats, Part, wait_for_rows};
use crate::support::{
    database::{Backend, Database},
    poll::eventually,
    process,
    twilio::TOKEN,
};

const NEWER: &str = "{\"v\":999}\nbody";

/// A client of the broker.
struct Client(Runtime, Context);

impl Client {
    fn new(nats: &Nats) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let connecting = async { jetstream::new(async_nats::connect(nats.url()).await.expect("a connection")) };
        let context = runtime.block_on(connecting);
        Self(runtime, context)
    }

    fn publish(&self, subject: &str, headers: HeaderMap, payload: impl Into<bytes::Bytes>) {
        let (subject, payload) = (subject.to_owned(), payload.into());
        self.0.block_on(async {
            self.1.publish_with_headers(subject, headers, payload).await.expect("sent").await.expect("confirmed");
        });
    }

    /// Creates a stream with that limit, as an operator does.
    fn create(&self, name: &str, retention: RetentionPolicy, max_bytes: i64) {
        let subjects = vec![format!("{}.>", name.to_ascii_lowercase())];
        let discard = DiscardPolicy::New;
        let config = Config { name: name.to_owned(), subjects, retention, max_bytes, discard, ..Config::default() };
        self.0.block_on(self.1.create_stream(config)).expect("a stream");
    }

    /// The messages of the stream of dead messages, each as `reason payload`.
    fn dead(&self) -> Vec<String> {
        self.0.block_on(async {
            let Ok(stream) = self.1.get_stream("WAYBILL_DEAD").await else { return Vec::new() };
            let mut messages = Vec::new();
            for sequence in 1..=stream.cached_info().state.last_sequence {
                if let Ok(message) = stream.get_raw_message(sequence).await {
                    let reason = message.headers.get("Waybill-Reason").expect("a reason").as_str();
                    messages.push(format!("{reason}: {}", String::from_utf8_lossy(&message.payload)));
                }
            }
            messages
        })
    }
}

/// The message of a request that this version can read, but whose provider it does not know.
fn unknown(number: usize) -> String {
    format!(
        "{{\"v\":1,\"service_type\":\"acme\",\"account\":\"\",\"key\":\"{number:032x}\",\"verified_by\":\"none\",\"method\":\"POST\",\
         \"url\":\"/webhooks/acme\",\"headers\":\"{{}}\",\"received_at\":1800000000000000,\"answer\":0,\"is_quarantined\":false}}\nbody"
    )
}

#[test]
fn unreadable_message_is_moved_to_a_stream_of_its_own() {
    let (nats, database) = (Nats::start(), Database::new(Backend::Sqlite));
    let part = Part::start("all", &database, &nats.url(), &[]);
    part.send_until_acknowledged(1, "sent");
    let client = Client::new(&nats);
    for payload in ["not of Waybill", "{\"v\":1}\nbody", "{}"] {
        client.publish("waybill.something", HeaderMap::new(), payload);
    }
    part.send_until_acknowledged(2, "sent");
    wait_for_rows(&database, "webhook_requests", 2);
    part.wait_for("an empty stream", |state| state.pending == 0);
    let expected = ["not of Waybill", "{\"v\":1}\nbody", "{}"].map(|payload| format!("not a queued request: {payload}"));
    eventually("the stream of unreadable messages", || (client.dead() == expected).then_some(()));
}

/// They would take the places of all messages that may be with writers at once.
#[test]
fn messages_of_another_version_are_moved_away_and_stop_no_other() {
    const EACH: usize = 60;
    let (nats, database) = (Nats::start(), Database::new(Backend::Sqlite));
    let client = Client::new(&nats);
    client.create("WAYBILL", RetentionPolicy::WorkQueue, 64 << 20);
    let few = pull::Config { durable_name: Some("waybill-writers".to_owned()), max_ack_pending: 20, ..pull::Config::default() };
    client.0.block_on(client.1.create_consumer_on_stream(few, "WAYBILL")).expect("a consumer");
    for number in 0..EACH {
        client.publish("waybill.twilio.default", HeaderMap::new(), NEWER);
        client.publish("waybill.acme.default", HeaderMap::new(), unknown(number));
    }
    let part = Part::start("all", &database, &nats.url(), &[]);
    part.send_until_acknowledged(1, "sent");
    wait_for_rows(&database, "webhook_requests", 1);
    part.wait_for("all moved away", |state| state.pending == 0 && state.dead_messages == 2 * 60);
    let dead = client.dead();
    let of = |reason: &str| dead.iter().filter(|message| message.starts_with(reason)).count();
    assert_eq!((of("of a newer version: {\"v\":999}"), of("of an unknown provider: {\"v\":1")), (EACH, EACH), "{dead:?}");

    let health = part.ops("/api/health").json();
    assert_eq!((&health["queue"]["dead_messages"], &health["checks"]["broker"]), (&120.into(), &"warn".into()), "{health}");
    let exposition = String::from_utf8(part.ops("/metrics").body).expect("text");
    assert!(exposition.contains("\nwaybill_queue_dead_messages 120\n"), "{exposition}");
    let page = String::from_utf8(part.ops("/").body).expect("text");
    assert!(page.contains("Messages that no writer of this version can store, and that the tables lack: 120."), "{page}");
    let mut check = process::command();
    check.arg("check").env("DATABASE_URL", database.url()).env("QUEUE_URL", nats.url()).env("TWILIO_AUTH_TOKEN", TOKEN);
    let report = String::from_utf8(check.output().expect("the binary").stdout).expect("text");
    assert!(report.contains("120 messages that no writer could store are in the stream WAYBILL_DEAD"), "{report}");
}

#[test]
fn message_that_can_neither_be_stored_nor_moved_away_stays() {
    let (nats, database) = (Nats::start(), Database::new(Backend::Sqlite));
    let client = Client::new(&nats);
    client.create("WAYBILL_DEAD", RetentionPolicy::Limits, 1);
    let part = Part::start("all", &database, &nats.url(), &[]);
    part.send_until_acknowledged(1, "sent");
    client.publish("waybill.twilio.default", HeaderMap::new(), NEWER);
    part.send_until_acknowledged(2, "sent");
    wait_for_rows(&database, "webhook_requests", 2);
    part.wait_for("one message that stays", |state| state.pending == 1);
    assert_eq!(client.dead(), [""; 0]);
}

crate::databases! {
    fn writer_sends_back_what_it_can_store(database) {
        let nats = Nats::start();
        let client = Client::new(&nats);
        let gateway = Part::start("gateway", &Database::placeholder(), &nats.url(), &[]);
        client.create("WAYBILL_DEAD", RetentionPolicy::Limits, 1 << 20);
        // As older writers leave them, within the time in which the broker recognizes their first ids.
        for (number, reason) in [(1, "of a newer version"), (2, "of an unknown provider"), (3, "refused by the database")] {
            gateway.send_until_acknowledged(number, "sent");
            let payload = client.0.block_on(async {
                let stream = client.1.get_stream("WAYBILL").await.expect("a stream");
                let message = stream.get_raw_message(number).await.expect("a message");
                assert!(stream.delete_message(number).await.expect("deleted"));
                message.payload
            });
            let mut headers = HeaderMap::new();
            headers.insert("Waybill-Reason", reason);
            headers.insert("Waybill-Subject", "waybill.twilio.default");
            client.publish(&format!("waybill_dead.{number}"), headers, payload);
        }
        let mut headers = HeaderMap::new();
        headers.insert("Waybill-Reason", "of a newer version");
        headers.insert("Waybill-Subject", "waybill.twilio.default");
        client.publish("waybill_dead.4", headers, NEWER);
        gateway.wait_for("their number", |state| state.dead_messages == 4 && state.pending == 0);

        let writer = Part::start("writer", &database, &nats.url(), &[]);
        wait_for_rows(&database, "message_external_ids", 3);
        writer.wait_for("one that is of a newer version", |state| state.dead_messages == 1 && state.pending == 0);
        assert_eq!(client.dead(), [format!("of a newer version: {NEWER}")]);
    }
}
