//! Twilio: forms, and CloudEvents of Event Streams.

use super::{Choice, OUTBOUND_SMS, Payload, Shape, Time, Word, choice, no_status, word};

pub const MESSAGES: [&Shape; 3] = [&FORM, &FORM_BODY_SHA256, &EVENT_STREAM];
pub const INBOUND: [&Shape; 2] = [&INBOUND_FORM, &INBOUND_EVENT];

/// Statuses of Twilio, which SignalWire shares.
pub const WORDS: [Word; 11] = [
    word("teleported", "unknown", 1),
    word("scheduled", "scheduled", 5),
    word("accepted", "accepted", 10),
    word("queued", "queued", 15),
    word("sending", "sending", 20),
    word("sent", "sent", 30),
    word("canceled", "canceled", 36),
    word("failed", "failed", 40),
    word("undelivered", "undelivered", 41),
    word("read", "delivered", 49).evidence("inferred").marks("read_at"),
    word("delivered", "delivered", 50).evidence("carrier"),
];

const ERRORS: [Word; 5] = [
    word("sent", "sent", 30)
        .error(&[("ErrorCode", "30022")], ["30022", "US A2P 10DLC - rate limits exceeded", "rate_limited", "temporary"]),
    word("failed", "failed", 40).error(&[("ErrorCode", "30008")], ["30008", "Unknown error", "unknown", "unknown"]),
    word("failed", "failed", 40)
        .error(&[("ErrorCode", "21610")], ["21610", "Attempt to send to unsubscribed recipient", "opted_out", "permanent"]),
    word("undelivered", "undelivered", 41)
        .error(&[("ErrorCode", "30003")], ["30003", "Unreachable destination handset", "unreachable", "temporary"]),
    word("undelivered", "undelivered", 41).error(
        &[("ErrorCode", "30005"), ("ErrorMessage", "no such subscriber")],
        ["30005", "no such subscriber", "invalid_recipient", "permanent"],
    ),
];

/// Words that only [`super::super::extended`] understands.
const EXTENDED_WORDS: [Word; 2] =
    [no_status("unsubscribed", Some("unsubscribed_at")), word("delivered_to_handset", "delivered", 50).evidence("handset")];

pub const FORM_SENDER: [Choice; 3] = [
    choice(&[("From", "+15550000001")], &[("sender", "+15550000001")]),
    choice(&[("From", "Zed")], &[("sender", "Zed")]),
    choice(&[("From", "acme")], &[("sender", "acme")]),
];

pub const FORM_RECIPIENT: [Choice; 4] = [
    choice(&[("To", "+15551000001")], &[("recipient", "+15551000001")]),
    choice(&[("To", "whatsapp:+15551000002")], &[("recipient", "+15551000002"), ("channel", "whatsapp")]),
    choice(&[("To", "rcs:Yard")], &[("recipient", "Yard"), ("channel", "rcs")]),
    choice(&[("To", "messenger:barn")], &[("recipient", "barn"), ("channel", "chat")]),
];

pub const FORM: Shape = Shape {
    name: "Twilio form",
    provider: "twilio",
    scheme: "request",
    payload: Payload::Form,
    id: "MessageSid",
    word: "MessageStatus",
    words: &[&WORDS, &ERRORS, &EXTENDED_WORDS],
    reference: "?message_id",
    fixed: OUTBOUND_SMS,
    attributes: &[&FORM_SENDER, &FORM_RECIPIENT],
    ..Shape::PLAIN
};

const FORM_BODY_SHA256: Shape = Shape { name: "Twilio form, body-sha256", scheme: "body-sha256", reference: "", ..FORM };

