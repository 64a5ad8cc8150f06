//! Times of events that cannot be right: a wrong clock of a sender supersedes no later event, and what is stored is the same when it is
//! parsed again later.

use serde_json::{Value, json};
use waybill::{replay::rederive, time::Timestamp};

use crate::support::{database::Database, gateway::Gateway};

const TOKEN: &str = "vurl-0123456789abcdef0123456789abcdef";

fn gateway(database: Database, now: &str) -> Gateway {
    let now = Timestamp::parse(now).expect("an instant");
    Gateway::start_on(database, now, &[("VONAGE_URL_TOKEN".to_owned(), TOKEN.to_owned())])
}

fn send(gateway: &Gateway, status: &str, timestamp: &str) {
    let body = json!({ "message_uuid": "a", "channel": "sms", "status": status, "timestamp": timestamp });
    let headers = [("Content-Type".to_owned(), "application/json".to_owned())];
    let response = gateway.post(&format!("/webhooks/vonage/t/{TOKEN}"), &headers, body.to_string().as_bytes());
    assert_eq!(response.status, 200);
}

fn row(gateway: &Gateway) -> Value {
    let row = gateway.database.rows("message_external_ids").remove(0);
    json!([row["status"], row["status_at"], row["failed_at"]])
}

crate::databases! {
    fn wrong_clock_supersedes_no_later_event(database) {
        let first = gateway(database, "2026-03-14T15:30:00Z");
        send(&first, "rejected", "2062-01-01T00:00:00Z");
        assert_eq!(row(&first), json!(["rejected", "2026-03-14 15:30:00", "2026-03-14 15:30:00"]));
        let second = gateway(first.stop(), "2026-03-14T15:31:00Z");
        send(&second, "undeliverable", "2026-03-14T15:30:30Z");
        assert_eq!(row(&second), json!(["failed", "2026-03-14 15:30:30", "2026-03-14 15:30:00"]));
        // A copy has another receipt, but the stored one counts.
        send(&second, "rejected", "2062-01-01T00:00:00Z");
        assert_eq!(row(&second), json!(["failed", "2026-03-14 15:30:30", "2026-03-14 15:30:00"]));
    }

    fn times_are_those_of_the_receipt_when_parsed_again(database) {
        let first = gateway(database, "2026-03-14T15:30:00Z");
        send(&first, "delivered", "2062-01-01T00:00:00Z");
        let stored = (row(&first), first.database.rows("webhook_events"));
        // The time of the sender is in the past now.
        let later = gateway(first.stop(), "2063-01-01T00:00:00Z");
        let epoch = Timestamp::from_seconds(0).expect("an instant");
        let running = &later.running().gateway;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let batch = runtime.block_on(rederive(&running.store, &running.router(), epoch, 0, false)).expect("a batch").expect("a request");
        assert_eq!((batch.requests, batch.outcome.events, batch.outcome.changes.len()), (1, 0, 0));
        assert_eq!((row(&later), later.database.rows("webhook_events")), stored);
    }
}
