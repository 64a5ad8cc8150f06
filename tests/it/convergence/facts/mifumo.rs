//! Mifumo, which reports a status for each recipient.

use super::{OUTBOUND_SMS, Recipients, Shape, Time, choice, word};

pub const MESSAGES: [&Shape; 2] = [&SENT, &RECEIPT];

const SENT: Shape = Shape {
    name: "Mifumo message.sent",
    provider: "mifumo",
    scheme: "body-sha256",
    id: "/message_id",
    word: "/status",
    words: &[&[word("sent", "sent", 30), word("submitted", "sent", 30)]],
    time: Time::Iso("/sent_at"),
    reference: "/metadata/message_id",
    recipients: Recipients::Many("/recipients"),
    fixed: choice(&[("/event", "message.sent")], OUTBOUND_SMS.columns),
    attributes: &[
        &[
            choice(&[("/sender_id", "Taarifa-SMS")], &[("sender", "Taarifa-SMS")]),
            choice(&[("/sender_id", "mifumo")], &[("sender", "mifumo")]),
        ],
        &[choice(&[("/cost", "10.0")], &[("price", "10.0")]), choice(&[("/cost", "9.50")], &[("price", "9.50")])],
        &[
            choice(&[("/currency", "TZS")], &[("price_currency", "TZS")]),
            choice(&[("/currency", "USD")], &[("price_currency", "USD")]),
        ],
    ],
    ..Shape::PLAIN
};

const RECEIPT: Shape = Shape {
    name: "Mifumo receipt",
    scheme: "url-token",
    word: "/provider_status",
    words: &[&[
        word("ACCEPTD", "delivered", 50).with(&[("/event", "message.delivered")]).evidence("provider"),
        word("DELIVRD", "delivered", 50).with(&[("/event", "message.delivered")]).evidence("carrier"),
        word("DELETED", "canceled", 36).with(&[("/event", "message.failed")]),
        word("EXPIRED", "expired", 40)
            .error(&[("/event", "message.failed")], ["", "Validity period expired", "expired", "temporary"]),
        word("REJECTD", "rejected", 40).error(
            &[("/event", "message.failed"), ("/error_code", "INVALID_NUMBER")],
            ["INVALID_NUMBER", "Invalid phone number format", "invalid_recipient", "permanent"],
        ),
        word("UNKNOWN", "failed", 40).error(
            &[("/event", "message.failed"), ("/error_code", "E-77"), ("/error_message", "lost")],
            ["E-77", "lost", "unknown", "unknown"],
        ),
        word("UNDELIV", "undelivered", 41).with(&[("/event", "message.failed")]),
    ]],
    time: Time::Iso("/timestamp"),
    recipients: Recipients::One("/recipient"),
    fixed: OUTBOUND_SMS,
    attributes: &[],
    ..SENT
};
