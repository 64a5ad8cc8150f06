//! Copies of captured callbacks, and references of other accounts.

use std::io::Write;

use serde_json::{Value, json};
use waybill::{signature::Outgoing, time::Timestamp};

use crate::support::{
    client::{self, Response},
    database::{BACKENDS, Database},
    gateway::{Gateway, OPS_TOKEN},
    twilio,
};

/// The endpoint allows 100 callbacks a minute, and 10 at once. The clock stands still.
const LIMITED: &str = "/webhooks/conversation";

fn limited(database: Database) -> Gateway {
    let secret = ("CONVERSATION_WEBHOOK_SECRET".to_owned(), "conversation-webhook-secret-01234".to_owned());
    Gateway::start_on(database, Timestamp::from_seconds(1_000).expect("an instant"), &[secret])
}

fn message(gateway: &Gateway, id: &str) -> Outgoing {
    let endpoint = gateway.endpoint(LIMITED);
    let body = json!({ "conversation_id": "c", "data": { "id": id, "type": "BOT", "status": "PROCESSED" } });
    let mut outgoing = endpoint.outgoing("POST", LIMITED, "application/json", body.to_string());
    endpoint.sign(endpoint.spec.schemes[0], &mut outgoing);
    outgoing
}

/// The number of new callbacks that are accepted.
fn accepted(gateway: &Gateway, name: &str, count: usize) -> usize {
    (0..count).filter(|number| gateway.send(&message(gateway, &format!("{name}-{number}"))).status == 200).count()
}

fn is_duplicate(response: &Response) -> bool {
    (response.status, response.json()) == (200, json!({ "success": true, "duplicate": true }))
}

/// Before, 99 copies of one captured callback used up the minute.
#[test]
fn copies_use_up_no_limit() {
    for backend in BACKENDS {
        let gateway = limited(Database::new(backend));
        let captured = message(&gateway, "captured");
        assert_eq!(gateway.send(&captured).status, 200);
        assert!((0..300).all(|_| is_duplicate(&gateway.send(&captured))));
        assert_eq!(accepted(&gateway, "first", 100), 99, "the captured callback itself was new");
        let counted = gateway.database.query("SELECT CAST(max(duplicate_count) AS TEXT) AS row FROM webhook_requests");
        assert_eq!(counted, ["100"], "copies within their own limit are counted");

        // After a restart the gateway learns from the store that a request is a copy.
        let gateway = limited(gateway.stop());
        let old = |number: usize| message(&gateway, &format!("first-{number}"));
        assert!((0..99).all(|number| is_duplicate(&gateway.send(&old(number)))));
        assert!((0..300).all(|_| is_duplicate(&gateway.send(&captured))));
        assert_eq!(accepted(&gateway, "second", 101), 100);
    }
}

/// Copies of a callback that has not arrived yet are sent from many connections at once, and hung up on.
#[test]
fn copies_in_progress_use_up_no_limit() {
    for backend in BACKENDS {
        let gateway = limited(Database::new(backend));
        let captured = message(&gateway, "captured");
        let headers: Vec<String> = captured.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let length = captured.body.len();
        let head = format!("POST {LIMITED} HTTP/1.1\r\nHost: h\r\n{}Content-Length: {length}\r\n\r\n", headers.concat());
        let request = [head.as_bytes(), &captured.body].concat();
        let honest = std::thread::scope(|scope| {
            for _ in 0..20 {
                scope.spawn(|| {
                    for _ in 0..10 {
                        let mut hung_up = client::connect(gateway.address());
                        hung_up.write_all(&request).expect("an open connection");
                        drop(hung_up);
                        // Beyond the limits of copies, one whose original is still in progress is refused.
                        assert!([200, 429].contains(&gateway.send(&captured).status));
                    }
                });
            }
            accepted(&gateway, "honest", 99)
        });
        assert_eq!(honest, 99);
        assert!(is_duplicate(&gateway.send(&captured)), "it is stored once");
        assert_eq!(gateway.database.rows("message_external_ids").len(), 100);
    }
}