const EVENT_STREAM: Shape = Shape {
    name: "Twilio Event Stream",
    payload: Payload::CloudEvents,
    id: "/data/messageSid",
    word: "/data/messageStatus",
    words: &[&[
        word("TELEPORTED", "unknown", 1),
        word("QUEUED", "queued", 15),
        word("SENT", "sent", 30),
        word("FAILED", "failed", 40),
        word("FAILED", "failed", 40)
            .error(&[("/data/errorCode", "30007")], ["30007", "Message filtered", "spam_filtered", "unknown"]),
        word("UNDELIVERED", "undelivered", 41)
            .error(&[("/data/errorCode", "30003"), ("/data/errorMessage", "off")], ["30003", "off", "unreachable", "temporary"]),
        word("READ", "delivered", 49).evidence("inferred").marks("read_at"),
        word("DELIVERED", "delivered", 50).evidence("carrier"),
        word("DELIVERED_TO_HANDSET", "delivered", 50).evidence("handset"),
        no_status("UNSUBSCRIBED", Some("unsubscribed_at")),
    ]],
    time: Time::Iso("/data/timestamp"),
    reference: "",
    fixed: choice(
        &[("/specversion", "\"1.0\""), ("/source", "stream"), ("/type", "com.twilio.messaging.message.sent")],
        OUTBOUND_SMS.columns,
    ),
    attributes: &[
        &[
            choice(&[("/data/from", "+15550000001")], &[("sender", "+15550000001")]),
            choice(&[("/data/from", "Zed")], &[("sender", "Zed")]),
        ],
        &[
            choice(&[("/data/to", "+15551000001")], &[("recipient", "+15551000001")]),
            choice(&[("/data/to", "whatsapp:+15551000002")], &[("recipient", "+15551000002"), ("channel", "whatsapp")]),
        ],
        &[
            choice(&[("/data/numberOfSegments", "9")], &[("parts_total", "9")]),
            choice(&[("/data/numberOfSegments", "10")], &[("parts_total", "10")]),
        ],
    ],
    ..FORM
};

const INBOUND_SMS: Choice = choice(&[("NumMedia", "0")], &[("channel", "sms")]);

/// Media change the channel of an SMS to MMS, and no other channel.
const MEDIA: [Choice; 2] = [
    choice(
        &[("MediaUrl0", "https://m.example/b"), ("MediaContentType0", "image/png")],
        &[("channel", "mms"), ("media", r#"[{"url":"https://m.example/b","content_type":"image/png"}]"#)],
    ),
    choice(&[("MediaUrl0", "https://m.example/a")], &[("channel", "mms"), ("media", r#"[{"url":"https://m.example/a"}]"#)]),
];

pub const INBOUND_FORM: Shape = Shape {
    name: "Twilio inbound form",
    word: "SmsStatus",
    words: &[&[word("received", "", 0), word("receiving", "", 0)]],
    reference: "",
    fixed: INBOUND_SMS,
    attributes: &[
        &MEDIA,
        &FORM_SENDER,
        &[
            choice(&[("To", "+15551000001")], &[("recipient", "+15551000001")]),
            choice(&[("To", "rcs:Yard")], &[("recipient", "Yard"), ("channel", "rcs")]),
        ],
        &[
            choice(&[("Body", "Zoo")], &[("text", "Zoo")]),
            choice(&[("Body", "ant")], &[("text", "ant")]),
            choice(&[("Body", "STOP")], &[("text", "STOP"), ("opt_out", "stop")]),
        ],
        &[choice(&[("OptOutType", "START")], &[("opt_out", "start")]), choice(&[("OptOutType", "HELP")], &[("opt_out", "help")])],
        &[choice(&[("NumSegments", "9")], &[("parts_total", "9")]), choice(&[("NumSegments", "10")], &[("parts_total", "10")])],
    ],
    ..FORM
};

const INBOUND_EVENT: Shape = Shape {
    name: "Twilio inbound event",
    words: &[&[word("RECEIVED", "", 0), no_status("", None)]],
    fixed: choice(
        &[("/specversion", "\"1.0\""), ("/source", "inbound-stream"), ("/type", "com.twilio.messaging.inbound-message.received")],
        &[("channel", "sms")],
    ),
    attributes: &[
        EVENT_STREAM.attributes[0],
        EVENT_STREAM.attributes[1],
        &[
            choice(&[("/data/body", "Zoo")], &[("text", "Zoo")]),
            choice(&[("/data/body", "unstop")], &[("text", "unstop"), ("opt_out", "start")]),
        ],
        &[
            choice(&[("/data/numSegments", "9")], &[("parts_total", "9")]),
            choice(&[("/data/numSegments", "10")], &[("parts_total", "10")]),
        ],
    ],
    ..EVENT_STREAM
};
