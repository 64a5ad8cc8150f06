//! The "Webhook Handlers Guide" (Twilio and Resend), request by request, on a gateway that is configured by the guide's variables
//! and whose clock is set to the time of its examples.

use serde_json::{Value, json};

use crate::{
    guides::{EVENTS, GuideRequest, MESSAGES, body, counts, replay, start},
    support::{client, database::Database, gateway::Gateway, twilio::TOKEN},
};

const TWILIO: &str = "/webhooks/twilio";
const RESEND: &str = "/webhooks/resend";
const ACCOUNT: &str = "AC00000000000000000000000000000000";

/// "Configuration / Environment Variables".
const VARIABLES: &str = r"# Twilio Configuration
TWILIO_AUTH_TOKEN=your_twilio_auth_token
TWILIO_ACCOUNT_SID=your_twilio_account_sid
TWILIO_PHONE_NUMBER=+1234567890

# Resend Configuration
RESEND_API_KEY=your_resend_api_key
RESEND_WEBHOOK_SECRET=your_webhook_secret
RESEND_FROM_EMAIL=noreply@mingus.com

# Webhook URLs
WEBHOOK_BASE_URL=https://api.mingus.com
TWILIO_WEBHOOK_URL=/webhooks/twilio
RESEND_WEBHOOK_URL=/webhooks/resend

# Security
VERIFY_WEBHOOK_SIGNATURES=true
WEBHOOK_TIMEOUT=30
WEBHOOK_MAX_RETRIES=3

# Message ID Mapping
MESSAGE_ID_MAPPING_STRATEGY=database
TIMESTAMP_MATCHING_WINDOW=3600
";

/// "Endpoints / 2. Resend Email Webhook / JSON Payload".
const PAYLOAD: &str = r#"{
  "type": "email.delivered",
  "data": {
    "id": "email_id",
    "from": "sender@example.com",
    "to": ["recipient@example.com"],
    "subject": "Email Subject",
    "created_at": "2025-01-27T12:00:00Z"
  },
  "created_at": "2025-01-27T12:00:00Z"
}"#;

/// "Endpoints / 3. Health Check / Response".
const HEALTH: &str = r#"{
  "status": "healthy",
  "service": "webhook_handlers",
  "endpoints": {
    "twilio": "/webhooks/twilio",
    "resend": "/webhooks/resend"
  },
  "timestamp": "2025-01-27T12:00:00Z"
}"#;

/// A gateway with the guide's variables, whose placeholders are replaced, and further ones.
fn gateway(database: Database, more: &[(&str, &str)]) -> Gateway {
    let block = VARIABLES
        .replace("your_twilio_auth_token", TOKEN)
        .replace("your_twilio_account_sid", ACCOUNT)
        .replace("your_resend_api_key", "re_123")
        .replace("your_webhook_secret", "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=");
    let lines = block.lines().filter_map(|line| line.split_once('='));
    let variables: Vec<(&str, &str)> = lines.chain(more.iter().copied()).collect();
    start(database, "2025-01-27T12:00:00Z", &variables)
}

fn twilio() -> Vec<GuideRequest> {
    let mut requests = vec![
        GuideRequest::form("Integration Examples / Setting Up Twilio Webhooks / Test Webhook", "", body!("twilio/guide-curl"))
            .with("X-Twilio-Signature", "your_signature")
            .rejected(401, "invalid_signature"),
        GuideRequest::form(
            "Integration Examples / Setting Up Twilio Webhooks / Test Webhook: signed",
            "body-sha256",
            body!("twilio/guide-curl"),
        )
        .expect_row(
            MESSAGES,
            // The application's mapping by plain SQL remains.
            json!({ "external_id": "SM123", "message_id": 7, "status": "delivered", "recipient": "+1234567890",
                "sender": "+0987654321", "delivered_at": "2025-01-27 12:00:00", "is_final": true, "revision": 1,
                "verified_by": "body-sha256:0" }),
        ),
        GuideRequest::form("Endpoints / 1. Twilio SMS Webhook / Form Data", "body-sha256", body!("twilio/guide-required-fields"))
            .expect_row(
                MESSAGES,
                json!({ "external_id": "SM124", "message_id": null, "status": "undelivered", "error_code": "30005",
                "error_message": "Unknown destination handset", "failed_at": "2025-01-27 12:00:00", "is_final": true }),
            ),
        GuideRequest::form("Security Features / 3. Error Handling: 400", "body-sha256", "MessageSid=SM123")
            .rejected(400, "invalid_payload")
            .quarantined("invalid_payload: a message without MessageStatus or SmsStatus"),
    ];
    for (provider_status, is_final) in [("delivered", true), ("failed", true), ("undelivered", true), ("sent", false)] {
        let body = format!("SmsSid=SM-{provider_status}&SmsStatus={provider_status}&To=%2B1234567890&From=%2B0987654321");
        let row = json!({ "external_id": format!("SM-{provider_status}"), "status": provider_status, "provider_status": provider_status, "is_final": is_final });
        let heading = format!("Endpoints / 1. Twilio SMS Webhook / Status Types: {provider_status}, by the other names");
        requests.push(GuideRequest::form(heading, "body-sha256", body).expect_row(MESSAGES, row));
    }
    requests
}

