//! Stored callbacks read once more: quarantined ones after a mending, and all, after the reading itself was mended.

use serde_json::json;
use waybill::{
    replay::{NotApplied, Progress, ReplayError, Replayed, rederive, replay},
    store::RequestId,
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
    run(replay(&gateway.store, gateway.all_endpoints(), RequestId::Authentic(id), is_dry))
}

/// Reads everything anew, page by page.
fn rederived(gateway: &Gateway, is_dry: bool) -> Vec<Progress> {
    let gateway = &gateway.running().gateway;
    let epoch = Timestamp::from_seconds(0).expect("an instant");
    let mut steps: Vec<Progress> = Vec::new();
    loop {
        let after = steps.last().map_or(0, |step| step.last);
        match run(rederive(&gateway.store, gateway.all_endpoints(), epoch, after, is_dry)).expect("the store answers") {
            Some(step) => steps.push(step),
            None => return steps,
        }
    }
}

/// The number of the one request, made a quarantined one as if a table had refused it.
fn quarantine(gateway: &Gateway) -> i64 {
    gateway.database.execute(
        "DELETE FROM webhook_events; DELETE FROM message_external_ids; \
         UPDATE webhook_requests SET state = 'quarantined', reason = 'poison', answer = 400",
    );
    gateway.database.rows("webhook_requests")[0]["id"].as_i64().expect("a number")
}

crate::databases! {
    fn a_quarantined_request_is_applied_once_and_a_dry_run_only_tells(database) {
        let gateway = gateway(database);
        assert_eq!(form(&gateway, SENT).status, 200);
        let id = quarantine(&gateway);
        assert_eq!(form(&gateway, SENT).status, 400, "its retry gets the same answer");
        let before = gateway.row_counts();
        let told = replayed(&gateway, id, true).expect("it can be applied");
        assert_eq!((told.applied, told.events, told.changes.len(), told.changes[0].is_new), (false, Some(1), 1, true));
        assert_eq!(told.changes[0].columns["status"], (json!(null), json!("sent")));
        assert_eq!(gateway.row_counts(), before, "a dry run changes nothing");
        assert_eq!(replayed(&gateway, id, false).expect("it is applied"), Replayed { applied: true, ..told });
        assert_eq!(gateway.database.rows("message_external_ids")[0]["status"], "sent");
        assert_eq!(gateway.database.rows("webhook_requests")[0]["state"], "processed");
        assert!(matches!(replayed(&gateway, id, false), Err(ReplayError::NotApplied(NotApplied::State(_)))));
        assert_eq!(form(&gateway, SENT).json(), json!({ "success": true, "duplicate": true }));
    }

    fn what_cannot_be_applied_says_why_and_stays(database) {
        let gateway = gateway(database);
        form(&gateway, "MessageSid=SM1&MessageStatus=sent&MessageStatus=failed");
        let id = gateway.database.rows("webhook_requests")[0]["id"].as_i64().expect("a number");
        let why = |id| replayed(&gateway, id, false).expect_err("not applied").to_string();
        assert!(why(id).starts_with("it still cannot be read: ambiguous"), "{}", why(id));
        assert_eq!(why(id + 1), "there is no such request");
        gateway.database.execute("DELETE FROM webhook_bodies");
        assert_eq!(why(id), "its body has expired");
        assert!(run(gateway.running().gateway.store.discard(id)).expect("the store answers"));
        assert_eq!(why(id), "it is not quarantined but discarded");
        assert!(!run(gateway.running().gateway.store.discard(id)).expect("the store answers"));
    }

    fn reading_anew_mends_events_and_rows_and_is_told_first(database) {
        let gateway = gateway(database);
        for body in [SENT, "MessageSid=SM1&MessageStatus=delivered&To=%2B15558675310", "MessageSid=SM2&MessageStatus=sent"] {
            form(&gateway, body);
        }
        let genuine = (gateway.database.rows("webhook_events"), gateway.database.rows("message_external_ids"));
        assert!(rederived(&gateway, false).iter().all(|step| step.rederived.events == 0 && step.rederived.changes.is_empty()));
        // As an older version might have read it: the receipt in a word that it did not know.
        gateway.database.execute(
            "UPDATE webhook_events SET status = 'unknown', event_type = 'message.status', evidence = NULL WHERE status = 'delivered'; \
             UPDATE message_external_ids SET status = 'unknown', is_final = FALSE, delivered_at = NULL WHERE external_id = 'SM1'",
        );
        let broken = gateway.database.rows("message_external_ids");
        let told = rederived(&gateway, true);
        assert_eq!(gateway.database.rows("message_external_ids"), broken, "a dry run changes nothing");
        let changes: Vec<_> = told.iter().flat_map(|step| &step.rederived.changes).collect();
        assert_eq!((changes.len(), told.iter().map(|step| step.rederived.events).sum::<usize>()), (1, 1));
        assert_eq!(changes[0].columns["status"], (json!("unknown"), json!("delivered")));
        rederived(&gateway, false);
        let rows = |rows: &[serde_json::Value]| rows.iter().map(|row| json!([row["external_id"], row["status"], row["state_key"], row["revision"]])).collect::<Vec<_>>();
        assert_eq!(rows(&gateway.database.rows("message_external_ids")), rows(&genuine.1));
        let mut events = rows(&gateway.database.rows("webhook_events"));
        events.sort_by_key(ToString::to_string);
        let mut expected = rows(&genuine.0);
        expected.sort_by_key(ToString::to_string);
        assert_eq!(events, expected);
        assert!(rederived(&gateway, false).iter().all(|step| step.rederived.changes.is_empty()), "once is enough");
    }

    fn without_its_body_a_row_is_made_anew_from_its_events(database) {
        let gateway = gateway(database);
        form(&gateway, "MessageSid=SM1&MessageStatus=undelivered&ErrorCode=30003&To=%2B15558675310");
        gateway.database.execute("INSERT INTO communication_metrics (id, reference) VALUES (7, 'order-7'); UPDATE message_external_ids SET message_id = 7");
        let genuine = gateway.database.rows("message_external_ids");
        gateway.database.execute(
            "DELETE FROM webhook_bodies; UPDATE message_external_ids SET status = 'sent', error_code = NULL, error_category = NULL, \
             failed_at = NULL, recipient = NULL",
        );
        let steps = rederived(&gateway, false);
        assert_eq!((steps[0].unread, steps[0].rederived.changes.len()), (1, 1));
        assert_eq!(gateway.database.rows("message_external_ids"), genuine, "the application's mapping is left alone");
    }

    fn a_row_of_which_events_were_deleted_is_left_as_it_is(database) {
        let gateway = gateway(database);
        form(&gateway, "MessageSid=SM1&MessageStatus=delivered&To=%2B15558675310");
        form(&gateway, "MessageSid=SM1&MessageStatus=sent&To=%2B15558675310");
        gateway.database.execute("DELETE FROM webhook_bodies; DELETE FROM webhook_events WHERE status = 'delivered'");
        let steps = rederived(&gateway, false);
        assert_eq!((steps[0].rederived.incomplete, steps[0].rederived.changes.len()), (1, 0));
        assert_eq!(gateway.database.rows("message_external_ids")[0]["status"], "delivered");
    }
}
