//! Inbound messages in parts: out of order, repeated, across a restart, at two gateways, with a reused reference, and with a part
//! that never arrives.

use serde_json::{Value, json};
use waybill::time::{Clock, ManualClock, Timestamp};

use crate::support::{database::Database, gateway::Gateway};

const TOKEN: &str = "vurl-0123456789abcdef0123456789abcdef";

fn gateway(database: Database, seconds: i64) -> Gateway {
    let now = Timestamp::from_seconds(seconds).expect("an instant");
    Gateway::start_on(database, now, &[("VONAGE_URL_TOKEN".to_owned(), TOKEN.to_owned())])
}

/// A part: its id, reference, number, total and text.
type Part<'p> = (&'p str, &'p str, u8, u8, &'p str);

fn send(gateway: &Gateway, (id, reference, number, total, text): Part<'_>) -> Value {
    let body = json!({
        "msisdn": "447700900001", "to": "447700900000", "messageId": id, "text": text, "type": "text", "concat": "true",
        "concat-ref": reference, "concat-total": total.to_string(), "concat-part": number.to_string(),
        "message-timestamp": format!("2020-01-01 12:00:0{number}"),
    });
    let headers = [("Content-Type".to_owned(), "application/json".to_owned())];
    let response = gateway.post(&format!("/webhooks/vonage/t/{TOKEN}"), &headers, body.to_string().as_bytes());
    assert_eq!(response.status, 200);
    response.json()
}

/// The released messages: id, text, parts received, total, and whether it is partial.
fn released(database: &Database) -> Vec<Value> {
    let rows = database.rows("inbound_messages").into_iter();
    rows.map(|row| json!([row["external_id"], row["text"], row["parts_received"], row["parts_total"], row["is_partial"]]))
        .collect()
}

fn sweep(gateway: &Gateway) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(gateway.running().gateway.store.sweep(gateway.running().gateway.clock.now())).expect("a sweep");
}

