//! Matching of external ids with the application's messages, in any order of registration and callback, at any number of gateways.

use serde_json::{Value, json};
use waybill::{
    config::{Config, Env},
    endpoint::Endpoint,
    receive::receive,
    store::{Actor, Author, Registration},
    time::Timestamp,
};

use crate::support::{
    callback::signed,
    client,
    database::Database,
    direct::Direct,
    gateway::{Gateway, OPS_TOKEN, verifier},
    twilio::{self, TOKEN},
};

/// Sends a status callback, with the application's reference in its signed URL.
fn status(gateway: &Gateway, id: &str, reference: Option<&str>) {
    let target =
        reference.map_or_else(|| twilio::PATH.to_owned(), |reference| format!("{}?message_id={reference}", twilio::PATH));
    let endpoint = gateway.endpoint(twilio::PATH);
    let body = format!("MessageSid={id}&MessageStatus=delivered&To=%2B15558675310&n={}", reference.unwrap_or("none"));
    let mut outgoing = endpoint.outgoing("POST", target, "application/x-www-form-urlencoded", body);
    endpoint.sign(endpoint.spec.schemes[0], &mut outgoing);
    assert_eq!(gateway.send(&outgoing).status, 200);
}

pub(crate) fn gateway(database: Database, more: &[(&str, &str)]) -> Gateway {
    twilio::gateway(database, 1_700_000_000, more)
}

/// The match in the row of a message.
pub(crate) fn matched(gateway: &Gateway, id: &str) -> (Option<i64>, Option<String>, String) {
    let rows = gateway.database.rows("message_external_ids");
    let row = rows.iter().find(|row| row["external_id"] == id).expect("a row");
    let text = |name: &str| row.get(name).and_then(Value::as_str).map(str::to_owned);
    (row.get("message_id").and_then(Value::as_i64), text("matched_by"), text("status").expect("a status"))
}

pub(crate) fn matched_to(message: i64, how: &str, status: &str) -> (Option<i64>, Option<String>, String) {
    (Some(message), Some(how.to_owned()), status.to_owned())
}

fn register(gateway: &Gateway, registration: &Value) -> client::Response {
    let headers = [("Authorization".to_owned(), format!("Bearer {OPS_TOKEN}"))];
    client::send(gateway.running().ops, "POST", "/api/messages", &headers, registration.to_string().as_bytes())
}

pub(crate) fn registered(gateway: &Gateway, registration: &Value) -> i64 {
    let response = register(gateway, registration);
    assert_eq!(response.status, 200, "{}", String::from_utf8_lossy(&response.body));
    response.json()["id"].as_i64().expect("an id")
}

pub(crate) fn sweep(gateway: &Gateway) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(gateway.running().gateway.store.sweep(gateway.running().gateway.clock.now())).expect("a sweep");
}