fn resend() -> Vec<GuideRequest> {
    let at = "2025-01-27 12:00:00";
    vec![
        GuideRequest::json("Integration Examples / Setting Up Resend Webhooks / Test Webhook", "", body!("resend/guide-curl"))
            .with("Resend-Signature", "your_signature")
            .rejected(401, "invalid_signature"),
        GuideRequest::json(
            "Integration Examples / Setting Up Resend Webhooks / Test Webhook: signed",
            "body-sha256",
            body!("resend/guide-curl"),
        )
        .expect_row(
            MESSAGES,
            json!({ "external_id": "email_123", "message_id": 8, "status": "delivered", "delivered_at": at, "evidence": "mta",
                "recipient": "user@example.com", "sender": "noreply@mingus.com", "channel": "email", "is_final": true,
                "verified_by": "body-sha256:0" }),
        ),
        GuideRequest::json("Endpoints / 2. Resend Email Webhook / JSON Payload", "body-sha256", PAYLOAD).expect_row(
            MESSAGES,
            json!({ "external_id": "email_id", "message_id": null, "status": "delivered", "delivered_at": at,
                "recipient": "recipient@example.com", "sender": "sender@example.com" }),
        ),
        GuideRequest::json("Security Features / 3. Error Handling: 400", "body-sha256", "{oops")
            .rejected(400, "invalid_payload")
            .quarantined("invalid_payload: the body is not JSON"),
    ]
}

/// "Endpoints / 2. Resend Email Webhook / Event Types", in the shape of the guide's test request.
fn resend_events() -> Vec<GuideRequest> {
    let at = "2025-01-27 12:00:00";
    let event = |kind: &str, body: &str, row: Value| {
        let heading = format!("Endpoints / 2. Resend Email Webhook / Event Types: {kind}");
        GuideRequest::json(heading, "body-sha256", body)
            .expect_row(EVENTS, json!({ "provider_type": kind, "occurred_at": at }))
            .expect_row(MESSAGES, row)
    };
    vec![
        event(
            "email.opened",
            body!("resend/guide-opened"),
            // Mail clients prefetch images, so an open is no evidence of delivery.
            json!({ "external_id": "email_124", "opened_at": at, "open_count": 1, "status": "registered", "delivered_at": null }),
        ),
        event(
            "email.clicked",
            body!("resend/guide-clicked"),
            json!({ "external_id": "email_125", "clicked_at": at, "click_count": 1, "status": "delivered",
                "evidence": "inferred" }),
        ),
        event(
            "email.complained",
            body!("resend/guide-complained"),
            json!({ "external_id": "email_126", "complained_at": at, "status": "registered", "is_final": false }),
        ),
        event(
            "email.bounced",
            body!("resend/guide-bounced"),
            json!({ "external_id": "email_127", "status": "bounced", "failed_at": at, "is_final": true }),
        ),
    ]
}

/// "Message ID Mapping / 1. Database Strategy": inserts into the guide's table and columns by plain SQL.
fn register_by_sql(gateway: &Gateway) {
    let columns = gateway.database.columns(MESSAGES);
    for column in ["id", "message_id", "external_id", "service_type", "created_at"] {
        assert!(columns.iter().any(|known| known == column), "{column}");
    }
    gateway.database.execute("INSERT INTO communication_metrics (id, reference) VALUES (7, 'order-771'), (8, 'order-772')");
    gateway.database.execute(
        "INSERT INTO message_external_ids (message_id, external_id, service_type) \
         VALUES (7, 'SM123', 'twilio'), (8, 'email_123', 'resend')",
    );
}

