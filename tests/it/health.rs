//! Health reports: silent endpoints, rejected requests, and work that is pending.

use serde_json::{Value, json};

use crate::support::{
    client,
    database::Database,
    gateway::{Gateway, OPS_TOKEN},
    twilio::{self, PATH, form},
};

const NOW: i64 = 1_700_000_000;
const DAY: i64 = 24 * 3_600;

fn gateway(database: Database, later: i64) -> Gateway {
    twilio::gateway(database, NOW + later, &[])
}

/// The report on the only endpoint, and the public health document.
fn reported_health(gateway: &Gateway) -> (Value, Value) {
    let health = gateway.ops("/api/health");
    let public = client::get(gateway.address(), "/webhooks/health", &[]).json();
    assert_eq!(public["status"], health["status"]);
    (health["endpoints"][0].clone(), public)
}

fn forge(gateway: &Gateway) {
    let headers = [("X-Twilio-Signature".to_owned(), "AAAAAAAAAAAAAAAAAAAAAAAAAAA=".to_owned())];
    assert_eq!(gateway.post(PATH, &headers, b"MessageSid=SM1&MessageStatus=sent").status, 401);
}

crate::databases! {
    fn silent_endpoint_degrades_health_until_it_receives_again(database) {
        let new = gateway(database, 0);
        let (endpoint, public) = reported_health(&new);
        assert_eq!((&endpoint["condition"], &public["status"]), (&json!("never_heard"), &json!("healthy")), "it is not in use yet");
        form(&new, "MessageSid=SM1&MessageStatus=sent");
        let later = gateway(new.stop(), DAY - 60);
        let (endpoint, public) = reported_health(&later);
        assert_eq!((&endpoint["condition"], &public["status"]), (&json!("ok"), &json!("healthy")));
        assert_eq!((&endpoint["last_genuine_at"], &endpoint["silent_after_seconds"]), (&json!("2023-11-14T22:13:20Z"), &json!(DAY)));
        let silent = gateway(later.stop(), DAY + 60);
        let (endpoint, public) = reported_health(&silent);
        assert_eq!((&endpoint["condition"], &public["checks"]["endpoints"]), (&json!("silent"), &json!("warn")));
        assert_eq!(public["status"], "degraded");
        form(&silent, "MessageSid=SM1&MessageStatus=delivered");
        let back = gateway(silent.stop(), DAY + 120);
        assert_eq!(reported_health(&back).0["condition"], "ok");
    }

    fn health_reports_share_of_rejected_requests(database) {
        let gateway = gateway(database, 0);
        (0..10).for_each(|_| forge(&gateway));
        let (endpoint, public) = reported_health(&gateway);
        assert_eq!((&endpoint["condition"], &endpoint["share_rejected"]), (&json!("all_rejected"), &json!(1.0)));
        assert_eq!((&public["status"], &public["checks"]["endpoints"]), (&json!("healthy"), &json!("ok")), "anyone can send forgeries");
        (0..10).for_each(|number| drop(form(&gateway, &format!("MessageSid=SM{number}&MessageStatus=sent"))));
        let (endpoint, _) = reported_health(&gateway);
        assert_eq!(endpoint["last_hour"], json!({ "genuine": 10, "rejected": 10 }));
        assert_ne!(endpoint["condition"], "all_rejected", "a verified callback was received");
        let rotated = self::gateway(gateway.stop(), 2 * 3_600);
        (0..10).for_each(|_| forge(&rotated));
        let (endpoint, public) = reported_health(&rotated);
        assert_eq!((&endpoint["condition"], &public["status"]), (&json!("all_rejected"), &json!("degraded")), "its provider is missing");
    }

    fn health_counts_require_the_ops_token(database) {
        let gateway = gateway(database, 0);
        form(&gateway, "MessageSid=SM1&MessageStatus=sent");
        form(&gateway, "MessageSid=SM2&MessageStatus=sent&MessageStatus=failed");
        let health = gateway.ops("/api/health");
        assert_eq!((&health["waiting"]["unmatched"], &health["waiting"]["quarantined"]), (&json!(1), &json!(1)));
        assert_eq!(client::get(gateway.running().ops, "/api/health", &[]).status, 401);
        let wrong = [("Authorization", &*format!("Bearer {OPS_TOKEN}x"))];
        assert_eq!(client::get(gateway.running().ops, "/api/health", &wrong).status, 401);
    }
}
