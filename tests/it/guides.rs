//! The integration guides: every request in a guide, named by its heading, sent byte for byte over HTTP, and its expected result.
//! This file covers Mifumo ("Webhook Integration Guide") and Vonage ("SMS API: Webhooks"); the other three guides have files of
//! their own.
//!
//! Requests that a guide signs are signed by the guide's scheme; unsigned requests use the URL token.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use waybill::{signature::Outgoing, time::Timestamp};

use crate::support::{
    client::Response,
    database::{Database, stored_key},
    gateway::Gateway,
};

/// The exact body of a recorded request, by provider and case.
macro_rules! body {
    ($case:literal) => {
        include_str!(concat!("../../fixtures/", $case, "/body"))
    };
}
pub(crate) use body;

pub const EVENTS: &str = "webhook_events";
pub const MESSAGES: &str = "message_external_ids";
pub const INBOUND: &str = "inbound_messages";

/// Placeholder for the key of a request that is identified by its body.
const BY_BODY: &str = "by body";

/// The tables that callbacks change, in the order of [`counts`].
const TABLES: [&str; 7] = ["webhook_requests", EVENTS, MESSAGES, INBOUND, "inbound_parts", "calls", "rooms"];

/// A request in a guide, and its expected result.
pub struct GuideRequest {
    heading: String,
    /// The signature scheme; empty if the request is sent unsigned.
    scheme: &'static str,
    method: &'static str,
    /// The text after the endpoint's path.
    target: String,
    headers: Vec<(String, String)>,
    content_type: &'static str,
    body: String,
    answer: (u16, Value),
    rows: Vec<(&'static str, Value)>,
}

impl GuideRequest {
    /// A POST of JSON that is accepted.
    pub fn json(heading: impl Into<String>, scheme: &'static str, body: impl Into<String>) -> Self {
        Self {
            heading: heading.into(),
            scheme,
            method: "POST",
            target: String::new(),
            headers: Vec::new(),
            content_type: "application/json",
            body: body.into(),
            answer: (200, json!({ "success": true })),
            rows: Vec::new(),
        }
    }

    /// A POST of a form that is accepted.
    pub fn form(heading: impl Into<String>, scheme: &'static str, body: impl Into<String>) -> Self {
        Self { content_type: "application/x-www-form-urlencoded", ..Self::json(heading, scheme, body) }
    }

    /// A GET whose response is a document.
    pub fn get(heading: &str, scheme: &'static str, target: &str, document: Value) -> Self {
        let request = Self { method: "GET", content_type: "", answer: (200, document), ..Self::json(heading, scheme, "") };
        request.at(target)
    }

    pub fn at(self, target: &str) -> Self {
        Self { target: target.to_owned(), ..self }
    }

    pub fn with(mut self, header: &str, value: &str) -> Self {
        self.headers.push((header.to_owned(), value.to_owned()));
        self
    }

    pub fn rejected(self, status: u16, code: &str) -> Self {
        Self { answer: (status, json!({ "success": false, "error": code })), ..self }
    }

    /// Expects exactly one such row afterwards. A null is an empty column.
    pub fn expect_row(mut self, table: &'static str, row: Value) -> Self {
        self.rows.push((table, row));
        self
    }

    /// Expects the request to be quarantined, with the response that was set before.
    pub fn quarantined(self, reason: &str) -> Self {
        let row = json!({ "dedupe_key": BY_BODY, "state": "quarantined", "reason": reason, "answer": self.answer.0 });
        self.expect_row("webhook_requests", row)
    }

    fn outgoing(&self, gateway: &Gateway, path: &str) -> Outgoing {
        let endpoint = gateway.endpoint(path);
        let target = format!("{path}{}", self.target);
        let mut outgoing = endpoint.outgoing(self.method, target, self.content_type, self.body.as_str());
        "msg_guide".clone_into(&mut outgoing.id);
        outgoing.seconds = gateway.running().gateway.clock.now().seconds();
        outgoing.headers.extend(self.headers.iter().cloned());
        if !self.scheme.is_empty() {
            let scheme = endpoint.spec.schemes.iter().copied().find(|scheme| scheme.name == self.scheme);
            endpoint.sign(scheme.expect("a scheme of that name"), &mut outgoing);
        }
        outgoing
    }

