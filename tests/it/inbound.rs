//! One inbound message may be reported by its own callback, by the call of the fallback URL and by an event stream.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use waybill::{signature::Outgoing, time::Timestamp};

use crate::support::{
    client::Response,
    database::{Backend, Database},
    gateway::Gateway,
};

const PATH: &str = "/webhooks/twilio";

fn gateway(database: Database) -> Gateway {
    let variables = [("TWILIO_AUTH_TOKEN".to_owned(), "3f1c9a0e5b7d42688c14d2a96f0b7e35".to_owned())];
    Gateway::on(database, Timestamp::from_seconds(1_000).expect("an instant"), &variables)
}

fn send(gateway: &Gateway, target: &str, body: &str, content_type: &str) -> Response {
    let endpoint = gateway.endpoint(PATH);
    let is_form = content_type.contains("form");
    let outgoing = Outgoing { url: &endpoint.url(target), body: body.as_bytes(), is_form, id: "", seconds: 0 };
    let mut headers = endpoint.sign(endpoint.spec.schemes[0], &outgoing);
    headers.push(("Content-Type".to_owned(), content_type.to_owned()));
    gateway.post(target, &headers, body.as_bytes())
}

const FORM: &str = "application/x-www-form-urlencoded";
const PRIMARY: &str = "MessageSid=MM1&SmsStatus=received&Body=Hi&From=%2B15558675310&To=%2B15017250604&NumMedia=1\
                       &MediaUrl0=https%3A%2F%2Fexample.com%2F0&MediaContentType0=image%2Fpng&OptOutType=STOP";
const FALLBACK: &str = "MessageSid=MM1&SmsStatus=received&Body=Hi&From=%2B15558675310&To=%2B15017250604&NumMedia=0\
                        &ErrorCode=11200&ErrorUrl=https%3A%2F%2Fexample.com";

fn report(gateway: &Gateway, which: usize) {
    let response = match which {
        0 => send(gateway, PATH, PRIMARY, FORM),
        1 => send(gateway, PATH, FALLBACK, FORM),
        _ => {
            let body = json!({
                "specversion": "1.0", "source": "s", "id": "1", "type": "com.twilio.messaging.inbound-message.received",
                "data": { "messageSid": "MM1", "from": "+15558675310", "body": "Hi", "numSegments": 2, "timestamp": "1970-01-01T00:10:00Z" },
            })
            .to_string();
            send(gateway, &format!("{PATH}?bodySHA256={}", hex::encode(Sha256::digest(&body))), &body, "application/json")
        }
    };
    assert_eq!(response.status, 200, "report {which}");
}

fn row(gateway: &Gateway) -> Value {
    let rows = gateway.database.rows("inbound_messages");
    assert_eq!(rows.len(), 1, "one message, one row");
    let mut row = rows[0].clone();
    row.as_object_mut().expect("an object").remove("id");
    row
}

#[test]
fn any_order_of_its_reports_makes_the_same_row_on_both_databases() {
    let expected = json!({
        "account": "default", "service_type": "twilio", "external_id": "MM1", "channel": "mms", "text": "Hi",
        "sender": "+15558675310", "recipient": "+15017250604", "opt_out": "stop", "provider_status": "received",
        "media": r#"[{"url":"https://example.com/0","content_type":"image/png"}]"#, "parts_total": 2, "parts_received": 2,
        "is_partial": false, "occurred_at": "1970-01-01 00:10:00", "received_at": "1970-01-01 00:16:40",
    });
    for backend in [Backend::Sqlite, Backend::Postgres] {
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let gateway = gateway(Database::new(backend));
            order.into_iter().chain(order).for_each(|which| report(&gateway, which));
            assert_eq!(row(&gateway), expected, "{} {order:?}", backend.name());
            assert_eq!(gateway.database.rows("webhook_events").len(), 3);
            assert_eq!(gateway.database.rows("message_external_ids").len(), 0, "it has no delivery status");
        }
    }
}

crate::databases! {
    fn its_answer_is_twiml_also_the_second_time(database) {
        let gateway = gateway(database);
        for _ in 0..2 {
            let response = send(&gateway, PATH, PRIMARY, FORM);
            assert_eq!((response.status, response.header("Content-Type")), (200, Some("text/xml")));
            assert_eq!(response.body, br#"<?xml version="1.0" encoding="UTF-8"?><Response/>"#);
        }
    }

    fn a_signed_request_that_carries_nothing_is_kept_and_means_nothing(database) {
        let gateway = gateway(database);
        assert_eq!(send(&gateway, PATH, "", FORM).json(), json!({ "success": true }));
        assert_eq!(gateway.database.rows("webhook_events")[0]["event_type"], "unknown");
    }
}
