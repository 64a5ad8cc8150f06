//! The guide "Webhooks & Events" of SignalWire, request by request. Its requests are unsigned, so they use the URL token. The three
//! options of "Webhook Security" are tested one by one.

use serde_json::{Value, json};

use crate::{
    guides::{EVENTS, GuideRequest, INBOUND, MESSAGES, NOW, body, counts, replay, start},
    support::database::Database,
};

const PATH: &str = "/webhooks/signalwire";
const CALL: &str = body!("signalwire/guide-call-status");
const STATUS: &str = body!("signalwire/guide-message-status");
const ROOM: &str = "room-guide-0001";

/// "Call States" and "Common Patterns / Call Analytics": the guide's payload in each state.
fn calls() -> Vec<GuideRequest> {
    let call_in_state =
        |provider_status: &str, at: &str| CALL.replace("\"answered\"", &format!("\"{provider_status}\"")).replace("10:30:00", at);
    let state = |provider_status: &str, at: &str, row: Value| {
        let heading = format!("Call Status Webhooks / Call States: {provider_status}");
        GuideRequest::json(heading, "url-token", call_in_state(provider_status, at)).expect_row("calls", row)
    };
    let id = "c1234567-89ab-cdef-0123-456789abcdef";
    let ended = json!({ "external_id": id, "status": "ended", "direction": "outbound", "sender": "+15551234567",
        "recipient": "+15559876543", "queued_at": "2025-01-15 10:29:50", "initiated_at": "2025-01-15 10:29:51",
        "ringing_at": "2025-01-15 10:29:52", "answered_at": "2025-01-15 10:30:00", "ended_at": "2025-01-15 10:31:30",
        "answered_seconds": 90 });
    vec![
        state("queued", "10:29:50", json!({ "external_id": id, "status": "queued", "queued_at": "2025-01-15 10:29:50" })),
        state("created", "10:29:51", json!({ "external_id": id, "status": "initiated", "initiated_at": "2025-01-15 10:29:51" })),
        state("ringing", "10:29:52", json!({ "external_id": id, "status": "ringing", "ringing_at": "2025-01-15 10:29:52" })),
        GuideRequest::json("Call Status Webhooks / Status Webhook Payload", "url-token", CALL).expect_row(
            "calls",
            json!({ "external_id": id, "status": "answered", "answered_at": "2025-01-15 10:30:00", "direction": "outbound",
                "sender": "+15551234567", "recipient": "+15559876543", "ended_at": null, "answered_seconds": null }),
        ),
        state("ended", "10:31:30", ended),
        GuideRequest::json(
            "Local Development & Testing / Testing Webhooks Manually",
            "url-token",
            body!("signalwire/guide-curl"),
        )
        .expect_row(
            "calls",
            json!({ "external_id": "test-123", "status": "answered", "answered_at": "2025-01-15 10:30:00", "direction": null,
                "sender": "+15551234567", "recipient": "+15559876543" }),
        ),
    ]
}

fn status(id: &str) -> String {
    STATUS.replace("msg_xxxxxxxx", id)
}