/// Twilio signs neither a time nor delimiters, so a captured request stays valid, in any encoding, after its row has expired. Before,
/// the copy of an inbound message replaced its text, and that of a named event raised a count.
#[test]
fn copies_of_expired_requests_change_nothing() {
    const DAY: i64 = 24 * 3600;
    for backend in BACKENDS {
        let started = 1_700_000_000;
        let gateway = twilio::gateway(Database::new(backend), started, &[("EVENT_RETENTION_DAYS", "7")]);
        let inbound =
            |body: &str| format!("Body={body}&From=%2B15558675310&MessageSid=SM1&SmsStatus=received&To=%2B15017250604&X=z");
        let named = json!([{ "specversion": "1.0", "source": "s", "id": "1", "type": "com.twilio.messaging.message.sent",
            "data": { "messageSid": "SM2" } }]);
        let copies = |expected: u16, is_known: bool| {
            let status = twilio::form(&gateway, "MessageSid=SM3&MessageStatus=delivered&To=%2B15558675310");
            for response in [status, twilio::json(&gateway, &named)] {
                assert_eq!((response.status, is_duplicate(&response)), (expected, is_known));
            }
            // An inbound message is answered with an empty document. Both have the same signed string; the second is a form of no known
            // shape, with a key in a space of its own.
            for to in ["%2B15017250604&X=z", "%2B15017250604Xz"] {
                assert_eq!(twilio::form(&gateway, &inbound(to)).status, expected);
            }
        };
        copies(200, false);
        let tables = ["message_external_ids", "inbound_messages", "webhook_requests", "webhook_events", "webhook_bodies"];
        let rows = || tables.map(|table| gateway.database.rows(table));
        let [messages, texts, ..] = rows();
        let later = Timestamp::from_seconds(started + 60 * DAY).expect("an instant");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        runtime.block_on(gateway.running().gateway.store.prune(later, false, drop)).expect("a database");
        gateway.set_clock(later);
        let expired = rows();
        assert_eq!((&expired[0], &expired[1], expired[2..].concat()), (&messages, &texts, Vec::new()));
        copies(200, true);
        assert_eq!(rows(), expired);
        // The keys of four requests and a named event, each with a day.
        let keys = gateway.database.rows("expired_keys");
        let is_key = |row: &Value| row.as_object().expect("a row").len() == 2 && row["day"] == started / DAY;
        assert!(keys.len() == 5 && keys.iter().all(is_key), "{keys:?}");
    }
}

/// A status callback of an account, with a reference in its signed URL.
fn status(gateway: &Gateway, path: &str, id: &str, reference: &str) {
    let endpoint = gateway.endpoint(path);
    let body = format!("MessageSid={id}&MessageStatus=delivered&To=%2B15558675310");
    let target = format!("{path}?message_id={reference}");
    let mut outgoing = endpoint.outgoing("POST", target, "application/x-www-form-urlencoded", body);
    endpoint.sign(endpoint.spec.schemes[0], &mut outgoing);
    assert_eq!(gateway.send(&outgoing).status, 200);
}

fn register(gateway: &Gateway, registration: &Value) -> i64 {
    let headers = [("Authorization".to_owned(), format!("Bearer {OPS_TOKEN}"))];
    let registration = registration.to_string();
    let response = client::send(gateway.running().ops, "POST", "/api/messages", &headers, registration.as_bytes());
    assert_eq!(response.status, 200, "{}", String::from_utf8_lossy(&response.body));
    response.json()["id"].as_i64().expect("an id")
}

fn sweep(gateway: &Gateway) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(gateway.running().gateway.store.sweep(gateway.running().gateway.clock.now())).expect("a sweep");
}

