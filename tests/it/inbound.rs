//! Inbound messages, each of which may be reported by its callback, by the fallback URL and by an event stream.

use serde_json::{Value, json};

use crate::support::{
    database::{Backend, Database},
    gateway::Gateway,
    twilio,
};

const PRIMARY: &str = "MessageSid=SM1&SmsStatus=received&Body=Hi&From=%2B15558675310&To=%2B15017250604&NumMedia=1\
                       &MediaUrl0=https%3A%2F%2Fexample.com%2F0&MediaContentType0=image%2Fpng&OptOutType=START";
const FALLBACK: &str = "MessageSid=SM1&SmsStatus=receiving&Body=H&From=%2B15558675310&To=%2B15017250604&NumMedia=0\
                        &ErrorCode=11200&ErrorUrl=https%3A%2F%2Fexample.com&OptOutType=STOP";

fn event(id: &str, body: &str, at: &str) -> Value {
    json!({
        "specversion": "1.0", "source": "s", "id": id, "type": "com.twilio.messaging.inbound-message.received",
        "data": { "messageSid": "SM1", "from": "+15558675310", "body": body, "numSegments": 2, "timestamp": at },
    })
}

fn report(gateway: &Gateway, which: usize) {
    let first = event("1", "Hi", "1970-01-01T00:10:00Z");
    let second = event("2", "Hello", "1970-01-01T00:09:00Z");
    let response = match which {
        0 => twilio::form(gateway, PRIMARY),
        1 => twilio::form(gateway, FALLBACK),
        // Both in one transaction, in either order.
        2 => twilio::json(gateway, &json!([first, second])),
        _ => twilio::json(gateway, &json!([second, first])),
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

/// Every order of three reports, received at two times, the later one first or last.
#[test]
fn inbound_message_converges_on_both_databases() {
    let expected = json!({
        "account": "default", "service_type": "twilio", "external_id": "SM1", "channel": "mms", "text": "Hi",
        "sender": "+15558675310", "recipient": "+15017250604", "opt_out": "stop", "provider_status": "received",
        "media": r#"[{"url":"https://example.com/0","content_type":"image/png"}]"#, "parts_total": 2, "parts_received": 2,
        "is_partial": false, "occurred_at": "1970-01-01 00:09:00", "received_at": "1970-01-01 00:16:40",
    });
    for backend in [Backend::Sqlite, Backend::Postgres] {
        for order in [[0, 1, 2], [0, 3, 1], [1, 0, 2], [1, 3, 0], [2, 0, 1], [3, 1, 0]] {
            for clocks in [[1_000, 2_000], [2_000, 1_000]] {
                let mut database = Database::new(backend);
                for (seconds, which) in clocks.into_iter().zip([&order[..1], &order[1..]]) {
                    let gateway = twilio::gateway(database, seconds, &[]);
                    for &which in which {
                        report(&gateway, which);
                    }
                    database = gateway.stop();
                }
                let gateway = twilio::gateway(database, 3_000, &[]);
                for which in order {
                    report(&gateway, which);
                }
                assert_eq!(row(&gateway), expected, "{} {order:?} {clocks:?}", backend.name());
                assert_eq!(gateway.database.rows("webhook_events").len(), 4);
                assert_eq!(gateway.database.rows("message_external_ids").len(), 0, "it has no delivery status");
            }
        }
    }
}

crate::databases! {
    fn inbound_response_is_twiml_for_duplicates_too(database) {
        let gateway = twilio::gateway(database, 0, &[]);
        for _ in 0..2 {
            let response = twilio::form(&gateway, PRIMARY);
            assert_eq!((response.status, response.header("Content-Type")), (200, Some("text/xml")));
            assert_eq!(response.body, br#"<?xml version="1.0" encoding="UTF-8"?><Response/>"#);
        }
    }

    fn empty_signed_request_is_stored_without_effect(database) {
        let gateway = twilio::gateway(database, 0, &[]);
        assert_eq!(twilio::form(&gateway, "").json(), json!({ "success": true }));
        assert_eq!(gateway.database.rows("webhook_events")[0]["event_type"], "unknown");
    }

    // A captured request stays the same request during a change of domain.
    fn public_address_is_not_part_of_request_identity(database) {
        let mut database = database;
        for address in ["https://old.example", "https://new.example,https://old.example", "https://new.example:443"] {
            let gateway = twilio::gateway(database, 0, &[("WEBHOOK_BASE_URL", address)]);
            assert_eq!(twilio::form(&gateway, PRIMARY).status, 200);
            assert_eq!(gateway.database.rows("webhook_requests").len(), 1, "{address}");
            database = gateway.stop();
        }
    }
}