/// "Message ID Mapping / 2. Embedded Strategy".
fn embedded() -> [GuideRequest; 2] {
    let row = |id: &str, scheme: &str| {
        json!({ "external_id": id, "message_id": 7, "matched_by": "embedded", "embedded_id": "7", "status": "delivered",
            "verified_by": scheme })
    };
    // The guide embeds the id of the application's row. Resend returns the header in its signed payload.
    let email = body!("resend/embedded-in-header").replace("order-771", "7");
    // Twilio's messages have no metadata. It returns only the URL, which only its own scheme signs.
    let text = format!("AccountSid={ACCOUNT}&MessageSid=SM125&MessageStatus=delivered&To=%2B1234567890&From=%2B0987654321");
    [
        GuideRequest::json("Message ID Mapping / 2. Embedded Strategy: Resend", "svix", email)
            .expect_row(MESSAGES, row("7a9f02af-1ea4-5f44-844a-c12972defc57", "svix:0")),
        GuideRequest::form("Message ID Mapping / 2. Embedded Strategy: Twilio", "request", text)
            .at("?message_id=7")
            .expect_row(MESSAGES, row("SM125", "request:0")),
    ]
}

/// "Message ID Mapping / 3. Timestamp Strategy".
fn matched_by_time() -> GuideRequest {
    let text = "MessageSid=SM126&MessageStatus=sent&To=%2B1234567890&From=%2B0987654321";
    GuideRequest::form("Message ID Mapping / 3. Timestamp Strategy", "body-sha256", text)
        .expect_row(MESSAGES, json!({ "external_id": "SM126", "message_id": 9, "matched_by": "timestamp", "status": "sent" }))
}

/// "Error Handling: 404", if it is configured.
fn unknown() -> GuideRequest {
    let text = "MessageSid=SM404&MessageStatus=delivered&To=%2B1234567890&From=%2B0987654321";
    GuideRequest::form("Security Features / 3. Error Handling: 404", "body-sha256", text)
        .rejected(404, "not_found")
        .expect_row(MESSAGES, json!({ "external_id": "SM404", "message_id": null, "status": "delivered" }))
}

crate::databases! {
    fn handlers_guide_requests_have_expected_results(database) {
        let gateway = gateway(database, &[]);
        register_by_sql(&gateway);
        replay(&gateway, TWILIO, &twilio());
        replay(&gateway, RESEND, &resend());
        replay(&gateway, RESEND, &resend_events());
        assert_eq!(counts(&gateway), [14, 12, 12, 0, 0, 0, 0]);
        let response = client::get(gateway.address(), "/webhooks/health", &[]);
        let mut health = response.json();
        // Waybill adds `checks` to the guide's document.
        assert!(health.as_object_mut().expect("an object").remove("checks").is_some());
        assert_eq!((response.status, health), (200, serde_json::from_str::<Value>(HEALTH).expect("JSON")));
    }

    fn handlers_guide_strategies_have_expected_results(database) {
        let mut gateway = gateway(database, &[("MESSAGE_ID_MAPPING_STRATEGY", "embedded")]);
        register_by_sql(&gateway);
        let [email, text] = embedded();
        replay(&gateway, RESEND, &[email]);
        replay(&gateway, TWILIO, &[text]);
        gateway = super::gateway(gateway.stop(), &[("MESSAGE_ID_MAPPING_STRATEGY", "timestamp")]);
        gateway.database.execute(
            "INSERT INTO communication_metrics (id, channel, recipient, sent_at) \
             VALUES (9, 'sms', '+1234567890', '2025-01-27 11:00:01'), (10, 'sms', '+1234567890', '2025-01-27 10:59:59')",
        );
        replay(&gateway, TWILIO, &[matched_by_time()]);
        gateway = super::gateway(gateway.stop(), &[("UNKNOWN_MESSAGE_RESPONSE", "not-found")]);
        replay(&gateway, TWILIO, &[unknown()]);
        assert_eq!(counts(&gateway), [4, 4, 6, 0, 0, 0, 0]);
    }
}
