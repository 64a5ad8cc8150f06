//! Twilio's Event Streams deliver at least once, out of order, and may include an event in several requests.

use serde_json::{Value, json};

use crate::support::{database::Database, gateway::Gateway, twilio};

fn event(id: &str, status: &str, at: &str) -> Value {
    json!({
        "specversion": "1.0", "source": "/messages/SM1", "id": id, "type": format!("com.twilio.messaging.message.{}", status.to_lowercase()),
        "data": { "messageSid": "SM1", "messageStatus": status, "timestamp": at },
    })
}

fn send(gateway: &Gateway, document: &Value) -> Value {
    let response = twilio::json(gateway, document);
    assert_eq!(response.status, 200);
    response.json()
}

crate::databases! {
    fn batch_is_duplicate_only_if_every_event_is_known(database) {
        let gateway = twilio::gateway(database, 0, &[]);
        let [sent, delivered, read] = [("1", "SENT"), ("2", "DELIVERED"), ("3", "READ")]
            .map(|(id, status)| event(id, status, "2026-03-14T15:29:57.000Z"));
        let (new, known) = (json!({ "success": true }), json!({ "success": true, "duplicate": true }));
        assert_eq!(send(&gateway, &json!([sent, delivered])), new);
        assert_eq!(send(&gateway, &json!([delivered, sent])), known, "another request with the same events");
        assert_eq!(send(&gateway, &sent), known, "one of the events in a request of its own");
        assert_eq!(send(&gateway, &json!([sent, read])), new, "one of two is new");
        assert_eq!(send(&gateway, &json!([sent, read])), known, "the same request");
        assert_eq!(gateway.database.rows("webhook_events").len(), 3);
        assert_eq!(gateway.database.rows("webhook_requests").len(), 4);
        let message = &gateway.database.rows("message_external_ids")[0];
        assert_eq!((&message["revision"], &message["status"]), (&json!(3), &json!("delivered")));
    }

    fn same_event_id_of_another_source_is_another_event(database) {
        let gateway = twilio::gateway(database, 0, &[]);
        let first = event("1", "SENT", "2026-03-14T15:29:57.000Z");
        let mut other = first.clone();
        other["source"] = json!("/messages/SM");
        other["id"] = json!("11");
        // Concatenated without a delimiter, both are `/messages/SM11`.
        send(&gateway, &first);
        assert_eq!(send(&gateway, &other), json!({ "success": true }));
        assert_eq!(gateway.database.rows("webhook_events").len(), 2);
    }

    fn request_with_a_thousand_messages_is_stored(database) {
        let gateway = twilio::gateway(database, 0, &[]);
        let events: Vec<Value> = (0..1_000)
            .map(|n| json!({ "specversion": "1.0", "source": "s", "id": n.to_string(), "type": "com.twilio.messaging.message.sent", "data": { "messageSid": format!("SM{n}") } }))
            .collect();
        assert_eq!(send(&gateway, &json!(events)), json!({ "success": true }));
        assert_eq!(gateway.database.rows("message_external_ids").len(), 1_000);
    }

    fn batch_is_unknown_only_if_every_message_is(database) {
        let gateway = twilio::gateway(database, 0, &[("UNKNOWN_MESSAGE_RESPONSE", "not-found")]);
        gateway.database.execute("INSERT INTO communication_metrics (id) VALUES (7)");
        gateway.database.execute("INSERT INTO message_external_ids (message_id, external_id, service_type) VALUES (7, 'SM1', 'twilio')");
        let registered = event("1", "SENT", "2026-03-14T15:29:57.000Z");
        let mut other = event("2", "SENT", "2026-03-14T15:29:57.000Z");
        other["data"]["messageSid"] = json!("SM2");
        assert_eq!(twilio::json(&gateway, &json!([other, registered])).status, 200);
        assert_eq!(twilio::json(&gateway, &json!([other])).status, 404, "its event is known, its message is not");
        assert_eq!(twilio::json(&gateway, &json!([registered, registered])).status, 200, "its event is known, and so is its message");
        let answers: Vec<Value> = gateway.database.rows("webhook_requests").into_iter().map(|row| row["answer"].clone()).collect();
        assert_eq!(answers, [200, 404, 200]);
    }
}