    pub fn send(&self, gateway: &Gateway, path: &str) -> Response {
        gateway.send(&self.outgoing(gateway, path))
    }

    /// Sends the request for the first time, and compares response, rows and stored body.
    fn assert_first_response(&self, gateway: &Gateway, path: &str) {
        let Self { heading, answer, rows, .. } = self;
        let outgoing = self.outgoing(gateway, path);
        let response = gateway.send(&outgoing);
        assert_eq!((response.status, response.json()), *answer, "{heading}");
        for (table, row) in rows {
            let mut columns = row.as_object().expect("columns").clone();
            if let Some(key) = columns.get_mut("dedupe_key").filter(|key| **key == BY_BODY) {
                *key = stored_key(gateway.endpoint(path), &Sha256::digest(&outgoing.body)).into();
            }
            let seen = gateway.database.rows(table);
            let matches = |row: &&Value| columns.iter().all(|(column, value)| row[column.as_str()] == *value);
            assert_eq!(seen.iter().filter(matches).count(), 1, "{heading}: {row} in {table}: {seen:#?}");
        }
        // The body of a verified callback is stored even if it cannot be parsed.
        if [200, 400].contains(&answer.0) && !outgoing.body.is_empty() {
            let body = hex::encode(&outgoing.body);
            let bodies = gateway.database.rows("webhook_bodies");
            assert!(bodies.iter().any(|row| row["body"] == body.as_str()), "{heading}: its body");
        }
    }
}

/// Sends a guide's requests in order, and then each again, as a sender does whose response is lost ("Retries", "Idempotency",
/// "Duplicate events"). A retry is reported as a duplicate if the format allows it, and changes no row.
pub fn replay(gateway: &Gateway, path: &str, requests: &[GuideRequest]) {
    for request in requests {
        request.assert_first_response(gateway, path);
    }
    let before = rows(gateway);
    for request in requests {
        let response = request.send(gateway, path);
        let (status, mut answer) = request.answer.clone();
        if answer == json!({ "success": true }) {
            answer["duplicate"] = true.into();
        }
        assert_eq!((response.status, response.json()), (status, answer), "{}, retried", request.heading);
    }
    assert_eq!(rows(gateway), before, "retries change no row");
}

/// All rows, without the columns that count duplicates.
fn rows(gateway: &Gateway) -> [Vec<Value>; 7] {
    TABLES.map(|table| {
        let mut rows = gateway.database.rows(table);
        for row in rows.iter_mut().filter_map(Value::as_object_mut) {
            row.retain(|column, _| !["duplicate_count", "last_duplicate_at"].contains(&column.as_str()));
        }
        rows
    })
}

/// Number of requests, events, messages, inbound messages, parts, calls and rooms.
pub fn counts(gateway: &Gateway) -> [usize; 7] {
    TABLES.map(|table| gateway.database.rows(table).len())
}

pub fn start(database: Database, now: &str, variables: &[(&str, &str)]) -> Gateway {
    let variables: Vec<(String, String)> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Gateway::start_on(database, Timestamp::parse(now).expect("an instant"), &variables)
}

pub const NOW: &str = "2026-03-14T15:30:00Z";

const MIFUMO: &str = "/webhooks/mifumo";

fn mifumo() -> Vec<GuideRequest> {
    let first = json!({ "external_id": "msg_123456789", "recipient_key": "+255123456789", "sender": "Taarifa-SMS",
        "channel": "sms", "direction": "outbound", "price": "10.0", "price_currency": "USD" });
    let with = |more: Value| {
        let mut row = first.clone();
        row.as_object_mut().expect("columns").extend(more.as_object().expect("columns").clone());
        row
    };
    let unknown = r#"{"event": "message.queued", "message_id": "msg_123456789"}"#;
    vec![
        GuideRequest::json("Webhook Payloads / Message Sent Event", "body-sha256", body!("mifumo/guide-sent"))
            .expect_row(
                MESSAGES,
                with(json!({ "status": "sent", "status_at": "2024-01-01 10:00:00", "is_final": false, "revision": 1 })),
            )
            .expect_row(
                MESSAGES,
                with(json!({ "recipient_key": "+255987654321", "recipient": "+255987654321", "status": "sent" })),
            ),
        GuideRequest::json("Webhook Payloads / Message Delivered Event", "body-sha256", body!("mifumo/guide-delivered"))
            .expect_row(
                MESSAGES,
                with(json!({ "status": "delivered", "provider_status": "DELIVRD", "delivered_at": "2024-01-01 10:05:00",
                "error_message": null, "is_final": true, "evidence": "carrier", "has_conflict": false, "revision": 2 })),
            ),
        // The guide's delivered event has the same time. A receipt outranks a failure, and the row records the conflict.
        GuideRequest::json("Webhook Payloads / Message Failed Event", "body-sha256", body!("mifumo/guide-failed"))
            .expect_row(
                EVENTS,
                json!({ "event_type": "message.failed", "error_code": "INVALID_NUMBER", "recipient_key": "+255123456789" }),
            )
            .expect_row(
                MESSAGES,
                with(json!({ "status": "delivered", "failed_at": "2024-01-01 10:05:00", "has_conflict": true, "revision": 3 })),
            )
            .expect_row(MESSAGES, with(json!({ "recipient_key": "+255987654321", "status": "sent", "failed_at": null }))),
        GuideRequest::json("Webhook Implementation Examples / Node.js Express: an unknown event type", "body-sha256", unknown)
            .expect_row(EVENTS, json!({ "event_type": "unknown", "provider_type": "message.queued", "external_id": null })),
        GuideRequest::json("Webhook Testing / Test Webhook with cURL", "url-token", body!("mifumo/guide-curl")).expect_row(
            MESSAGES,
            json!({ "external_id": "msg_test_123", "recipient_key": "+255123456789", "status": "sent", "price": "10.0",
                "price_currency": "USD", "status_at": "2024-01-01 10:00:00", "verified_by": "url-token:0" }),
        ),
        GuideRequest::json("Setting Up Webhooks / 3. Webhook Security: another signature", "", body!("mifumo/guide-sent"))
            .with("X-Webhook-Signature", &"0".repeat(64))
            .rejected(401, "invalid_signature"),
        GuideRequest::json("Setting Up Webhooks / 3. Webhook Security: none", "", body!("mifumo/guide-sent"))
            .rejected(401, "invalid_signature"),
        GuideRequest::json("Troubleshooting / Common Issues: another URL", "", body!("mifumo/guide-sent"))
            .at("/t/wrong")
            .rejected(404, "not_found"),
    ]
}

const VONAGE: &str = "/webhooks/vonage";
const RECEIPT: &str = body!("vonage/guide-receipt-foreign-sig");
const PART: &str = r#"{
  "api-key": "abcd1234",
  "msisdn": "447700900001",
  "to": "447700900000",
  "messageId": "0A0000000123ABCD1",
  "text": "Hello world",
  "type": "text",
  "keyword": "HELLO",
  "message-timestamp": "2020-01-01 12:00:00",
  "timestamp": "1578787200",
  "nonce": "aaaaaaaa-bbbb-cccc-dddd-0123456789ab",
  "concat": "true",
  "concat-ref": "1",
  "concat-total": "3",
  "concat-part": "2"
}"#;