crate::databases! {
    fn embedded_reference_matches_in_either_order(database) {
        let gateway = gateway(database, &[]);
        let first = registered(&gateway, &json!({ "reference": "order-1", "service_type": "twilio" }));
        status(&gateway, "SM1", Some("order-1"));
        assert_eq!(matched(&gateway, "SM1"), matched_to(first, "embedded", "delivered"));
        status(&gateway, "SM2", Some("order-2"));
        assert_eq!(matched(&gateway, "SM2"), (None, None, "delivered".to_owned()));
        let second = registered(&gateway, &json!({ "reference": "order-2", "service_type": "twilio" }));
        assert_eq!(matched(&gateway, "SM2"), matched_to(second, "embedded", "delivered"));
    }

    fn embedded_number_is_a_row_id_unless_it_is_a_reference(database) {
        let gateway = gateway(database, &[]);
        let id = registered(&gateway, &json!({ "reference": "order-1", "service_type": "twilio" }));
        status(&gateway, "SM1", Some(&id.to_string()));
        assert_eq!(matched(&gateway, "SM1"), matched_to(id, "embedded", "delivered"));
        let named = registered(&gateway, &json!({ "reference": "77", "service_type": "twilio" }));
        status(&gateway, "SM2", Some("77"));
        assert_eq!(matched(&gateway, "SM2"), matched_to(named, "embedded", "delivered"));
        // With a leading zero it is not the id of a row.
        status(&gateway, "SM3", Some(&format!("0{id}")));
        assert_eq!(matched(&gateway, "SM3").0, None);
    }

    fn application_mapping_is_strongest_and_lowers_no_status(database) {
        let gateway = gateway(database, &[]);
        registered(&gateway, &json!({ "reference": "order-1", "service_type": "twilio" }));
        status(&gateway, "SM1", Some("order-1"));
        let registration = json!({ "reference": "order-2", "service_type": "twilio", "external_id": "SM1" });
        let mapped = registered(&gateway, &registration);
        assert_eq!(matched(&gateway, "SM1"), matched_to(mapped, "database", "delivered"));
        status(&gateway, "SM1", None);
        registered(&gateway, &json!({ "reference": "order-1", "service_type": "twilio" }));
        assert_eq!(matched(&gateway, "SM1"), matched_to(mapped, "database", "delivered"));
        // Registered before its first callback, the message has no other status.
        let waiting = registered(&gateway, &json!({ "reference": "order-3", "service_type": "twilio", "external_id": "SM3" }));
        assert_eq!(matched(&gateway, "SM3"), matched_to(waiting, "database", "registered"));
        status(&gateway, "SM3", Some("order-1"));
        assert_eq!(matched(&gateway, "SM3"), matched_to(waiting, "database", "delivered"));
    }

    fn registration_takes_one_or_many_and_is_idempotent(database) {
        let gateway = gateway(database, &[]);
        let before = json!({
            "reference": "order-1", "service_type": "vonage", "recipient": "447700900000", "channel": "sms",
            "sent_at": "2026-03-14T15:30:00Z",
        });
        let id = registered(&gateway, &before);
        let after = json!({ "reference": "order-1", "service_type": "vonage", "external_id": "0A1", "account": "default" });
        assert_eq!(registered(&gateway, &after), id);
        let row = &gateway.database.rows("communication_metrics")[0];
        let retained = [&row["recipient"], &row["channel"], &row["sent_at"], &row["service_type"]];
        assert_eq!(retained, ["+447700900000", "sms", "2026-03-14 15:30:00", "vonage"]);
        let many = register(&gateway, &json!([{ "reference": "b", "service_type": "twilio" }, after, { "reference": "a", "service_type": "resend" }]));
        let many = many.json();
        let references: Vec<&str> = many.as_array().expect("a list").iter().map(|one| one["reference"].as_str().expect("text")).collect();
        assert_eq!(references, ["b", "order-1", "a"]);
        assert_eq!(many[1]["id"], id);
        assert_eq!(gateway.database.rows("communication_metrics").len(), 3);
        assert_eq!(register(&gateway, &json!([])).json(), json!([]));
    }

    fn invalid_registration_is_rejected_and_changes_nothing(database) {
        let gateway = gateway(database, &[("OPS_READ_TOKEN", "reader-token-0123456789")]);
        for (registration, field) in [
            (json!({ "reference": "", "service_type": "twilio" }), "reference"),
            (json!({ "reference": "a\u{0}", "service_type": "twilio" }), "reference"),
            (json!({ "reference": "a", "service_type": "unknown" }), "service_type"),
            (json!({ "reference": "a", "service_type": "twilio", "account": "Bad Account" }), "account"),
            (json!({ "reference": "a", "service_type": "twilio", "external_id": "a\u{0}" }), "external_id"),
            (json!({ "reference": "a", "service_type": "twilio", "sent_at": "yesterday" }), "sent_at"),
            (json!({ "reference": "a", "service_type": "twilio", "external_id": "" }), "external_id"),
            (json!({ "reference": "a", "service_type": "twilio", "recipents": "x" }), "recipient"),
            (json!([{ "reference": "good", "service_type": "twilio" }, { "reference": "a" }]), "message 1"),
            (json!(7), "reference"),
            (Value::Array(vec![json!({}); 1_001]), "1000"),
        ] {
            let response = register(&gateway, &registration);
            assert_eq!((response.status, response.json()["error"].clone()), (400, json!("invalid_registration")), "{registration}");
            assert!(response.json()["detail"].as_str().expect("a sentence").contains(field), "{registration}");
        }
        let reader = [("Authorization".to_owned(), "Bearer reader-token-0123456789".to_owned())];
        let registration = json!({ "reference": "a", "service_type": "twilio" }).to_string();
        assert_eq!(client::send(gateway.running().ops, "POST", "/api/messages", &reader, registration.as_bytes()).status, 403);
        assert_eq!(client::send(gateway.running().ops, "POST", "/api/messages", &[], registration.as_bytes()).status, 401);
        assert_eq!(gateway.database.rows("communication_metrics"), Vec::<Value>::new());
    }

    fn sweep_links_rows_of_plain_sql(database) {
        let gateway = gateway(database, &[]);
        status(&gateway, "SM1", Some("order-1"));
        status(&gateway, "SM2", Some("8"));
        gateway.database.execute("INSERT INTO communication_metrics (id, reference) VALUES (7, 'order-1'), (8, 'order-2')");
        gateway.database.execute("INSERT INTO message_external_ids (message_id, external_id, service_type) VALUES (8, 'SM9', 'twilio')");
        sweep(&gateway);
        assert_eq!(matched(&gateway, "SM1"), matched_to(7, "embedded", "delivered"));
        assert_eq!(matched(&gateway, "SM2"), matched_to(8, "embedded", "delivered"));
        assert_eq!(matched(&gateway, "SM9"), matched_to(8, "database", "registered"));
        // A second sweep links new rows and changes no others.
        status(&gateway, "SM3", Some("order-3"));
        gateway.database.execute("INSERT INTO communication_metrics (id, reference) VALUES (9, 'order-3')");
        let before = gateway.database.rows("message_external_ids").len();
        sweep(&gateway);
        assert_eq!(matched(&gateway, "SM3"), matched_to(9, "embedded", "delivered"));
        assert_eq!(gateway.database.rows("message_external_ids").len(), before);
    }

    // The application replaces a match by reference by plain SQL; the next callback carries the same reference.
    fn plain_sql_mapping_is_not_reverted(database) {
        let gateway = gateway(database, &[]);
        registered(&gateway, &json!({ "reference": "order-1", "service_type": "twilio" }));
        status(&gateway, "SM1", Some("order-1"));
        gateway.database.execute("INSERT INTO communication_metrics (id, reference) VALUES (70, 'order-2')");
        gateway.database.execute(
            "INSERT INTO message_external_ids (message_id, external_id, service_type) VALUES (70, 'SM1', 'twilio') \
             ON CONFLICT (service_type, account, external_id, recipient_key) DO UPDATE SET message_id = EXCLUDED.message_id",
        );
        let endpoint = gateway.endpoint(twilio::PATH);
        let target = format!("{}?message_id=order-1", twilio::PATH);
        let mut repeated = endpoint.outgoing("POST", target, "application/x-www-form-urlencoded", "MessageSid=SM1&MessageStatus=read");
        endpoint.sign(endpoint.spec.schemes[0], &mut repeated);
        assert_eq!(gateway.send(&repeated).status, 200);
        sweep(&gateway);
        assert_eq!(matched(&gateway, "SM1").0, Some(70));
    }

    // A numeric reference that is not registered yet matches the message with that id.
    fn numeric_reference_replaces_row_id_match(database) {
        let gateway = gateway(database, &[]);
        let other = registered(&gateway, &json!({ "reference": "another", "service_type": "twilio" }));
        let text = other.to_string();
        for (id, sql) in [("SM1", false), ("SM2", true)] {
            gateway.database.execute("DELETE FROM message_external_ids");
            gateway.database.execute("DELETE FROM communication_metrics WHERE reference <> 'another'");
            status(&gateway, id, Some(&text));
            assert_eq!(matched(&gateway, id), matched_to(other, "embedded", "delivered"));
            let named = if sql {
                gateway.database.execute(&format!("INSERT INTO communication_metrics (id, reference) VALUES (700, '{text}')"));
                sweep(&gateway);
                700
            } else {
                registered(&gateway, &json!({ "reference": text, "service_type": "twilio" }))
            };
            assert_eq!(matched(&gateway, id), matched_to(named, "embedded", "delivered"), "{id}");
        }
    }

    // A mapping by plain SQL replaces a match by any strategy, and survives callbacks, registrations and sweeps.
    fn plain_sql_mapping_replaces_any_match(database) {
        let gateway = gateway(database, &[("MESSAGE_ID_MAPPING_STRATEGY", "database,embedded,timestamp")]);
        gateway.database.execute(
            "INSERT INTO communication_metrics (id, reference, channel, recipient, sent_at) VALUES \
             (1001, 'guess', 'sms', '+15558675310', '2023-11-14 22:13:20'), (70, 'mapped', NULL, NULL, NULL)",
        );
        registered(&gateway, &json!({ "reference": "order-1", "service_type": "twilio", "external_id": "SM3" }));
        status(&gateway, "SM1", None);
        status(&gateway, "SM2", Some("order-1"));
        for id in ["SM1", "SM2", "SM3"] {
            gateway.database.execute(&format!(
                "INSERT INTO message_external_ids (message_id, external_id, service_type) VALUES (70, '{id}', 'twilio') \
                 ON CONFLICT (service_type, account, external_id, recipient_key) DO UPDATE SET message_id = EXCLUDED.message_id"
            ));
            gateway.database.execute(&format!("UPDATE message_external_ids SET has_conflict = TRUE WHERE external_id = '{id}'"));
            status(&gateway, id, Some("a"));
            registered(&gateway, &json!({ "reference": "a", "service_type": "twilio" }));
            status(&gateway, id, Some("order-1"));
            sweep(&gateway);
            assert_eq!(matched(&gateway, id), matched_to(70, "database", "delivered"), "{id}");
        }
        // A strategy name of the application's own has the same precedence.
        gateway.database.execute("UPDATE message_external_ids SET matched_by = 'by hand' WHERE external_id = 'SM1'");
        status(&gateway, "SM1", Some("order-0"));
        registered(&gateway, &json!({ "reference": "order-0", "service_type": "twilio" }));
        assert_eq!(matched(&gateway, "SM1").0, Some(70));
    }

    // Of the two references in callbacks the lesser is registered last.
    fn lesser_reference_wins_once_registered(database) {
        let gateway = gateway(database, &[]);
        status(&gateway, "SM1", Some("a"));
        registered(&gateway, &json!({ "reference": "b", "service_type": "twilio" }));
        status(&gateway, "SM1", Some("b"));
        let lesser = registered(&gateway, &json!({ "reference": "a", "service_type": "twilio" }));
        assert_eq!(matched(&gateway, "SM1"), matched_to(lesser, "embedded", "delivered"));
    }

    fn timestamp_match_is_opt_in_and_unambiguous(database) {
        let sent = "INSERT INTO communication_metrics (id, reference, channel, recipient, sent_at) VALUES ";
        database_with_metrics(&database);
        database.execute(&format!("{sent} (1, 'a', 'sms', '+15558675310', '2023-11-14 22:13:00')"));
        let off = gateway(database, &[]);
        status(&off, "SM1", None);
        assert_eq!(matched(&off, "SM1").0, None, "off by default");
        let on = gateway(off.stop(), &[("MESSAGE_ID_MAPPING_STRATEGY", "database,embedded,timestamp"), ("TIMESTAMP_MATCHING_WINDOW", "60")]);
        sweep(&on);
        assert_eq!(matched(&on, "SM1"), matched_to(1, "timestamp", "delivered"));
        status(&on, "SM2", None);
        assert_eq!(matched(&on, "SM2"), matched_to(1, "timestamp", "delivered"));
        // A message registered after the callback is matched too.
        on.database.execute("DELETE FROM message_external_ids; DELETE FROM communication_metrics");
        status(&on, "SM7", None);
        let registration = json!({
            "reference": "later", "service_type": "twilio", "channel": "sms", "recipient": "+15558675310",
            "sent_at": "2023-11-14T22:13:00Z",
        });
        let later = registered(&on, &registration);
        assert_eq!(matched(&on, "SM7"), matched_to(later, "timestamp", "delivered"));
        on.database.execute("DELETE FROM message_external_ids; DELETE FROM communication_metrics");
        on.database.execute(&format!("{sent} (1, 'a', 'sms', '+15558675310', '2023-11-14 22:13:00')"));
        // Two messages to one recipient are ambiguous. A match by reference replaces one by time.
        on.database.execute(&format!("{sent} (2, 'b', 'sms', '+15558675310', '2023-11-14 22:13:40')"));
        status(&on, "SM3", None);
        assert_eq!(matched(&on, "SM3").0, None);
        status(&on, "SM2", Some("b"));
        assert_eq!(matched(&on, "SM2"), matched_to(2, "embedded", "delivered"));
        // A message outside the window or of another channel is not matched.
        on.database.execute("UPDATE communication_metrics SET sent_at = '2023-11-14 20:00:00' WHERE id = 1");
        on.database.execute("UPDATE communication_metrics SET channel = 'mms' WHERE id = 2");
        status(&on, "SM4", None);
        assert_eq!(matched(&on, "SM4").0, None);
    }

    fn lesser_of_two_references_wins_in_any_order(database) {
        let gateway = gateway(database, &[]);
        let lesser = registered(&gateway, &json!({ "reference": "a", "service_type": "twilio" }));
        registered(&gateway, &json!({ "reference": "b", "service_type": "twilio" }));
        for (id, order) in [("SM1", ["a", "b"]), ("SM2", ["b", "a"])] {
            for reference in order {
                status(&gateway, id, Some(reference));
            }
            assert_eq!(matched(&gateway, id), matched_to(lesser, "embedded", "delivered"));
        }
        let conflicts = gateway.database.rows("message_external_ids").into_iter().map(|row| row["has_conflict"].clone());
        assert_eq!(conflicts.collect::<Vec<_>>(), [json!(true), json!(true)]);
    }

    fn mapping_reaches_every_recipient_row(database) {
        const SECRET: &str = "mifumo-webhook-secret-0123456789";
        let gateway = gateway(database, &[("MIFUMO_WEBHOOK_SECRET", SECRET)]);
        let send = |id: &str, kind: &str, recipients: &Value| {
            let endpoint = gateway.endpoint("/webhooks/mifumo");
            let body = json!({ "event": kind, "message_id": id, "recipients": recipients, "timestamp": "2024-01-01T10:00:00Z" });
            let mut outgoing = endpoint.outgoing("POST", endpoint.path(), "application/json", body.to_string());
            endpoint.sign(endpoint.spec.schemes[0], &mut outgoing);
            assert_eq!(gateway.send(&outgoing).status, 200);
        };
        let messages = |id: &str| -> Vec<Value> {
            let rows = gateway.database.rows("message_external_ids").into_iter().filter(|row| row["external_id"] == id);
            rows.map(|row| json!([row["recipient_key"], row.get("message_id")])).collect()
        };
        send("msg_1", "message.sent", &json!(["+255123456789", "+255987654321"]));
        let first = registered(&gateway, &json!({ "reference": "a", "service_type": "mifumo", "external_id": "msg_1" }));
        assert_eq!(messages("msg_1"), [json!(["+255123456789", first]), json!(["+255987654321", first])]);
        send("msg_1", "message.sent", &json!(["+255111111111"]));
        assert_eq!(messages("msg_1")[2], json!(["+255111111111", first]), "a later row gets the same message");
        gateway.database.execute("INSERT INTO communication_metrics (id, reference) VALUES (70, 'b')");
        send("msg_2", "message.sent", &json!(["+255123456789"]));
        gateway.database.execute("INSERT INTO message_external_ids (message_id, external_id, service_type) VALUES (70, 'msg_2', 'mifumo')");
        sweep(&gateway);
        assert_eq!(messages("msg_2"), [json!(["+255123456789", 70]), json!(["", 70])]);
        // A correction by plain SQL reaches every row, and so does a reference in one recipient's callback.
        gateway.database.execute("UPDATE message_external_ids SET message_id = 70 WHERE external_id = 'msg_1' AND recipient_key = '+255111111111'");
        sweep(&gateway);
        assert!(messages("msg_1").iter().all(|row| row[1] == 70), "{:?}", messages("msg_1"));
        send("msg_3", "message.sent", &json!(["+255123456789"]));
        let carry = |recipient: &str| {
            let endpoint = gateway.endpoint("/webhooks/mifumo");
            let carried = json!({ "event": "message.sent", "message_id": "msg_3", "recipient": recipient, "metadata": { "message_id": "b" } });
            let mut outgoing = endpoint.outgoing("POST", endpoint.path(), "application/json", carried.to_string());
            endpoint.sign(endpoint.spec.schemes[0], &mut outgoing);
            assert_eq!(gateway.send(&outgoing).status, 200);
        };
        carry("+255987654321");
        assert_eq!(messages("msg_3"), [json!(["+255123456789", 70]), json!(["+255987654321", 70])]);
        // A correction by plain SQL applies to the next recipient's row too, although its callback carries the reference.
        gateway.database.execute("INSERT INTO communication_metrics (id, reference) VALUES (71, 'c')");
        gateway.database.execute("UPDATE message_external_ids SET message_id = 71 WHERE external_id = 'msg_3'");
        carry("+255000000000");
        assert!(messages("msg_3").iter().all(|row| row[1] == 71), "{:?}", messages("msg_3"));
    }

    // A callback at one gateway and its registration at another, concurrently, a hundred times.
    fn concurrent_registration_and_callback_always_match(database) {
        let (here, there) = (Direct::open(&database), Direct::open(&database));
        let endpoint = endpoint();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            for round in 0..100 {
                let reference = format!("order-{round}");
                let target = format!("{}?message_id={reference}", twilio::PATH);
                let body = format!("MessageSid=SM{round}&MessageStatus=sent");
                let callback = signed(&endpoint, target, body, "", Timestamp::from_seconds(0).expect("an instant"));
                let registration = Registration {
                    reference, service_type: "twilio", account: "default".to_owned(),
                    external_id: None, recipient: None, channel: None, sent_at: None,
                };
                let author = Author { actor: Actor::Ops, at: Timestamp::from_seconds(0).expect("an instant") };
                let deadline = std::time::Duration::from_secs(30);
                let (received, registered) =
                    futures_util::future::join(receive((verifier(), &here.intake), &endpoint, &callback, deadline), there.register(vec![registration], author)).await;
                assert!(received.is_ok() && registered.is_ok());
            }
        });
        let rows = database.rows("message_external_ids");
        let unmatched: Vec<&Value> = rows.iter().filter(|row| row.get("message_id").is_none()).collect();
        assert_eq!((rows.len(), unmatched), (100, Vec::<&Value>::new()));
        here.close();
        there.close();
    }
}

/// Migrates a database, so that the application can write to it before a gateway starts.
fn database_with_metrics(database: &Database) {
    waybill::store::migrate(&database.url().parse().expect("a database URL")).expect("migrations");
}

fn endpoint() -> Endpoint {
    let env: Env = [("TWILIO_AUTH_TOKEN", TOKEN), ("WEBHOOK_BASE_URL", "https://hooks.example.com")].into_iter().collect();
    Config::load(&env).expect("a configuration").config.endpoints.remove(0).build()
}
