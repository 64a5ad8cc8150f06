//! Vonage: the SMS API and the Messages API.

use super::{OUTBOUND_SMS, Payload, Shape, Time, Word, choice, no_status, word};

pub const MESSAGES: [&Shape; 4] = [&SMS, &SMS_MD5_PLAIN, &MESSAGES_BY_CARRIER, &MESSAGES_BY_CHAT];
pub const INBOUND: [&Shape; 2] = [&INBOUND_SMS, &INBOUND_MESSAGE];

const SMS: Shape = Shape {
    name: "Vonage SMS",
    provider: "vonage",
    scheme: "sms",
    payload: Payload::Form,
    id: "messageId",
    word: "status",
    words: &[&[
        word("lost", "unknown", 1),
        word("accepted", "sent", 30).with(&[("err-code", "0")]),
        word("accepted", "sent", 30).error(&[("err-code", "7")], ["7", "Handset Busy", "unreachable", "temporary"]),
        word("buffered", "deferred", 32),
        word("expired", "expired", 40).error(&[("err-code", "0")], ["", "", "expired", "temporary"]),
        word("failed", "failed", 40),
        word("failed", "failed", 40).error(&[("err-code", "8")], ["8", "Network Error", "carrier_error", "temporary"]),
        word("rejected", "rejected", 40).error(&[("err-code", "6")], ["6", "Anti-Spam Rejection", "spam_filtered", "unknown"]),
        word("delivered", "delivered", 50).evidence("carrier"),
    ]],
    time: Time::WithoutZone("message-timestamp"),
    reference: "client-ref",
    fixed: choice(&[("timestamp", "1773500100")], OUTBOUND_SMS.columns),
    attributes: &[
        &[
            choice(&[("to", "447700900009")], &[("sender", "+447700900009")]),
            choice(&[("to", "Zed")], &[("sender", "Zed")]),
            choice(&[("to", "acme")], &[("sender", "acme")]),
        ],
        &[
            choice(&[("msisdn", "447700900001")], &[("recipient", "+447700900001")]),
            choice(&[("msisdn", "12345")], &[("recipient", "12345")]),
        ],
        &[
            choice(&[("price", "0.03330000")], &[("price", "0.03330000")]),
            choice(&[("price", "9.5")], &[("price", "9.5")]),
            choice(&[("price", "10.25")], &[("price", "10.25")]),
        ],
    ],
    ..Shape::PLAIN
};

const SMS_MD5_PLAIN: Shape = Shape { name: "Vonage SMS, md5-plain", scheme: "md5-plain", ..SMS };

const WORDS: [Word; 7] = [
    word("seen", "unknown", 1),
    word("submitted", "accepted", 10),
    word("rejected", "rejected", 40),
    word("rejected", "rejected", 40)
        .error(&[("/error/title", "1050")], ["1050", "Number barred", "recipient_blocked", "permanent"]),
    word("undeliverable", "failed", 40).error(
        &[("/error/type", "https://example.com/errors#1090"), ("/error/detail", "far too long")],
        ["1090", "far too long", "content_rejected", "permanent"],
    ),
    word("undeliverable", "failed", 40).error(&[("/error/title", "Barred")], ["", "Barred", "unknown", "unknown"]),
    word("read", "delivered", 49).evidence("inferred").marks("read_at"),
];

