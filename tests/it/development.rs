//! `VERIFY_WEBHOOK_SIGNATURES=false`: for local development only, and marked in every row and report.

use serde_json::json;
use waybill::config::{Config, Env};

use crate::support::{
    client,
    database::{Backend, Database},
    gateway::Gateway,
};
use waybill::time::Timestamp;

fn gateway(more: &[(&str, &str)]) -> Gateway {
    let variables: Vec<(String, String)> = [("VERIFY_WEBHOOK_SIGNATURES", "false")]
        .iter()
        .chain(more)
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    Gateway::start_on(Database::new(Backend::Sqlite), Timestamp::from_seconds(0).expect("an instant"), &variables)
}

fn form(more: &[(&str, &str)]) -> Vec<(String, String)> {
    let headers = [("Content-Type", "application/x-www-form-urlencoded")];
    headers.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

const STATUS: &[u8] = b"MessageSid=SM1&MessageStatus=delivered";

#[test]
fn unverified_mode_enables_every_provider_and_marks_rows() {
    let gateway = gateway(&[]);
    assert_eq!(gateway.post("/webhooks/twilio?message_id=7", &form(&[]), STATUS).json(), json!({ "success": true }));
    assert_eq!(gateway.post("/webhooks/twilio", &form(&[("X-Twilio-Signature", "wrong")]), STATUS).json()["duplicate"], true);
    let json = br#"{"type":"email.sent","data":{"email_id":"e1"}}"#;
    assert_eq!(gateway.post("/webhooks/resend", &[], json).status, 200);
    let inbound = client::get(gateway.address(), "/webhooks/twilio?MessageSid=SM2&Body=Hi", &[]);
    assert_eq!((inbound.status, inbound.header("Content-Type")), (200, Some("text/xml")));
    for table in ["webhook_requests", "message_external_ids"] {
        let rows = gateway.database.rows(table);
        assert!(!rows.is_empty() && rows.iter().all(|row| row["verified_by"] == "none"), "{table}: {rows:?}");
    }
    assert_eq!(gateway.database.rows("webhook_requests").len(), 3);
    assert!(
        gateway.database.rows("message_external_ids").iter().all(|row| row.get("embedded_id").is_none()),
        "nothing is signed"
    );
    let health = client::get(gateway.address(), "/webhooks/health", &[]).json();
    assert_eq!((&health["status"], &health["checks"]["verification"]), (&json!("degraded"), &json!("warn")));
    assert_eq!(gateway.ops("/api/messages")["messages"][0]["verified_by"], "none");
}

#[test]
fn unverified_mode_rejects_proxied_requests_unless_tunnel_is_allowed() {
    const PROXY_HEADERS: [&str; 8] = [
        "Forwarded",
        "X-Forwarded-For",
        "X-Forwarded-Proto",
        "x-forwarded-anything",
        "X-Real-IP",
        "Via",
        "CF-Ray",
        "CF-Connecting-IP",
    ];
    let (closed, open) = (gateway(&[]), gateway(&[("WEBHOOK_ALLOW_TUNNEL", "true")]));
    for header in PROXY_HEADERS {
        let rejected = closed.post("/webhooks/twilio", &form(&[(header, "x")]), STATUS);
        assert_eq!(
            (rejected.status, rejected.json()),
            (401, json!({ "success": false, "error": "invalid_signature" })),
            "{header}"
        );
        assert_eq!(open.post("/webhooks/twilio", &form(&[(header, "x")]), STATUS).status, 200, "{header}");
    }
    assert_eq!(closed.database.rows("webhook_requests").len(), 0);
    assert_eq!(open.database.rows("webhook_requests").len(), 1);
    assert_eq!(closed.post("/webhooks/twilio", &form(&[("Viable", "x")]), STATUS).status, 200);
    // Requests by a page in a browser on this machine.
    for header in ["Origin", "Sec-Fetch-Site"] {
        assert_eq!(open.post("/webhooks/twilio", &form(&[(header, "x")]), STATUS).status, 401, "{header}");
    }
}

/// A page whose name resolves to this machine (DNS rebinding) sends requests of the same origin, without the headers of a browser.
#[test]
fn unverified_mode_rejects_other_hosts_unless_tunnel_is_allowed() {
    let (closed, open) = (gateway(&[]), gateway(&[("WEBHOOK_ALLOW_TUNNEL", "true")]));
    let status = |gateway: &Gateway, host: &str| {
        let request = format!("GET /webhooks/twilio?MessageSid=SM2&Body=Hi HTTP/1.1\r\n{host}Connection: close\r\n\r\n");
        client::exchange(gateway.address(), request.as_bytes()).status
    };
    for host in
        ["localhost", "localhost:8080", "LOCALHOST", "app.localhost:1", "127.0.0.1", "127.0.0.1:9", "127.1.2.3", "[::1]:8080"]
    {
        assert_eq!(status(&closed, &format!("Host: {host}\r\n")), 200, "{host}");
    }
    for host in [
        "rebound.example",
        "rebound.example:8080",
        "localhost.example",
        "notlocalhost",
        "192.0.2.1",
        "[::1]x",
        "127.0.0.1.example",
        "0",
    ] {
        assert_eq!(status(&closed, &format!("Host: {host}\r\n")), 401, "{host}");
        assert_eq!(status(&open, &format!("Host: {host}\r\n")), 200, "{host}");
    }
}

#[test]
fn unverified_mode_starts_only_on_loopback() {
    let loads = |listen: &str, database: &str| {
        let env: Env =
            [("VERIFY_WEBHOOK_SIGNATURES", "false"), ("LISTEN", listen), ("DATABASE_URL", database)].into_iter().collect();
        Config::load(&env).map_err(|problems| problems.0[0].variable.clone()).map(|loaded| loaded.config.endpoints.len())
    };
    let all = waybill::providers::ALL.len();
    assert_eq!(loads("127.0.0.1:8080", "sqlite://a.db"), Ok(all));
    assert_eq!(loads("[::1]:8080", "sqlite://a.db"), Ok(all));
    let rejected = Err("VERIFY_WEBHOOK_SIGNATURES".to_owned());
    assert_eq!(loads("0.0.0.0:8080", "sqlite://a.db"), rejected);
    assert_eq!(loads("192.0.2.1:8080", "sqlite://a.db"), rejected);
    assert_eq!(loads("127.0.0.1:8080", "postgres://h/d"), rejected);
}