/// The external ids that are matched with a message of the application, each with its account.
fn matched(gateway: &Gateway) -> Vec<String> {
    let rows = gateway.database.rows("message_external_ids");
    let matched = rows.iter().filter(|row| row.get("message_id").is_some());
    let mut names: Vec<String> = matched
        .map(|row| ["account", "external_id"].map(|name| row[name].as_str().expect("text").to_owned()).join("/"))
        .collect();
    names.sort();
    names
}

/// A tenant sends callbacks with the references and the row ids of another tenant's messages, before and after these are registered.
#[test]
fn references_of_other_accounts_match_nothing() {
    const TENANT: &str = "/webhooks/twilio/tenant";
    for backend in BACKENDS {
        let tenants = [
            ("TWILIO__TENANT__AUTH_TOKEN", "tenant-auth-token-0123456789abcd"),
            ("TWILIO__VICTIM__AUTH_TOKEN", "victim-auth-token-0123456789abcd"),
            ("RESEND_WEBHOOK_SECRET", "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA="),
            ("MESSAGE_ID_MAPPING_STRATEGY", "database,embedded,timestamp"),
        ];
        let gateway = twilio::gateway(Database::new(backend), 1_700_000_000, &tenants);
        let message = |reference: &str, service_type: &str, account: &str| {
            json!({ "reference": reference, "service_type": service_type, "account": account, "channel": "sms",
                "recipient": "+15558675310", "sent_at": "2023-11-14T22:13:00Z" })
        };
        status(&gateway, TENANT, "SM1", "late");
        let messages = [
            message("order-1", "twilio", "victim"),
            message("order-2", "twilio", "default"),
            message("order-3", "resend", "tenant"),
            message("late", "twilio", "victim"),
            message("77", "twilio", "victim"),
        ];
        let ids: Vec<String> = messages.iter().map(|message| register(&gateway, message).to_string()).collect();
        gateway.database.execute(
            "INSERT INTO communication_metrics (id, reference, channel, recipient, sent_at) \
             VALUES (90, 'plain', 'sms', '+15558675310', '2023-11-14 22:13:00')",
        );
        let references = ["order-1", "order-2", "order-3", "late", "77", "plain", "90"];
        let all: Vec<&str> = references.into_iter().chain(ids.iter().map(String::as_str)).collect();
        for (number, reference) in all.iter().enumerate() {
            status(&gateway, TENANT, &format!("SM1{number}"), reference);
        }
        sweep(&gateway);
        assert_eq!(matched(&gateway), Vec::<String>::new());

        // The owners' callbacks match: by reference, and at an unnamed account by a row's id.
        status(&gateway, "/webhooks/twilio/victim", "SM2", "order-1");
        status(&gateway, "/webhooks/twilio/victim", "SM3", "late");
        // A number that another tenant uses as its reference is still the id of a row.
        gateway.database.execute("INSERT INTO communication_metrics (id) VALUES (77)");
        for (id, reference) in
            [("SM4", "order-2"), ("SM5", "plain"), ("SM6", "90"), ("SM7", "77"), ("SM8", &ids[1]), ("SM9", &ids[0])]
        {
            status(&gateway, twilio::PATH, id, reference);
        }
        sweep(&gateway);
        let owned = ["default/SM4", "default/SM5", "default/SM6", "default/SM7", "default/SM8", "victim/SM2", "victim/SM3"];
        assert_eq!(matched(&gateway), owned);

        // A named account matches what was registered without an account only if it is configured to.
        let more = [&tenants[..3], &[("TWILIO__TENANT__MATCH_UNSCOPED_REFERENCES", "true")]].concat();
        let gateway = twilio::gateway(gateway.stop(), 1_700_000_000, &more);
        sweep(&gateway);
        let ours: Vec<String> = matched(&gateway).into_iter().filter(|name| name.starts_with("tenant/")).collect();
        // `order-2`, 77 as an id, `plain`, 90, and the id of `order-2`.
        assert_eq!(ours, ["tenant/SM11", "tenant/SM14", "tenant/SM15", "tenant/SM16", "tenant/SM18"]);
    }
}