const MESSAGES_BY_CARRIER: Shape = Shape {
    name: "Vonage Messages by carrier",
    provider: "vonage",
    scheme: "jwt",
    id: "/message_uuid",
    word: "/status",
    words: &[&WORDS, &[word("delivered", "delivered", 50).evidence("carrier")]],
    time: Time::Iso("/timestamp"),
    reference: "/client_ref",
    fixed: choice(&[("/channel", "sms")], OUTBOUND_SMS.columns),
    attributes: &[
        &[choice(&[("/channel", "mms")], &[("channel", "mms")])],
        &[
            choice(&[("/from", "447700900009")], &[("sender", "+447700900009")]),
            choice(&[("/from", "Zed")], &[("sender", "Zed")]),
            choice(&[("/from", "acme")], &[("sender", "acme")]),
        ],
        &[
            choice(&[("/to", "447700900001")], &[("recipient", "+447700900001")]),
            choice(&[("/to", "447700900002")], &[("recipient", "+447700900002")]),
        ],
        &[
            choice(&[("/usage/price", "\"0.0333\"")], &[("price", "0.0333")]),
            choice(&[("/usage/price", "9.50")], &[("price", "9.50")]),
            choice(&[("/usage/price", "\"10.25\"")], &[("price", "10.25")]),
        ],
        &[
            choice(&[("/usage/currency", "EUR")], &[("price_currency", "EUR")]),
            choice(&[("/usage/currency", "USD")], &[("price_currency", "USD")]),
        ],
        &[
            choice(&[("/sms/count_total", "\"9\"")], &[("parts_total", "9")]),
            choice(&[("/sms/count_total", "\"10\"")], &[("parts_total", "10")]),
        ],
    ],
    ..Shape::PLAIN
};

const MESSAGES_BY_CHAT: Shape = Shape {
    name: "Vonage Messages by chat",
    words: &[&WORDS, &[word("delivered", "delivered", 50).evidence("provider")]],
    fixed: choice(&[("/channel", "whatsapp")], &[("channel", "whatsapp"), ("direction", "outbound")]),
    attributes: &[
        &[
            choice(&[("/channel", "rcs")], &[("channel", "rcs")]),
            choice(&[("/channel", "viber_service")], &[("channel", "chat")]),
        ],
        MESSAGES_BY_CARRIER.attributes[1],
        MESSAGES_BY_CARRIER.attributes[2],
        MESSAGES_BY_CARRIER.attributes[3],
        MESSAGES_BY_CARRIER.attributes[4],
    ],
    ..MESSAGES_BY_CARRIER
};

const INBOUND_SMS: Shape = Shape {
    name: "Vonage inbound SMS",
    words: &[&[no_status("", None)]],
    reference: "",
    fixed: choice(SMS.fixed.wire, &[("channel", "sms")]),
    attributes: &[
        &[
            choice(&[("msisdn", "447700900001")], &[("sender", "+447700900001")]),
            choice(&[("msisdn", "12345")], &[("sender", "12345")]),
        ],
        &[
            choice(&[("to", "447700900009")], &[("recipient", "+447700900009")]),
            choice(&[("to", "acme")], &[("recipient", "acme")]),
        ],
        &[
            choice(&[("text", "Zoo ")], &[("text", "Zoo ")]),
            choice(&[("text", "ant")], &[("text", "ant")]),
            choice(&[("text", "Quit")], &[("text", "Quit"), ("opt_out", "stop")]),
            choice(&[("text", "info")], &[("text", "info"), ("opt_out", "help")]),
        ],
    ],
    ..SMS
};

const INBOUND_MESSAGE: Shape = Shape {
    name: "Vonage inbound message",
    word: "",
    words: &[&[no_status("", None)]],
    reference: "",
    fixed: choice(&[("/channel", "sms"), ("/message_type", "image")], &[("channel", "sms")]),
    attributes: &[
        &[choice(&[("/channel", "mms")], &[("channel", "mms")]), choice(&[("/channel", "whatsapp")], &[("channel", "whatsapp")])],
        MESSAGES_BY_CARRIER.attributes[1],
        MESSAGES_BY_CARRIER.attributes[2],
        &[
            choice(&[("/text", "Zoo")], &[("text", "Zoo")]),
            choice(&[("/text", "ant")], &[("text", "ant")]),
            choice(&[("/text", "Start")], &[("text", "Start"), ("opt_out", "start")]),
        ],
        &[
            choice(
                &[("/image/url", "https://m.example/b"), ("/image/name", "b.png")],
                &[("media", r#"[{"url":"https://m.example/b","filename":"b.png"}]"#)],
            ),
            choice(&[("/image/url", "https://m.example/a")], &[("media", r#"[{"url":"https://m.example/a"}]"#)]),
        ],
        &[
            choice(&[("/sms/num_messages", "\"9\"")], &[("parts_total", "9")]),
            choice(&[("/sms/num_messages", "\"10\"")], &[("parts_total", "10")]),
        ],
    ],
    ..MESSAGES_BY_CARRIER
};
