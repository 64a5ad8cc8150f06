//! Messages without a final report.

use serde_json::{Value, json};

use crate::support::{
    database::Database,
    gateway::Gateway,
    twilio::{self, form},
};

const NOW: i64 = 1_700_000_000;

/// A gateway whose clock is that many seconds later, with a deadline of an hour.
fn gateway(database: Database, later: i64) -> Gateway {
    twilio::gateway(database, NOW + later, &[("UNCONFIRMED_AFTER", "3600")])
}

fn sweep(gateway: &Gateway) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(gateway.running().gateway.store.sweep(gateway.running().gateway.clock.now())).expect("a sweep");
}

fn statuses(gateway: &Gateway) -> Vec<Value> {
    gateway
        .database
        .rows("message_external_ids")
        .iter()
        .map(|row| json!([row["external_id"], row["status"], row["is_final"]]))
        .collect()
}

crate::databases! {
    fn unconfirmed_message_is_marked_once_after_the_deadline(database) {
        let before = gateway(database, 0);
        form(&before, "MessageSid=SM1&MessageStatus=sent");
        form(&before, "MessageSid=SM2&MessageStatus=delivered");
        sweep(&before);
        assert_eq!(statuses(&before), [json!(["SM1", "sent", false]), json!(["SM2", "delivered", true])], "not yet");
        let after = gateway(before.stop(), 3_601);
        sweep(&after);
        sweep(&after);
        assert_eq!(statuses(&after), [json!(["SM1", "unconfirmed", false]), json!(["SM2", "delivered", true])]);
        let events = after.database.rows("webhook_events");
        let marks: Vec<&Value> = events.iter().filter(|event| event["event_type"] == "message.unconfirmed").collect();
        assert_eq!(marks.len(), 1);
        assert_eq!((marks[0].get("request_id"), &marks[0]["applied_rule"]), (None, &json!("higher_rank")));
        assert_eq!(marks[0]["occurred_at"], "2023-11-14 23:13:20", "when the deadline passed");
    }

    fn late_report_replaces_the_unconfirmed_mark(database) {
        let before = gateway(database, 0);
        form(&before, "MessageSid=SM1&MessageStatus=sent");
        let after = gateway(before.stop(), 4_000);
        sweep(&after);
        form(&after, "MessageSid=SM1&MessageStatus=delivered");
        assert_eq!(statuses(&after), [json!(["SM1", "delivered", true])]);
        sweep(&after);
        assert_eq!(statuses(&after), [json!(["SM1", "delivered", true])]);
    }

    fn registered_message_without_callback_is_marked(database) {
        let before = gateway(database, 0);
        before.database.execute(
            "INSERT INTO message_external_ids (external_id, service_type, updated_at) VALUES ('SM9', 'twilio', '2023-11-14 22:13:20'); \
             INSERT INTO message_external_ids (external_id, service_type, updated_at) VALUES ('X', 'unheard-of', '2023-11-14 22:13:20'); \
             INSERT INTO message_external_ids (external_id, service_type, updated_at, direction, status) \
             VALUES ('IN', 'conversation', '2023-11-14 22:13:20', 'inbound', 'accepted')",
        );
        let after = gateway(before.stop(), 4_000);
        sweep(&after);
        assert_eq!(statuses(&after), [json!(["SM9", "unconfirmed", false]), json!(["X", "registered", false]), json!(["IN", "accepted", false])]);
    }

    fn unconfirmed_marking_spans_batches(database) {
        let before = gateway(database, 0);
        let rows: Vec<String> = (0..230).map(|row| format!("('SM{row:04}', 'twilio', '2023-11-14 22:13:20')")).collect();
        before.database.execute(&format!("INSERT INTO message_external_ids (external_id, service_type, updated_at) VALUES {}", rows.join(", ")));
        let after = gateway(before.stop(), 4_000);
        sweep(&after);
        assert!(statuses(&after).iter().all(|row| row[1] == "unconfirmed"));
    }
}