fn messages() -> Vec<GuideRequest> {
    let mut requests = vec![
        GuideRequest::json(
            "Messaging Webhooks / Message Webhook Payload",
            "url-token",
            body!("signalwire/guide-incoming-message"),
        )
        .expect_row(
            INBOUND,
            json!({ "external_id": "msg_xxxxxxxx", "text": "Hello, SignalWire!", "sender": "+15559876543",
                "recipient": "+15551234567", "channel": "mms", "media": r#"[{"url":"https://example.com/image.jpg"}]"#,
                "parts_total": 1, "parts_received": 1, "occurred_at": "2025-01-15 10:30:00" }),
        ),
        GuideRequest::json("Messaging Webhooks / Message Status Webhook Payload", "url-token", STATUS).expect_row(
            MESSAGES,
            json!({ "external_id": "msg_xxxxxxxx", "status": "delivered", "delivered_at": "2025-01-15 10:30:15",
                "evidence": "carrier", "error_code": null, "is_final": true, "verified_by": "url-token:0" }),
        ),
    ];
    for (provider_status, is_final) in
        [("queued", false), ("sending", false), ("sent", false), ("delivered", true), ("failed", true), ("undelivered", true)]
    {
        let body = status(&format!("msg_{provider_status}")).replace("\"delivered\"", &format!("\"{provider_status}\""));
        let row = json!({ "external_id": format!("msg_{provider_status}"), "status": provider_status, "provider_status": provider_status, "is_final": is_final });
        requests.push(
            GuideRequest::json(format!("Messaging Webhooks / Status values: {provider_status}"), "url-token", body)
                .expect_row(MESSAGES, row),
        );
    }
    requests.push(
        GuideRequest::json("Error Handling Best Practices / Always Return 200 OK", "url-token", r#"{"call_id": "#)
            .quarantined("invalid_payload: the body is not JSON"),
    );
    requests
}

/// "SWML Webhooks / SWML Fetch Webhook": the guide's two documents, selected by the caller.
fn swml() -> Vec<GuideRequest> {
    let vip = json!({
        "version": "1.0.0",
        "sections": {
            "main": [
                { "answer": {} },
                { "say": { "text": "Welcome back, valued customer +15559876543" } },
                { "connect": { "to": "+15551111111" } },
            ],
        },
    });
    let standard = json!({
        "version": "1.0.0",
        "sections": {
            "main": [
                { "answer": {} },
                { "say": { "text": "Welcome to our service" } },
                { "transfer": { "dest": "main_menu" } },
            ],
            "main_menu": [{ "prompt": { "say": "Press 1 for sales, 2 for support", "max_digits": 1 } }],
        },
    });
    let to = "+15551234567";
    let row = |id: &str, from: &str, direction: Option<&str>| {
        json!({ "external_id": id, "sender": from, "recipient": to, "direction": direction,
            "status": "unknown" })
    };
    vec![
        GuideRequest::get(
            "SWML Webhooks / SWML Fetch Webhook",
            "url-token",
            "/swml?From=+15559876543&To=+15551234567&CallSid=c1234567...",
            vip,
        )
        .expect_row("calls", row("c1234567...", "+15559876543", None)),
        GuideRequest::get(
            "SWML Webhooks / SWML Fetch Webhook: another caller, and the direction",
            "url-token",
            "/swml?From=+15550001111&To=+15551234567&CallSid=c7654321&Direction=inbound",
            standard,
        )
        .expect_row("calls", row("c7654321", "+15550001111", Some("inbound"))),
    ]
}

/// "Video Room Webhooks". The guide distinguishes events by their path; here the query does.
fn rooms() -> Vec<GuideRequest> {
    let video = |kind: &str, minute: u8| {
        let body = json!({ "room_id": ROOM, "room_name": "my-meeting", "member_id": "member-1", "recording_id": "recording-1",
            "timestamp": format!("2025-01-15T10:{minute}:00Z") });
        let event = json!({ "external_id": ROOM, "event_type": kind, "occurred_at": format!("2025-01-15 10:{minute}:00") });
        GuideRequest::json(format!("Video Room Webhooks / Video Event Types: {kind}"), "url-token", body.to_string())
            .at(&format!("?event={kind}"))
            .expect_row(EVENTS, event)
    };
    let ready = body!("signalwire/guide-recording-ready");
    let url = "https://files.example.com/recordings/guide-0003.mp4";
    let recording = format!(r#"[{{"id":"{url}","url":"{url}","duration":"1830","completed_at":"2026-03-14T15:30:00.000000Z"}}]"#);
    let member = r#"[{"id":"member-1","joined_at":"2025-01-15T10:31:00.000000Z","left_at":"2025-01-15T10:34:00.000000Z"}]"#;
    let recorded =
        r#"[{"id":"recording-1","started_at":"2025-01-15T10:32:00.000000Z","completed_at":"2025-01-15T10:33:00.000000Z"}]"#;
    vec![
        GuideRequest::json(
            "Video Room Webhooks / Handling Video Webhooks: room-started",
            "url-token",
            body!("signalwire/guide-room-started"),
        )
        .at("?event=room.started")
        .expect_row(
            "rooms",
            json!({ "external_id": ROOM, "name": "my-meeting", "status": "started",
                "started_at": "2025-01-15 10:30:00", "ended_at": null, "members": "[]", "recordings": "[]" }),
        ),
        GuideRequest::json("Video Room Webhooks / Handling Video Webhooks: recording-ready", "url-token", ready)
            .expect_row("rooms", json!({ "external_id": "room-guide-0003", "recordings": recording, "status": "unknown" })),
        video("member.joined", 31),
        video("recording.started", 32),
        video("recording.completed", 33),
        video("member.left", 34),
        video("room.ended", 35).expect_row(
            "rooms",
            json!({ "external_id": ROOM, "name": "my-meeting", "status": "ended", "started_at": "2025-01-15 10:30:00",
                "ended_at": "2025-01-15 10:35:00", "members": member, "recordings": recorded }),
        ),
    ]
}

/// "Webhook Security", options 2 and 3; the guide responds to a wrong secret with 403, Waybill to every failed verification with 401.
fn security() -> Vec<GuideRequest> {
    let delivered = |id: &str, by: &str| json!({ "external_id": id, "status": "delivered", "verified_by": by });
    vec![
        GuideRequest::json("Webhook Security / Option 2: Shared Secret", "url-secret", status("msg_secret"))
            .expect_row(MESSAGES, delivered("msg_secret", "url-secret:0")),
        GuideRequest::json("Webhook Security / Option 2: another secret", "", status("msg_forged"))
            .at("?secret=another-secret-0123456789")
            .rejected(401, "invalid_signature"),
        GuideRequest::json("Webhook Security / Option 3: HTTP Basic Auth", "basic", status("msg_basic"))
            .expect_row(MESSAGES, delivered("msg_basic", "basic:0")),
        GuideRequest::json("Webhook Security / Option 3: another password", "", status("msg_forged"))
            .with("Authorization", "Basic dXNlcm5hbWU6d3Jvbmc=")
            .rejected(401, "invalid_signature"),
        GuideRequest::json("Webhook Security: nothing at all", "", status("msg_forged")).rejected(401, "invalid_signature"),
        GuideRequest::json("Webhook Security: another token", "", status("msg_forged")).at("/t/wrong").rejected(404, "not_found"),
    ]
}

crate::databases! {
    fn signalwire_guide_requests_have_expected_results(database) {
        let variables = [
            ("SIGNALWIRE_URL_TOKEN", "swurl-0123456789abcdef0123456789abcdef"),
            ("SIGNALWIRE_WEBHOOK_SECRET", "sw-shared-secret-0123456789"),
            ("SIGNALWIRE_BASIC_AUTH", "username:4c8e1b7a9d3f526880"),
            ("SIGNALWIRE_SWML", "fixtures/signalwire/swml.json"),
            ("SIGNALWIRE_SWML_VIP", "fixtures/signalwire/swml-vip.json"),
            ("SIGNALWIRE_VIP_NUMBERS", "+15559876543"),
        ];
        let mut gateway = start(database, NOW, &variables);
        replay(&gateway, PATH, &[calls(), messages(), swml(), rooms(), security()].into_iter().flatten().collect::<Vec<_>>());
        assert_eq!(counts(&gateway), [26, 25, 9, 1, 0, 4, 2]);
        let rejected = GuideRequest::json("Webhook Security / Option 3", "", STATUS).send(&gateway, PATH);
        assert_eq!(rejected.header("WWW-Authenticate"), Some(r#"Basic realm="waybill", charset="UTF-8""#));
        // "Webhook Security / Option 1: IP Allowlist", as the only proof. The guide's list does not contain this client.
        let request = || GuideRequest::json("Webhook Security / Option 1: IP Allowlist", "", status("msg_ip"));
        gateway = start(gateway.stop(), NOW, &[("SIGNALWIRE_ALLOWED_IPS", "1.2.3.4,5.6.7.8")]);
        replay(&gateway, PATH, &[request().rejected(403, "forbidden")]);
        gateway = start(gateway.stop(), NOW, &[("SIGNALWIRE_ALLOWED_IPS", "127.0.0.0/8")]);
        let row = json!({ "external_id": "msg_ip", "status": "delivered", "verified_by": "ip:0" });
        replay(&gateway, PATH, &[request().expect_row(MESSAGES, row)]);
        assert_eq!(counts(&gateway), [27, 26, 10, 1, 0, 4, 2]);
    }
}
