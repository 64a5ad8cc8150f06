//! SignalWire: the forms of the compatibility API, and JSON.

use super::{
    OUTBOUND_SMS, Shape, Time, choice, no_status,
    twilio::{FORM, INBOUND_FORM, WORDS},
    word,
};

pub const MESSAGES: [&Shape; 2] = [&STATUS_FORM, &STATUS];
pub const INBOUND: [&Shape; 2] = [&RECEIVED_FORM, &RECEIVED];

const STATUS_FORM: Shape = Shape {
    name: "SignalWire form",
    provider: "signalwire",
    words: &[
        &WORDS,
        &[
            word("failed", "failed", 40)
                .error(&[("ErrorCode", "30001")], ["30001", "Validity period exceeded", "expired", "temporary"]),
            word("undelivered", "undelivered", 41).error(
                &[("ErrorCode", "30011")],
                ["30011", "MMS expired, rejected, failed, or not supported", "content_rejected", "permanent"],
            ),
        ],
    ],
    ..FORM
};

const STATUS: Shape = Shape {
    name: "SignalWire JSON",
    provider: "signalwire",
    scheme: "url-body-sha1",
    id: "/id",
    word: "/status",
    words: &[
        &WORDS,
        &[
            word("initiated", "sending", 20),
            word("sent", "sent", 30).error(&[("/error_message", "slow")], ["", "slow", "unknown", "unknown"]),
            word("failed", "failed", 40).error(
                &[("/error_code", "insufficient_balance")],
                ["insufficient_balance", "Insufficient balance", "funds", "temporary"],
            ),
            word("undelivered", "undelivered", 41).error(
                &[("/error_code", "carrier_violation"), ("/error_message", "spam")],
                ["carrier_violation", "spam", "spam_filtered", "unknown"],
            ),
        ],
    ],
    time: Time::Iso("/timestamp"),
    reference: "/custom_variables/message_id",
    fixed: choice(&[("/custom_variables/case", "\"7\"")], OUTBOUND_SMS.columns),
    attributes: &[
        &[
            choice(&[("/from", "+15550000001")], &[("sender", "+15550000001")]),
            choice(&[("/from", "Zed")], &[("sender", "Zed")]),
            choice(&[("/from", "acme")], &[("sender", "acme")]),
        ],
        &[
            choice(&[("/to", "+15551000001")], &[("recipient", "+15551000001")]),
            choice(&[("/to", "whatsapp:+15551000002")], &[("recipient", "+15551000002"), ("channel", "whatsapp")]),
        ],
        &[
            choice(&[("/number_of_segments", "9")], &[("parts_total", "9")]),
            choice(&[("/number_of_segments", "10")], &[("parts_total", "10")]),
        ],
    ],
    ..Shape::PLAIN
};

const RECEIVED_FORM: Shape = Shape { name: "SignalWire inbound form", provider: "signalwire", ..INBOUND_FORM };

const RECEIVED: Shape = Shape {
    name: "SignalWire inbound JSON",
    scheme: "url-token",
    id: "/message_id",
    word: "",
    words: &[&[no_status("", None)]],
    reference: "",
    fixed: choice(&[("/num_media", "0")], &[("channel", "sms")]),
    attributes: &[
        &[
            choice(&[("/type", "mms")], &[("channel", "mms")]),
            choice(
                &[("/media", r#"["https://m.example/b"]"#)],
                &[("channel", "mms"), ("media", r#"[{"url":"https://m.example/b"}]"#)],
            ),
            choice(
                &[("/media", r#"[{"url": "https://m.example/a", "content_type": "image/png"}]"#)],
                &[("channel", "mms"), ("media", r#"[{"url":"https://m.example/a","content_type":"image/png"}]"#)],
            ),
        ],
        STATUS.attributes[0],
        STATUS.attributes[1],
        &[
            choice(&[("/body", "Zoo")], &[("text", "Zoo")]),
            choice(&[("/body", "ant")], &[("text", "ant")]),
            choice(&[("/body", "HELP")], &[("text", "HELP"), ("opt_out", "help")]),
        ],
        &[choice(&[("/segments", "9")], &[("parts_total", "9")]), choice(&[("/segments", "10")], &[("parts_total", "10")])],
    ],
    ..STATUS
};