fn receipt_row() -> Value {
    json!({ "external_id": "0A0000001234567B", "status": "delivered", "provider_status": "delivered", "is_final": true,
        "evidence": "carrier", "recipient": "+447700900000", "sender": "AcmeInc", "price": "0.03330000",
        "embedded_id": "my-reference", "error_code": null, "delivered_at": "2020-01-01 12:00:00" })
}

/// The guide's receipt without its signature, whose secret the guide does not show.
fn unsigned_receipt() -> String {
    let (signed, _) = RECEIPT.split_once(",\n  \"sig\"").expect("a signature");
    format!("{signed}\n}}")
}

/// Another part of the message whose second part the guide shows.
fn part(id: &str, text: &str, number: &str) -> String {
    let part = PART.replace("0A0000000123ABCD1", id).replace("Hello world", text);
    part.replace("\"concat-part\": \"2\"", &format!("\"concat-part\": \"{number}\""))
}

fn vonage() -> Vec<GuideRequest> {
    let mut requests = vec![
        GuideRequest::json("Delivery Receipts / Delivery Receipt Format: with a secret its signature counts", "", RECEIPT)
            .rejected(401, "invalid_signature"),
        GuideRequest::json("Delivery Receipts / Delivery Receipt Format: also by the URL token", "url-token", RECEIPT)
            .rejected(401, "invalid_signature"),
        GuideRequest::json("Webhook Security / 1. Validate Signatures", "md5-plain", unsigned_receipt())
            .expect_row(
                "webhook_requests",
                json!({ "verified_by": "md5-plain:0", "state": "processed", "url": "/webhooks/vonage" }),
            )
            .expect_row(MESSAGES, receipt_row()),
    ];
    for (provider_status, status, is_final) in [
        ("delivered", "delivered", true),
        ("expired", "expired", true),
        ("failed", "failed", true),
        ("rejected", "rejected", true),
        ("accepted", "sent", false),
        ("buffered", "deferred", false),
        ("unknown", "unknown", false),
    ] {
        let body = unsigned_receipt()
            .replace("0A0000001234567B", provider_status)
            .replace("\"delivered\"", &format!("\"{provider_status}\""));
        let row =
            json!({ "external_id": provider_status, "status": status, "provider_status": provider_status, "is_final": is_final });
        requests.push(
            GuideRequest::json(format!("Delivery Receipts / Status Values: {provider_status}"), "md5-plain", body)
                .expect_row(MESSAGES, row),
        );
    }
    let (first, third) = (part("0A0000000123ABCD0", "One.", "1"), part("0A0000000123ABCD2", "Three.", "3"));
    let held =
        json!({ "external_id": "0A0000000123ABCD1", "part": 2, "parts_total": 3, "reference": "1", "text": "Hello world" });
    let whole = json!({ "external_id": "0A0000000123ABCD0", "text": "One.Hello worldThree.", "parts_total": 3,
        "parts_received": 3, "is_partial": false, "sender": "+447700900001", "recipient": "+447700900000", "channel": "sms",
        "occurred_at": "2020-01-01 12:00:00" });
    requests.extend([
        GuideRequest::json("Inbound SMS / Inbound SMS Format", "url-token", PART).expect_row("inbound_parts", held.clone()),
        // The same part with another proof is another request, but no second part.
        GuideRequest::json("Webhook Security / 2. Implement Idempotency", "md5-plain", PART).expect_row("inbound_parts", held),
        GuideRequest::json("Inbound SMS / Handling Concatenated Messages: part 3", "url-token", third),
        GuideRequest::json("Inbound SMS / Handling Concatenated Messages: part 1", "url-token", first).expect_row(INBOUND, whole),
        GuideRequest::json("Webhook Best Practices / 1. Respond Quickly: no JSON", "url-token", "{oops")
            .rejected(400, "invalid_payload")
            .quarantined("invalid_payload: the body is not JSON"),
        GuideRequest::json("Common Issues / Not Receiving Webhooks", "url-token", body!("vonage/guide-curl"))
            .expect_row(EVENTS, json!({ "event_type": "unknown", "external_id": null })),
    ]);
    requests
}

