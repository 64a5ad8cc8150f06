//! Twilio's Event Streams deliver at least once, unordered, and put the same event into several requests.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use waybill::{signature::Outgoing, time::Timestamp};

use crate::support::{database::Database, gateway::Gateway};

const PATH: &str = "/webhooks/twilio";

fn gateway(database: Database) -> Gateway {
    let variables = [("TWILIO_AUTH_TOKEN".to_owned(), "3f1c9a0e5b7d42688c14d2a96f0b7e35".to_owned())];
    Gateway::on(database, Timestamp::from_seconds(0).expect("an instant"), &variables)
}

fn event(id: &str, status: &str, at: &str) -> Value {
    json!({
        "specversion": "1.0", "source": "/messages/SM1", "id": id, "type": format!("com.twilio.messaging.message.{}", status.to_lowercase()),
        "data": { "messageSid": "SM1", "messageStatus": status, "timestamp": at },
    })
}

fn send(gateway: &Gateway, document: &Value) -> Value {
    let body = document.to_string();
    let target = format!("{PATH}?bodySHA256={}", hex::encode(Sha256::digest(&body)));
    let endpoint = gateway.endpoint(PATH);
    let outgoing = Outgoing { url: &endpoint.url(&target), body: body.as_bytes(), is_form: false, id: "", seconds: 0 };
    let mut headers = endpoint.sign(endpoint.spec.schemes[0], &outgoing);
    headers.push(("Content-Type".to_owned(), "application/json".to_owned()));
    let response = gateway.post(&target, &headers, body.as_bytes());
    assert_eq!(response.status, 200);
    response.json()
}

crate::databases! {
    fn a_batch_is_a_duplicate_only_if_every_event_is_known(database) {
        let gateway = gateway(database);
        let [sent, delivered, read] = [("1", "SENT"), ("2", "DELIVERED"), ("3", "READ")]
            .map(|(id, status)| event(id, status, "2026-03-14T15:29:57.000Z"));
        let (new, known) = (json!({ "success": true }), json!({ "success": true, "duplicate": true }));
        assert_eq!(send(&gateway, &json!([sent, delivered])), new);
        assert_eq!(send(&gateway, &json!([delivered, sent])), known, "another request with the same events");
        assert_eq!(send(&gateway, &sent), known, "one of them alone");
        assert_eq!(send(&gateway, &json!([sent, read])), new, "one of two is new");
        assert_eq!(send(&gateway, &json!([sent, read])), known, "the same request");
        assert_eq!(gateway.database.rows("webhook_events").len(), 3);
        assert_eq!(gateway.database.rows("webhook_requests").len(), 4);
        let message = &gateway.database.rows("message_external_ids")[0];
        assert_eq!((&message["revision"], &message["status"]), (&json!(3), &json!("delivered")));
    }

    fn the_same_id_of_another_source_is_another_event(database) {
        let gateway = gateway(database);
        let first = event("1", "SENT", "2026-03-14T15:29:57.000Z");
        let mut other = first.clone();
        other["source"] = json!("/messages/SM");
        other["id"] = json!("11");
        // Without a boundary between them both would be `/messages/SM11`.
        send(&gateway, &first);
        assert_eq!(send(&gateway, &other), json!({ "success": true }));
        assert_eq!(gateway.database.rows("webhook_events").len(), 2);
    }

    fn more_messages_in_one_request_than_one_statement_takes(database) {
        let gateway = gateway(database);
        let events: Vec<Value> = (0..1_000)
            .map(|n| json!({ "specversion": "1.0", "source": "s", "id": n.to_string(), "type": "com.twilio.messaging.message.sent", "data": { "messageSid": format!("SM{n}") } }))
            .collect();
        assert_eq!(send(&gateway, &json!(events)), json!({ "success": true }));
        assert_eq!(gateway.database.rows("message_external_ids").len(), 1_000);
    }
}
