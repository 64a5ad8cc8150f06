//! The story of a message: every event, what came again, what came late, and the rule that moved its status or did not.

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

fn status(gateway: &Gateway, word: &str, more: &str) {
    let response = form(gateway, &format!("MessageSid=SM1&MessageStatus={word}&To=%2B15558675310{more}"));
    assert_eq!(response.status, 200);
}

fn explain(gateway: &Gateway) -> Explanation {
    let mut stories = gateway.running().gateway.store.stories("SM1").expect("the store answers");
    assert_eq!(stories.len(), 1);
    stories.remove(0).into()
}

crate::databases! {
    fn every_event_tells_which_rule_decided(database) {
        let gateway = gateway(database);
        for word in ["queued", "delivered", "sent", "sent", "sent", "undelivered"] {
            status(&gateway, word, if word == "undelivered" { "&ErrorCode=30003" } else { "" });
        }
        let told = explain(&gateway);
        let seen: Vec<_> = told
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
        let sentences: Vec<&str> = told.timeline.iter().map(|entry| entry.sentence.as_str()).collect();
        assert_eq!(sentences, [
            "The first that was heard: the status became `queued`.",
            "Moved the status from `queued` to `delivered`, which outranks it (50 over 15).",
            "Came late: `sent` (30) does not undo `delivered` (50). It came 2 more times, the last time at 2023-11-14T22:13:20Z.",
            "Came late: `undelivered` (41) does not undo `delivered` (50).",
        ]);
        assert!(told.timeline.iter().all(|entry| entry.request.as_ref().is_some_and(|request| request.has_body)));
        assert_eq!(told.summary, "`delivered` since 2023-11-14T22:13:20Z (final, vouched for by the carrier); 4 events, 2 of them late.");
        assert_eq!(told.warnings, ["Its reports contradict each other: a receipt and a failure, or two different references."]);
        assert_eq!(told.error.map(|error| error.category), None, "the error is that of the status, which is no failure");
    }

    fn an_error_says_what_to_do_next(database) {
        let gateway = gateway(database);
        status(&gateway, "undelivered", "&ErrorCode=30003");
        let error = explain(&gateway).error.expect("an error");
        assert_eq!((error.code.as_deref(), error.category.as_str()), (Some("30003"), "unreachable"));
        assert_eq!(error.next, "Send again later; if it lasts for days, treat the number as dead.");
    }

    fn the_match_is_told_with_its_strategy(database) {
        let gateway = gateway(database);
        status(&gateway, "sent", "");
        assert!(explain(&gateway).matching.starts_with("Not matched to a message of the application: its external id was never registered"));
        gateway.database.execute(
            "INSERT INTO communication_metrics (id, reference) VALUES (7, 'order-7'); \
             UPDATE message_external_ids SET message_id = 7",
        );
        assert_eq!(explain(&gateway).matching, "Message 7 (reference `order-7`): mapped by the application (strategy `database`).");
    }

    fn what_is_written_by_hand_is_noticed(database) {
        let gateway = gateway(database);
        status(&gateway, "delivered", "");
        gateway.database.execute("UPDATE message_external_ids SET status = 'sent'");
        let warnings = explain(&gateway).warnings;
        assert_eq!(warnings, ["The row differs from what its stored events make: `waybill rederive` shows the difference."]);
    }
}