crate::databases! {
    fn mifumo_guide_requests_have_expected_results(database) {
        let secret = ("MIFUMO_WEBHOOK_SECRET", "mifumo-webhook-secret-0123456789");
        let gateway = start(database, NOW, &[secret, ("MIFUMO_URL_TOKEN", "mfurl-0123456789abcdef0123456789abcdef")]);
        replay(&gateway, MIFUMO, &mifumo());
        assert_eq!(counts(&gateway), [5, 6, 3, 0, 0, 0, 0]);
    }

    fn vonage_guide_requests_have_expected_results(database) {
        let token = ("VONAGE_URL_TOKEN", "vurl-0123456789abcdef0123456789abcdef");
        let gateway = start(database, NOW, &[token]);
        // Without a secret the signature of the guide's receipt cannot be verified.
        let request = GuideRequest::json("Delivery Receipts / Delivery Receipt Format", "url-token", RECEIPT);
        replay(&gateway, VONAGE, &[request.expect_row(MESSAGES, receipt_row())]);
        assert_eq!(counts(&gateway), [1, 1, 1, 0, 0, 0, 0]);
        let gateway = start(gateway.stop(), NOW, &[token, ("VONAGE_SIGNATURE_SECRET", "Zx81-signature-secret-q7")]);
        replay(&gateway, VONAGE, &vonage());
        assert_eq!(counts(&gateway), [15, 14, 8, 1, 3, 0, 0]);
    }
}
