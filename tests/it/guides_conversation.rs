//! The user's guide "Webhook Integration Guide" of the conversation service, request by request.

use serde_json::json;

use crate::{
    guides::{INBOUND, MESSAGES, NOW, Shown, body, counts, replay, start},
    support::{database::Database, gateway::Gateway},
};

const CONVERSATION: &str = "/webhooks/conversation";
const STRUCTURE: &str = body!("conversation/guide-structure");
const GENERATED: &str = body!("conversation/guide-generated");

fn conversation() -> Vec<Shown> {
    const NOT_JSON: &str = "invalid_payload: the body is not JSON";
    let told = |status: &str, revision: i32, is_final: bool| {
        json!({ "external_id": "message-uuid", "status": status, "revision": revision, "is_final": is_final,
            "channel": "chat", "direction": "inbound", "sender": "user123", "status_at": "2024-03-21 10:00:00" })
    };
    let of_generator = |id: &str| json!({ "external_id": id, "text": "Test message", "occurred_at": null, "channel": "chat" });
    let (made, other) = ("bffeac56-2a4c-58d6-9312-fd8f29613759", "0d5f0c1e-5b7e-4d0c-9a57-0f9a1c2b3d4e");
    let commented = body!("conversation/guide-structure-with-comments");
    vec![
        Shown::json("Webhook Payload / Structure: with its comments it is no JSON", "url-token", commented).quarantined(NOT_JSON),
        Shown::json("Webhook Payload / Structure: without them", "url-token", STRUCTURE)
            .gives(MESSAGES, told("accepted", 1, false))
            .gives(
                INBOUND,
                json!({ "external_id": "message-uuid", "text": "Message content", "sender": "user123", "media": "[]",
                    "provider_status": "RECEIVED", "occurred_at": "2024-03-21 10:00:00" }),
            ),
        // A message is told of more than once: its id alone makes no duplicate.
        Shown::json("Webhook Payload / Field Reference: PROCESSED", "url-token", STRUCTURE.replace("RECEIVED", "PROCESSED"))
            .gives(MESSAGES, told("sent", 2, false)),
        Shown::json("Webhook Payload / Field Reference: FAILED", "url-token", STRUCTURE.replace("RECEIVED", "FAILED"))
            .gives(MESSAGES, told("failed", 3, true)),
        Shown::json("Best Practices / Error Handling / Graceful Recovery: a field is missing", "url-token", "{}")
            .quarantined("invalid_payload: a message without data.id of 1 to 255 bytes"),
        Shown::json("Testing & Development / Local Testing / Manual Testing", "url-token", GENERATED)
            .gives(MESSAGES, json!({ "external_id": made, "status": "accepted", "status_at": "2026-03-14 15:30:00" }))
            .gives(INBOUND, of_generator(made)),
        Shown::json(
            "Webhook Testing Tools / Custom Test Suite / test_webhook_handler",
            "body-sha256",
            GENERATED.replace(made, other),
        )
        .gives(MESSAGES, json!({ "external_id": other, "status": "accepted", "verified_by": "body-sha256:0" }))
        .gives(INBOUND, of_generator(other)),
        Shown::json(
            "Webhook Testing Tools / Custom Test Suite / test_invalid_payload",
            "url-token",
            body!("conversation/guide-invalid-json"),
        )
        .quarantined(NOT_JSON),
        Shown::json("Technical Specifications / Security Requirements: another signature", "", STRUCTURE)
            .with("X-Webhook-Signature", &"0".repeat(64))
            .refused(401, "invalid_signature"),
        Shown::json("Common Issues & Solutions / 404 Errors", "", STRUCTURE).at("/t/wrong").refused(404, "not_found"),
    ]
}

/// "Rate Limiting": the answers tell the limit and what is left of it. That it holds is in `limits.rs`.
fn assert_told_what_is_left(gateway: &Gateway) {
    let shown = Shown::json("Rate Limiting", "url-token", STRUCTURE);
    for left in ["99", "98"] {
        let response = shown.send(gateway, CONVERSATION);
        let told = ["RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"].map(|name| response.header(name));
        assert_eq!((response.status, told), (200, [Some("100"), Some(left), Some("60")]));
    }
}

crate::databases! {
    fn webhook_integration_guide_of_the_conversation_service(database) {
        let token = ("CONVERSATION_URL_TOKEN", "cvurl-0123456789abcdef0123456789abcdef");
        let secret = ("CONVERSATION_WEBHOOK_SECRET", "conversation-webhook-secret-01234");
        let mut gateway = start(database, NOW, &[token, secret]);
        replay(&gateway, CONVERSATION, &conversation());
        assert_eq!(counts(&gateway), [8, 10, 3, 3, 0, 0, 0]);
        // The count of the last minute is the process's own: this one starts with none.
        gateway = start(gateway.stop(), NOW, &[token]);
        assert_told_what_is_left(&gateway);
        for (networks, status, answer) in [
            ("127.0.0.0/8", 200, json!({ "success": true, "duplicate": true })),
            ("203.0.113.0/24", 403, json!({ "success": false, "error": "forbidden" })),
        ] {
            gateway = start(gateway.stop(), NOW, &[token, ("CONVERSATION_ALLOWED_IPS", networks)]);
            let shown = Shown::json("Technical Specifications / Security Requirements: IP whitelist", "url-token", STRUCTURE);
            let response = shown.send(&gateway, CONVERSATION);
            assert_eq!((response.status, response.json()), (status, answer), "{networks}");
        }
        assert_eq!(counts(&gateway), [8, 10, 3, 3, 0, 0, 0], "all of it was known");
    }
}
