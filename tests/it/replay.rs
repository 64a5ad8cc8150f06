//! Re-parsing of stored callbacks: replay of quarantined ones, and re-derivation of all of them.

use serde_json::json;
use waybill::{
    replay::{RederivedBatch, ReplayError, Replayed, rederive, replay},
    store::{Actor, RequestId},
    time::Timestamp,
};

use crate::support::{
    database::Database,
    gateway::Gateway,
    twilio::{self, form},
};

const SENT: &str = "MessageSid=SM1&MessageStatus=sent&To=%2B15558675310";

fn gateway(database: Database) -> Gateway {
    twilio::gateway(database, 1_700_000_000, &[])
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}

fn replayed(gateway: &Gateway, id: i64, is_dry: bool) -> Result<Replayed, ReplayError> {
    let gateway = &gateway.running().gateway;
    run(replay(&gateway.store, &gateway.router(), RequestId::Verified(id), is_dry, gateway.author(Actor::Ops)))
}

/// Re-parses everything, page by page.
fn rederived(gateway: &Gateway, is_dry: bool) -> Vec<RederivedBatch> {
    let gateway = &gateway.running().gateway;
    let epoch = Timestamp::from_seconds(0).expect("an instant");
    let mut steps: Vec<RederivedBatch> = Vec::new();
    loop {
        let after = steps.last().map_or(0, |step| step.last);
        match run(rederive(&gateway.store, &gateway.router(), epoch, after, is_dry)).expect("the store answers") {
            Some(step) => steps.push(step),
            None => return steps,
        }
    }
}

/// Quarantines the only request, as if the database had rejected its rows, and returns its id.
fn quarantine(gateway: &Gateway) -> i64 {
    gateway.database.execute(
        "DELETE FROM webhook_events; DELETE FROM message_external_ids; \
         UPDATE webhook_requests SET state = 'quarantined', reason = 'poison', answer = 400",
    );
    gateway.database.rows("webhook_requests")[0]["id"].as_i64().expect("a number")
}

