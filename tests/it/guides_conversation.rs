//! The "Webhook Integration Guide" of the conversation service, request by request.

use serde_json::json;

use crate::{
    guides::{GuideRequest, INBOUND, MESSAGES, NOW, body, counts, replay, start},
    support::{database::Database, gateway::Gateway},
};

const CONVERSATION: &str = "/webhooks/conversation";
const STRUCTURE: &str = body!("conversation/guide-structure");
const GENERATED: &str = body!("conversation/guide-generated");

fn conversation() -> Vec<GuideRequest> {
    const NOT_JSON: &str = "invalid_payload: the body is not JSON";
    let message_row = |status: &str, revision: i32, is_final: bool| {
        json!({ "external_id": "message-uuid", "status": status, "revision": revision, "is_final": is_final,
            "channel": "chat", "direction": "inbound", "sender": "user123", "status_at": "2024-03-21 10:00:00" })
    };
    let generated_message =
        |id: &str| json!({ "external_id": id, "text": "Test message", "occurred_at": null, "channel": "chat" });
    let (generated_id, other) = ("bffeac56-2a4c-58d6-9312-fd8f29613759", "0d5f0c1e-5b7e-4d0c-9a57-0f9a1c2b3d4e");
    let commented = body!("conversation/guide-structure-with-comments");
    vec![
        GuideRequest::json("Webhook Payload / Structure: with its comments it is no JSON", "url-token", commented)
            .quarantined(NOT_JSON),
        GuideRequest::json("Webhook Payload / Structure: without them", "url-token", STRUCTURE)
            .expect_row(MESSAGES, message_row("accepted", 1, false))
            .expect_row(
                INBOUND,
                json!({ "external_id": "message-uuid", "text": "Message content", "sender": "user123", "media": "[]",
                    "provider_status": "RECEIVED", "occurred_at": "2024-03-21 10:00:00" }),
            ),
        // A message has several reports: an equal id alone does not make a duplicate.
        GuideRequest::json(
            "Webhook Payload / Field Reference: PROCESSED",
            "url-token",
            STRUCTURE.replace("RECEIVED", "PROCESSED"),
        )
        .expect_row(MESSAGES, message_row("sent", 2, false)),
        GuideRequest::json("Webhook Payload / Field Reference: FAILED", "url-token", STRUCTURE.replace("RECEIVED", "FAILED"))
            .expect_row(MESSAGES, message_row("failed", 3, true)),
        GuideRequest::json("Best Practices / Error Handling / Graceful Recovery: a field is missing", "url-token", "{}")
            .quarantined("invalid_payload: a message without data.id of 1 to 255 bytes"),
        GuideRequest::json("Testing & Development / Local Testing / Manual Testing", "url-token", GENERATED)
            .expect_row(
                MESSAGES,
                json!({ "external_id": generated_id, "status": "accepted", "status_at": "2026-03-14 15:30:00" }),
            )
            .expect_row(INBOUND, generated_message(generated_id)),
        GuideRequest::json(
            "Webhook Testing Tools / Custom Test Suite / test_webhook_handler",
            "body-sha256",
            GENERATED.replace(generated_id, other),
        )
        .expect_row(MESSAGES, json!({ "external_id": other, "status": "accepted", "verified_by": "body-sha256:0" }))
        .expect_row(INBOUND, generated_message(other)),
        GuideRequest::json(
            "Webhook Testing Tools / Custom Test Suite / test_invalid_payload",
            "url-token",
            body!("conversation/guide-invalid-json"),
        )
        .quarantined(NOT_JSON),
        GuideRequest::json("Technical Specifications / Security Requirements: another signature", "", STRUCTURE)
            .with("X-Webhook-Signature", &"0".repeat(64))
            .rejected(401, "invalid_signature"),
        GuideRequest::json("Common Issues & Solutions / 404 Errors", "", STRUCTURE).at("/t/wrong").rejected(404, "not_found"),
    ]
}

/// "Rate Limiting": responses carry the limit and its remainder, of which copies use up nothing. `limits.rs` tests that it is enforced.
fn assert_rate_limit_is_reported(gateway: &Gateway) {
    let request = GuideRequest::json("Rate Limiting", "url-token", STRUCTURE);
    for _ in 0..2 {
        let response = request.send(gateway, CONVERSATION);
        let budget = ["RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"].map(|name| response.header(name));
        assert_eq!((response.status, budget), (200, [Some("100"), Some("100"), Some("0")]));
    }
}

crate::databases! {
    fn conversation_guide_requests_have_expected_results(database) {
        let token = ("CONVERSATION_URL_TOKEN", "cvurl-0123456789abcdef0123456789abcdef");
        let secret = ("CONVERSATION_WEBHOOK_SECRET", "conversation-webhook-secret-01234");
        let mut gateway = start(database, NOW, &[token, secret]);
        replay(&gateway, CONVERSATION, &conversation());
        assert_eq!(counts(&gateway), [8, 10, 3, 3, 0, 0, 0]);
        // Each process counts the last minute by itself, so the restarted gateway begins at zero.
        gateway = start(gateway.stop(), NOW, &[token]);
        assert_rate_limit_is_reported(&gateway);
        for (networks, status, answer) in [
            ("127.0.0.0/8", 200, json!({ "success": true, "duplicate": true })),
            ("203.0.113.0/24", 403, json!({ "success": false, "error": "forbidden" })),
        ] {
            gateway = start(gateway.stop(), NOW, &[token, ("CONVERSATION_ALLOWED_IPS", networks)]);
            let request = GuideRequest::json("Technical Specifications / Security Requirements: IP whitelist", "url-token", STRUCTURE);
            let response = request.send(&gateway, CONVERSATION);
            assert_eq!((response.status, response.json()), (status, answer), "{networks}");
        }
        assert_eq!(counts(&gateway), [8, 10, 3, 3, 0, 0, 0], "all of these are duplicates");
    }
}
