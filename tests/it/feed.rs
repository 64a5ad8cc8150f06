//! The event feed: no event is skipped or repeated, even if transactions overlap.

use std::{
    collections::BTreeSet,
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use diesel::connection::SimpleConnection;
use serde_json::{Value, json};
use waybill::{
    config::{Config, Env},
    receive::receive,
    store::{FeedCursor, Store, StoredEvent},
    time::Timestamp,
};

use crate::support::{
    callback::signed,
    client,
    database::{Backend, Database},
    direct::Direct,
    gateway::{Gateway, OPS_TOKEN, PUBLIC_URL, verifier},
    twilio,
};

const TIMEOUT: Duration = Duration::from_mins(1);

fn open(database: &Database) -> Direct {
    Direct::open(database)
}

/// The statement with which a writer inserts an event.
fn insert(key: &str) -> String {
    format!(
        "INSERT INTO webhook_events (event_key, service_type, account, external_id, event_type, state_key, received_at) \
         VALUES ('{key}', 'twilio', 'default', '{key}', 'message.sent', '', '2026-03-14 10:00:00')"
    )
}

fn ids(events: &[StoredEvent]) -> Vec<String> {
    events.iter().filter_map(|event| event.external_id.clone()).collect()
}

/// Reads that many events. On Postgres the feed ends before the oldest running transaction of the cluster, which may belong to
/// another test, so it may take several reads.
fn read_events(store: &Store, mut after: FeedCursor, count: usize) -> (Vec<String>, FeedCursor) {
    let (started, mut seen) = (Instant::now(), Vec::new());
    while seen.len() < count && started.elapsed() < TIMEOUT {
        let page = store.events_after(after, 100).expect("a page");
        seen.extend(ids(&page.events));
        after = page.next;
    }
    (seen, after)
}

/// Waits until the gateway's feed has that many events.
fn wait_for(gateway: &Gateway, count: usize) {
    let (seen, _) = read_events(&gateway.running().gateway.store, FeedCursor::default(), count);
    assert_eq!(seen.len(), count);
}

#[test]
fn feed_includes_late_commits() {
    let database = Database::new(Backend::Postgres);
    let store = open(&database);
    let (mut slow, mut quick) = (database.postgres(), database.postgres());
    slow.batch_execute(&format!("BEGIN; {}", insert("slow"))).expect("inserted");
    quick.batch_execute(&format!("BEGIN; {}; COMMIT", insert("quick"))).expect("committed");
    let early = store.events_after(FeedCursor::default(), 100).expect("a page");
    assert_eq!(ids(&early.events), Vec::<String>::new(), "the uncommitted event precedes the committed one");
    assert_eq!(store.feed_end().expect("a place"), FeedCursor::default());
    slow.batch_execute(&format!("{}; COMMIT", insert("slow-2"))).expect("committed");
    let (late, end) = read_events(&store, early.next, 3);
    assert_eq!(late, ["slow", "slow-2", "quick"]);
    assert_eq!(ids(&store.events_after(end, 100).expect("a page").events), Vec::<String>::new());
    // A transaction that is rolled back leaves no event and delays none.
    slow.batch_execute(&format!("BEGIN; {}", insert("never"))).expect("inserted");
    quick.batch_execute(&insert("next")).expect("committed");
    assert_eq!(store.events_after(end, 100).expect("a page").events.len(), 0);
    slow.batch_execute("ROLLBACK").expect("rolled back");
    assert_eq!(read_events(&store, end, 1).0, ["next"]);
    store.close();
}

/// Reads a stream until it has sent that text.
fn read_until(stream: &mut TcpStream, text: &str) -> String {
    let (mut seen, mut chunk) = (String::new(), [0; 4096]);
    while !seen.contains(text) {
        let count = stream.read(&mut chunk).expect("in time");
        assert!(count > 0, "closed after {seen}");
        seen.push_str(&String::from_utf8_lossy(&chunk[..count]));
    }
    seen
}

fn subscribe(gateway: &Gateway, target: &str, headers: &str) -> TcpStream {
    let mut stream = client::connect(gateway.running().ops);
    let request = format!("GET {target} HTTP/1.1\r\nHost: ops\r\nAuthorization: Bearer {OPS_TOKEN}\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).expect("sent");
    stream
}

/// The ids of the server-sent events in a text.
fn sent_ids(text: &str) -> Vec<&str> {
    text.lines().filter_map(|line| line.strip_prefix("id: ")).collect()
}

crate::databases! {
    fn feed_is_complete_beside_concurrent_writers(database) {
        const WRITERS: usize = 4;
        const EACH: usize = 60;
        let stores: Vec<Direct> = (0..WRITERS).map(|_| open(&database)).collect();
        let env: Env = [("TWILIO_AUTH_TOKEN", twilio::TOKEN), ("WEBHOOK_BASE_URL", PUBLIC_URL)].into_iter().collect();
        let endpoint = &Config::load(&env).expect("a configuration").config.endpoints.remove(0).build();
        let write = |store: &Direct, writer: usize| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            for number in 0..EACH {
                let body = format!("MessageSid=SM{writer}a{number}&MessageStatus=sent");
                let at = Timestamp::from_seconds(1_773_500_000).expect("an instant");
                let callback = signed(endpoint, endpoint.path(), body, "", at);
                // With concurrent writers a request may fail. It is retried, as by a provider.
                let is_stored = |_| runtime.block_on(receive((verifier(), &store.intake), endpoint, &callback, TIMEOUT)).is_ok();
                assert!((0..20).any(is_stored), "not stored in 20 attempts");
            }
        };
        let mut seen: Vec<(FeedCursor, String)> = Vec::new();
        std::thread::scope(|scope| {
            for (writer, store) in stores.iter().enumerate() {
                scope.spawn(move || write(store, writer));
            }
            let (mut after, started) = (FeedCursor::default(), Instant::now());
            while seen.len() < WRITERS * EACH && started.elapsed() < TIMEOUT {
                let page = stores[0].events_after(after, 7).expect("a page");
                after = page.next;
                seen.extend(page.events.into_iter().map(|event| (event.cursor, event.external_id.expect("an id"))));
            }
        });
        assert!(seen.is_sorted_by(|one, other| one.0 < other.0), "in the order of cursors");
        let distinct: BTreeSet<&String> = seen.iter().map(|(_, id)| id).collect();
        assert_eq!((seen.len(), distinct.len()), (WRITERS * EACH, WRITERS * EACH), "no event is repeated or skipped");
        for store in &stores {
            store.close();
        }
    }

    fn feed_is_paginated(database) {
        let gateway = twilio::gateway(database, 1_773_500_000, &[]);
        for number in 0..5 {
            twilio::form(&gateway, &format!("MessageSid=SM{number}&MessageStatus=sent"));
        }
        wait_for(&gateway, 5);
        let all = gateway.ops("/api/events");
        assert_eq!((all["events"].as_array().map(Vec::len), &all["has_more"]), (Some(5), &json!(false)));
        assert_eq!(gateway.ops("/api/events?after="), all);
        let (mut paged, mut after) = (Vec::new(), String::new());
        loop {
            let page = gateway.ops(&format!("/api/events?limit=2&after={after}"));
            page["next"].as_str().expect("a place").clone_into(&mut after);
            paged.extend(page["events"].as_array().expect("events").clone());
            if page["has_more"] == json!(false) {
                break;
            }
        }
        assert_eq!(Value::Array(paged), all["events"]);
        assert_eq!(all["events"][4]["cursor"], all["next"]);
        let nothing = gateway.ops(&format!("/api/events?after={after}"));
        assert_eq!((&nothing["events"], nothing["next"].as_str()), (&json!([]), Some(after.as_str())));
        let now = gateway.ops("/api/events?after=now");
        assert_eq!((&now["events"], &now["next"]), (&json!([]), &all["next"]));
        twilio::form(&gateway, "MessageSid=SM9&MessageStatus=sent");
        wait_for(&gateway, 6);
        assert_eq!(gateway.ops(&format!("/api/events?after={after}"))["events"][0]["external_id"], "SM9");
    }

    fn stream_resumes_after_disconnect(database) {
        let gateway = twilio::gateway(database, 1_773_500_000, &[]);
        twilio::form(&gateway, "MessageSid=SM1&MessageStatus=sent");
        wait_for(&gateway, 1);
        let mut stream = subscribe(&gateway, "/api/events/stream", "");
        let head = read_until(&mut stream, "id: ");
        assert!(head.contains("content-type: text/event-stream") && head.contains("cache-control: no-store"), "{head}");
        twilio::form(&gateway, "MessageSid=SM2&MessageStatus=sent");
        let sent = read_until(&mut stream, "SM2");
        assert!(!head.contains("SM1") && !sent.contains("SM1"), "only later events");
        let start = sent_ids(&head)[0].to_owned();
        drop(stream);
        twilio::form(&gateway, "MessageSid=SM3&MessageStatus=sent");
        // Disconnects before and after the first event. The header overrides the query.
        let resumed = read_until(&mut subscribe(&gateway, "/api/events/stream", &format!("Last-Event-ID: {start}\r\n")), "SM3");
        assert!(resumed.contains("SM2") && !resumed.contains("SM1"), "{resumed}");
        let last = sent_ids(&sent).last().expect("an id").to_string();
        let after_last = read_until(&mut subscribe(&gateway, "/api/events/stream?after=", &format!("Last-Event-ID: {last}\r\n")), "SM3");
        assert!(!after_last.contains("SM2"), "{after_last}");
        let all = read_until(&mut subscribe(&gateway, "/api/events/stream?after=", ""), "SM3");
        assert!(all.contains("SM1") && all.contains("SM2"), "{all}");
        let wrong = read_until(&mut subscribe(&gateway, "/api/events/stream", "Last-Event-ID: x\r\n"), "}");
        assert!(wrong.starts_with("HTTP/1.1 400"), "{wrong}");
    }
}

#[test]
fn streams_are_bounded_and_end_at_shutdown() {
    let gateway = twilio::gateway(Database::new(Backend::Sqlite), 1_773_500_000, &[]);
    let mut streams: Vec<TcpStream> = (0..32).map(|_| subscribe(&gateway, "/api/events/stream", "")).collect();
    for stream in &mut streams {
        read_until(stream, "id: ");
    }
    let rejected = read_until(&mut subscribe(&gateway, "/api/events/stream", ""), "}");
    assert!(rejected.starts_with("HTTP/1.1 503") && rejected.contains("too_many_streams"), "{rejected}");
    gateway.stop();
    for mut stream in streams {
        let mut rest = String::new();
        stream.read_to_string(&mut rest).expect("it ends");
        assert!(rest.ends_with("0\r\n\r\n"), "the stream ends with the last chunk: {rest}");
    }
}