crate::databases! {
    fn quarantined_request_is_applied_once_and_dry_run_changes_nothing(database) {
        let gateway = gateway(database);
        assert_eq!(form(&gateway, SENT).status, 200);
        let id = quarantine(&gateway);
        assert_eq!(form(&gateway, SENT).status, 400, "its retry gets the same answer");
        let before = gateway.row_counts();
        let preview = replayed(&gateway, id, true).expect("it can be applied");
        assert_eq!((preview.applied, preview.events, preview.changes.len(), preview.changes[0].is_new), (false, Some(1), 1, true));
        assert_eq!(preview.changes[0].columns["status"], (json!(null), json!("sent")));
        assert_eq!(gateway.row_counts(), before, "a dry run changes nothing");
        assert_eq!(replayed(&gateway, id, false).expect("it is applied"), Replayed { applied: true, ..preview });
        assert_eq!(gateway.database.rows("message_external_ids")[0]["status"], "sent");
        assert_eq!(gateway.database.rows("webhook_requests")[0]["state"], "processed");
        assert!(matches!(replayed(&gateway, id, false), Err(ReplayError::NotQuarantined(_))));
        assert_eq!(form(&gateway, SENT).json(), json!({ "success": true, "duplicate": true }));
    }

    fn failed_replay_reports_why_and_changes_nothing(database) {
        let gateway = gateway(database);
        form(&gateway, "MessageSid=SM1&MessageStatus=sent&MessageStatus=failed");
        let id = gateway.database.rows("webhook_requests")[0]["id"].as_i64().expect("a number");
        let why = |id| replayed(&gateway, id, false).expect_err("not applied").to_string();
        assert!(why(id).starts_with("it still cannot be parsed: ambiguous"), "{}", why(id));
        assert_eq!(why(id + 1), "there is no such request");
        gateway.database.execute("DELETE FROM webhook_bodies");
        assert_eq!(why(id), "its body has expired");
        assert!(run(gateway.running().gateway.store.discard(id, gateway.running().gateway.author(Actor::Ops))).expect("the store answers"));
        assert_eq!(why(id), "it is not quarantined but discarded");
        assert!(!run(gateway.running().gateway.store.discard(id, gateway.running().gateway.author(Actor::Ops))).expect("the store answers"));
    }

    fn rederive_previews_then_fixes_rows(database) {
        let gateway = gateway(database);
        for body in [SENT, "MessageSid=SM1&MessageStatus=delivered&To=%2B15558675310", "MessageSid=SM2&MessageStatus=sent"] {
            form(&gateway, body);
        }
        let original = (gateway.database.rows("webhook_events"), gateway.database.rows("message_external_ids"));
        assert!(rederived(&gateway, false).iter().all(|step| step.outcome.events == 0 && step.outcome.changes.is_empty()));
        // As if an older version had not known the status of the receipt.
        gateway.database.execute(
            "UPDATE webhook_events SET status = 'unknown', event_type = 'message.status', evidence = NULL WHERE status = 'delivered'; \
             UPDATE message_external_ids SET status = 'unknown', is_final = FALSE, delivered_at = NULL WHERE external_id = 'SM1'",
        );
        let damaged = gateway.database.rows("message_external_ids");
        let preview = rederived(&gateway, true);
        assert_eq!(gateway.database.rows("message_external_ids"), damaged, "a dry run changes nothing");
        let changes: Vec<_> = preview.iter().flat_map(|step| &step.outcome.changes).collect();
        assert_eq!((changes.len(), preview.iter().map(|step| step.outcome.events).sum::<usize>()), (1, 1));
        assert_eq!(changes[0].columns["status"], (json!("unknown"), json!("delivered")));
        rederived(&gateway, false);
        let rows = |rows: &[serde_json::Value]| rows.iter().map(|row| json!([row["external_id"], row["status"], row["state_key"], row["revision"]])).collect::<Vec<_>>();
        assert_eq!(rows(&gateway.database.rows("message_external_ids")), rows(&original.1));
        let mut events = rows(&gateway.database.rows("webhook_events"));
        events.sort_by_key(ToString::to_string);
        let mut expected = rows(&original.0);
        expected.sort_by_key(ToString::to_string);
        assert_eq!(events, expected);
        assert!(rederived(&gateway, false).iter().all(|step| step.outcome.changes.is_empty()), "a second run changes nothing");
    }

    fn rederive_without_body_rebuilds_from_events(database) {
        let gateway = gateway(database);
        form(&gateway, "MessageSid=SM1&MessageStatus=undelivered&ErrorCode=30003&To=%2B15558675310");
        gateway.database.execute("INSERT INTO communication_metrics (id, reference) VALUES (7, 'order-7'); UPDATE message_external_ids SET message_id = 7");
        let original = gateway.database.rows("message_external_ids");
        gateway.database.execute(
            "DELETE FROM webhook_bodies; UPDATE message_external_ids SET status = 'sent', error_code = NULL, error_category = NULL, \
             failed_at = NULL, recipient = NULL",
        );
        let steps = rederived(&gateway, false);
        assert_eq!((steps[0].unread, steps[0].outcome.changes.len()), (1, 1));
        assert_eq!(gateway.database.rows("message_external_ids"), original, "the application's mapping is unchanged");
    }

    fn rederive_leaves_rows_with_deleted_events(database) {
        let gateway = gateway(database);
        form(&gateway, "MessageSid=SM1&MessageStatus=delivered&To=%2B15558675310");
        form(&gateway, "MessageSid=SM1&MessageStatus=sent&To=%2B15558675310");
        gateway.database.execute("DELETE FROM webhook_bodies; DELETE FROM webhook_events WHERE status = 'delivered'");
        let steps = rederived(&gateway, false);
        assert_eq!((steps[0].outcome.incomplete, steps[0].outcome.changes.len()), (1, 0));
        assert_eq!(gateway.database.rows("message_external_ids")[0]["status"], "delivered");
    }
}
