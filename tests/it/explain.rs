//! Explanations of a message: its events, duplicates and late reports, and the rule that was applied to each.

use serde_json::json;
use waybill::explain::Explanation;

use crate::support::{
    database::Database,
    gateway::Gateway,
    twilio::{self, form},
};

fn gateway(database: Database) -> Gateway {
    twilio::gateway(database, 1_700_000_000, &[])
}

fn status(gateway: &Gateway, provider_status: &str, more: &str) {
    let response = form(gateway, &format!("MessageSid=SM1&MessageStatus={provider_status}&To=%2B15558675310{more}"));
    assert_eq!(response.status, 200);
}

fn explain(gateway: &Gateway) -> Explanation {
    let mut explanations = gateway.running().gateway.store.histories("SM1").expect("the store answers");
    assert_eq!(explanations.len(), 1);
    explanations.remove(0).into()
}

crate::databases! {
    fn explanation_names_the_rule_of_every_event(database) {
        let gateway = gateway(database);
        for provider_status in ["queued", "delivered", "sent", "sent", "sent", "undelivered"] {
            status(&gateway, provider_status, if provider_status == "undelivered" { "&ErrorCode=30003" } else { "" });
        }
        let explanation = explain(&gateway);
        let seen: Vec<_> = explanation
            .timeline
            .iter()
            .map(|entry| json!([entry.status_before, entry.status_after, entry.applied_rule, entry.moved, entry.late, entry.duplicates]))
            .collect();
        assert_eq!(seen, [
            json!(["registered", "queued", "first", true, false, 0]),
            json!(["queued", "delivered", "higher_rank", true, false, 0]),
            json!(["delivered", "delivered", "lower_rank", false, true, 2]),
            json!(["delivered", "delivered", "lower_rank", false, true, 0]),
        ]);
        let sentences: Vec<&str> = explanation.timeline.iter().map(|entry| entry.sentence.as_str()).collect();
        assert_eq!(sentences, [
            "First event: the status is `queued`.",
            "Changed the status from `queued` to `delivered`, which has a higher rank (50 over 15).",
            "Arrived late: `sent` (rank 30) does not replace `delivered` (rank 50). Received again 2 times, last at 2023-11-14T22:13:20Z.",
            "Arrived late: `undelivered` (rank 41) does not replace `delivered` (rank 50).",
        ]);
        assert!(explanation.timeline.iter().all(|entry| entry.request.as_ref().is_some_and(|request| request.has_body)));
        assert_eq!(explanation.summary, "`delivered` since 2023-11-14T22:13:20Z (final, confirmed by the carrier); 4 events, 2 of them late.");
        assert_eq!(explanation.warnings, ["Its events contradict each other: a delivery and a failure, or two different references."]);
        assert_eq!(explanation.error.map(|error| error.category), None, "a status that is no failure has no error");
    }

    fn explanation_of_error_has_advice(database) {
        let gateway = gateway(database);
        status(&gateway, "undelivered", "&ErrorCode=30003");
        let error = explain(&gateway).error.expect("an error");
        assert_eq!((error.code.as_deref(), error.category.as_str()), (Some("30003"), "unreachable"));
        assert_eq!(error.next, "Retry later; if it fails for days, treat the recipient as invalid.");
    }

    fn explanation_names_the_matching_strategy(database) {
        let gateway = gateway(database);
        status(&gateway, "sent", "");
        assert!(explain(&gateway).matching.starts_with("Not matched to a message of the application: its external id is not registered"));
        gateway.database.execute(
            "INSERT INTO communication_metrics (id, reference) VALUES (7, 'order-7'); \
             UPDATE message_external_ids SET message_id = 7",
        );
        assert_eq!(explain(&gateway).matching, "Message 7 (reference `order-7`): mapped by the application (strategy `database`).");
    }

    fn explanation_flags_manual_changes(database) {
        let gateway = gateway(database);
        status(&gateway, "delivered", "");
        gateway.database.execute("UPDATE message_external_ids SET status = 'sent'");
        let warnings = explain(&gateway).warnings;
        assert_eq!(warnings, ["The row differs from its stored events: `waybill rederive` shows the difference."]);
    }
}