const THREE: [Part<'static>; 3] = [("A1", "7", 1, 3, "one "), ("A2", "7", 2, 3, "two "), ("A3", "7", 3, 3, "three")];

crate::databases! {
    fn parts_converge_in_any_order_and_repetition(database) {
        let mut database = database;
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let gateway = gateway(database, 1_577_880_005);
            for (step, which) in order.into_iter().enumerate() {
                assert_eq!(send(&gateway, THREE[which]), json!({ "success": true }));
                assert_eq!(send(&gateway, THREE[which]), json!({ "success": true, "duplicate": true }));
                assert_eq!(released(&gateway.database).len(), usize::from(step == 2), "released only when it is complete");
            }
            let expected = json!({
                "service_type": "vonage", "account": "default", "external_id": "A1", "sender": "+447700900001",
                "recipient": "+447700900000", "channel": "sms", "text": "one two three", "media": "[]", "parts_total": 3,
                "parts_received": 3, "is_partial": false, "occurred_at": "2020-01-01 12:00:01",
                "received_at": "2020-01-01 12:00:05",
            });
            let mut row = gateway.database.rows("inbound_messages").remove(0);
            row.as_object_mut().expect("an object").remove("id");
            assert_eq!(row, expected, "{order:?}");
            let parts = gateway.database.rows("inbound_parts");
            assert!(parts.len() == 3 && parts.iter().all(|part| part.get("inbound_message_id").is_some()));
            database = gateway.stop();
            database.execute("DELETE FROM inbound_parts; DELETE FROM inbound_sets; DELETE FROM inbound_messages; \
                              DELETE FROM webhook_bodies; DELETE FROM webhook_events; DELETE FROM webhook_requests");
        }
    }

    // The same part with other fields is another request, but no further part.
    fn repeated_part_is_counted_once(database) {
        let gateway = gateway(database, 0);
        send(&gateway, ("A1", "7", 1, 2, "one "));
        send(&gateway, ("A1", "7", 1, 2, "one, reported differently"));
        assert_eq!(released(&gateway.database), Vec::<Value>::new());
        send(&gateway, ("A2", "7", 2, 2, "two"));
        assert_eq!(released(&gateway.database), [json!(["A1", "one two", 2, 2, false])]);
    }

    fn parts_survive_restart(database) {
        let before = gateway(database, 0);
        send(&before, THREE[2]);
        let after = gateway(before.stop(), 10);
        send(&after, THREE[0]);
        send(&after, THREE[1]);
        assert_eq!(released(&after.database), [json!(["A1", "one two three", 3, 3, false])]);
    }

    // All parts are sent at once to two gateways.
    fn parts_at_two_gateways_make_one_message(database) {
        let first = gateway(database, 0);
        let url = first.database.url();
        let second = crate::support::gateway::start(
            &url,
            Clock::Manual(ManualClock::new(Timestamp::from_seconds(0).expect("an instant"))),
            &[("VONAGE_URL_TOKEN".to_owned(), TOKEN.to_owned())],
        );
        let target = format!("/webhooks/vonage/t/{TOKEN}");
        std::thread::scope(|scope| {
            for message in 0..20 {
                for number in 1..=3 {
                    let address = if (message + number) % 2 == 0 { first.address() } else { second.public };
                    let target = &target;
                    scope.spawn(move || {
                        let body = format!(
                            "msisdn=447700900001&to=447700900000&messageId=M{message}-{number}&text={number}&type=text&concat=true\
                             &concat-ref={message}&concat-total=3&concat-part={number}"
                        );
                        let headers = [("Content-Type".to_owned(), "application/x-www-form-urlencoded".to_owned())];
                        assert_eq!(crate::support::client::send(address, "POST", target, &headers, body.as_bytes()).status, 200);
                    });
                }
            }
        });
        second.stop();
        let messages = released(&first.database);
        assert_eq!(messages.len(), 20);
        assert!(messages.iter().all(|message| message[1] == "123" && message[4] == false), "{messages:?}");
        assert_eq!(first.database.rows("inbound_sets").len(), 20, "no set was opened twice");
    }

    fn reused_part_reference_is_another_message(database) {
        let gateway = gateway(database, 0);
        send(&gateway, ("A1", "7", 1, 2, "one "));
        send(&gateway, ("A2", "7", 2, 2, "two"));
        // After the release, and while another set with the same reference is open.
        send(&gateway, ("B2", "7", 2, 2, "vier"));
        send(&gateway, ("C2", "7", 2, 2, "six"));
        send(&gateway, ("C1", "7", 1, 2, "five "));
        send(&gateway, ("B1", "7", 1, 2, "drei "));
        let messages = released(&gateway.database);
        assert_eq!(messages, [
            json!(["A1", "one two", 2, 2, false]),
            json!(["C1", "five six", 2, 2, false]),
            json!(["B1", "drei vier", 2, 2, false]),
        ]);
    }

    fn missing_part_releases_a_partial_message(database) {
        let early = gateway(database, 0);
        send(&early, THREE[2]);
        send(&early, THREE[1]);
        sweep(&early);
        assert_eq!(released(&early.database), Vec::<Value>::new());
        let waiting = gateway(early.stop(), 3_599);
        sweep(&waiting);
        assert_eq!(released(&waiting.database), Vec::<Value>::new(), "not before the deadline");
        let late = gateway(waiting.stop(), 3_600);
        sweep(&late);
        sweep(&late);
        assert_eq!(released(&late.database), [json!(["A2", "two three", 2, 3, true])]);
        send(&late, THREE[0]);
        assert_eq!(released(&late.database).len(), 1);
        let later = gateway(late.stop(), 7_200);
        sweep(&later);
        assert_eq!(released(&later.database)[1], json!(["A1", "one ", 1, 3, true]));
    }

    fn opt_out_is_parsed_from_the_joined_text(database) {
        let gateway = gateway(database, 0);
        send(&gateway, ("A1", "7", 1, 2, "ST"));
        send(&gateway, ("A2", "7", 2, 2, "OP"));
        // The joined text is no opt-out word, although its first part is.
        send(&gateway, ("B1", "8", 1, 2, "STOP"));
        send(&gateway, ("B2", "8", 2, 2, " it, please"));
        let rows = gateway.database.rows("inbound_messages");
        assert_eq!([rows[0].get("opt_out"), rows[1].get("opt_out")], [Some(&json!("stop")), None]);
    }
}
